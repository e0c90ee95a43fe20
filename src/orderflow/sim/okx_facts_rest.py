"""REST of OKX beside the market: ratios, funds, tiers, notices, and contracts that came to their end."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS
from orderflow.sim.okx_futures_rest import BARS, Swap, swap
from orderflow.sim.okx_rest import envelope, limit, needed, unknown, wrong
from orderflow.sim.protocol import Endpoint, Question
from orderflow.sim.standing import balance, periods, share

DAY_MS = 86_400_000
EXPIRY_MS = 8 * 3_600_000  # after midnight, UTC
_FRIDAY = 1  # the second day of 1970
_AHEAD_MS = 3 * DAY_MS  # when the next maintenance is
_LEVERAGES = (100, 75, 50, 33, 20)
_TIER_COINS = 50.0

# ── A row a period ────────────────────────────────────────────────────────────────────────────


def _begins(asked: Question) -> list[Millis]:
    """When the last whole periods began, the newest first."""
    minutes = BARS.get(asked.params.get("period", "5m"), 0)
    if minutes < 5:
        raise wrong("period")
    width, since, last = minutes * 60_000, asked.params.get("begin", ""), asked.params.get("end", "")
    until = min(asked.now_ms, int(last) + width) if last.isdecimal() else asked.now_ms
    found = periods(until, width, limit(asked, 100, 100))
    return [ts for ts in reversed(found) if not since.isdecimal() or ts >= int(since)]


def _ratio(of: str) -> Callable[[Question], Any]:
    """How accounts or positions divide: `standing.share` is the long part; longs over shorts are told."""

    def answer(asked: Question) -> Any:
        one = swap(asked)
        seed = asked.markets[one.symbol].seed
        longs = [(ts, share(seed, asked.venue, one.symbol, of, ts=ts)) for ts in _begins(asked)]
        return envelope([[str(ts), f"{long / (1 - long):.6f}"] for ts, long in longs])

    return answer


def _takers(asked: Question) -> Any:
    """What takers sold, and bought, in coins, contracts or USDT: of the venue's own minutes."""
    one, unit = swap(asked), asked.params.get("unit", "1")
    words = {"0": one.words.base, "1": one.words.size, "2": one.words.quote}
    if unit not in words:
        raise wrong("unit")
    found: list[list[str]] = []
    for ts in _begins(asked):
        until = ts + BARS[asked.params.get("period", "5m")] * 60_000 - 1
        minutes = asked.markets[one.symbol].minutes(asked.venue, ts, until)
        if unit == "2":
            bought = sum(bar.buy_tick_lots for bar in minutes)
            whole = sum(bar.tick_lots for bar in minutes)
        else:
            bought, whole = sum(bar.buy_lots for bar in minutes), sum(bar.lots for bar in minutes)
        found.append([str(ts), words[unit](whole - bought), words[unit](bought)])
    return envelope(found)


# ── Families ──────────────────────────────────────────────────────────────────────────────────


def _family(asked: Question) -> Swap:
    """The swap of the family asked for, `BTC-USDT`."""
    return swap(asked, "instFamily", "-SWAP")


def _tier_coins(tier: int) -> float:
    """How many bitcoins' worth a tier ends at."""
    return _TIER_COINS * 2**tier


def _tiers(asked: Question) -> Any:
    if needed(asked, "instType") != "SWAP" or needed(asked, "tdMode") not in ("cross", "isolated"):
        raise wrong("instType")
    one = _family(asked)
    contract = float(one.exchange.listing.contract or 1)
    scale = COINS["BTCUSDT"].price / COINS[one.symbol].price
    rows: list[Any] = []
    for tier, leverage in enumerate(_LEVERAGES, 1):
        least, most = (round(_tier_coins(each) * scale / contract) for each in (tier - 1, tier))
        rows.append(
            {
                "baseMaxLoan": "",
                "imr": f"{1 / leverage:.4f}",
                "instFamily": one.words.index,
                "instId": "",
                "maxLever": str(leverage),
                "maxSz": str(most),
                "minSz": "0" if tier == 1 else str(least + 1),
                "mmr": f"{0.4 / leverage:.4f}",
                "optMgnFactor": "0",
                "quoteMaxLoan": "",
                "tier": str(tier),
                "uly": one.words.index,
            }
        )
    return envelope(rows)


def fund(seed: int, family: str, now_ms: Millis) -> float:
    """What the fund of a family holds."""
    return balance(seed, "okx", family, ts=now_ms - EXPIRY_MS)


def _fund(asked: Question) -> Any:
    """A family's fund and its update of eight o'clock; a day ago it was another number."""
    needed(asked, "instType")
    one = _family(asked)
    seed, updated = asked.markets[one.symbol].seed, (asked.now_ms - EXPIRY_MS) // DAY_MS * DAY_MS + EXPIRY_MS
    held = [fund(seed, one.words.index, at) for at in (updated, updated - DAY_MS)]
    details = [
        {
            "adlType": "",
            "amt": f"{held[0] - held[1]:.2f}" if at == 0 else "",
            "balance": f"{held[at]:.2f}",
            "ccy": "USDT",
            "maxBal": "",
            "maxBalTs": "",
            "ts": str(updated - at * DAY_MS),
            "type": "liquidation_balance_deposit",
        }
        for at in (0, 1)
    ]
    whole = {"instFamily": one.words.index, "instType": "SWAP", "total": f"{held[0]:.2f}"}
    return envelope([whole | {"details": details}])


