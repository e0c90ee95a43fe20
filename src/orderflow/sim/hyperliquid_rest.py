"""Hyperliquid's one address, `POST /info`: what is asked stands in the body's `type`."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from orderflow.sim import hyperliquid_wire as wire
from orderflow.sim.candles import MINUTE_MS, grouped
from orderflow.sim.exchange import Exchange
from orderflow.sim.hyperliquid_wire import LISTINGS, NAMES
from orderflow.sim.listings import Names, Wording
from orderflow.sim.protocol import Endpoint, Question, Refusal

_INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480}
_INTERVALS |= {"12h": 720, "1d": 1440, "3d": 4320, "1w": 10_080}
_MOST_CANDLES, _MOST_RATES, _RECENT = 5000, 500, 10
_LIGHT = ("l2Book", "allMids", "exchangeStatus")
_TIERED, _TABLE = ("BTCUSDT",), 56  # the others are on tables of one step, which are not listed
TIERS = (("0.0", 40), ("150000000.0", 20))
_UNREADABLE = "Failed to deserialize the JSON body into the target type"


def _coin(asked: Question, coin: Any) -> tuple[Exchange, Wording]:
    """The market of a coin or of a pair; `null` with a status of 500 where there is none."""
    symbol = Names(asked.place.listings).symbol(coin) if isinstance(coin, str) else None
    if symbol is None or symbol not in asked.markets:
        raise Refusal(500, None)
    exchange = asked.markets[symbol].exchanges[asked.venue]
    return exchange, Wording(exchange.listing)


def _meta(asked: Question) -> Any:
    """All coins that are listed, simulated or not, and one that no longer is."""
    rows: list[dict[str, Any]] = [
        {
            "name": NAMES.native(symbol),
            "szDecimals": len(one.lot.partition(".")[2]),
            "maxLeverage": 40 if symbol in _TIERED else 10,
            "marginTableId": _TABLE if symbol in _TIERED else 10,
        }
        for symbol, one in LISTINGS.items()
    ]
    gone = {"name": "FTM", "szDecimals": 0, "maxLeverage": 10, "marginTableId": 10, "isDelisted": True}
    steps = [{"lowerBound": bound, "maxLeverage": leverage} for bound, leverage in TIERS]
    table = [_TABLE, {"description": "tiered 40x", "marginTiers": steps}]
    return {"universe": [*rows, gone], "marginTables": [table]}


def _contexts(asked: Question) -> Any:
    dead = {"funding": "0.0", "openInterest": "0.0", "prevDayPx": "0.5", "dayNtlVlm": "0.0"}
    dead |= {"oraclePx": "0.5", "markPx": "0.5", "dayBaseVlm": "0.0"}
    gone = {**dead, "premium": None, "midPx": None, "impactPxs": None}
    found = [
        wire.context(Wording(listing), asked.markets[symbol].perpetuals[asked.venue])
        if symbol in asked.markets
        else gone
        for symbol, listing in LISTINGS.items()
    ]
    return [_meta(asked), [*found, gone]]


def _mids(asked: Question) -> Any:
    return wire.mids(asked.venue, asked.markets)


def _book(asked: Question) -> Any:
    exchange, words = _coin(asked, asked.body.get("coin"))
    return wire.book(str(asked.body["coin"]), words, exchange.book, asked.now_ms)


def _trades(asked: Question) -> Any:
    exchange, words = _coin(asked, asked.body.get("coin"))
    rows = [wire.trade(str(asked.body["coin"]), words, one) for one in exchange.fills.latest(_RECENT)]
    return rows[::-1]


def _candles(asked: Question) -> Any:
    wanted: Any = asked.body.get("req")
    fields = cast(dict[str, Any], wanted) if isinstance(wanted, dict) else {}
    interval, start = fields.get("interval"), fields.get("startTime")
    if interval not in _INTERVALS or not isinstance(start, int):
        raise Refusal(422, _UNREADABLE)
    exchange, words = _coin(asked, fields.get("coin"))
    symbol = exchange.listing.symbol
    end, minutes = min(fields.get("endTime") or asked.now_ms, asked.now_ms), _INTERVALS[interval]
    oldest = asked.now_ms - _MOST_CANDLES * minutes * MINUTE_MS
    rows = grouped(asked.markets[symbol].minutes(asked.venue, max(start, oldest), end), minutes)
    coin = str(fields["coin"])
    return [wire.candle(coin, words, one, interval, minutes) for one in rows[-_MOST_CANDLES:]]


def _paid(asked: Question) -> Any:
    exchange, _ = _coin(asked, asked.body.get("coin"))
    perpetual = asked.markets[exchange.listing.symbol].perpetuals[asked.venue]
    start, end = asked.body.get("startTime"), asked.body.get("endTime") or asked.now_ms
    if not isinstance(start, int):
        raise Refusal(422, _UNREADABLE)
    rows = [one for one in perpetual.settlements if start <= one.ts <= end]
    coin = asked.body["coin"]
    return [
        {"coin": coin, "fundingRate": f"{one.rate:.10f}", "premium": "0.0", "time": one.ts}
        for one in rows[:_MOST_RATES]
    ]


def _predicted(asked: Question) -> Any:
    found: list[Any] = []
    for symbol, market in asked.markets.items():
        marked = market.perpetuals[asked.venue].marked
        own = {"fundingRate": f"{marked.funding:.10f}", "nextFundingTime": marked.next_funding_ms}
        other = {
            "fundingRate": "0.0001",
            "nextFundingTime": marked.next_funding_ms,
            "fundingIntervalHours": 8,
        }
        found.append([NAMES.native(symbol), [["BinPerp", other], ["HlPerp", own]]])
    return found


def _status(asked: Question) -> Any:
    return {"time": asked.now_ms, "specialStatuses": None}


Types: TypeAlias = Mapping[str, Callable[[Question], Any]]

# What perpetuals and spot have alike.
COMMON: Types = {
    "allMids": _mids,
    "l2Book": _book,
    "recentTrades": _trades,
    "candleSnapshot": _candles,
    "exchangeStatus": _status,
}


def endpoints(types: Types) -> tuple[Endpoint, ...]:
    """The one address, which answers these types of questions."""

    def info(asked: Question) -> Any:
        answer = types.get(asked.params.get("type", ""))
        if answer is None or not isinstance(asked.body, dict):
            raise Refusal(422, _UNREADABLE)
        return answer(asked)

    return (Endpoint("/info", info, weight=_weight, method="POST"),)


def _weight(params: Mapping[str, str]) -> int:
    return 2 if params.get("type") in _LIGHT else 20


ENDPOINTS = endpoints(
    {
        **COMMON,
        "meta": _meta,
        "metaAndAssetCtxs": _contexts,
        "fundingHistory": _paid,
        "predictedFundings": _predicted,
    }
)


def refusal(status: int) -> Any:
    return _UNREADABLE if status == 422 else None
