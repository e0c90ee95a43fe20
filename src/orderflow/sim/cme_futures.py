"""What is asked about CME's futures: the CFTC's weekly report and, below `/yahoo`, a chart ten minutes late.

There is no socket, as there is none of the real venue for us. The simulated market trades less at a time
than a contract is, so that volumes are fractions here. Its form stands last.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orderflow.sim.candles import MINUTE_MS, grouped
from orderflow.sim.happenings import Candle, Millis
from orderflow.sim.listings import COINS, Listing, Place, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Endpoint, Form, Limits, Question, Refusal, Streams

DELAY_MS = 600_000
_CODES = {"133741": "BTCUSDT", "146021": "ETHUSDT"}
_NAMES = {"133741": "BITCOIN", "146021": "ETHER CASH SETTLED"}
_WEEKS = 20
_TUESDAY = 1
_PUBLISHED = timedelta(days=3, hours=20, minutes=30)  # Friday, 15:30 in New York
_INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "1d": 1440}

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "5", "0.001", 0, 4, "BTC", contract="5"),
        Listing("ETHUSDT", "0.5", "0.01", 1, 4, "ETH", contract="50"),
    )
}


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    return None


def streams(venue: str, market: Market) -> Streams:
    return Streams()


def refusal(status: int) -> Any:
    return {"code": "throttled" if status == 429 else "failed", "error": True, "message": f"status {status}"}


def refuses(headers: Mapping[str, str], path: str) -> Refusal | None:
    """The chart is for browsers."""
    if path.startswith("/yahoo") and not headers.get("user-agent", "").startswith("Mozilla"):
        return Refusal(403, "Forbidden")
    return None


# ── The CFTC's report ─────────────────────────────────────────────────────────────────────────


def _positions(asked: Question) -> Any:
    """Weekly rows of the markets that `$where` names, the newest first, each once it is published."""
    codes = re.findall(r"'(\d+)'", asked.params.get("$where", "")) or list(_CODES)
    known = [code for code in codes if _CODES.get(code) in asked.markets]
    now = datetime.fromtimestamp(asked.now_ms / 1000, UTC)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    tuesday = day - timedelta(days=(day.weekday() - _TUESDAY) % 7)
    weeks = [tuesday - timedelta(weeks=week) for week in range(_WEEKS)]
    rows = [_row(code, week) for week in weeks if week + _PUBLISHED <= now for code in known]
    return rows[: int(asked.params.get("$limit", "1000"))]


def _row(code: str, week: datetime) -> dict[str, str]:
    """A week's count: about a tenth of what perpetuals hold, a little different each week."""
    symbol = _CODES[code]
    coins = COINS[symbol].open_interest / 10 * (1 + week.toordinal() // 7 % 5 / 50)
    contracts = round(coins / float(LISTINGS[symbol].contract or 1))
    half = str(contracts // 2)
    return {
        "report_date_as_yyyy_mm_dd": f"{week:%Y-%m-%d}T00:00:00.000",
        "market_and_exchange_names": f"{_NAMES[code]} - CHICAGO MERCANTILE EXCHANGE",
        "cftc_contract_market_code": code,
        "open_interest_all": str(contracts),
        "lev_money_positions_long": half,
        "lev_money_positions_short": half,
        "traders_tot_all": "120",
    }


# ── The chart ─────────────────────────────────────────────────────────────────────────────────


def _chart(asked: Question) -> Any:
    """Bars of the front month as they stood ten minutes ago; a minute without trades is nulls."""
    ticker = asked.params.get("ticker", "")
    symbol = next((one for one, listing in LISTINGS.items() if f"{listing.native}=F" == ticker), "")
    minutes = _INTERVALS.get(asked.params.get("interval", "1d"))
    if symbol not in asked.markets or minutes is None:
        said = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        raise Refusal(404, {"chart": {"result": None, "error": said}})
    exchange, tick = asked.markets[symbol].exchanges[asked.venue], LISTINGS[symbol].tick_size
    words = Wording(LISTINGS[symbol])
    seen = [one for one in exchange.candles.all() if one.open_ms + MINUTE_MS <= asked.now_ms - DELAY_MS]
    bars = grouped(seen, minutes)
    meta: dict[str, Any] = {
        "currency": "USD",
        "symbol": ticker,
        "exchangeName": "CME",
        "dataGranularity": asked.params.get("interval", "1d"),
    }
    if seen:
        meta |= {
            "regularMarketPrice": seen[-1].close * tick,
            "regularMarketTime": (seen[-1].open_ms + MINUTE_MS) // 1000,
        }
    columns = {name: [_cell(one, name, tick) for one in bars] for name in ("open", "high", "low", "close")}
    columns["volume"] = [float(words.size(one.lots)) if one.trades else None for one in bars]
    result = {
        "meta": meta,
        "timestamp": [_seconds(one.open_ms) for one in bars],
        "indicators": {"quote": [columns]},
    }
    return {"chart": {"result": [result], "error": None}}


def _seconds(ms: Millis) -> int:
    return ms // 1000


def _cell(one: Candle, name: str, tick: float) -> float | None:
    return getattr(one, name) * tick if one.trades else None


# ── The form ──────────────────────────────────────────────────────────────────────────────────

CME_FUTURES = Form(
    name="cme_futures",
    place=Place(kind="future", listings=LISTINGS),
    limits=Limits(weight=60, window_s=60),
    route_of=route_of,
    streams=streams,
    endpoints=(
        Endpoint("/resource/gpe5-46if.json", _positions),
        Endpoint("/resource/6dca-aqww.json", _positions),
        Endpoint("/yahoo/v8/finance/chart/{ticker}", _chart),
    ),
    more={"yahoo": "/yahoo"},
    refusal=refusal,
    refuses=refuses,
)
