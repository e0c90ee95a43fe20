"""A small database with every stream, two markets, two days, unknown values, odd texts and numbers, and a gap."""

from collections.abc import Iterator
from pathlib import Path

from orderflow.market.events import (
    DAY,
    HOUR,
    MS,
    SECOND,
    BookTop,
    Candle,
    Event,
    Funding,
    Gap,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    Nanos,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
    VolatilityIndex,
)
from orderflow.store import opening, runs, tables
from orderflow.store.tables import Connection
from orderflow.store.writer import Writer
from tests.store.market import T0

SPOT, FUTURES, BTC, ETH = "binance_spot", "binance_futures", "BTCUSDT", "ETHUSDT"
EACH = 2  # rows a day of each stream of each market
ODD = (0.1 + 0.2, 5e-324, -0.0, float("inf"), 1.7976931348623157e308)
TEXTS = ("", 'a,"b"', "two\nlines", "null", "ünïcödé", " ", "\\N", "NaN")
EVENING: Nanos = T0 - 60 * SECOND  # the day before T0, which is midnight


def events(venue: str, symbol: str, at: Nanos, number: int) -> Iterator[Event]:
    """Yield one event of each kind; `number` tells those of one series apart."""
    head = (venue, symbol, at, at + 7 * MS)
    odd, text = ODD[number % len(ODD)], TEXTS[number % len(TEXTS)]
    yield Quote(*head, 99.0, 2.0, 101.0 + number, odd, 42 + number)
    yield Quote(venue, symbol, None, at + 9 * MS, None, None, None, None, None, 100.0 + number, None)
    yield BookTop(*head, (100.0, odd) + (None,) * 18 + (102.0, 1.0) + (None,) * 18, 1, 77 + number)
    yield Trade(*head, number + 1, bool(number % 2), 100.0 + number, 0.25, 3)
    yield Trade(*head, f"{text}{number}", False, 300_000.0, 1.0, None)
    yield MarkPrice(*head, 101.0, None if number % 2 else 100.0)
    yield Funding(*head, 0.0001, None, 8.0, T0 + 8 * HOUR)
    yield OpenInterest(*head, 1000.0 + number * number, None, 10.0)
    yield Ticker(*head, 110.0, None, 120.0, 90.0, odd, None, number, None, None, None)
    opened = at - at % (60 * SECOND)
    yield Candle(
        *head, "1m", opened, opened + 60 * SECOND - MS, 1.0, 4.0, 0.5, 2.0, 10.0, None, 6, None, None, True
    )
    yield Liquidation(*head, "long", 50.0, 4.0, text or None, None, number)
    yield IndexPrice(*head, 100.5)
    yield Option(*head, f"BTC {text}", T0 + 24 * HOUR, 90_000.0, "call", odd)
    yield VolatilityIndex(*head, 55.5)
    yield Instrument(*head, symbol, "spot", symbol[:3], "USDT", "TRADING", True, None, 0.1, 0.001)


def fill(
    connection: Connection, pairs: list[tuple[str, str]], kind: runs.Kind = "live", each: int = EACH
) -> None:
    """Write the evening of one day and the first minutes of the next, in one run; a gap is in the morning."""
    run = runs.begin(
        connection,
        kind,
        f"{kind} run",
        started=EVENING,
        ended=T0 + 300 * SECOND,
        version="1",
        settings={"a": "b"},
    )
    writer = Writer(connection, run)
    for venue, symbol in pairs:
        adders = writer.adders(venue)
        for day in (EVENING, T0):
            for number in range(each):
                for event in events(
                    venue,
                    symbol,
                    day + number * (40 * SECOND // each) + 123_456 * 1000,
                    number + (day == T0) * each,
                ):
                    adders[type(event)](event)
        for stream in ("trades", "prices"):
            writer.gap(Gap(venue, symbol, stream, T0 + 60 * SECOND, T0 + 90 * SECOND, "disconnected"))
    writer.flush()


def made(path: Path, kind: runs.Kind = "live", each: int = EACH) -> Path:
    """Make the database file, with nobody left who has it open."""
    connection = opening.open_for_writing(path)
    tables.create(connection, [BTC, ETH, "1000SATS/USDT"])
    fill(connection, [(SPOT, BTC), (FUTURES, BTC), (SPOT, "1000SATS/USDT")], kind, each)
    connection.close()
    return path


NOON: Nanos = T0 + DAY // 2
