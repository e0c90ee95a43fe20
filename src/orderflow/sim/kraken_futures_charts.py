"""What Kraken Futures answers below `/api/charts`: candles, and analytics in buckets of time."""

from collections.abc import Callable, Mapping
from typing import Any

from orderflow.sim.candles import MINUTE_MS, grouped
from orderflow.sim.happenings import Candle, Millis
from orderflow.sim.kraken_futures_rest import product
from orderflow.sim.kraken_futures_wire import Words
from orderflow.sim.market import Market
from orderflow.sim.past import FIVE_MINUTES_MS
from orderflow.sim.protocol import Endpoint, Question, Refusal
from orderflow.sim.standing import share

_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "12h": 720, "1d": 1440, "1w": 10080}
_MOST = 2000  # candles or buckets in an answer
ACCOUNTS = 10_000  # whose positions are counted

# ── Candles ───────────────────────────────────────────────────────────────────────────────────


def _candles(asked: Question) -> Any:
    """Bars of trades from the oldest asked for; from the newest where only their count is asked."""
    kind, resolution = asked.params.get("tick_type", ""), asked.params.get("resolution", "")
    if resolution not in _MINUTES or kind not in ("trade", "mark", "spot"):
        raise Refusal(
            200, {"errors": [{"code": "invalidArgument", "message": "unknown tick type or resolution"}]}
        )
    market, words = product(asked)
    start, end, count = (_seconds(asked, name) for name in ("from", "to", "count"))
    minutes, most = _MINUTES[resolution], min(count or _MOST, _MOST)
    last = asked.now_ms if end is None else min(end * 1000, asked.now_ms)
    reach = (most + 1) * minutes * MINUTE_MS
    first = last - reach if start is None else start * 1000
    last = min(last, first + reach)
    rows = grouped(market.minutes(asked.venue, first, last), minutes)
    chosen = rows[-most:] if start is None else rows[:most]
    return {
        "candles": [
            {
                "time": row.open_ms,
                "open": str(words.price(row.open)),
                "high": str(words.price(row.high)),
                "low": str(words.price(row.low)),
                "close": str(words.price(row.close)),
                "volume": str(words.size(row.lots) if kind == "trade" else 0),
            }
            for row in chosen
        ],
        "more_candles": len(chosen) < len(rows),
    }


def _seconds(asked: Question, name: str) -> int | None:
    text = asked.params.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise Refusal(200, {"errors": [{"code": "invalidArgument", "message": f"{name} is no number"}]})
    return int(text)


# ── Analytics ─────────────────────────────────────────────────────────────────────────────────


def _analytics(asked: Question) -> Any:
    """Buckets that begin from `since` to `to`, the running one too, oldest first."""
    meaning = _KINDS.get(asked.params.get("analytics_type", ""))
    if meaning is None:
        raise _invalid("analytics_type")
    market, words = product(asked)
    since, until, width = (_number(asked, name) for name in ("since", "to", "interval"))
    if since is None:
        raise _invalid("since")
    if width is None or width // 60 not in _MINUTES.values():
        raise _invalid("interval")
    last = asked.now_ms // 1000 if until is None else min(until, asked.now_ms // 1000)
    begun = list(range(-(-since // width) * width, last + 1, width))
    chosen = begun[:_MOST]
    said = meaning(asked, market, words, chosen, width)
    return {"result": {"timestamp": chosen, "more": len(chosen) < len(begun), "data": said}, "errors": []}


def _number(asked: Question, name: str) -> int | None:
    text = asked.params.get(name)
    if text is not None and not text.isdecimal():
        raise _invalid(name)
    return None if text is None else int(text)


def _invalid(field: str) -> Refusal:
    problem = {"severity": "E", "error_class": "General", "type": "Invalid arguments", "field": field}
    return Refusal(400, {"errors": [problem | {"msg": "not a value that it takes"}]})


def interest(market: Market, venue: str, ts: Millis) -> int:
    """Return the lots that were open at an instant, to five minutes."""
    first = ts - ts % FIVE_MINUTES_MS
    return market.pasts[venue].open_interest(first, first + 1)[0].lots


def _interests(asked: Question, market: Market, words: Words, begun: list[int], width: int) -> Any:
    found: list[list[str]] = []
    for at in begun:
        ends = (at + width) * 1000
        opened = interest(market, asked.venue, at * 1000)
        closed = (
            market.perpetuals[asked.venue].open_lots
            if ends > asked.now_ms
            else interest(market, asked.venue, ends)
        )
        row = (opened, max(opened, closed), min(opened, closed), closed)
        found.append([str(words.size(lots)) for lots in row])
    return found


def _bars(asked: Question, market: Market, begun: list[int], width: int) -> list[Candle | None]:
    """The bar of each bucket; None where nothing was traded."""
    if not begun:
        return []
    minutes = market.minutes(asked.venue, begun[0] * 1000, (begun[-1] + width) * 1000 - 1)
    found = {one.open_ms: one for one in grouped(minutes, width // 60)}
    return [found.get(at * 1000) for at in begun]


def _volumes(asked: Question, market: Market, words: Words, begun: list[int], width: int) -> Any:
    bars = _bars(asked, market, begun, width)
    bought = [0 if one is None else one.buy_lots for one in bars]
    sold = [0 if one is None else one.lots - one.buy_lots for one in bars]
    difference, so_far = [buy - sell for buy, sell in zip(bought, sold, strict=True)], 0
    running: list[int] = []
    for one in difference:
        so_far += one
        running.append(so_far)
    sides = {"buy_volume": bought, "sell_volume": sold, "cvd": running}
    return {name: [str(words.size(lots)) for lots in row] for name, row in sides.items()}


def _everyone(asked: Question, market: Market, words: Words, begun: list[int], width: int) -> Any:
    return _positions(asked, market, "accounts", begun)


def _largest(asked: Question, market: Market, words: Words, begun: list[int], width: int) -> Any:
    return {"top20Percent": _positions(asked, market, "top_accounts", begun)}


def _positions(asked: Question, market: Market, of: str, begun: list[int]) -> dict[str, Any]:
    """How accounts divide in each bucket: `standing.share` is the long part."""
    shares = [share(market.seed, asked.venue, market.symbol, of, ts=at * 1000) for at in begun]
    longs = [round(one * ACCOUNTS) for one in shares]
    return {
        "longCount": longs,
        "shortCount": [ACCOUNTS - one for one in longs],
        "longPercent": [f"{one * 100:.2f}" for one in shares],
        "shortPercent": [f"{100 - one * 100:.2f}" for one in shares],
        "ratio": [f"{one:.4f}" for one in shares],
    }


_Meaning = Callable[[Question, Market, Words, list[int], int], Any]
_KINDS: Mapping[str, _Meaning] = {
    "open-interest": _interests,
    "cvd": _volumes,
    "long-short-info": _everyone,
    "top-traders": _largest,
}

ENDPOINTS = (
    Endpoint("/api/charts/v1/analytics/{symbol}/{analytics_type}", _analytics),
    Endpoint("/api/charts/v1/{tick_type}/{symbol}/{resolution}", _candles),
)
