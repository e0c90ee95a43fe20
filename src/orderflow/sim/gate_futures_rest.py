"""REST of Gate's futures, below `/api/v4`, and the rows that its socket writes alike."""

from typing import Any

from orderflow.sim import gate_contracts as rest
from orderflow.sim.candles import MINUTE_MS
from orderflow.sim.exchange import Exchange
from orderflow.sim.gate_contracts import Sizes, wrong
from orderflow.sim.happenings import Liquidated, Millis
from orderflow.sim.listings import Listing, Names
from orderflow.sim.market import Market
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.protocol import Endpoint, Question
from orderflow.sim.standing import balance, share

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.1", "0.00001", 1, 0, native="BTC_USDT", contract="0.0001"),
        Listing("ETHUSDT", "0.01", "0.001", 2, 0, native="ETH_USDT", contract="0.01"),
        Listing("SOLUSDT", "0.01", "0.1", 2, 0, native="SOL_USDT", contract="1"),
        Listing("XRPUSDT", "0.0001", "1", 4, 0, native="XRP_USDT", contract="10"),
        Listing("ARUSDT", "0.001", "0.1", 3, 0, native="AR_USDT", contract="0.1"),
        Listing("BRETTUSDT", "0.00001", "10", 5, 0, native="BRETT_USDT", contract="10"),
        Listing("POPCATUSDT", "0.00001", "1", 5, 0, native="POPCAT_USDT", contract="10"),
        Listing("WIFUSDT", "0.0001", "1", 4, 0, native="WIF_USDT", contract="1"),
        Listing("PNUTUSDT", "0.00001", "1", 5, 0, native="PNUT_USDT", contract="10"),
    )
}
NAMES = Names(LISTINGS)
_ACCOUNTS = 10_000  # that hold a contract
_DAY_MS = 86_400_000
_HOUR_S = 3600

# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def ticker(native: str, words: Sizes, exchange: Exchange, perpetual: Perpetual) -> dict[str, Any]:
    marked = perpetual.marked
    return {
        "contract": native,
        **rest.day(exchange, words),
        "total_size": words.size(perpetual.open_lots),
        "mark_price": f"{marked.mark:.8g}",
        "funding_rate": f"{marked.funding:.6f}",
        "funding_rate_indicative": f"{marked.funding:.6f}",
        "funding_interval": perpetual.interval_ms // 1000,
        "funding_offset": 0,
        "funding_next_apply": marked.next_funding_ms // 1000,
        "index_price": f"{marked.index:.8g}",
    }


def statistics(words: Sizes, perpetual: Perpetual, now_ms: Millis, width_ms: Millis) -> dict[str, Any]:
    lots, marked = perpetual.open_lots, perpetual.marked
    return {
        "time": (now_ms - now_ms % width_ms) // 1000,
        "open_interest": words.contracts(lots),
        "open_interest_usd": float(words.base(lots)) * marked.mark,
        "mark_price": marked.mark,
    }


def _counted(market: Market, venue: str, words: Sizes, first: Millis, width_ms: Millis) -> dict[str, Any]:
    """What a row of statistics adds up: forced closes and takers of its time, and how accounts divide."""
    found: dict[str, Any] = {}
    forced = [one for one in market.perpetuals[venue].liquidated if first <= one.ts < first + width_ms]
    for side, sells in (("long", True), ("short", False)):
        mine = [one for one in forced if one.sells == sells]
        found[f"{side}_liq_size"] = words.contracts(sum(one.filled_lots for one in mine))
        found[f"{side}_liq_usd"] = float(words.quote(sum(one.filled_tick_lots for one in mine)))
    for of, long, short, ratio in (
        ("accounts", "long_users", "short_users", "lsr_account"),
        ("top_accounts", "top_long_account", "top_short_account", "top_lsr_account"),
        ("top_positions", "top_long_size", "top_short_size", "top_lsr_size"),
    ):
        found[long] = round(_ACCOUNTS * share(market.seed, venue, market.symbol, of, ts=first))
        found[short] = _ACCOUNTS - found[long]
        found[ratio] = found[long] / found[short]
    bars = market.minutes(venue, first, first + width_ms - 1)
    bought, all_lots = sum(one.buy_lots for one in bars), sum(one.lots for one in bars)
    found["long_taker_size"] = words.contracts(bought)
    found["short_taker_size"] = words.contracts(all_lots - bought)
    if all_lots > bought:
        found["lsr_taker"] = bought / (all_lots - bought)
    return found


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def _contract(asked: Question) -> Any:
    return _listed(asked, *rest.contract(asked))


def _contracts(asked: Question) -> Any:
    return [_listed(asked, *one) for one in rest.contracts(asked)]


def _listed(asked: Question, native: str, market: Market, words: Sizes) -> Any:
    exchange, perpetual = market.exchanges[asked.venue], market.perpetuals[asked.venue]
    listing, marked = exchange.listing, perpetual.marked
    return {
        "name": native,
        "type": "direct",
        "quanto_multiplier": listing.contract,
        "mark_price": f"{marked.mark:.8g}",
        "index_price": f"{marked.index:.8g}",
        "last_price": words.price(exchange.candles.running.close),
        "funding_rate": f"{marked.funding:.6f}",
        "funding_rate_indicative": f"{marked.funding:.6f}",
        "funding_interval": perpetual.interval_ms // 1000,
        "funding_next_apply": marked.next_funding_ms // 1000,
        "order_price_round": listing.tick,
        "mark_price_round": listing.tick,
        "order_size_min": words.size(1) or 1,
        "order_size_max": "1000000",
        "position_size": words.size(perpetual.open_lots),
        "trade_id": exchange.fills.last_id,
        "orderbook_id": exchange.book.update_id,
        "create_time": 1_574_000_000,
        "in_delisting": False,
        "status": "trading",
    }


