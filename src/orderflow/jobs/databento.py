"""Databento: best quotes of CME futures, bought with a key of the user's own and written as a table to replay.

Docs  https://databento.com/docs/api-reference-historical/timeseries/timeseries-get-range
The library is an extra, imported when it is first needed. What is fetched costs money and stays under
Databento's licence: it is written into a file of the user's choice, and nowhere else.
"""

import csv
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orderflow.market.errors import UnsupportedByVenue
from orderflow.venues.cme_futures.contracts import parse

DATASET = "GLBX.MDP3"
_SCHEMA = "bbo-1s"  # the best quote, each second
_COLUMNS = {
    "time": "ts_recv",
    "bid": "bid_px_00",
    "bid_contracts": "bid_sz_00",
    "ask": "ask_px_00",
    "ask_contracts": "ask_sz_00",
}


def quotes(
    contract: str,
    start: datetime,
    end: datetime,
    folder: Path,
    *,
    key: str,
    client: Callable[[str], Any] | None = None,
) -> Path:
    """Fetch the quotes of a contract, `BTCZ26`, and return the table for `orderflow replay`.

    `client` makes the library's historical client out of a key; by default it is the library's own.
    """
    future = parse(contract, start.date())
    target = folder / "cme_futures" / f"{future.code}-quotes-{start:%Y%m%d}.csv"
    historical = (client or _client)(key)
    store = historical.timeseries.get_range(
        dataset=DATASET, symbols=[future.globex], schema=_SCHEMA, start=start, end=end
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as own:
        raw = Path(own, "fetched.csv")
        store.to_csv(raw, pretty_px=True, pretty_ts=True)
        _rewrite(raw, target)
    return target


def _client(key: str) -> Any:
    try:
        library = import_module("databento")
    except ModuleNotFoundError as error:
        raise UnsupportedByVenue(
            "cme_futures: Databento's library is not installed",
            hint="pip install 'crypto-orderflow[databento]'",
        ) from error
    return library.Historical(key)


def _rewrite(fetched: Path, target: Path) -> None:
    """Write the columns that our table has, under its names; a price that is none stays empty."""
    with fetched.open(newline="") as source, target.open("w", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in csv.DictReader(source):
            writer.writerow([row[name] for name in _COLUMNS.values()])
