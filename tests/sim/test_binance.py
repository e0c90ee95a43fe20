"""The frames: their fields are the venue's, and its rule for books leads from a snapshot to the next one."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.sim.market import Market
from orderflow.sim.protocol import Endpoint, Question, Refusal
from orderflow.sim.protocols import FORMS

START_MS = 1_795_000_000_000
FUTURES, SPOT = "binance_futures", "binance_spot"
DEPTH = {FUTURES: "/fapi/v1/depth", SPOT: "/api/v3/depth"}
Book = dict[str, dict[str, str]]


class Venue:
    """One coin on one venue, driven by hand."""

    def __init__(self, name: str, seed: int = 7, rate: float = 100.0, symbol: str = "BTCUSDT") -> None:
        self.form = FORMS[name]
        places = {venue: FORMS[venue].place for venue in (FUTURES, SPOT)}
        self.market = Market(symbol, places, seed=seed, rate=rate, now_ms=START_MS)
        self.streams = self.form.streams(name, self.market)
        self.wide = self.form.market_wide(name, {symbol: self.market})
        self.now_ms = START_MS

    def run(self, wanted: set[str], seconds: float, step_ms: int = 20) -> list[dict[str, Any]]:
        frames: list[dict[str, Any]] = []
        for _ in range(int(seconds * 1000 / step_ms)):
            self.now_ms += step_ms
            happenings = self.market.step(self.now_ms)[self.form.name]
            for frame in self.streams.frames(happenings, self.now_ms, wanted):
                frames.append(json.loads(frame.payload))
            frames.extend(json.loads(one.payload) for one in self.wide.frames((), self.now_ms, wanted))
        return frames

    def ask(self, path: str, **params: str) -> Any:
        endpoint: Endpoint = next(one for one in self.form.endpoints if one.path == path)
        markets = {self.market.symbol: self.market}
        return endpoint.answer(Question(self.form.name, markets, self.form.place, params, self.now_ms))

    def snapshot(self) -> tuple[int, Book]:
        body = self.ask(DEPTH[self.form.name], symbol=self.market.symbol, limit="1000")
        return body["lastUpdateId"], {"b": dict(body["bids"]), "a": dict(body["asks"])}


def apply(book: Book, event: dict[str, Any]) -> None:
    for side in ("b", "a"):
        for price, size in event[side]:
            if float(size) == 0:
                book[side].pop(price, None)
            else:
                book[side][price] = size


def follow_futures(book: Book, last: int, events: list[dict[str, Any]]) -> int:
    """The venue's rule: drop u < L; the first has U <= L <= u or pu == L; then pu is the u before."""
    joined = False
    for event in events:
        if not joined and event["u"] < last:
            continue
        if joined:
            assert event["pu"] == last
        else:
            assert event["U"] <= last <= event["u"] or event["pu"] == last
        joined, last = True, event["u"]
        apply(book, event)
    return last


def follow_spot(book: Book, last: int, events: list[dict[str, Any]]) -> int:
    """The venue's rule: drop u <= L, then U is never above the local id + 1."""
    for event in events:
        if event["u"] <= last:
            continue
        assert event["U"] <= last + 1
        last = event["u"]
        apply(book, event)
    return last


FOLLOW = {FUTURES: follow_futures, SPOT: follow_spot}
DIFFS = [
    (FUTURES, "depth@0ms"),
    (FUTURES, "depth@100ms"),
    (FUTURES, "depth"),
    (FUTURES, "depth@500ms"),
    (SPOT, "depth@100ms"),
    (SPOT, "depth"),
]


@pytest.mark.parametrize(("name", "ending"), DIFFS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), wait=st.integers(1, 40), after=st.integers(50, 100))
def test_a_snapshot_and_the_diffs_after_it_are_the_later_snapshot(
    name: str, ending: str, seed: int, wait: int, after: int
) -> None:
    venue = Venue(name, seed)
    stream = f"btcusdt@{ending}"
    events = venue.run({stream}, wait * 0.02)
    last, book = venue.snapshot()
    events += venue.run({stream}, after * 0.02)
    stopped: list[dict[str, Any]] = []
    while not stopped:  # stop where a frame ends, so that the later snapshot is that frame's state
        stopped = venue.run({stream}, 0.02)
        events += stopped
    last = FOLLOW[name](book, last, [event["data"] for event in events])
    later, expected = venue.snapshot()
    assert last == later
    assert book == expected


def test_futures_diffs_of_each_speed_chain_by_themselves() -> None:
    frames = Venue(FUTURES).run({"btcusdt@depth@100ms", "btcusdt@depth@500ms"}, 4.0)
    for stream, fewest in (("btcusdt@depth@100ms", 35), ("btcusdt@depth@500ms", 7)):
        events = [frame["data"] for frame in frames if frame["stream"] == stream]
        assert len(events) >= fewest
        assert all(new["pu"] == old["u"] for old, new in zip(events, events[1:], strict=False))
        assert all(event["pu"] < event["U"] <= event["u"] for event in events)


