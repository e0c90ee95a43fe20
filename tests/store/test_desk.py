"""A desk's questions: the same answer from PostgreSQL as from our own store, and what an answer says."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderflow.market.errors import InvalidArgument, UnknownSymbol, UnknownVenue
from orderflow.market.events import SECOND, BookTop, Event, Funding, Liquidation, Nanos, OpenInterest, Trade
from orderflow.store import access
from orderflow.store.desk import QUESTIONS, Filters, StoredDesk
from tests.store.desk import NOW, T0, Desk, Store, own_schema, required

HOUR = 3600 * SECOND


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    required()
    store = Store(tmp_path_factory.mktemp("desk") / "store.duckdb")
    with own_schema() as schema:
        desk = Desk(store, schema)
        desk.copy()
        yield desk
        desk.close()
    store.close()


@pytest.fixture
def desk(made: Desk) -> Desk:
    made.clear()
    made.store.clear()
    return made


def at(seconds: float) -> Nanos:
    return T0 + round(seconds * SECOND)


def trade(id: int, seconds: float, price: float, size: float, venue: str = "binance_futures", **more: object):
    return Trade(
        venue, str(more.get("symbol", "BTCUSDT")), at(seconds), at(seconds + 0.1), id,
        bool(more.get("sold", False)), price, size, 1, True,
    )  # fmt: skip


def liquidation(seconds: float, side: str, price: float, size: float, **more: object) -> Liquidation:
    return Liquidation(
        str(more.get("venue", "okx_futures")), str(more.get("symbol", "BTCUSDT")), at(seconds), at(seconds),
        side, price, size, more.get("order_id"),
    )  # type: ignore[arg-type] # fmt: skip


def funding(venue: str, seconds: float, rate: float, hours: float | None, symbol: str = "BTCUSDT") -> Funding:
    return Funding(venue, symbol, at(seconds), at(seconds), rate, None, hours, at(8 * 3600))


def interest(
    venue: str, seconds: float, size: float, usd: float | None, symbol: str = "BTCUSDT"
) -> OpenInterest:
    return OpenInterest(venue, symbol, at(seconds), at(seconds), size, usd)


def book(seconds: float, sequence: int | None, *levels: float | None, venue: str = "okx_futures") -> BookTop:
    padded = [*levels[:2], *[None] * 18, *levels[2:], *[None] * 18]
    return BookTop(venue, "BTCUSDT", at(seconds), at(seconds), tuple(padded), 1, sequence)


def both(desk: Desk, name: str, **filters: object) -> dict:
    """Return the answer, the same bytes from either store."""
    asked = Filters(**filters)  # type: ignore[arg-type]
    ours = msgspec.json.encode(desk.duckdb.answer(name, asked))
    assert msgspec.json.encode(desk.postgres.answer(name, asked)) == ours
    return msgspec.json.decode(ours)


# ── The same for the same events ──────────────────────────────────────────────────────────────

_VENUES = st.sampled_from(["binance_futures", "okx_futures", "bybit_spot"])
_FUTURES = st.sampled_from(["binance_futures", "okx_futures"])
_SYMBOLS = st.sampled_from(["BTCUSDT", "SOLUSD", "BTCEUR"])
# few instants, so that many rows share one; some before the window, some in the same microsecond's reach
_SECONDS = st.sampled_from([-82_800.000001, -82_800, 0, 0.000001, 0.000002, 0.0015, 5, 3599.999999, 3600])
_PRICES = st.one_of(
    st.sampled_from([0.125, 1.005, 2.675, 0.000000005, 0.000000015, 97_123.12345678, 1e11, 1e13]),
    st.floats(1e-9, 1e7, allow_nan=False),
)
_SIZES = st.one_of(st.sampled_from([1.0, 0.5, 200_000.005, 1e6, 1e12]), st.floats(1e-8, 1e9))
_RATES = st.one_of(
    st.sampled_from([0.0, 1e-4, -1e-4, 0.000000005, -0.000000005, 0.0000792386885340, 99.999999994, 123.0]),
    st.floats(-0.1, 0.1),
)
_IDS = st.one_of(
    st.integers(1, 5), st.sampled_from(["a\\b", 'q"t', "tab\there", "new\nline", "é€", "a\x00b"])
)
_EVENTS = st.one_of(
    st.builds(
        lambda venue, symbol, s, id, sold, price, size: Trade(
            venue, symbol, at(s), at(s), id, sold, price, size, 1, True
        ),
        _VENUES, _SYMBOLS, _SECONDS, _IDS, st.booleans(), _PRICES, _SIZES,
    ),
    st.builds(
        lambda venue, symbol, s, side, price, size, id, partial, ordinal: Liquidation(
            venue, symbol, at(s), at(s), side, price, size, None if id is None else str(id), partial, ordinal
        ),
        _FUTURES, _SYMBOLS, _SECONDS, st.sampled_from(["long", "short"]), _PRICES, _SIZES,
        st.none() | _IDS, st.none() | st.booleans(), st.integers(0, 1),
    ),
    st.builds(
        lambda venue, symbol, s, rate, predicted, hours, next: Funding(
            venue, symbol, at(s), at(s), rate, predicted, hours, next
        ),
        _FUTURES, _SYMBOLS, _SECONDS, _RATES, st.none() | _RATES, st.sampled_from([None, 1.0, 4.0, 8.0]),
        st.none() | st.just(at(7200)),
    ),
    st.builds(
        lambda venue, symbol, s, size, usd, contracts: OpenInterest(
            venue, symbol, at(s), at(s), size, usd, contracts
        ),
        _FUTURES, _SYMBOLS, _SECONDS, st.none() | _SIZES, st.none() | _PRICES, st.none() | _SIZES,
    ),
    st.builds(
        lambda s, sequence, price, size, ask: book(s, sequence, price, size, ask, size),
        _SECONDS, st.none() | st.integers(1, 3), _PRICES, _SIZES, st.none() | _PRICES,
    ),
)  # fmt: skip
_ASKED: dict[str, tuple[dict[str, object], ...]] = {
    "large_trades": (
        {},
        {"symbol": "btc", "exchange": "okx"},
        {"order": "value", "limit": 3},
        {"only_liquidations": True, "limit": 2},
        {"min_value_usd": 200_000.004, "exchange": "binance,bybit_spot"},
        {"hours": 1},
    ),
    "funding_rates": (
        {},
        {"symbol": "SOLUSD", "limit": 2},
        {"order": "rate", "limit": 4},
        {"exchange": "okx"},
    ),
    "open_interest": (
        {},
        {"symbol": "BTCEUR"},
        {"order": "usd", "limit": 3},
        {"hours": 0.5, "exchange": "okx"},
    ),
    "orderbooks": ({}, {"latest": True}, {"limit": 1, "hours": 1}, {"latest": True, "symbol": "BTCUSDT"}),
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(_EVENTS, max_size=40), flushes=st.integers(1, 3), batch=st.sampled_from([1, 3, 5_000]))
def test_either_store_gives_the_same_bytes(desk: Desk, events: list[Event], flushes: int, batch: int) -> None:
    desk.clear()
    desk.store.clear()
    for part in range(flushes):  # what comes later may be of earlier
        desk.store.write(*events[part::flushes])
    desk.copy(batch)
    for name, several in _ASKED.items():
        for filters in several:
            found = both(desk, name, **filters)
            assert found["data"]["count"] == len(found["data"][_LISTED[name]])


_LISTED = {
    "large_trades": "trades",
    "funding_rates": "funding_rates",
    "open_interest": "open_interest",
    "orderbooks": "orderbooks",
}


def test_through_the_process_that_collects_the_answer_is_the_same(desk: Desk) -> None:
    desk.store.write(
        trade(1, 10, 50_000.0, 4.0), liquidation(40, "long", 49_000.0, 0.1), book(2, 7, 99.5, 1.0, 101.0, 2.0),
        funding("okx_futures", 3, 0.0002, 4.0), interest("okx_futures", 5, 500.0, 50e6),
    )  # fmt: skip
    store = desk.store
    service = access.serve(store.connection, store.path)
    try:
        served = StoredDesk(lambda: access.open_reader(store.path), clock=lambda: NOW)
        with access.open_reader(store.path) as reader:
            assert reader.remote
        for name, several in _ASKED.items():
            for filters in several[:2]:
                asked = Filters(**filters)  # type: ignore[arg-type]
                assert served.answer(name, asked) == desk.duckdb.answer(name, asked)
    finally:
        access.stop(store.connection, store.path, service)


# ── What an answer says ───────────────────────────────────────────────────────────────────────


def test_large_trades_add_up_and_tell_liquidations_apart(desk: Desk) -> None:
    desk.store.write(
        trade(1, 10, 50_000.0, 4.0),                        # 200,000 USD
        trade(2, 20, 50_000.0, 2.5, sold=True),             # 125,000 USD
        trade(3, 30, 50_000.0, 1.0),                        # 50,000 USD: not large for Bitcoin
        liquidation(40, "long", 49_000.0, 0.1, order_id="77"),  # 4,900 USD, whatever its value
    )  # fmt: skip
    desk.copy()
    data = both(desk, "large_trades", symbol="BTC")["data"]
    assert (data["count"], data["total"], data["reason"]) == (3, 3, None)
    assert data["summary"] == {
        "total_value_usd": 329_900.0,
        "trades_value_usd": 325_000.0,
        "liquidations_value_usd": 4_900.0,
        "liquidation_count": 1,
        "exchanges": ["binance_futures", "okx_futures"],
        "symbols": ["BTCUSDT"],
    }
    forced, sold, bought = data["trades"]
    assert (forced["side"], forced["is_liquidation"], forced["trade_id"]) == ("sell", True, "77")
    assert forced["metadata"]["position"] == "long"
    assert (sold["side"], sold["is_liquidation"], sold["timestamp"]) == (
        "sell", None, "2025-11-21T00:00:20.000000Z",
    )  # fmt: skip
    assert (bought["price"], bought["size"], bought["value_usd"]) == (50_000.0, 4.0, 200_000.0)


def test_the_summary_is_of_the_window_and_not_of_the_page(desk: Desk) -> None:
    desk.store.write(*(trade(id, id, 100_000.0, 2.0) for id in range(1, 6)))
    desk.copy()
    data = both(desk, "large_trades", limit=2)["data"]
    assert (data["count"], data["total"], data["summary"]["total_value_usd"]) == (2, 5, 1_000_000.0)
    assert [one["trade_id"] for one in data["trades"]] == ["5", "4"]


@pytest.mark.parametrize(
    ("least", "found"), [(200_000.0, 2), (200_000.001, 1), (200_000.01, 1), (200_000.011, 0)]
)
def test_a_least_value_counts_in_cents(desk: Desk, least: float, found: int) -> None:
    desk.store.write(trade(1, 1, 200_000.0, 1.0), trade(2, 2, 200_000.01, 1.0))
    desk.copy()
    assert both(desk, "large_trades", min_value_usd=least)["data"]["count"] == found


def test_a_liquidation_without_dollars_has_no_value_in_them(desk: Desk) -> None:
    desk.store.write(
        liquidation(1, "short", 90_000.0, 1.0, symbol="BTCEUR"),
        liquidation(2, "short", 100.0, 3.0, symbol="SOLUSD"),
    )
    desk.copy()
    sol, euro = both(desk, "large_trades", only_liquidations=True)["data"]["trades"]
    assert (euro["value_usd"], sol["value_usd"], sol["side"]) == (None, 300.0, "buy")


def test_rates_of_different_intervals_are_averaged_per_eight_hours(desk: Desk) -> None:
    desk.store.write(
        funding("binance_futures", 1, 0.0001, 8.0),
        funding("binance_futures", 2, 0.0003, 8.0),
        funding("okx_futures", 3, 0.0002, 4.0),
        funding("kraken_futures", 4, 0.00005, 1.0),
        funding("gate_futures", 5, 0.5, None),
    )
    desk.copy()
    summary = both(desk, "funding_rates")["data"]["summary"]
    # per 8 hours: Binance (0.0001 + 0.0003) / 2 = 0.0002, OKX 0.0002 × 2 = 0.0004, Kraken 0.00005 × 8 = 0.0004
    assert summary["average_rate"] == pytest.approx(0.001 / 3)
    assert summary["average_rate_percent"] == pytest.approx(0.1 / 3)
    assert summary["average_rate_hours"] == 8
    assert summary["annualized_percent"] == pytest.approx(
        0.001 / 3 * 1095 * 100
    )  # 1,095 times 8 hours a year
    one, four, eight, unknown = summary["by_interval"]
    assert (one["interval_hours"], one["average_rate"], one["average_rate_8h"]) == (1.0, 0.00005, 0.0004)
    assert (four["markets"], four["average_rate"], four["annualized_percent"]) == (
        1,
        0.0002,
        pytest.approx(43.8),
    )
    assert (eight["count"], eight["average_rate"]) == (2, 0.0002)
    assert (unknown["interval_hours"], unknown["average_rate"], unknown["average_rate_8h"]) == (
        None,
        0.5,
        None,
    )


def test_a_market_that_repeats_itself_weighs_no_more(desk: Desk) -> None:
    desk.store.write(
        *(funding("binance_futures", second, 0.0001, 8.0) for second in range(9)),
        funding("okx_futures", 1, 0.0003, 8.0),
    )
    desk.copy()
    assert both(desk, "funding_rates")["data"]["summary"]["average_rate"] == 0.0002


def test_without_a_known_interval_there_is_no_average_and_a_reason(desk: Desk) -> None:
    desk.store.write(funding("gate_futures", 1, 0.0001, None))
    desk.copy()
    summary = both(desk, "funding_rates")["data"]["summary"]
    assert (summary["average_rate"], summary["reason"]) == (
        None,
        "no rate in this window has a known interval",
    )


def test_the_total_open_interest_is_of_the_latest_row_of_each_market(desk: Desk) -> None:
    desk.store.write(
        interest("binance_futures", 1, 900.0, 90e6),
        interest("binance_futures", 9, 1_000.0, 100e6),
        interest("okx_futures", 5, 500.0, 50e6),
        interest("gate_futures", 5, 70.0, None),
        interest("okx_futures", 2, 10.0, 2e6, symbol="ETHUSDT"),
    )
    desk.copy()
    data = both(desk, "open_interest")["data"]
    assert data["total"] == 5
    summary = data["summary"]
    assert summary["total_oi_usd"] == 152e6
    assert summary["without_usd"] == ["gate_futures BTCUSDT"]
    assert [(one["exchange"], one["open_interest"]) for one in summary["latest"]] == [
        ("binance_futures", 1_000.0), ("gate_futures", 70.0), ("okx_futures", 500.0), ("okx_futures", 10.0),
    ]  # fmt: skip
    assert both(desk, "open_interest", symbol="ETHUSDT")["data"]["summary"]["total_oi_usd"] == 2e6


def test_a_number_beyond_its_column_is_null_there_and_whole_in_the_metadata(desk: Desk) -> None:
    desk.store.write(interest("gate_futures", 1, 2.5e12, 1e6))
    desk.copy()
    (row,) = both(desk, "open_interest")["data"]["open_interest"]
    assert row["open_interest"] is None
    assert row["metadata"]["beyond_column"] == {"open_interest": 2_500_000_000_000}


def test_the_book_now_is_the_last_of_its_instant(desk: Desk) -> None:
    desk.store.write(
        book(1, 5, 99.0, 1.0, 101.0, 2.0), book(2, 7, 99.5, 1.0, 101.0, 2.0), book(2, 6, 98.0, 1.0, 101.0, 2.0),
        book(1, 3, 97.0, 1.0, None, None, venue="bybit_spot"),
    )  # fmt: skip
    desk.copy()
    data = both(desk, "orderbooks", latest=True)["data"]
    bybit, okx = data["orderbooks"]
    assert (okx["bids"], okx["asks"], okx["sequence"]) == ([[99.5, 1.0]], [[101.0, 2.0]], 7)
    assert (bybit["bids"], bybit["asks"]) == ([[97.0, 1.0]], [])
    assert both(desk, "orderbooks")["data"]["total"] == 4


def test_a_window_without_rows_says_why_and_what_is_stored(desk: Desk) -> None:
    desk.store.write(trade(1, -30 * 3600, 100_000.0, 2.0))
    desk.copy()
    data = both(desk, "large_trades", symbol="BTCUSDT", exchange="binance")["data"]
    assert (data["count"], data["trades"]) == (0, [])
    assert data["reason"] == (
        "no large trades of BTCUSDT on binance_futures in this window;"
        " stored are rows from 2025-11-19T18:00:00.000000Z to 2025-11-19T18:00:00.000000Z"
    )
    never = both(desk, "open_interest", symbol="ETHUSDT")["data"]["reason"]
    assert never == "no open interest of ETHUSDT in this window; none at all are stored"


def test_the_filters_are_told_as_they_were_understood(desk: Desk) -> None:
    desk.copy()
    found = both(desk, "large_trades", symbol="sol", exchange="gateio, okx", hours=2, min_value_usd=1_000.001)
    assert found["filters"] == {
        "symbol": "SOLUSD",
        "exchange": ["gate_futures", "okx_futures"],
        "hours": 2,
        "since": "2025-11-20T23:00:00.000000Z",
        "until": "2025-11-21T01:00:00.000000Z",
        "min_value_usd": 1_000.01,
        "only_liquidations": False,
        "order": "time",
        "limit": 100,
    }
    assert (found["success"], found["timestamp"]) == (True, "2025-11-21T01:00:00.000000Z")
    assert NOW == T0 + HOUR


@pytest.mark.parametrize(
    ("filters", "error", "said"),
    [
        ({"hours": 0}, InvalidArgument, "hours: 0"),
        ({"hours": 169}, InvalidArgument, "hours: 169"),
        ({"hours": float("nan")}, InvalidArgument, "hours: nan"),
        ({"limit": 0}, InvalidArgument, "limit: 0"),
        ({"limit": 1_001}, InvalidArgument, "limit: 1001"),
        ({"order": "rate"}, InvalidArgument, "have no order 'rate'"),
        ({"min_value_usd": -1.0}, InvalidArgument, "min_value_usd: -1"),
        ({"min_value_usd": float("inf")}, InvalidArgument, "min_value_usd: inf"),
        ({"symbol": "BTCUSTD"}, UnknownSymbol, "unknown symbol 'BTCUSTD'"),
        ({"exchange": "binance,nyse"}, UnknownVenue, "unknown venue 'nyse'"),
    ],
)
def test_what_cannot_be_asked_is_refused_alike(
    desk: Desk, filters: dict[str, object], error: type[Exception], said: str
) -> None:
    desk.store.write(trade(1, 1, 100_000.0, 2.0))
    desk.copy()
    for one in (desk.duckdb, desk.postgres):
        with pytest.raises(error, match=said):
            one.answer("large_trades", Filters(**filters))  # type: ignore[arg-type]


def test_every_question_says_what_it_is_about() -> None:
    assert all(one.what for one in QUESTIONS.values())
