"""Candles as venues tell them, for symbols and times that were not collected here."""

from typing import Annotated, Any

from msgspec import Meta as Range

from orderflow.market.events import MS, Candle
from orderflow.tools.answers import TIME, Answer, Row, Window
from orderflow.tools.asking import Heard, hear, tell, wanted_symbol
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, Instant, tool
from orderflow.tools.times import instant, millis

_CANDLES = {
    "time": TIME, "venue": "", "open": "quote", "high": "quote", "low": "quote", "close": "quote",
    "volume": "base", "quote_volume": "quote", "trades": "count", "taker_buy_volume": "base", "closed": "",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Candles of a venue",
    columns=_CANDLES,
    example={"symbol": "BTCUSDT", "venues": ["binance_spot"], "interval": "1h", "count": 24},
    limit=100,
    open_world=True,
)
def market_candles(
    ask: Ask,
    symbol: str,
    venues: list[AnyVenueId] | None = None,
    interval: str = "1h",
    count: Annotated[int, Range(ge=1, le=1000)] = 100,
    until: Instant = "now",
) -> Answer:
    """Candles of a symbol as each venue tells them, newest first; the running one says closed false. With range,
    change and volume of the whole.

    Use it for what was not collected here, or weeks back; history_candles makes any bar of what was.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that answer when left out
        interval: as 1m, 5m, 1h, 4h, 1d; a refusal names those of the venue
        count: bars of each venue, at most what it gives at once
        until: the newest bar begins before it
    """
    wanted, last = wanted_symbol(symbol), instant(until, ask.now)
    given = None if until in ("now", str(ask.as_of)) else last
    found = hear(ask, ["candles"], venues, wanted, kinds=(Candle,), rows=count, period=interval, until=given)
    rows: list[Row] = []
    summary: dict[str, Any] = {}
    begun: list[int] = []
    for heard in found.heard:
        kept = _last(heard, last, count)
        rows += [_row(heard, one) for one in kept]
        summary[heard.venue] = _whole(kept)
        begun += [one.open_ts for one in kept[:1]]
    rows.sort(key=lambda row: -row[0])
    window = Window(since=millis(min(begun)), until=millis(last)) if begun else None
    return tell(ask, found, _CANDLES, rows, symbol=wanted, summary=summary, window=window)


def _last(heard: Heard, until: int, count: int) -> list[Candle]:
    bars = {one.open_ts: one for one in heard.of(Candle) if one.open_ts < until}
    return [bars[ts] for ts in sorted(bars)][-count:]


def _row(heard: Heard, one: Candle) -> Row:
    return [
        one.open_ts // MS, heard.venue, one.open, one.high, one.low, one.close, one.volume, one.quote_volume,
        one.trade_count, one.taker_buy_volume, one.closed,
    ]  # fmt: skip


def _whole(kept: list[Candle]) -> dict[str, Any]:
    """Return what the bars are together; of none nothing is known."""
    if not kept:
        return {}
    first, last = kept[0], kept[-1]
    return {
        "bars": len(kept),
        "open": first.open,
        "high": max(one.high for one in kept),
        "low": min(one.low for one in kept),
        "close": last.close,
        "change_pct": (last.close / first.open - 1) * 100 if first.open else None,
        "volume": sum(one.volume for one in kept),
    }