def _tickers(asked: Question) -> Any:
    found: list[Any] = []
    for native, market, words in rest.contracts(asked):
        exchange = market.exchanges[asked.venue]
        row = ticker(native, words, exchange, market.perpetuals[asked.venue])
        found.append({**row, **rest.best(exchange, words)})
    return found


def _funding_rate(asked: Question) -> Any:
    _, market, _ = rest.contract(asked)
    count, (start, end) = rest.number(asked, "limit", 100, 1000), rest.between(asked)
    paid = [one for one in market.perpetuals[asked.venue].settlements if start <= one.ts // 1000 <= end]
    return [{"t": one.ts // 1000, "r": f"{one.rate:.6f}"} for one in reversed(paid[-count:])]


def _contract_stats(asked: Question) -> Any:
    """Rows from a time on, else the latest ones; all but the one of now as the seed tells them."""
    _, market, words = rest.contract(asked)
    minutes, count = rest.minutes(asked), rest.number(asked, "limit", 30, 100)
    perpetual, width_ms = market.perpetuals[asked.venue], minutes * MINUTE_MS
    running = asked.now_ms - asked.now_ms % width_ms
    start = rest.number(asked, "from", (running - (count - 1) * width_ms) // 1000, rest.LATEST) * 1000
    then = market.pasts[asked.venue].open_interest(start, min(running, start + count * width_ms))
    rows = [
        {
            "time": one.ts // 1000,
            "open_interest": words.contracts(one.lots),
            "open_interest_usd": float(words.quote(one.tick_lots)),
        }
        for one in then
        if one.ts % width_ms == 0
    ]
    if start <= running:
        rows.append(statistics(words, perpetual, asked.now_ms, width_ms))
    return [
        {**row, **_counted(market, asked.venue, words, row["time"] * 1000, width_ms)} for row in rows[:count]
    ]


def _liq_orders(asked: Question) -> Any:
    """The latest forced closes of the run, those of a long positive; of an hour at most."""
    count, (start, end) = rest.number(asked, "limit", 100, 1000), rest.between(asked)
    if asked.params.get("from") and min(end, asked.now_ms // 1000) - start > _HOUR_S:
        raise wrong("INVALID_PARAM_VALUE", "the time range must not exceed 3600 seconds")
    found: list[tuple[Millis, Any]] = []
    for native, market, words in rest.contracts(asked):
        for one in market.perpetuals[asked.venue].liquidated:
            if start <= one.ts // 1000 <= end:
                found.append((one.ts, _forced(one, native, words)))
    return [row for _, row in sorted(found, key=lambda one: -one[0])[:count]]


def _forced(one: Liquidated, native: str, words: Sizes) -> dict[str, Any]:
    return {
        "contract": native,
        "left": words.size(one.lots - one.filled_lots),
        "size": words.signed(one.filled_lots if one.sells else -one.filled_lots),
        "fill_price": words.price(round(one.filled_tick_lots / one.filled_lots)),
        "order_price": words.price(one.limit),
        "time": one.ts // 1000,
    }


def _risk_limit_tiers(asked: Question) -> Any:
    """Rows name their contract only where all are asked for."""
    alone = bool(asked.params.get("contract"))
    return [
        {
            "tier": tier,
            "risk_limit": str(limit),
            "leverage_max": str(leverage),
            "initial_rate": f"{1 / leverage:.4f}",
            "maintenance_rate": f"{0.5 / leverage:.4f}",
            **({} if alone else {"contract": native}),
        }
        for native, _, _ in rest.contracts(asked)
        for tier, limit, leverage in ((1, 100_000, 100), (2, 1_000_000, 50), (3, 10_000_000, 10))
    ]


def _insurance(asked: Question) -> Any:
    """A row for each of the last days, the latest first."""
    rest.settled(asked)
    seed = next(iter(asked.markets.values())).seed
    day, count = asked.now_ms // _DAY_MS, rest.number(asked, "limit", 100, 1000)
    return [
        {"t": one * _DAY_MS // 1000, "b": f"{balance(seed, asked.venue, 'USDT', ts=one * _DAY_MS):.2f}"}
        for one in range(day, day - count, -1)
    ]


_FUTURES = "/api/v4/futures/{settle}"

ENDPOINTS = (
    Endpoint("/api/v4/spot/time", rest.time),
    Endpoint(f"{_FUTURES}/contracts", _contracts),
    Endpoint(f"{_FUTURES}/contracts/{{contract}}", _contract),
    Endpoint(f"{_FUTURES}/order_book", rest.order_book),
    Endpoint(f"{_FUTURES}/trades", rest.trades),
    Endpoint(f"{_FUTURES}/candlesticks", rest.candlesticks),
    Endpoint(f"{_FUTURES}/tickers", _tickers),
    Endpoint(f"{_FUTURES}/funding_rate", _funding_rate),
    Endpoint(f"{_FUTURES}/contract_stats", _contract_stats),
    Endpoint(f"{_FUTURES}/liq_orders", _liq_orders),
    Endpoint(f"{_FUTURES}/risk_limit_tiers", _risk_limit_tiers),
    Endpoint(f"{_FUTURES}/insurance", _insurance),
)
