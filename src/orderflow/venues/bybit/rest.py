"""What Bybit answers over REST: one table of endpoints, made for each category."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from orderflow.market.events import (
    DAY,
    MINUTE,
    MS,
    BookUpdate,
    Candle,
    Control,
    Event,
    Funding,
    FundingInterval,
    Instrument,
    Level,
    Nanos,
    OpenInterest,
    Quote,
    Trade,
)
from orderflow.market.facts import LastPrice
from orderflow.venues.bybit import facts, tickers
from orderflow.venues.bybit.envelope import Category, Meaning, Said, enveloped
from orderflow.venues.bybit.socket import FULL_BOOK, INTERVALS, RETAIL_BOOK, block_trade
from orderflow.venues.spec import (
    EVERY_FIVE_MINUTES,
    SETTLED,
    Endpoint,
    History,
    leaves_out,
)

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Time(msgspec.Struct):
    timeNano: int


class _Book(msgspec.Struct, gc=False):
    s: str
    b: list[Level]
    a: list[Level]
    ts: int
    u: int
    cts: int | None = None


class _Trade(msgspec.Struct, gc=False):
    execId: str
    symbol: str
    price: float
    size: float
    side: Literal["Buy", "Sell"]
    time: int
    isBlockTrade: bool = False


class _Trades(msgspec.Struct):
    list: list[_Trade]


class _Bars(msgspec.Struct):
    symbol: str
    list: list[tuple[int, float, float, float, float, float, float]]


class _Day(tickers.Day, gc=False):
    bid1Price: str = ""
    bid1Size: str = ""
    ask1Price: str = ""
    ask1Size: str = ""


class _Days(msgspec.Struct):
    list: list[_Day]


class _Paid(msgspec.Struct, gc=False):
    symbol: str
    fundingRate: float
    fundingRateTimestamp: int


class _PaidList(msgspec.Struct):
    list: list[_Paid]


class _Interest(msgspec.Struct, gc=False):
    openInterest: float
    timestamp: int
    singleOpenInterest: float | None = None


class _Interests(msgspec.Struct):
    symbol: str
    list: list[_Interest]


class _Price(msgspec.Struct, frozen=True):
    tickSize: float | None = None


class _Lot(msgspec.Struct, frozen=True):
    qtyStep: float | None = None  # linear
    minNotionalValue: float | None = None
    basePrecision: float | None = None  # spot
    minOrderAmt: float | None = None


class _Listed(msgspec.Struct):
    symbol: str
    baseCoin: str
    quoteCoin: str
    status: str
    contractType: str = ""
    launchTime: int | None = None
    fundingInterval: int = 0
    priceFilter: _Price = _Price()
    lotSizeFilter: _Lot = _Lot()


class _Listing(msgspec.Struct):
    list: list[_Listed]


_TIME = msgspec.json.Decoder(_Time, strict=False)
_BOOK = msgspec.json.Decoder(_Book, strict=False)
_TRADES = msgspec.json.Decoder(_Trades, strict=False)
_BARS = msgspec.json.Decoder(_Bars, strict=False)
_DAYS = msgspec.json.Decoder(_Days, strict=False)
_PAID = msgspec.json.Decoder(_PaidList, strict=False)
_INTERESTS = msgspec.json.Decoder(_Interests, strict=False)
_LISTING = msgspec.json.Decoder(_Listing, strict=False)


def _time(asked: Said) -> Sequence[Event]:
    return (Control(asked.venue, "", _TIME.decode(asked.result).timeNano, asked.ts_recv, "pong"),)


def depth_of(asked: Said) -> Sequence[Event]:
    """Decode a book: a picture by itself, since its `u` is that of the stream of 1000 levels."""
    said = _BOOK.decode(asked.result)
    depth = max(len(said.b), len(said.a))
    ts_event = (said.ts if said.cts is None else said.cts) * MS
    return (
        BookUpdate(asked.venue, said.s, ts_event, asked.ts_recv, True, said.b, said.a, said.u, depth=depth),
    )


def _trades(asked: Said) -> Sequence[Event]:
    return [
        block_trade(asked.venue, one.symbol, one.time * MS, asked.ts_recv)
        if one.isBlockTrade
        else Trade(
            *(asked.venue, one.symbol, one.time * MS, asked.ts_recv),
            one.execId,
            one.side == "Sell",
            one.price,
            one.size,
        )
        for one in reversed(_TRADES.decode(asked.result).list)
    ]


def _candles(asked: Said) -> Sequence[Event]:
    """Decode bars, newest first; one is closed once its last instant was past when the venue answered.

    Where that is unknown, the newest of the list counts as open. An open bar has no time of the venue's.
    """
    interval = asked.query.get("interval", "")
    said = _BARS.decode(asked.result)
    found: list[Event] = []
    now = asked.sent or asked.ts_recv
    for place, (start, opened, high, low, close, volume, turnover) in reversed([*enumerate(said.list)]):
        ends = bar_ends(start, interval)
        closed = ends < now if now else place > 0
        found.append(
            Candle(
                *(asked.venue, said.symbol, ends if closed else None, asked.ts_recv),
                INTERVALS.get(interval, interval),
                start * MS,
                ends,
                *(opened, high, low, close, volume, turnover),
                closed=closed,
            )
        )
    return found


def bar_ends(start_ms: int, interval: str) -> Nanos:
    """Return the last instant of a bar, as the socket tells it: a millisecond before the next begins.

    >>> bar_ends(1_786_310_820_000, "1") == 1_786_310_879_999 * MS
    True
    >>> bar_ends(1_767_225_600_000, "M") == 1_769_903_999_999 * MS  # January 2026
    True
    """
    if interval == "M":
        start = datetime.fromtimestamp(start_ms // 1000, UTC)
        after = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        return round(after.timestamp()) * 1000 * MS - MS
    length = {"D": DAY, "W": 7 * DAY}.get(interval) or int(interval) * MINUTE
    return start_ms * MS + length - MS


def _tickers(asked: Said) -> Sequence[Event]:
    found: list[Event] = []
    for one in _DAYS.decode(asked.result).list:
        if one.lastPrice:
            found.append(LastPrice(asked.venue, one.symbol, asked.sent, asked.ts_recv, float(one.lastPrice)))
        bid, bid_size, ask, ask_size = (
            float(text) or None if text else None
            for text in (one.bid1Price, one.bid1Size, one.ask1Price, one.ask1Size)
        )
        if bid is not None or ask is not None:
            found.append(
                Quote(*(asked.venue, one.symbol, asked.sent, asked.ts_recv), bid, bid_size, ask, ask_size)
            )
        state = tickers.said(one)
        found += tickers.events(asked.venue, one.symbol, state, state.keys(), asked.sent, asked.ts_recv)
    return found


def _funding_history(asked: Said) -> Sequence[Event]:
    return [
        Funding(
            asked.venue,
            one.symbol,
            one.fundingRateTimestamp * MS,
            asked.ts_recv,
            one.fundingRate,
            next_ts=one.fundingRateTimestamp * MS,
        )
        for one in reversed(_PAID.decode(asked.result).list)
    ]


def _open_interest(asked: Said) -> Sequence[Event]:
    said = _INTERESTS.decode(asked.result)
    return [
        OpenInterest(
            asked.venue,
            said.symbol,
            one.timestamp * MS,
            asked.ts_recv,
            tickers.one_side(one.singleOpenInterest, one.openInterest),
        )
        for one in reversed(said.list)
    ]


_CONTRACTS = {"LinearPerpetual": "perpetual", "LinearFutures": "future", "": "spot"}


def _instruments(asked: Said) -> Sequence[Event]:
    """Decode the listing. A contract counts one base coin, where 1000PEPE is such a coin."""
    found: list[Event] = []
    for one in _LISTING.decode(asked.result).list:
        spot = not one.contractType
        lot = one.lotSizeFilter
        found.append(
            Instrument(
                asked.venue,
                one.symbol,
                asked.sent,
                asked.ts_recv,
                native=one.symbol,
                kind=_CONTRACTS.get(one.contractType, "future"),
                base=one.baseCoin,
                quote=one.quoteCoin,
                status=one.status,
                trading=one.status == "Trading",
                contract_size=None if spot else 1.0,
                tick=one.priceFilter.tickSize,
                lot=lot.basePrecision if spot else lot.qtyStep,
                min_notional=lot.minOrderAmt if spot else lot.minNotionalValue,
                listed_ts=one.launchTime * MS if one.launchTime else None,
            )
        )
        if one.fundingInterval:
            hours = one.fundingInterval / 60
            found.append(FundingInterval(asked.venue, one.symbol, asked.sent, asked.ts_recv, hours))
    return found


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_BARS_OF = "no stream for candles of the {}"


def endpoints(venue: str, category: Category) -> tuple[Endpoint, ...]:
    """Return the public endpoints as they are asked about one category."""

    def kept(
        name: str,
        path: str,
        meaning: Meaning,
        *needs: str,
        cache_s: float = 0.0,
        **params: str,
    ) -> Endpoint:
        every = {"category": category, **params}
        return Endpoint(
            name, f"/v5/market/{path}", enveloped(venue, category, meaning), every, needs, cache_s=cache_s
        )

    def unkept(name: str, path: str, reason: str, *needs: str, **params: str) -> Endpoint:
        return Endpoint(name, f"/v5/{path}", leaves_out(venue, reason), params, needs)

    common = (
        Endpoint("time", "/v5/market/time", enveloped(venue, category, _time)),
        kept("instruments", "instruments-info", _instruments, cache_s=3600, status="Trading", limit="1000"),
        kept("candles", "kline", _candles, "symbol", interval="1", limit="1000"),
        kept("depth", "orderbook", depth_of, "symbol", limit="200"),
        kept("trades", "recent-trade", _trades, "symbol", limit="1000" if category == "linear" else "60"),
        kept("tickers", "tickers", _tickers),
        unkept("full_depth", "market/full_orderbook", FULL_BOOK, "symbol", category=category),
        unkept("retail_depth", "market/rpi_orderbook", RETAIL_BOOK, "symbol", category=category, limit="50"),
        unkept(
            "price_limit", "market/price-limit", "no stream for price limits", "symbol", category=category
        ),
        *facts.of_the_venue(venue, category),
    )
    if category == "spot":
        return common
    bars = {"category": category, "interval": "60", "limit": "200"}
    return (
        *common,
        kept("funding_history", "funding/history", _funding_history, "symbol", limit="200"),
        kept(
            "open_interest_history", "open-interest", _open_interest, "symbol", intervalTime="1h", limit="200"
        ),
        unkept("mark_candles", "market/mark-price-kline", _BARS_OF.format("mark price"), "symbol", **bars),
        unkept("index_candles", "market/index-price-kline", _BARS_OF.format("index"), "symbol", **bars),
        unkept(
            "premium_candles",
            "market/premium-index-price-kline",
            _BARS_OF.format("premium"),
            "symbol",
            **bars,
        ),
        *facts.of_contracts(venue),
        unkept(
            "index_components", "market/index-price-components", "no stream for an index's parts", "indexName"
        ),
        unkept("deleveraging", "market/adlAlert", "no stream for the risk of deleveraging"),
        unkept("deliveries", "market/delivery-price", "no stream for delivery prices", category=category),
        unkept("fee_groups", "market/fee-group-info", "no stream for fees", productType="DERIVATIVES"),
    )


# ── What is kept of the past ──────────────────────────────────────────────────────────────────

# Lists come newest first. A stretch is never longer than a page, so that it does not matter which end of a
# longer one the venue would answer.
_CANDLES = History(
    stream="candles",
    endpoint="candles",
    start="start",
    end="end",
    newest_first=True,
    most_rows=1000,
    span=999 * MINUTE,
    step=MINUTE,
)
SPOT_PAST = (_CANDLES,)
LINEAR_PAST = (
    _CANDLES,
    History(
        stream="funding_rates",
        endpoint="funding_history",
        start="startTime",  # which is refused without an end
        end="endTime",
        newest_first=True,
        most_rows=200,
        lacks=SETTLED,
    ),
    History(
        stream="open_interest",
        endpoint="open_interest_history",
        start="startTime",
        end="endTime",
        params={"intervalTime": "5min"},
        newest_first=True,
        most_rows=200,
        span=199 * 5 * MINUTE,
        lacks=EVERY_FIVE_MINUTES,
    ),
)


def no_past(category: Category) -> dict[str, str]:
    """Return why trades have none."""
    most = "1,000" if category == "linear" else "60"
    return {"trades": f"REST tells the last {most} alone, and no time or id can be asked for"}
