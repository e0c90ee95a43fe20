"""What Databento sells becomes a table that a replay reads; without its library, one clear error."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orderflow.feed.recordings import recording
from orderflow.jobs import databento
from orderflow.market.errors import UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import Quote
from orderflow.venues.cme_futures import CME_FUTURES as CME
from orderflow.venues.spec import answer

START, END = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC)
FETCHED = """\
ts_recv,ts_event,rtype,publisher_id,instrument_id,side,price,size,bid_px_00,ask_px_00,bid_sz_00,ask_sz_00,symbol
2026-11-20T14:30:00.000000000Z,,196,1,42,N,,0,91200.000000000,91210.000000000,3,1,BTCZ6
2026-11-20T14:30:01.000000000Z,,196,1,42,N,,0,91205.000000000,,2,0,BTCZ6
"""


class Seller:
    """Stands for the library's client: notes what is asked, and writes what it would sell."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.timeseries = SimpleNamespace(get_range=self._get_range)

    def _get_range(self, **asked: Any) -> Any:
        self.asked = asked
        return SimpleNamespace(to_csv=self._write)

    def _write(self, path: Path, *, pretty_px: bool, pretty_ts: bool) -> None:
        assert pretty_px and pretty_ts
        path.write_text(FETCHED)


def test_what_was_fetched_is_replayed_as_quotes(tmp_path: Path) -> None:
    seller = Seller()
    table = databento.quotes("BTCZ26", START, END, tmp_path, key="k", client=lambda key: seller)
    assert (seller.asked["dataset"], seller.asked["symbols"]) == ("GLBX.MDP3", ["BTCZ6"])
    assert (seller.asked["start"], seller.asked["end"]) == (START, END)
    found = [
        event
        for batch in recording(table)
        for one in batch
        if one.kind == "table"
        for event in answer(CME, one.url, one.payload, one.ts_recv)
    ]
    first, second = found
    assert isinstance(first, Quote) and isinstance(second, Quote)
    # 3 contracts of 5 bitcoin; 14:30 on 20 November 2026
    assert (first.symbol, first.bid, first.bid_size, first.ask) == ("BTCZ26", 91200.0, 15.0, 91210.0)
    assert first.ts_event == 1_795_185_000_000_000_000
    assert (second.bid, second.ask) == (91205.0, None)


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "databento", None)
    with pytest.raises(UnsupportedByVenue, match="not installed") as caught:
        databento.quotes("BTCZ26", START, END, tmp_path, key="k")
    assert "crypto-orderflow[databento]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_contract_is_not_asked(tmp_path: Path) -> None:
    with pytest.raises(UnknownSymbol):
        databento.quotes("SOLZ26", START, END, tmp_path, key="k", client=lambda key: pytest.fail(key))
