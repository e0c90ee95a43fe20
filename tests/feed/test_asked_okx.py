"""OKX asked over a socket: each question of both forms, against what the simulator knows to be true."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import pytest

from orderflow import venues
from orderflow.feed.answering import Answering
from orderflow.feed.rest import Rest
from orderflow.market.errors import InvalidArgument, UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import (
    DAY,
    HOUR,
    MS,
    SECOND,
    BookUpdate,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    MarkPrice,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.facts import (
    Announcement,
    Asset,
    InsuranceFund,
    LongShort,
    OptionContract,
    RiskTier,
    Settlement,
    TakerVolume,
    VenueStatus,
    VenueVolume,
)
from orderflow.sim import Simulation
from orderflow.sim.candles import grouped
from orderflow.sim.deribit_chain import listed, quoted
from orderflow.sim.okx_facts_rest import fund
from orderflow.sim.okx_options import ASK_CONTRACTS, BID_CONTRACTS, expired, name_of, volume_contracts
from orderflow.sim.standing import share
from orderflow.venues.questions import Asked, Told
from orderflow.venues.spec import Hosts

SWAPS, OPTIONS = "okx_futures", "okx_options"
LOT = 0.0001  # BTC, a hundredth of a contract
E = TypeVar("E", bound=Event)


class Asking:
    """A simulation whose market stands still while it is asked, and both venues."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self.simulation = Simulation(("BTCUSDT", "ETHUSDT"), venues=(SWAPS, OPTIONS), rate=0.001)
        self._run(self.simulation.start())
        self._rests = {
            name: Rest(venues.ALL[name], Hosts(**self.simulation.hosts(name))) for name in (SWAPS, OPTIONS)
        }
        self._answering = {name: Answering(one) for name, one in self._rests.items()}
        self.market = self.simulation.markets["BTCUSDT"]
        self.exchange, self.perpetual = self.market.exchanges[SWAPS], self.market.perpetuals[SWAPS]

    def _run(self, doing: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(doing, 20))

    def told(self, question: str, about: str | None = None, venue: str = SWAPS, **more: Any) -> Told:
        return self._run(self._answering[venue].answer(Asked(question=question, about=about, **more)))

    def of(self, kind: type[E], question: str, about: str | None = None, **more: Any) -> list[E]:
        """Ask, and return the answer: events of one kind and no others."""
        found = [*self.told(question, about, **more).events]
        assert found and all(isinstance(one, kind) for one in found), found[:3]
        return found  # type: ignore[return-value]

    def close(self) -> None:
        for one in self._rests.values():
            self._run(one.close())
        self._run(self.simulation.stop())
        self._loop.close()


@pytest.fixture(scope="module")
def asking() -> Iterator[Asking]:
    one = Asking()
    yield one
    one.close()


ASKED: set[tuple[str, str]] = set()