def _mornings(now_ms: Millis, count: int) -> Iterator[Millis]:
    """The last days' eight o'clock, the newest first."""
    last = (now_ms - EXPIRY_MS) // DAY_MS
    return (day * DAY_MS + EXPIRY_MS for day in range(last, last - count, -1))


def _price_at(asked: Question, one: Swap, ts: Millis) -> str:
    """What the swap was traded at in a minute: the dated contracts that ended then are worth it."""
    bars = asked.markets[one.symbol].minutes(asked.venue, ts - 60_000, ts)
    return one.words.price(bars[0].close)


def _named(one: Swap, ts: Millis) -> str:
    return f"{one.words.index}-{datetime.fromtimestamp(ts / 1000, UTC):%y%m%d}"


def _is_friday(ts: Millis) -> bool:
    return ts // DAY_MS % 7 == _FRIDAY


def _deliveries(asked: Question) -> Any:
    if needed(asked, "instType") != "FUTURES":
        raise wrong("instType")
    one = _family(asked)
    fridays = [ts for ts in _mornings(asked.now_ms, 28) if _is_friday(ts)]
    return envelope(
        [
            {
                "ts": str(ts),
                "details": [{"insId": _named(one, ts), "px": _price_at(asked, one, ts), "type": "delivery"}],
            }
            for ts in fridays[: limit(asked, 100, 100)]
        ]
    )


def _settlements(asked: Question) -> Any:
    """The settlements of a week, of the contract that expires on the next Friday."""
    one = _family(asked)
    rows: list[Any] = []
    for ts in _mornings(asked.now_ms, min(7, limit(asked, 100, 100))):
        friday = next(ts + ahead * DAY_MS for ahead in range(1, 8) if _is_friday(ts + ahead * DAY_MS))
        detail = {"instId": _named(one, friday), "settlePx": _price_at(asked, one, ts)}
        rows.append({"ts": str(ts), "details": [detail]})
    return envelope(rows)


# ── The venue ─────────────────────────────────────────────────────────────────────────────────


def _traded_usd(asked: Question) -> float:
    """What all swaps traded in a day."""
    found = (Swap(asked.venue, one) for one in asked.markets.values())
    return sum(float(one.words.quote(one.exchange.candles.day().tick_lots)) for one in found)


def _volume(asked: Question) -> Any:
    usd = _traded_usd(asked)
    return envelope([{"volCny": f"{usd * 7.1:.4f}", "volUsd": f"{usd:.4f}", "ts": str(asked.now_ms)}])


def _status(asked: Question) -> Any:
    """One maintenance, three days ahead at eight."""
    begin = (asked.now_ms + _AHEAD_MS) // DAY_MS * DAY_MS + EXPIRY_MS
    if asked.params.get("state", "scheduled") != "scheduled":
        return envelope([])
    said = {
        "begin": str(begin),
        "end": str(begin + 600_000),
        "env": "1",
        "href": "",
        "maintType": "1",
        "preOpenBegin": "",
        "scheDesc": "",
        "serviceType": "8",
        "state": "scheduled",
        "system": "unified",
        "title": "Simulated account system upgrade",
    }
    return envelope([said])


def _announcements(asked: Question) -> Any:
    newest = next(_mornings(asked.now_ms, 1))
    details = [
        {
            "annType": "announcements-latest-announcements",
            "businessPTime": str(newest - back * DAY_MS),
            "pTime": str(newest - back * DAY_MS),
            "title": f"Simulated notice {newest // DAY_MS - back}",
            "url": f"https://simulated.example/notices/{newest // DAY_MS - back}",
        }
        for back in range(20)
    ]
    return envelope([{"details": details, "totalPage": "1"}])


def _underlying(asked: Question) -> Any:
    if needed(asked, "instType") not in ("SWAP", "FUTURES"):
        raise unknown()
    return envelope([[Swap(asked.venue, one).words.index for one in asked.markets.values()]])


_STAT = "/api/v5/rubik/stat"

ENDPOINTS = (
    Endpoint(f"{_STAT}/contracts/long-short-account-ratio-contract", _ratio("accounts")),
    Endpoint(f"{_STAT}/contracts/long-short-account-ratio-contract-top-trader", _ratio("top_accounts")),
    Endpoint(f"{_STAT}/contracts/long-short-position-ratio-contract-top-trader", _ratio("top_positions")),
    Endpoint(f"{_STAT}/taker-volume-contract", _takers),
    Endpoint("/api/v5/public/position-tiers", _tiers),
    Endpoint("/api/v5/public/insurance-fund", _fund),
    Endpoint("/api/v5/public/delivery-exercise-history", _deliveries),
    Endpoint("/api/v5/public/settlement-history", _settlements),
    Endpoint("/api/v5/public/underlying", _underlying),
    Endpoint("/api/v5/market/platform-24-volume", _volume),
    Endpoint("/api/v5/system/status", _status),
    Endpoint("/api/v5/support/announcements", _announcements),
)
