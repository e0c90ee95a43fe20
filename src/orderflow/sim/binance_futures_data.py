"""What Binance futures tells beside the market: below `/futures/data`, the insurance fund, the indices.

A row a period is stamped with the end of its period and reaches back 30 days. Prices and open interest of
then are those of the archive, volumes those of the candles; ratios, funds and premiums are `standing`.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orderflow.sim import binance_rest as rest
from orderflow.sim.candles import merged
from orderflow.sim.happenings import Candle, Millis, Ticks
from orderflow.sim.listings import COINS, Wording
from orderflow.sim.past import DAY_MS, OpenInterestThen
from orderflow.sim.protocol import Endpoint, Question
from orderflow.sim.standing import balance, share

PERIODS_MS = {
    f"{minutes}m" if minutes < 60 else f"{minutes // 60}h" if minutes < 1440 else "1d": minutes * 60_000
    for minutes in (5, 15, 30, 60, 120, 240, 360, 720, 1440)
}
_KEPT_MS = 30 * DAY_MS
_CONTRACTS = ("PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER")
_DATED = ("BTCUSDT", "ETHUSDT")  # the pairs that have contracts with an end
_DELIVERIES = 8
_MAJORS = ("BTCUSDT", "ETHUSDT")  # which share one fund; the others share the second
_PREMIUM = 0.0015  # of a perpetual over its index, at most
_COMPOSITE = {
    "symbol": "DEFIUSDT",
    "component": "baseAsset",
    "baseAssetList": [
        {
            "baseAsset": "UNI",
            "quoteAsset": "USDT",
            "weightInQuantity": "1.04406228",
            "weightInPercentage": "1.00000000",
        }
    ],
}

# ── Periods ───────────────────────────────────────────────────────────────────────────────────


def _ends(asked: Question) -> tuple[list[Millis], Millis]:
    """When the periods that are asked for end, the oldest first, and how long they are."""
    width = PERIODS_MS.get(asked.params.get("period", ""))
    if width is None:
        raise rest.wrong(-1130, "Data sent for parameter 'period' is not valid.")
    count, start = rest.limit(asked, 30, 500), rest.number(asked, "startTime")
    last = min(rest.number(asked, "endTime") or asked.now_ms, asked.now_ms)
    first = last - last % width - (count - 1) * width if start is None else start
    first = max(first, asked.now_ms - _KEPT_MS)
    return list(range(-(-first // width) * width, last + 1, width))[:count], width


def _then(asked: Question, symbol: str, ts: Millis) -> OpenInterestThen:
    """What the archive tells of a full five minutes."""
    return asked.markets[symbol].pasts[asked.venue].open_interest(ts, ts + 1)[0]


def _price_then(asked: Question, symbol: str, ts: Millis) -> Ticks:
    row = _then(asked, symbol, ts)
    return row.tick_lots // row.lots


# ── A row a period ────────────────────────────────────────────────────────────────────────────


def _open_interest(asked: Question) -> Any:
    symbol = rest.symbol(asked)
    words = Wording(asked.place.listings[symbol])
    rows = [_then(asked, symbol, ts) for ts in _ends(asked)[0]]
    return [
        {
            "symbol": symbol,
            "sumOpenInterest": words.size(row.lots),
            "sumOpenInterestValue": words.quote(row.tick_lots),
            "timestamp": row.ts,
        }
        for row in rows
    ]


def _ratio(of: str) -> Callable[[Question], Any]:
    """How accounts or positions divide: `standing.share` is the long part."""

    def answer(asked: Question) -> Any:
        symbol = rest.symbol(asked)
        seed = asked.markets[symbol].seed
        rows: list[Any] = []
        for ts in _ends(asked)[0]:
            long = share(seed, asked.venue, symbol, of, ts=ts)
            rows.append(
                {
                    "symbol": symbol,
                    "longShortRatio": f"{long / (1 - long):.4f}",
                    "longAccount": f"{long:.4f}",
                    "shortAccount": f"{1 - long:.4f}",
                    "timestamp": ts,
                }
            )
        return rows

    return answer


def _taken(asked: Question) -> Any:
    """What takers bought and sold, from the candles; a period without trades has no row."""
    symbol = rest.symbol(asked)
    words = Wording(asked.place.listings[symbol])
    ends, width = _ends(asked)
    if not ends:
        return []
    periods: dict[Millis, list[Candle]] = {}
    for one in asked.markets[symbol].minutes(asked.venue, ends[0] - width, ends[-1] - 1):
        periods.setdefault(one.open_ms - one.open_ms % width + width, []).append(one)
    rows: list[Any] = []
    for ts, minutes in periods.items():
        whole = merged(minutes)
        sold = whole.lots - whole.buy_lots
        rows.append(
            {
                "buySellRatio": f"{whole.buy_lots / sold:.4f}" if sold else "0.0000",
                "buyVol": words.size(whole.buy_lots),
                "sellVol": words.size(sold),
                "timestamp": ts,
            }
        )
    return rows


def _basis(asked: Question) -> Any:
    pair, contract = _pair(asked), asked.params.get("contractType", "")
    if contract not in _CONTRACTS:
        raise rest.wrong(-1130, "Data sent for parameter 'contractType' is not valid.")
    ends, _ = _ends(asked)
    words, seed = Wording(asked.place.listings[pair]), asked.markets[pair].seed
    rows: list[Any] = []
    for ts in ends if contract == "PERPETUAL" else ():
        rate = share(seed, asked.venue, pair, "basis", ts=ts, least=-_PREMIUM, most=_PREMIUM)
        price = words.price(_price_then(asked, pair, ts))
        index = float(price) / (1 + rate)
        rows.append(
            {
                "indexPrice": f"{index:.8f}",
                "contractType": contract,
                "basisRate": f"{rate:.4f}",
                "futuresPrice": price,
                "annualizedBasisRate": "",
                "basis": f"{float(price) - index:.8f}",
                "pair": pair,
                "timestamp": ts,
            }
        )
    return rows


def _pair(asked: Question) -> str:
    pair = asked.params.get("pair")
    if not pair:
        raise rest.wrong(-1102, "Mandatory parameter 'pair' was not sent, was empty/null, or malformed.")
    if pair not in asked.markets:
        raise rest.wrong(-1121, "Invalid symbol.")
    return pair


# ── Deliveries, funds, indices ────────────────────────────────────────────────────────────────


def _deliveries(asked: Question) -> Any:
    """The price at the end of each quarter's contract, the newest first."""
    pair = _pair(asked)
    words = Wording(asked.place.listings[pair])
    return [
        {"deliveryTime": ts, "deliveryPrice": float(words.price(_price_then(asked, pair, ts)))}
        for ts in (delivered(asked.now_ms) if pair in _DATED else ())
    ]


