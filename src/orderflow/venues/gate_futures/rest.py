"""What Gate answers over REST about its futures."""

from collections.abc import Sequence
from functools import wraps
from math import isnan, nan

import msgspec

from orderflow.market.events import (
    HOUR,
    MINUTE,
    SECOND,
    BookUpdate,
    Control,
    Event,
    Funding,
    FundingInterval,
    IndexPrice,
    Instrument,
    MarkPrice,
    Nanos,
)
from orderflow.venues.gate_futures.rows import (
    VENUE,
    Bar,
    Day,
    Fill,
    Liquidated,
    Rung,
    Stats,
    at,
    candle,
    day,
    kind_of,
    known,
    liquidations,
    listed,
    open_interest,
    rungs,
    symbol_of,
    trade,
)
from orderflow.venues.spec import (
    EVERY_FIVE_MINUTES,
    SETTLED,
    Answer,
    Endpoint,
    History,
    Memory,
    Query,
    contract,
    leaves_out,
    left_out,
)

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Refusal(msgspec.Struct):
    label: str
    message: str = ""


class _Contract(msgspec.Struct, gc=False):
    name: str
    quanto_multiplier: float | None = None
    type: str = "direct"
    status: str = ""
    in_delisting: bool = False
    position_size: float | None = None
    order_price_round: float | None = None
    order_size_min: float | None = None
    create_time: float = 0.0
    mark_price: float | None = None
    index_price: float | None = None
    funding_rate: float | None = None
    funding_interval: float | None = None
    funding_next_apply: float | None = None


class _Depth(msgspec.Struct, gc=False):
    bids: list[Rung]
    asks: list[Rung]
    update: float
    id: int | None = None


class _Paid(msgspec.Struct, gc=False):
    t: int
    r: float


class _ServerTime(msgspec.Struct):
    server_time: int


_REFUSAL = msgspec.json.Decoder(_Refusal)
_CONTRACT = msgspec.json.Decoder(_Contract, strict=False)
_CONTRACTS = msgspec.json.Decoder(list[_Contract], strict=False)
_DEPTH = msgspec.json.Decoder(_Depth, strict=False)
_TRADES = msgspec.json.Decoder(list[Fill], strict=False)
_BARS = msgspec.json.Decoder(list[Bar], strict=False)
_DAYS = msgspec.json.Decoder(list[Day], strict=False)
_PAID = msgspec.json.Decoder(list[_Paid], strict=False)
_STATS = msgspec.json.Decoder(list[Stats], strict=False)
_FORCED = msgspec.json.Decoder(list[Liquidated], strict=False)
_SERVER_TIME = msgspec.json.Decoder(_ServerTime, strict=False)

