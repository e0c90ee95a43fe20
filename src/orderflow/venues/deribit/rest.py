"""What Deribit answers over REST: JSON-RPC in an envelope, its error in the place of the result."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import (
    HOUR,
    MINUTE,
    MS,
    Control,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    Level,
    Nanos,
    VolatilityIndex,
)
from orderflow.venues.deribit import facts, meaning, option_facts
from orderflow.venues.deribit.envelope import LISTINGS, OF_ALL, TIMES, V2, answered, of_currency, of_one
from orderflow.venues.deribit.meaning import FUNDING_HOURS, NO_SERIES
from orderflow.venues.deribit.names import FUTURES, OPTIONS, Named, named, of_index
from orderflow.venues.deribit.names import of_currency as symbol_of_currency
from orderflow.venues.deribit.wire import Stats, TickerSaid, TradeSaid
from orderflow.venues.spec import Endpoint, History, Query, leaves_out, left_out

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Listed(msgspec.Struct):
    instrument_name: str
    kind: str
    base_currency: str
    quote_currency: str
    is_active: bool
    tick_size: float
    min_trade_amount: float
    creation_timestamp: int | None = None
    instrument_type: str = ""
    state: str = ""


class _Depth(TickerSaid, kw_only=True):
    """A ticker with the book beside it."""

    change_id: int
    bids: list[Level]
    asks: list[Level]


class _Trades(msgspec.Struct):
    trades: list[TradeSaid]


class _Summary(msgspec.Struct):
    instrument_name: str
    creation_timestamp: int
    mark_price: float | None = None
    bid_price: float | None = None
    ask_price: float | None = None
    last: float | None = None
    high: float | None = None
    low: float | None = None
    price_change: float | None = None
    volume: float | None = None
    volume_usd: float | None = None
    open_interest: float | None = None
    funding_8h: float | None = None
    current_funding: float | None = None
    mark_iv: float | None = None
    underlying_price: float | None = None


class _Funding(msgspec.Struct):
    timestamp: int
    interest_8h: float


class _Bars(msgspec.Struct):
    ticks: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    cost: list[float]


class _Index(msgspec.Struct):
    index_price: float


class _Volatility(msgspec.Struct):
    data: list[tuple[int, float, float, float, float]]


# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _instruments(
    said: list[_Listed], query: Query, ts_event: Nanos | None, ts_recv: Nanos
) -> Sequence[Event]:
    return [_instrument(one, named(one.instrument_name), ts_event, ts_recv) for one in said]


def _instrument_alone(said: _Listed, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    return _instruments([said], query, ts_event, ts_recv)


def _instrument(said: _Listed, place: Named, ts_event: Nanos | None, ts_recv: Nanos) -> Event:
    if place.kind == "combo":
        return left_out(place.venue, place.symbol, ts_recv, NO_SERIES)
    reversed_ = said.instrument_type == "reversed" and said.kind != "option"
    if said.instrument_type and reversed_ != place.inverse:
        reason = "listed otherwise than its name says: what its amounts count is not known"
        return left_out(place.venue, place.symbol, ts_recv, reason)
    return Instrument(
        place.venue,
        place.symbol,
        ts_event,
        ts_recv,
        native=said.instrument_name,
        kind=place.kind,
        base=said.base_currency,
        quote=said.quote_currency,
        status=said.state or ("open" if said.is_active else "closed"),
        trading=said.is_active,
        contract_size=1.0,  # amounts are never counted in contracts, whatever the listing's `contract_size`
        tick=said.tick_size,
        lot=None if place.inverse else said.min_trade_amount,
        min_notional=said.min_trade_amount if place.inverse else None,
        listed_ts=None if said.creation_timestamp is None else said.creation_timestamp * MS,
        inverse=place.inverse,
    )


def _ticker(said: TickerSaid, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    told = meaning.ticker(said, ts_recv)
    future = named(said.instrument_name).kind not in ("option", "combo")
    return [*told, meaning.quote(said, ts_recv)] if future else told


def _depth(said: _Depth, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    # Never the whole book, which comes over the socket: a snapshot of so many levels.
    depth = int(query.get("depth") or max(len(said.bids), len(said.asks)))
    book = (said.instrument_name, said.timestamp, said.change_id, said.bids, said.asks)
    return [meaning.shallow(*book, depth, ts_recv), *meaning.ticker(said, ts_recv)]


def _trades(said: _Trades, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    """Decode a page of trades, which may come latest first."""
    return meaning.trades(sorted(said.trades, key=lambda one: (one.timestamp, one.trade_seq)), ts_recv)


def _summaries(said: list[_Summary], query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    """Decode summaries as the tickers that they are; their best bid and ask come without amounts."""
    return [event for one in said for event in _ticker(_as_ticker(one), query, ts_event, ts_recv)]


def _as_ticker(said: _Summary) -> TickerSaid:
    """Return a row of a summary as the ticker that it was taken from: without index, greeks and bid or ask iv."""
    return TickerSaid(
        said.instrument_name,
        said.creation_timestamp,
        mark_price=said.mark_price,
        last_price=said.last,
        open_interest=said.open_interest,
        best_bid_price=said.bid_price,
        best_ask_price=said.ask_price,
        funding_8h=said.funding_8h,
        current_funding=said.current_funding,
        stats=Stats(said.high, said.low, said.price_change, said.volume, said.volume_usd),
        mark_iv=said.mark_iv,
        underlying_price=said.underlying_price,
    )


def _funding(said: list[_Funding], query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    if "instrument_name" not in query:
        return (_unnamed("rates", ts_recv),)
    symbol = named(query["instrument_name"]).symbol
    return [
        Funding(FUTURES, symbol, one.timestamp * MS, ts_recv, one.interest_8h, interval_hours=FUNDING_HOURS)
        for one in said
    ]


def _candles(said: _Bars, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    """Decode bars; one is closed once its last instant is past when it was sent.

    Where the time of sending is unknown, the last bar counts as open.
    """
    if "instrument_name" not in query:
        return (_unnamed("bars", ts_recv),)
    native, resolution = query["instrument_name"], query.get("resolution", "")
    columns = (said.ticks, said.open, said.high, said.low, said.close, said.volume, said.cost)
    rows = list(zip(*columns, strict=True))
    length = meaning.interval(resolution)[1]
    found: list[Event] = []
    for place, row in enumerate(rows, 1):
        closed = row[0] * MS + length <= ts_event if ts_event is not None else place < len(rows)
        found.append(meaning.bar(native, resolution, row, ts_recv, closed=closed))
    return found


def _index(said: _Index, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    if "index_name" not in query:
        return (_unnamed("an index", ts_recv),)
    return (IndexPrice(FUTURES, of_index(query["index_name"]), ts_event, ts_recv, said.index_price),)


def _index_of_currency(
    said: dict[str, float], query: Query, ts_event: Nanos | None, ts_recv: Nanos
) -> Sequence[Event]:
    """Decode the retired form: the index under its currency's name, beside the delivery price (`edp`)."""
    return [
        IndexPrice(FUTURES, symbol_of_currency(currency), ts_event, ts_recv, price)
        for currency, price in said.items()
        if currency != "edp"
    ]