def delivered(now_ms: Millis) -> list[Millis]:
    """The last Fridays of the quarters before now, the newest first.

    >>> [f"{datetime.fromtimestamp(one / 1000, UTC):%y%m%d}" for one in delivered(1_795_000_000_000)[:2]]
    ['260925', '260626']
    """
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    month = date(today.year, today.month - (today.month - 1) % 3, 1)  # in which the running quarter began
    found: list[Millis] = []
    after = date(month.year + month.month // 10, (month.month + 2) % 12 + 1, 1)
    while len(found) < _DELIVERIES:
        last = after - timedelta(days=1)
        friday = last - timedelta(days=(last.weekday() - 4) % 7)
        ts = int(datetime(friday.year, friday.month, friday.day, tzinfo=UTC).timestamp()) * 1000
        found += [ts] if ts <= now_ms else []
        after = (after - timedelta(days=80)).replace(day=1)
    return found


def _insurance(asked: Question) -> Any:
    listed, day = list(asked.markets), asked.now_ms - asked.now_ms % DAY_MS
    seed = next(iter(asked.markets.values())).seed
    groups = [
        [one for one in listed if one in _MAJORS],
        [one for one in listed if one not in _MAJORS],
    ]
    funds = [
        {
            "symbols": group,
            "assets": [
                {
                    "asset": "USDT",
                    "marginBalance": f"{balance(seed, asked.venue, group[0], ts=day):.8f}",
                    "updateTime": day,
                }
            ],
        }
        for group in groups
        if group
    ]
    if "symbol" not in asked.params:
        return funds
    symbol = rest.symbol(asked)
    return next(fund for fund in funds if symbol in fund["symbols"])


def _composites(asked: Question) -> Any:
    if asked.params.get("symbol", _COMPOSITE["symbol"]) != _COMPOSITE["symbol"]:
        raise rest.wrong(-1121, "Invalid symbol.")
    return rest.one_or_list(asked, [_COMPOSITE | {"time": asked.now_ms}])


def _coin_indices(asked: Question) -> Any:
    wanted = asked.params.get("symbol")
    names = {f"{COINS[symbol].base}USD": symbol for symbol in asked.markets}
    if wanted and wanted not in names:
        raise rest.wrong(-1121, "Invalid symbol.")
    rows: list[Any] = []
    for name in [wanted] if wanted else names:
        index = asked.markets[names[name]].perpetuals[asked.venue].marked.index
        rows.append(
            {
                "symbol": name,
                "time": asked.now_ms,
                "index": f"{index:.8f}",
                "bidBuffer": "0.10000000",
                "askBuffer": "0.10000000",
                "bidRate": f"{index * 0.9:.8f}",
                "askRate": f"{index * 1.1:.8f}",
            }
        )
    return rest.one_or_list(asked, rows)


DATA = (
    Endpoint("/futures/data/openInterestHist", _open_interest, rest.flat(0)),
    Endpoint("/futures/data/globalLongShortAccountRatio", _ratio("accounts"), rest.flat(0)),
    Endpoint("/futures/data/topLongShortAccountRatio", _ratio("top_accounts"), rest.flat(0)),
    Endpoint("/futures/data/topLongShortPositionRatio", _ratio("top_positions"), rest.flat(0)),
    Endpoint("/futures/data/takerlongshortRatio", _taken, rest.flat(0)),
    Endpoint("/futures/data/basis", _basis, rest.flat(0)),
    Endpoint("/futures/data/delivery-price", _deliveries, rest.flat(0)),
    Endpoint("/fapi/v1/insuranceBalance", _insurance, rest.flat(1)),
    Endpoint("/fapi/v1/indexInfo", _composites, rest.flat(1)),
    Endpoint("/fapi/v1/assetIndex", _coin_indices, rest.one_or_all(1, 10)),
)