_UNNAMED = "an answer whose request is not recorded has no symbol"

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the label and the text of an error."""
    try:
        said = _REFUSAL.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return said.label, said.message


def _unless_refused(decode: Answer) -> Answer:
    """Return the decoder with errors of the venue left out, and empty texts taken for what is not known."""

    @wraps(decode)
    def decode_or_leave_out(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        try:
            return decode(body, query, ts_recv, memory)
        except msgspec.ValidationError:
            said = complaint(body)
            if said is not None:
                return (left_out(VENUE, "", ts_recv, f"an error answer: {said[0]}"),)
            if b'""' not in body:
                raise
            return decode(msgspec.json.encode(known(msgspec.json.decode(body))), query, ts_recv, memory)

    return decode_or_leave_out


@_unless_refused
def _time(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return (Control(VENUE, "", at(_SERVER_TIME.decode(body).server_time), ts_recv, "pong"),)


@_unless_refused
def _contracts(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    settle = query.get("settle", "")
    return [event for one in _CONTRACTS.decode(body) for event in _listed(one, settle, ts_recv)]


@_unless_refused
def _contract(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return _listed(_CONTRACT.decode(body), query.get("settle", ""), ts_recv)


def _listed(one: _Contract, settle: str, ts_recv: Nanos) -> list[Event]:
    symbol, kind = symbol_of(one.name), kind_of(one.name)
    base, quote = [*one.name.split("_"), ""][:2]
    gone = one.in_delisting and not one.position_size
    status = one.status or ("delisted" if gone else "delisting" if one.in_delisting else "trading")
    size = _contract_size(one, linear=quote.lower() == settle)
    least = one.order_size_min if one.type != "inverse" and not isnan(size) else None
    found: list[Event] = [
        Instrument(
            *(VENUE, symbol, None, ts_recv),
            native=one.name,
            kind=kind,
            base=base,
            quote=quote,
            status=status,
            trading=status not in ("prelaunch", "delisted") and not gone,
            contract_size=size,
            tick=one.order_price_round,
            lot=contract(symbol, size).base(least, 0.0) if least else None,
            listed_ts=at(one.create_time) if one.create_time else None,
            inverse=one.type == "inverse",
        )
    ]
    if one.mark_price:
        found.append(MarkPrice(VENUE, symbol, None, ts_recv, one.mark_price, one.index_price))
    if one.index_price:
        found.append(IndexPrice(VENUE, symbol, None, ts_recv, one.index_price))
    if one.funding_interval and kind == "perpetual":
        hours = one.funding_interval / 3600
        found.append(FundingInterval(VENUE, symbol, None, ts_recv, hours))
        if one.funding_rate is not None:
            next_ts = at(one.funding_next_apply) if one.funding_next_apply else None
            found.append(Funding(VENUE, symbol, None, ts_recv, one.funding_rate, None, hours, next_ts))
    return found


def _contract_size(one: _Contract, *, linear: bool) -> float:
    """Return what a contract holds: base units, dollars if inverse, NaN if it pays in a third currency."""
    if one.type == "inverse":
        return 1.0
    return one.quanto_multiplier if linear and one.quanto_multiplier else nan


@_unless_refused
def _order_book(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _DEPTH.decode(body)
    if "contract" not in query:
        return (left_out(VENUE, "", ts_recv, _UNNAMED),)
    one = listed(query["contract"], memory)
    bids, asks = rungs(said.bids, one), rungs(said.asks, one)
    depth = None if said.id is not None else max(len(bids), len(asks))  # without an id no diff can join it
    ts_event = at(said.update)
    return (BookUpdate(VENUE, one.symbol, ts_event, ts_recv, True, bids, asks, said.id, depth=depth),)


@_unless_refused
def _trades(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [trade(row, ts_recv, memory) for row in _TRADES.decode(body)]


@_unless_refused
def _candles(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    rows = _BARS.decode(body)
    if "contract" not in query:
        return (left_out(VENUE, "", ts_recv, _UNNAMED),)
    interval, native = query.get("interval", "5m"), query["contract"]
    # Where the time of receipt is unknown, the last bar of the list counts as open.
    return [
        candle(row, interval, native, ts_recv or rows[-1].t * SECOND, ts_recv, memory, sent=False)
        for row in rows
    ]


@_unless_refused
def _tickers(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [event for row in _DAYS.decode(body) for event in day(row, None, ts_recv, memory)]


@_unless_refused
def _funding_history(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    rows = _PAID.decode(body)
    if "contract" not in query:
        return (left_out(VENUE, "", ts_recv, _UNNAMED),)
    symbol = listed(query["contract"], memory).symbol
    return [Funding(VENUE, symbol, at(row.t), ts_recv, row.r, next_ts=at(row.t)) for row in rows]


@_unless_refused
def _contract_stats(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    rows = _STATS.decode(body)
    if "contract" not in query:
        return (left_out(VENUE, "", ts_recv, _UNNAMED),)
    one = listed(query["contract"], memory)
    return [open_interest(row, one, at(row.time), ts_recv) for row in rows]


@_unless_refused
def _liquidations(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return liquidations(_FORCED.decode(body), ts_recv, memory)


_SETTLED = {"settle": "usdt"}
_OF_CONTRACT = {"contract": "{symbol}"}
_FUTURES, _DELIVERY = "/api/v4/futures/{settle}", "/api/v4/delivery/{settle}"
_NO_OPTIONS = "no stream for this venue's options"


def _of_contract(name: str, path: str, decode: Answer, params: Query, cache_s: float = 0.0) -> Endpoint:
    fixed = {**_SETTLED, **params}
    return Endpoint(name, path, decode, fixed, ("contract",), of_symbol=_OF_CONTRACT, cache_s=cache_s)


ENDPOINTS = (
    Endpoint("time", "/api/v4/spot/time", _time),
    Endpoint("instruments", f"{_FUTURES}/contracts", _contracts, _SETTLED, of_symbol={}, cache_s=3600),
    _of_contract("instrument", f"{_FUTURES}/contracts/{{contract}}", _contract, {}, 60),
    _of_contract("depth", f"{_FUTURES}/order_book", _order_book, {"limit": "100", "with_id": "true"}),
    _of_contract("trades", f"{_FUTURES}/trades", _trades, {"limit": "1000"}),
    # Without a limit, which is refused beside `from` and `to`: the last hundred where neither is given.
    _of_contract("candles", f"{_FUTURES}/candlesticks", _candles, {"interval": "1m"}),
    Endpoint("tickers", f"{_FUTURES}/tickers", _tickers, _SETTLED, of_symbol=_OF_CONTRACT),
    _of_contract("funding_history", f"{_FUTURES}/funding_rate", _funding_history, {"limit": "1000"}),
    _of_contract(
        "statistics", f"{_FUTURES}/contract_stats", _contract_stats, {"interval": "5m", "limit": "100"}
    ),
    Endpoint("liquidations", f"{_FUTURES}/liq_orders", _liquidations, _SETTLED, of_symbol=_OF_CONTRACT),
    Endpoint(
        "delivery_instruments", f"{_DELIVERY}/contracts", _contracts, _SETTLED, of_symbol={}, cache_s=3600
    ),
    Endpoint("delivery_tickers", f"{_DELIVERY}/tickers", _tickers, _SETTLED, of_symbol=_OF_CONTRACT),
    *(
        Endpoint(name, path, leaves_out(VENUE, reason), params, needs, of_symbol=of_symbol)
        for name, path, reason, params, needs, of_symbol in (
            (
                "premium_candles",
                f"{_FUTURES}/premium_index",
                "no stream for candles of the premium",
                {**_SETTLED, "interval": "1m", "limit": "1000"},
                ("contract",),
                _OF_CONTRACT,
            ),
            (
                "risk_tiers",
                f"{_FUTURES}/risk_limit_tiers",
                "no stream for risk tiers",
                _SETTLED,
                (),
                _OF_CONTRACT,
            ),
            ("insurance", f"{_FUTURES}/insurance", "no stream for the insurance fund", _SETTLED, (), {}),
            (
                "index_parts",
                f"{_FUTURES}/index_constituents/{{index}}",
                "no stream for an index's parts",
                _SETTLED,
                ("index",),
                {"index": "{symbol}"},
            ),
            ("options_underlyings", "/api/v4/options/underlyings", _NO_OPTIONS, {}, (), {}),
            ("options_expirations", "/api/v4/options/expirations", _NO_OPTIONS, {}, ("underlying",), {}),
            ("options_contracts", "/api/v4/options/contracts", _NO_OPTIONS, {}, ("underlying",), {}),
            ("options_tickers", "/api/v4/options/tickers", _NO_OPTIONS, {}, ("underlying",), {}),
            (
                "options_underlying",
                "/api/v4/options/underlying/tickers/{underlying}",
                _NO_OPTIONS,
                {},
                ("underlying",),
                {},
            ),
            ("options_book", "/api/v4/options/order_book", _NO_OPTIONS, {}, ("contract",), {}),
        )
    ),
)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

PAST = (
    History(
        stream="trades",
        endpoint="trades",
        start="from",
        end="to",
        unit="s",
        newest_first=True,
        most_rows=1000,
    ),
    History(
        stream="candles",
        endpoint="candles",
        start="from",
        end="to",
        unit="s",
        most_rows=998,
        span=998 * MINUTE,  # more than 1,000 bars were refused once, 2,000 are documented
        step=MINUTE,
        keeps=166 * HOUR,  # the latest 10,000 bars, which since February 2026 is enforced
    ),
    History(
        stream="funding_rates",
        endpoint="funding_history",
        start="from",
        end="to",
        unit="s",
        newest_first=True,
        most_rows=1000,
        lacks=SETTLED,
    ),
    History(
        stream="open_interest",
        endpoint="statistics",
        start="from",  # and so many rows from there: it takes no end
        unit="s",
        most_rows=100,
        lacks=EVERY_FIVE_MINUTES,
    ),
)