@pytest.mark.parametrize(("name", "bids", "asks"), [(FUTURES, "b", "a"), (SPOT, "bids", "asks")])
def test_a_partial_book_is_the_top_of_the_snapshot(name: str, bids: str, asks: str) -> None:
    venue = Venue(name)
    frames: list[dict[str, Any]] = []
    while not frames:
        frames = venue.run({"btcusdt@depth5@100ms"}, 0.02)
    body = venue.ask(DEPTH[name], symbol="BTCUSDT", limit="5")
    assert [list(level) for level in body["bids"]] == frames[0]["data"][bids]
    assert [list(level) for level in body["asks"]] == frames[0]["data"][asks]


FIELDS = {
    (FUTURES, "btcusdt@aggTrade"): "e E a s p q nq f l T m st",
    (FUTURES, "btcusdt@trade"): "e E T s t p q X m st",
    (FUTURES, "btcusdt@bookTicker"): "e u s b B a A T E ps st",
    (FUTURES, "btcusdt@depth@100ms"): "e E T s U u pu b a ps st",
    (FUTURES, "btcusdt@depth20@500ms"): "e E T s U u pu b a ps st",
    (FUTURES, "btcusdt@markPrice@1s"): "e E s p ap P i r T st",
    (FUTURES, "btcusdt@ticker"): "e E s p P w c Q o h l v q O C F L n ps st",
    (FUTURES, "btcusdt@kline_1m"): "e E s k",
    (SPOT, "btcusdt@aggTrade"): "e E s a p q f l T m M",
    (SPOT, "btcusdt@trade"): "e E s t p q T m M",
    (SPOT, "btcusdt@bookTicker"): "u s b B a A",
    (SPOT, "btcusdt@depth@100ms"): "e E s U u b a",
    (SPOT, "btcusdt@depth20@100ms"): "lastUpdateId bids asks",
    (SPOT, "btcusdt@ticker"): "e E s p P w x c Q b B a A o h l v q O C F L n",
    (SPOT, "btcusdt@kline_1m"): "e E s k",
}


@pytest.mark.parametrize(("name", "stream"), FIELDS)
def test_a_frame_has_the_venues_fields_in_its_order(name: str, stream: str) -> None:
    frames = Venue(name).run({stream}, 3.0)
    assert frames
    assert {frame["stream"] for frame in frames} == {stream}
    assert {" ".join(frame["data"]) for frame in frames} == {FIELDS[name, stream]}


def test_kline_fields_and_the_final_frame_of_a_minute() -> None:
    frames = [f["data"]["k"] for f in Venue(SPOT, rate=20.0).run({"btcusdt@kline_1m"}, 70.0, 100)]
    assert {" ".join(k) for k in frames} == {"t T s i f L o c h l v n x q V Q B"}
    closed = [k for k in frames if k["x"]]
    assert len(closed) in (1, 2)
    assert all(k["T"] == k["t"] + 59_999 and k["t"] % 60_000 == 0 for k in frames)


def test_the_best_told_by_bookticker_is_the_best_that_the_diffs_lead_to() -> None:
    venue = Venue(FUTURES)
    last, book = venue.snapshot()
    frames = venue.run({"btcusdt@depth@0ms", "btcusdt@bookTicker"}, 3.0)
    checked = 0
    for frame in frames:
        said = frame["data"]
        if said["e"] == "depthUpdate":
            last = follow_futures(book, last, [said])
            continue
        assert said["u"] == last
        bid, ask = max(book["b"], key=float), min(book["a"], key=float)
        assert (said["b"], said["B"], said["a"], said["A"]) == (bid, book["b"][bid], ask, book["a"][ask])
        checked += 1
    assert checked > 20


@pytest.mark.parametrize("name", [FUTURES, SPOT])
def test_where_the_buyer_is_maker_the_trade_is_at_the_bid_or_below(name: str) -> None:
    frames = Venue(name).run({"btcusdt@trade", "btcusdt@bookTicker"}, 5.0)
    best: dict[str, Any] | None = None
    sides: list[bool] = []
    for said in (frame["data"] for frame in frames):
        if "b" in said:
            best = said
        elif best is not None and said["q"] != "0":
            price, sold = float(said["p"]), said["m"]
            assert price <= float(best["b"]) if sold else price >= float(best["a"])
            sides.append(sold)
    assert len(sides) > 100
    assert set(sides) == {True, False}