def _volatility(said: _Volatility, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    """Decode bars of DVOL: of each its first value, the only one whose time is told."""
    if "currency" not in query:
        return (left_out(OPTIONS, "", ts_recv, "an index whose request is not recorded has no symbol"),)
    symbol = symbol_of_currency(query["currency"])
    return [VolatilityIndex(OPTIONS, symbol, row[0] * MS, ts_recv, row[1]) for row in said.data]


def _unnamed(what: str, ts_recv: Nanos) -> Event:
    return left_out(FUTURES, "", ts_recv, f"{what} whose request is not recorded: no symbol")


# ── What may be asked ─────────────────────────────────────────────────────────────────────────


def _shared(venue: str, kind: str) -> tuple[Endpoint, ...]:
    """Return what may be asked alike about futures and about options."""

    def time(said: int, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
        return (Control(venue, "", said * MS, ts_recv, "pong"),)

    return (
        Endpoint("time", V2 + "get_time", answered(int, time, venue), of_symbol=OF_ALL),
        Endpoint(
            "instruments",
            V2 + "get_instruments",
            answered(list[_Listed], _instruments, venue),
            {"currency": "any", "kind": kind},
            bucket=LISTINGS,
            cache_s=600,
            of_symbol=OF_ALL,
        ),
        of_one("instrument", "get_instrument", answered(_Listed, _instrument_alone, venue)),
        of_one("ticker", "ticker", answered(TickerSaid, _ticker, venue)),
        of_one("depth", "get_order_book", answered(_Depth, _depth, venue), {"depth": "100"}),
        *_pages(venue, kind),
        of_currency(
            "summary",
            "get_book_summary_by_currency",
            answered(list[_Summary], _summaries, venue),
            {"kind": kind},
        ),
        of_one(
            "summary_of_one",
            "get_book_summary_by_instrument",
            answered(list[_Summary], _summaries, venue),
        ),
        *_unkept(venue),
    )


def _pages(venue: str, kind: str) -> tuple[Endpoint, ...]:
    decode, most, by = answered(_Trades, _trades, venue), {"count": "1000"}, "get_last_trades_by_"
    of_kind = {**most, "kind": kind}
    return (
        of_one("trades", by + "instrument", decode, most),
        of_one("trades_between", by + "instrument_and_time", decode, most, between=True),
        of_currency("trades_of_currency", by + "currency", decode, of_kind),
        of_currency("trades_of_currency_between", by + "currency_and_time", decode, of_kind, between=True),
    )


def _unkept(venue: str) -> tuple[Endpoint, ...]:
    marks = leaves_out(venue, "the marks of some options only, without their volatilities")
    delivered = leaves_out(venue, "no stream for delivery prices")
    return (
        of_one("mark_history", "get_mark_price_history", marks, between=True),
        Endpoint(
            "delivery_prices",
            V2 + "get_delivery_prices",
            delivered,
            needs=("index_name",),
            of_symbol={"index_name": "{index}"},
        ),
        Endpoint("test", V2 + "test", leaves_out(venue, "a test says nothing"), of_symbol=OF_ALL),
    )


_MINUTES_OF_DVOL = {"resolution": "60"}  # in seconds: the series that is kept; wider bars are asked alone

FUTURES_ENDPOINTS = (
    *_shared(FUTURES, "future"),
    *facts.FUTURES_FACTS,
    of_one(
        "candles",
        "get_tradingview_chart_data",
        answered(_Bars, _candles, FUTURES),
        {"resolution": "1"},
        between=True,
    ),
    of_one(
        "funding_history",
        "get_funding_rate_history",
        answered(list[_Funding], _funding, FUTURES),
        between=True,
    ),
    Endpoint(
        "index",
        V2 + "get_index_price",
        answered(_Index, _index, FUTURES),
        needs=("index_name",),
        of_symbol={"index_name": "{index}"},
    ),
    of_currency("index_of_currency", "get_index", answered(dict[str, float], _index_of_currency, FUTURES)),
    of_one(
        "funding_between",
        "get_funding_rate_value",
        leaves_out(FUTURES, "one rate for a stretch of time; the history has its hours"),
        between=True,
    ),
    of_one(
        "funding_chart",
        "get_funding_chart_data",
        leaves_out(FUTURES, "the same rates as the funding history"),
        {"length": "8h"},
    ),
)

OPTIONS_ENDPOINTS = (
    option_facts.CONTRACTS,  # before the listing, of which it is a special case
    *_shared(OPTIONS, "option"),
    Endpoint(
        "volatility_index",
        V2 + "get_volatility_index_data",
        answered(_Volatility, _volatility, OPTIONS),
        _MINUTES_OF_DVOL,
        ("currency", *TIMES),
        of_symbol={"currency": "{currency}"},
        when=_MINUTES_OF_DVOL,
    ),
    *option_facts.OPTIONS_FACTS,
)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

_FROM, _TO = TIMES
_OLDEST_FIRST = {"sorting": "asc"}

FUTURES_PAST = (
    History(stream="trades", endpoint="trades_between", start=_FROM, end=_TO, params=_OLDEST_FIRST),
    History(
        stream="candles",
        endpoint="candles",
        start=_FROM,
        end=_TO,
        most_rows=5000,
        span=4999 * MINUTE,
        step=MINUTE,
    ),
    History(
        stream="funding_rates",
        endpoint="funding_history",
        start=_FROM,
        end=_TO,
        most_rows=744,
        span=743 * HOUR,
        lacks="the past has the rate at each full hour, not as it runs",
    ),
)
OPTIONS_PAST = (
    History(
        stream="trades",
        endpoint="trades_of_currency_between",
        start=_FROM,
        end=_TO,
        params=_OLDEST_FIRST,
    ),
    History(
        stream="volatility_index",
        endpoint="volatility_index",
        start=_FROM,
        end=_TO,
        params=_MINUTES_OF_DVOL,
        newest_first=True,
        most_rows=1000,
        span=999 * MINUTE,
        step=MINUTE,
        lacks="the past has the first value of each minute, not those that followed",
    ),
)