@pytest.fixture(autouse=True)
def _noted(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Note which questions were asked of which form."""
    told: Callable[..., Told] = Asking.told

    def noting(
        self: Asking, question: str, about: str | None = None, venue: str = SWAPS, **more: Any
    ) -> Told:
        ASKED.add((venue, question))
        return told(self, question, about, venue, **more)

    monkeypatch.setattr(Asking, "told", noting)


# ── Prices ────────────────────────────────────────────────────────────────────────────────────


def test_a_ticker_is_all_that_is_told_of_a_swap(asking: Asking) -> None:
    found = {type(one): one for one in asking.told("ticker", "BTCUSDT").events}
    assert set(found) == {Ticker, Quote, MarkPrice, IndexPrice, Funding, OpenInterest}
    assert {one.symbol for one in found.values()} == {"BTCUSDT"}
    ticker: Any = found[Ticker]
    assert ticker.last == pytest.approx(asking.exchange.candles.day().close * 0.1)
    every = asking.told("tickers").events
    assert {(type(one), one.symbol) for one in every} == {
        (kind, symbol)
        for kind in (Ticker, Quote, MarkPrice, Funding, OpenInterest)
        for symbol in ("BTCUSDT", "ETHUSDT")
    }


def test_best_prices_and_books_are_the_simulators_in_base_units(asking: Asking) -> None:
    bids, asks = asking.exchange.book.top(10_000)
    (quote,) = asking.of(Quote, "quote", "BTCUSDT")
    assert quote.bid == pytest.approx(bids[0][0] * 0.1) and quote.ask == pytest.approx(asks[0][0] * 0.1)
    assert {one.symbol for one in asking.of(Quote, "quotes")} == {"BTCUSDT", "ETHUSDT"}
    for rows in (5, 400, 600):
        (book,) = asking.of(BookUpdate, "book", "BTCUSDT", rows=rows)
        assert book.snapshot and len(book.bids) == min(rows, len(bids))
        assert [price for price, _ in book.bids[:5]] == pytest.approx([tick * 0.1 for tick, _ in bids[:5]])
        assert [size for _, size in book.bids[:5]] == pytest.approx([lots * LOT for _, lots in bids[:5]])
    assert book.last_id is None  # of the full book, which the plain one has


def test_trades_are_the_latest_fills(asking: Asking) -> None:
    asking.exchange.take(True, 10, 1, [])
    found = asking.told("trades", "BTCUSDT", rows=5)
    trades = [one for one in found.events if isinstance(one, Trade)]
    assert trades and [one.id for one in trades] == [one.id for one in asking.exchange.fills.latest(5)]
    assert found.native == "BTC-USDT-SWAP" and "fills" in found.notes[0]


def test_bars_are_cut_in_utc_and_older_ones_are_asked_elsewhere(asking: Asking) -> None:
    hours = asking.of(Candle, "candles", "BTCUSDT", rows=5, period="1h")
    assert [one.interval for one in hours] == ["1h"] * 5
    first = hours[0].open_ts // MS
    minutes = asking.market.minutes(SWAPS, first, first + 3_599_999)
    assert hours[0].volume == pytest.approx(sum(bar.lots for bar in minutes) * LOT)
    (day,) = asking.of(Candle, "candles", "BTCUSDT", rows=1, period="1d")
    assert day.interval == "1d" and day.open_ts % DAY == 0 and not day.closed
    until = hours[-1].open_ts - 70 * DAY
    old = asking.of(Candle, "candles", "BTCUSDT", rows=3, period="1h", until=until)
    assert [one.open_ts for one in old] == [until - back * HOUR for back in (3, 2, 1)]
    bars = grouped(asking.market.minutes(SWAPS, old[0].open_ts // MS, until // MS - 1), 60)
    assert [one.close for one in old] == pytest.approx([bar.close * 0.1 for bar in bars])


def test_marks_and_indices_are_of_one_or_of_all(asking: Asking) -> None:
    (mark,) = asking.of(MarkPrice, "mark", "BTCUSDT")
    (index,) = asking.of(IndexPrice, "index", "BTCUSDT")
    assert mark.mark == pytest.approx(asking.perpetual.marked.mark, rel=1e-3)
    assert index.price == pytest.approx(asking.perpetual.marked.index, rel=1e-3)
    assert {one.symbol for one in asking.of(MarkPrice, "marks")} == {"BTCUSDT", "ETHUSDT"}
    names = {(one.name, one.native, one.kind) for one in asking.of(Asset, "indices")}
    assert names == {
        (base + quote, f"{base}-{quote}", "index") for base in ("BTC", "ETH") for quote in ("USD", "USDT")
    }


# ── What a swap has beside ────────────────────────────────────────────────────────────────────


def test_funding_is_the_running_estimate_and_its_history_what_was_paid(asking: Asking) -> None:
    (rate,) = asking.of(Funding, "funding", "BTCUSDT")
    assert rate.rate == pytest.approx(asking.perpetual.marked.funding, abs=1e-5)
    assert (rate.interval_hours, rate.next_ts) == (8.0, asking.perpetual.marked.next_funding_ms * MS)
    assert {one.symbol for one in asking.of(Funding, "fundings")} == {"BTCUSDT", "ETHUSDT"}
    paid = asking.of(Funding, "funding_history", "BTCUSDT", rows=4)
    truth = asking.perpetual.settlements[-4:]
    assert [(one.ts_event, one.rate) for one in paid] == [
        (one.ts * MS, pytest.approx(one.rate)) for one in truth
    ]


def test_open_interest_is_in_coins_now_and_then(asking: Asking) -> None:
    (now,) = asking.of(OpenInterest, "open_interest", "BTCUSDT")
    assert now.size == pytest.approx(asking.perpetual.open_lots * LOT, rel=1e-3)
    assert now.contracts == pytest.approx((now.size or 0) * 100)
    assert {one.symbol for one in asking.of(OpenInterest, "open_interests")} == {"BTCUSDT", "ETHUSDT"}
    then = asking.of(OpenInterest, "open_interest_history", "BTCUSDT", rows=6, period="1h")
    at = [(one.ts_event or 0) // MS for one in then]
    assert len(then) >= 5 and all(two - one == 3_600_000 for one, two in zip(at, at[1:], strict=False))
    truth = {row.ts: row.lots * LOT for row in asking.market.open_interest(SWAPS, at[0], at[-1], 1000)}
    assert [one.size for one in then] == pytest.approx([truth[ts] for ts in at])


def test_ratios_are_of_accounts_and_of_the_largest(asking: Asking) -> None:
    found = asking.of(LongShort, "long_short", "BTCUSDT", rows=3, period="1h")
    assert [one.of for one in found] == [
        of for of in ("accounts", "top_accounts", "top_positions") for _ in range(3)
    ]
    for one in found:
        long = share(asking.market.seed, SWAPS, "BTCUSDT", one.of, ts=(one.ts_event or 0) // MS)
        assert one.ratio == pytest.approx(long / (1 - long), abs=1e-6)
        assert one.period_s == 3600.0


def test_taker_volume_is_in_coins_at_the_end_of_its_period(asking: Asking) -> None:
    found = asking.of(TakerVolume, "taker_volume", "BTCUSDT", rows=3, period="15m")
    for one in found:
        ends = (one.ts_event or 0) // MS
        assert (ends % 900_000, one.unit, one.period_s) == (0, "base", 900.0)
        bars = asking.market.minutes(SWAPS, ends - 900_000, ends - 1)
        bought = sum(bar.buy_lots for bar in bars)
        assert one.buy == pytest.approx(bought * LOT)
        assert one.sell == pytest.approx((sum(bar.lots for bar in bars) - bought) * LOT)


def test_tiers_funds_and_ends_of_contracts(asking: Asking) -> None:
    tiers = asking.of(RiskTier, "risk_tiers", "BTCUSDT")
    # 50 coins double with each tier: 100, 200 … ; contracts of 0.01
    assert [one.limit for one in tiers] == pytest.approx([100.0, 200.0, 400.0, 800.0, 1600.0])
    assert [one.tier for one in tiers] == [1, 2, 3, 4, 5]
    assert (tiers[0].unit, tiers[0].max_leverage, tiers[0].initial_margin) == ("base", 100.0, 0.01)
    assert (tiers[0].floor, tiers[1].floor) == (0.0, pytest.approx(100.01))
    for about, family in ((None, "BTC-USDT"), ("ETH", "ETH-USDT")):
        (held,) = asking.of(InsuranceFund, "insurance_fund", about)
        updated = (held.ts_event or 0) // MS
        assert (held.coin, held.markets) == ("USDT", (family,))
        assert held.balance == held.usd == fund(asking.market.seed, family, updated)
    ended = asking.of(Settlement, "settlements", "BTC", rows=5)
    assert {one.kind for one in ended} == {"delivery", "settlement"}
    for one in ended:
        at = (one.ts_event or 0) // MS
        assert at % 86_400_000 == 8 * 3_600_000 and one.instrument.startswith("BTC-USDT-")
        (bar, *_) = asking.market.minutes(SWAPS, at - 60_000, at)
        assert one.price == pytest.approx(bar.close * 0.1)


def test_the_venue_speaks_of_itself(asking: Asking) -> None:
    found = asking.of(Instrument, "instruments")
    assert {(one.symbol, one.native, one.contract_size) for one in found} == {
        ("BTCUSDT", "BTC-USDT-SWAP", 0.01),
        ("ETHUSDT", "ETH-USDT-SWAP", 0.1),
    }
    online, ahead = asking.of(VenueStatus, "status")
    assert (online.status, online.planned) == ("online", False)
    assert (ahead.status, ahead.planned) == ("maintenance", True)
    assert ahead.starts is not None and ahead.ends == ahead.starts + 600 * SECOND
    (volume,) = asking.of(VenueVolume, "volume")
    assert volume.usd >= 0.0
    notices = asking.of(Announcement, "announcements")
    assert len(notices) == 20 and notices[-1].kind == "latest-announcements"
    assert (notices[-1].ts_event or 0) > (notices[0].ts_event or 0)


# ── Options ───────────────────────────────────────────────────────────────────────────────────


def test_what_options_there_are(asking: Asking) -> None:
    found = asking.of(Asset, "option_underlyings", venue=OPTIONS)
    assert [(one.name, one.native) for one in found] == [("BTC", "BTC-USD"), ("ETH", "ETH-USD")]
    truth = {name_of(one): one for one in listed("ETHUSDT", int(asking.perpetual.marked.ts))}
    contracts = asking.of(OptionContract, "option_contracts", "ETH", venue=OPTIONS)
    assert {(one.instrument, one.strike, one.kind) for one in contracts} == {
        (name, one.strike, "call" if one.call else "put") for name, one in truth.items()
    }
    assert {one.contract_size for one in contracts} == {0.1}
    days = asking.of(Asset, "option_expirations", "ETH", venue=OPTIONS)
    assert [one.expiry_ts for one in days] == sorted({one.expiry_ms * MS for one in truth.values()})
    every = asking.of(Instrument, "instruments", venue=OPTIONS)
    assert {one.symbol for one in every} == {"BTCUSDT", "ETHUSDT"}


def test_a_chain_is_one_row_an_option_out_of_four_answers(asking: Asking) -> None:
    found = {one.instrument: one for one in asking.of(Option, "option_chain", "BTC", venue=OPTIONS)}
    truth = listed("BTCUSDT", int(asking.perpetual.marked.ts))
    assert set(found) == {name_of(one) for one in truth}
    for one in truth:
        row = found[name_of(one)]
        now = quoted(one, "BTCUSDT", asking.market.price, (row.ts_event or 0) // MS)
        assert (row.symbol, row.strike, row.expiry_ts) == ("BTCUSDT", one.strike, one.expiry_ms * MS)
        assert row.mark_iv == pytest.approx(now.mark_iv, rel=1e-4)
        assert row.mark_price == pytest.approx(now.mark, rel=0.02, abs=1e-6)
        assert row.delta == pytest.approx(now.priced.delta, abs=0.01)
        assert row.vega == pytest.approx(now.priced.vega, rel=0.02, abs=1e-3)
        assert row.open_interest == pytest.approx(one.open_interest)
        assert row.volume_24h == pytest.approx(volume_contracts(one) * 0.01)
        assert (row.bid is None) == (now.bid == 0.0)


def test_one_option_is_its_row_of_the_chain_and_its_book_is_in_coins(asking: Asking) -> None:
    one = listed("BTCUSDT", int(asking.perpetual.marked.ts))[4]
    (row,) = asking.of(Option, "option", name_of(one), venue=OPTIONS)
    assert row.instrument == name_of(one)
    assert None not in (row.mark_iv, row.delta, row.ask, row.mark_price, row.open_interest)
    (book,) = asking.of(BookUpdate, "option_book", name_of(one), venue=OPTIONS, rows=20)
    assert (book.symbol, book.snapshot) == (name_of(one), True)
    assert [size for _, size in book.asks] == pytest.approx([ASK_CONTRACTS * 0.01])
    assert [size for _, size in book.bids] == pytest.approx([BID_CONTRACTS * 0.01])
    assert book.asks[0][0] == row.ask


def test_options_end_and_have_a_fund(asking: Asking) -> None:
    ended = asking.of(Settlement, "settlements", "BTC", venue=OPTIONS)
    gone = expired("BTCUSDT", int(asking.perpetual.marked.ts))
    assert {(one.instrument, one.ts_event) for one in ended} == {
        (name_of(one), one.expiry_ms * MS) for one in gone
    }
    assert {(one.symbol, one.price) for one in ended} == {("BTCUSDT", 87_250.0)}
    (held,) = asking.of(InsuranceFund, "insurance_fund", "ETH", venue=OPTIONS)
    assert (held.coin, held.balance) == ("USD", held.usd)  # the coin told beside it cannot be meant


# ── Refusals ──────────────────────────────────────────────────────────────────────────────────


def test_what_is_unknown_says_so(asking: Asking) -> None:
    with pytest.raises(UnknownSymbol, match="NEWUSDT"):
        asking.told("ticker", "NEWUSDT")
    with pytest.raises(InvalidArgument, match="7m"):
        asking.told("candles", "BTCUSDT", period="7m")
    with pytest.raises(InvalidArgument, match="1m"):
        asking.told("long_short", "BTCUSDT", period="1m")
    with pytest.raises(UnsupportedByVenue, match="basis"):
        asking.told("basis", "BTCUSDT")
    with pytest.raises(UnknownSymbol, match="51001"):
        asking.told("option_chain", "DOGE", venue=OPTIONS)
    with pytest.raises(UnknownSymbol, match="51001"):
        asking.told("option", "BTC-USD-301227-1-C", venue=OPTIONS)


def test_every_question_of_both_forms_was_asked() -> None:
    offered = {(name, one.name) for name in (SWAPS, OPTIONS) for one in venues.ALL[name].questions}
    assert offered - ASKED == set()
