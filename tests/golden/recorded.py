"""The recorded market: real recordings of two venues, brought into one database as a user would bring them.

Two markets of the same minutes of August 2024 (Binance's futures and spot: trades, books and quotes, 345 s) and
a day of October 2019 of a coin in tiny prices, from an archive's table. Answers over them depend on no clock:
in a replay `now` is when the newest of its data was received.
"""

from pathlib import Path

from orderflow import venues
from orderflow.jobs.health import of_reader
from orderflow.jobs.replay import replay
from orderflow.store import opening, tables
from orderflow.store.reader import Reader
from orderflow.tools.context import Context

RECORDINGS = (
    "binance_spot/freqtrade_201910_XRPETH_aggTrades_part1.csv",
    "binance_spot/hftbacktest_20240808_BTCUSDT.jsonl.gz",
    "binance_futures/hftbacktest_20240808_BTCUSDT.jsonl.gz",
)
SYMBOLS = ("BTCUSDT", "XRPETH")


def missing(captures: Path | None) -> list[str]:
    """Return the recordings that are not there."""
    return [one for one in RECORDINGS if captures is None or not (captures / one).is_file()]


def build(captures: Path, db: Path) -> None:
    """Replay the recordings into a database that is not there yet; some five seconds."""
    connection = opening.open_for_writing(db)
    try:
        tables.create(connection, SYMBOLS)
        report = replay([captures / one for one in RECORDINGS], connection, venues.ALL)
        assert not report.unknown and not report.refused, (report.unknown, report.refused)
        tables.checkpoint(connection)
    finally:
        connection.close()


def context(reader: Reader) -> Context:
    """Return what the doors give a tool that answers from a file."""
    return Context(
        latest=reader, gaps=reader.gaps, health=lambda: of_reader(reader), history=reader, stored=True
    )
