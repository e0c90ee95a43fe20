"""REST of Deribit's futures, below `/api/v2/public`."""

from collections.abc import Sequence
from typing import Any

from orderflow.sim import deribit
from orderflow.sim.candles import MINUTE_MS, grouped
from orderflow.sim.deribit import CURRENCIES, PUBLIC, answered, number, text, wrong
from orderflow.sim.deribit_facts_rest import FACTS
from orderflow.sim.deribit_futures_wire import Words, index_name
from orderflow.sim.listings import COINS
from orderflow.sim.protocol import Endpoint, Question

_MOST_TRADES = 5000  # of a tape that a page is cut from
_MOST_BARS = 5000
_HOUR_MS = 3_600_000
_RESOLUTIONS = {one: int(one) for one in ("1", "3", "5", "10", "15", "30", "60", "120", "180", "360", "720")}
_RESOLUTIONS["1D"] = 1440


def _symbol(asked: Question) -> str:
    name = text(asked, "instrument_name")
    for symbol in asked.markets:
        if asked.place.listings[symbol].native == name:
            return symbol
    raise wrong("instrument_name")


def _words(asked: Question, symbol: str) -> Words:
    listing = asked.place.listings[symbol]
    return Words(listing, listing.native)


def _of_currency(asked: Question) -> list[str]:
    """The symbols whose contracts are margined in a currency."""
    currency = text(asked, "currency")
    if currency not in CURRENCIES:
        raise wrong("currency")
    found: list[str] = []
    for symbol in asked.markets:
        margin = COINS[symbol].base if asked.place.listings[symbol].inverse else "USDC"
        if currency in ("any", margin) and asked.params.get("kind", "future") == "future":
            found.append(symbol)
    return found


def _instruments(asked: Question) -> Any:
    rows = [_words(asked, symbol).instrument(COINS[symbol].base) for symbol in _of_currency(asked)]
    return answered(asked, rows)


def _instrument(asked: Question) -> Any:
    symbol = _symbol(asked)
    return answered(asked, _words(asked, symbol).instrument(COINS[symbol].base))


def _standing(asked: Question, symbol: str) -> dict[str, Any]:
    market = asked.markets[symbol]
    exchange, held = market.exchanges[asked.venue], market.perpetuals[asked.venue]
    return _words(asked, symbol).ticker(exchange, held, asked.now_ms)


def _ticker(asked: Question) -> Any:
    return answered(asked, _standing(asked, _symbol(asked)))


def _depth(asked: Question) -> Any:
    symbol = _symbol(asked)
    depth = number(asked, "depth", 5)
    if depth not in (1, 5, 10, 20, 50, 100, 1000, 10000):
        raise wrong("depth")
    book = asked.markets[symbol].exchanges[asked.venue].book
    return answered(asked, _standing(asked, symbol) | _words(asked, symbol).top(book, depth, asked.now_ms))


def _traded(asked: Question, symbols: Sequence[str]) -> Any:
    """A page of trades; the tape does not keep which of them were liquidations."""
    rows: list[dict[str, Any]] = []
    for symbol in symbols:
        market, words = asked.markets[symbol], _words(asked, symbol)
        marked = market.perpetuals[asked.venue].marked
        tape = market.exchanges[asked.venue].fills
        rows += [words.trade(row, marked) for row in tape.latest(_MOST_TRADES)]
    rows.sort(key=lambda row: row["timestamp"])
    return deribit.page(asked, rows)


def _trades(asked: Question) -> Any:
    return _traded(asked, [_symbol(asked)])


def _trades_of_currency(asked: Question) -> Any:
    return _traded(asked, _of_currency(asked))


def _summary(asked: Question, symbol: str) -> dict[str, Any]:
    said = _standing(asked, symbol)
    stats = said["stats"]
    kept = ("mark_price", "open_interest", "estimated_delivery_price", "current_funding", "funding_8h")
    return {
        "instrument_name": said["instrument_name"],
        "creation_timestamp": asked.now_ms,
        **{name: said[name] for name in kept},
        **{name: stats[name] for name in ("high", "low", "price_change", "volume", "volume_usd")},
        "bid_price": said["best_bid_price"],
        "ask_price": said["best_ask_price"],
        "mid_price": (said["best_bid_price"] + said["best_ask_price"]) / 2,
        "last": said["last_price"],
        "base_currency": COINS[symbol].base,
        "quote_currency": "USD" if asked.place.listings[symbol].inverse else "USDC",
    }


def _summaries(asked: Question) -> Any:
    return answered(asked, [_summary(asked, symbol) for symbol in _of_currency(asked)])


def _summary_of_one(asked: Question) -> Any:
    return answered(asked, [_summary(asked, _symbol(asked))])


def _chart(asked: Question) -> Any:
    symbol, resolution = _symbol(asked), text(asked, "resolution")
    if resolution not in _RESOLUTIONS:
        raise wrong("resolution")
    start, end = number(asked, "start_timestamp"), number(asked, "end_timestamp")
    minutes_each = _RESOLUTIONS[resolution]
    end, width = min(end, asked.now_ms), minutes_each * MINUTE_MS
    minutes = asked.markets[symbol].minutes(asked.venue, max(start, end - _MOST_BARS * width), end)
    words = _words(asked, symbol)
    rows = [words.candle(one) for one in grouped(minutes, minutes_each)][-_MOST_BARS:]
    names = ("open", "high", "low", "close", "volume", "cost")
    columns = {name: [row[name] for row in rows] for name in names}
    return answered(
        asked, {"status": "ok" if rows else "no_data", "ticks": [row["tick"] for row in rows], **columns}
    )


def _funding(asked: Question) -> Any:
    """Hourly rows of what was paid: an eighth of each settlement's rate."""
    symbol = _symbol(asked)
    start, end = number(asked, "start_timestamp"), number(asked, "end_timestamp")
    rows = [
        {
            "timestamp": paid.ts + hour * _HOUR_MS,
            "index_price": round(paid.mark, 4),
            "prev_index_price": round(paid.mark, 4),
            "interest_8h": round(paid.rate, 8),
            "interest_1h": round(paid.rate / 8, 9),
        }
        for paid in asked.markets[symbol].perpetuals[asked.venue].settlements
        for hour in range(8)
    ]
    return answered(asked, [row for row in rows if start <= row["timestamp"] <= min(end, asked.now_ms)])


def _index(asked: Question) -> Any:
    name = text(asked, "index_name")
    for symbol, market in asked.markets.items():
        if index_name(asked.place.listings[symbol].native) == name:
            index = round(market.perpetuals[asked.venue].marked.index, 4)
            return answered(asked, {"index_price": index, "estimated_delivery_price": index})
    raise wrong("index_name")


ENDPOINTS = FACTS + tuple(
    Endpoint(PUBLIC + method, answer)
    for method, answer in (
        ("get_time", deribit.time),
        ("test", deribit.test),
        ("get_instruments", _instruments),
        ("get_instrument", _instrument),
        ("ticker", _ticker),
        ("get_order_book", _depth),
        ("get_last_trades_by_instrument", _trades),
        ("get_last_trades_by_instrument_and_time", _trades),
        ("get_last_trades_by_currency", _trades_of_currency),
        ("get_last_trades_by_currency_and_time", _trades_of_currency),
        ("get_book_summary_by_currency", _summaries),
        ("get_book_summary_by_instrument", _summary_of_one),
        ("get_tradingview_chart_data", _chart),
        ("get_funding_rate_history", _funding),
        ("get_index_price", _index),
    )
)
