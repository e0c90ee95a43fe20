"""What Bybit tells over REST and on no stream: ratios, insurance pools, risk limits, notices, maintenance."""

from typing import Any

from orderflow.sim.bybit_params import (
    answered,
    category_of,
    limit_of,
    number_of,
    symbol_of,
    symbols_of,
    wrong,
)
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS
from orderflow.sim.protocol import Endpoint, Question
from orderflow.sim.standing import balance, periods, share

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
DAY_MS = 24 * _HOUR_MS
PERIODS_MS = {
    **{f"{minutes}min": minutes * _MINUTE_MS for minutes in (5, 15, 30)},
    "1h": _HOUR_MS,
    "4h": 4 * _HOUR_MS,
    "1d": DAY_MS,
}
SHARED = {"USDT": 4e8, "USDC": 2e7, "BTC": 700.0}  # coin → about what the shared pool holds
DOLLARS = {"USDT": 1.0, "USDC": 1.0, "BTC": COINS["BTCUSDT"].price}
ISOLATED = 2e4  # USDT, about, in the pool of one small coin's contract
# (up to so much of the quote coin, initial margin, maintenance margin, leverage); small coins have a twentieth.
TIERS = ((2_000_000, 0.01, 0.005, 100), (4_000_000, 0.0125, 0.0075, 80), (10_000_000, 0.02, 0.01, 50))
_LARGE = ("BTCUSDT", "ETHUSDT")


def large(symbol: str) -> bool:
    return symbol in _LARGE


def _seed(asked: Question) -> int:
    return next(iter(asked.markets.values())).seed


# ── Contracts ─────────────────────────────────────────────────────────────────────────────────


def _ratio(asked: Question) -> Any:
    category_of(asked)
    symbol, width = symbol_of(asked), PERIODS_MS.get(asked.params.get("period", ""))
    if width is None:
        raise wrong(asked, "params error: period invalid")
    start, end = number_of(asked, "startTime") or 0, number_of(asked, "endTime") or asked.now_ms
    whole = periods(min(end, asked.now_ms) + width, width, limit_of(asked, 50, 500))
    rows: list[Any] = []
    for ts in (one for one in reversed(whole) if one >= start):
        long = share(_seed(asked), asked.venue, symbol, "accounts", ts=ts)
        rows.append(
            {
                "symbol": symbol,
                "buyRatio": f"{long:.4f}",
                "sellRatio": f"{1 - long:.4f}",
                "timestamp": str(ts),
            }
        )
    return answered({"list": rows, "nextPageCursor": ""}, asked.now_ms)


def _pools(asked: Question) -> Any:
    """The shared pool of each coin, then those of single contracts."""
    seed, now, coin = _seed(asked), asked.now_ms, asked.params.get("coin")
    rows: list[Any] = []
    for name, about in SHARED.items():
        held = balance(seed, asked.venue, name, ts=now, about=about)
        rows.append(_pool(name, "", held, held * DOLLARS[name]))
    for symbol in asked.markets:
        if not large(symbol):
            held = balance(seed, asked.venue, symbol, ts=now, about=ISOLATED)
            rows.append(_pool("USDT", symbol, held, held))
    if coin is not None and coin not in SHARED:
        raise wrong(asked, "params error: coin invalid")
    kept = [row for row in rows if coin in (None, row["coin"])]
    return answered({"updatedTime": str(now - now % DAY_MS), "list": kept}, now)


def _pool(coin: str, symbols: str, held: float, dollars: float) -> dict[str, str]:
    return {"coin": coin, "symbols": symbols, "balance": f"{held:.2f}", "value": f"{dollars:.2f}"}


def _risk(asked: Question) -> Any:
    category = category_of(asked)
    rows: list[Any] = []
    for symbol in symbols_of(asked):
        for place, (limit, initial, maintenance, leverage) in enumerate(TIERS, 1):
            rows.append(
                {
                    "id": place,
                    "symbol": symbol,
                    "riskLimitValue": str(limit if large(symbol) else limit // 20),
                    "maintenanceMargin": str(maintenance),
                    "initialMargin": str(initial),
                    "isLowestRisk": int(place == 1),
                    "maxLeverage": f"{leverage:.2f}",
                    "mmDeduction": "",
                }
            )
    return answered({"category": category, "list": rows, "nextPageCursor": ""}, asked.now_ms)


# ── The venue ─────────────────────────────────────────────────────────────────────────────────

NOTICES = (
    ("Simulated: new listing of ARUSDT", "new_crypto", "New Listings"),
    ("Simulated: a trading contest", "latest_activities", "Latest Activities"),
    ("Simulated: maintenance of the wallet", "maintenance_updates", "Maintenance Updates"),
)


def _notices(asked: Question) -> Any:
    """One notice a day, in turns, newest first."""
    if not asked.params.get("locale"):
        raise wrong(asked, "params error: locale is empty")
    today = asked.now_ms - asked.now_ms % DAY_MS
    rows = [_notice(today - back * DAY_MS) for back in range(limit_of(asked, 20, 100))]
    return answered({"total": len(rows), "list": rows}, asked.now_ms)


def _notice(at: Millis) -> dict[str, Any]:
    title, key, kind = NOTICES[at // DAY_MS % len(NOTICES)]
    return {
        "title": title,
        "description": "Nothing of this is real.",
        "type": {"title": kind, "key": key},
        "tags": ["Spot", "Derivatives"],
        "url": f"https://example.com/announcements/{at // DAY_MS}",
        "dateTimestamp": at,
        "startDateTimestamp": at,
        "endDateTimestamp": at + DAY_MS,
        "publishTime": at,
    }


def _status(asked: Question) -> Any:
    """What was done yesterday, and what is planned for the day after tomorrow."""
    today = asked.now_ms - asked.now_ms % DAY_MS
    rows = [
        _maintenance("Simulated: planned maintenance", "scheduled", today + 2 * DAY_MS),
        _maintenance("Simulated: it is over", "completed", today - DAY_MS),
    ]
    return answered({"list": rows}, asked.now_ms)


def _maintenance(title: str, state: str, begin: Millis) -> dict[str, Any]:
    return {
        "id": str(begin),
        "title": title,
        "state": state,
        "begin": str(begin),
        "end": str(begin + _HOUR_MS),
        "href": "",
        "serviceTypes": [1, 2, 3, 4, 5],
        "product": [1, 2, 3, 4],
        "uidSuffix": [],
        "maintainType": 1,
        "env": 1,
    }


OF_THE_VENUE = (Endpoint("/v5/announcements/index", _notices), Endpoint("/v5/system/status", _status))
OF_CONTRACTS = (
    Endpoint("/v5/market/account-ratio", _ratio),
    Endpoint("/v5/market/insurance", _pools),
    Endpoint("/v5/market/risk-limit", _risk),
)