def test_rows_that_are_no_trades_count_in_the_trade_ids_only() -> None:
    frames = [f["data"] for f in Venue(FUTURES, rate=500.0).run({"btcusdt@trade"}, 4.0)]
    odd = [row for row in frames if row["X"] == "NA"]
    assert odd
    assert all((row["p"], row["q"]) == ("0", "0") for row in odd)
    assert {row["X"] for row in frames} == {"MARKET", "NA"}
    ids = [row["t"] for row in frames]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_liquidations_come_at_most_once_a_second_and_other_markets_only_in_the_wide_stream() -> None:
    wanted = {"btcusdt@forceOrder", "!forceOrder@arr"}
    frames = Venue(FUTURES, rate=20.0).run(wanted, 600.0, 200)
    own = [f["data"] for f in frames if f["stream"] == "btcusdt@forceOrder"]
    wide = [f["data"] for f in frames if f["stream"] == "!forceOrder@arr"]
    assert own
    assert {" ".join(row) for row in wide} == {"e E o ps st"}
    assert {" ".join(row["o"]) for row in wide} == {"s S o f q p ap X l z T"}
    assert [row for row in wide if row["st"] == 1] == own
    others = [row for row in wide if row["st"] == 2]
    assert others and {row["o"]["s"] for row in others} == {"BTCUSD_PERP"}
    for order in (row["o"] for row in own):  # a forced sale is limited below its fills, a purchase above
        assert (float(order["p"]) < float(order["ap"])) == (order["S"] == "SELL")
    times = [row["E"] for row in own]
    assert all(new - old >= 1000 for old, new in zip(times, times[1:], strict=False))


def test_marks_of_all_symbols_have_rows_of_the_other_market() -> None:
    frames = Venue(FUTURES).run({"!markPrice@arr@1s"}, 2.0)
    assert len(frames) == 2
    assert [(row["s"], row["st"]) for row in frames[0]["data"]] == [("BTCUSDT", 1), ("BTCUSD_PERP", 2)]


def test_rest_trades_are_those_of_the_stream() -> None:
    for name, path in ((FUTURES, "/fapi/v1/aggTrades"), (SPOT, "/api/v3/aggTrades")):
        venue = Venue(name)
        said = [f["data"] for f in venue.run({"btcusdt@aggTrade"}, 2.0)]
        rows = venue.ask(path, symbol="BTCUSDT", fromId=str(said[0]["a"]), limit="1000")
        assert rows == [{key: one[key] for key in rows[0]} for one in said]
        since = venue.ask(path, symbol="BTCUSDT", startTime=str(said[5]["T"]), limit="1")
        assert since[0]["T"] == said[5]["T"]


def test_rest_klines_are_those_of_the_stream() -> None:
    for name, path in ((FUTURES, "/fapi/v1/klines"), (SPOT, "/api/v3/klines")):
        venue = Venue(name, rate=20.0)
        closed = [f["data"]["k"] for f in venue.run({"btcusdt@kline_1m"}, 150.0, 100) if f["data"]["k"]["x"]]
        rows = venue.ask(path, symbol="BTCUSDT", interval="1m", startTime=str(closed[0]["t"]))
        keys = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
        assert rows[: len(closed)] == [[k[key] for key in keys] for k in closed]


def test_funding_history_is_on_the_grid_and_ends_before_the_next_settlement() -> None:
    venue = Venue(FUTURES)
    rows = venue.ask("/fapi/v1/fundingRate", symbol="BTCUSDT")
    now = venue.ask("/fapi/v1/premiumIndex", symbol="BTCUSDT")
    eight_hours = 8 * 3_600_000
    times = [row["fundingTime"] for row in rows]
    assert times == list(range(times[0], times[0] + len(times) * eight_hours, eight_hours))
    assert now["nextFundingTime"] == times[-1] + eight_hours
    assert times[-1] <= now["time"] < now["nextFundingTime"]


@pytest.mark.parametrize(
    ("name", "path", "params", "code"),
    [
        (FUTURES, "/fapi/v1/depth", {"symbol": "NOSUCH"}, -1121),
        (SPOT, "/api/v3/depth", {"symbol": "NOSUCH"}, -1121),
        (FUTURES, "/fapi/v1/depth", {}, -1102),
        (FUTURES, "/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "7"}, -4021),
        (FUTURES, "/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "1501"}, -1130),
        (SPOT, "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "61m"}, -1120),
        (SPOT, "/api/v3/aggTrades", {"symbol": "BTCUSDT", "fromId": "x"}, -1100),
        (SPOT, "/api/v3/ticker/price", {"symbols": '["NOSUCH"]'}, -1121),
    ],
)
def test_a_wrong_request_is_refused_with_the_venues_code(
    name: str, path: str, params: dict[str, str], code: int
) -> None:
    with pytest.raises(Refusal) as refused:
        Venue(name).ask(path, **params)
    assert refused.value.status == 400
    assert refused.value.body["code"] == code
