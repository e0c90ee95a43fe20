"""REST of Deribit's options, below `/api/v2/public`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from orderflow.sim import deribit
from orderflow.sim import deribit_options_wire as wire
from orderflow.sim.deribit import CURRENCIES, PUBLIC, answered, number, text, wrong
from orderflow.sim.deribit_chain import Contract, at_the_money, listed
from orderflow.sim.deribit_facts_rest import status
from orderflow.sim.listings import COINS
from orderflow.sim.protocol import Endpoint, Question

_HOUR_MS = 3_600_000
_MOST_BARS = 1000
_RESOLUTIONS = {"1": 1, "60": 60, "3600": 3600, "43200": 43_200, "1D": 86_400}  # seconds


class Chain(Protocol):
    """What REST asks of a coin's running chain."""

    volumes: Mapping[str, float]
    trades: Sequence[Mapping[str, Any]]


class Chains(Protocol):
    chains: Mapping[str, Chain]


def _chain(asked: Question, symbol: str) -> Chain:
    return cast(Chains, asked.wide).chains[symbol]


def _contract(asked: Question) -> tuple[str, Contract]:
    name = text(asked, "instrument_name")
    for symbol in asked.markets:
        for one in listed(symbol, asked.now_ms):
            if one.name == name:
                return symbol, one
    raise wrong("instrument_name")


def _symbols(asked: Question) -> list[str]:
    currency = text(asked, "currency")
    if currency not in CURRENCIES:
        raise wrong("currency")
    if asked.params.get("kind", "option") != "option":
        return []
    return [symbol for symbol in asked.markets if currency in ("any", COINS[symbol].base)]


def _instruments(asked: Question) -> Any:
    return answered(
        asked,
        [wire.instrument(one, symbol) for symbol in _symbols(asked) for one in listed(symbol, asked.now_ms)],
    )


def _instrument(asked: Question) -> Any:
    symbol, one = _contract(asked)
    return answered(asked, wire.instrument(one, symbol))


def _standing(asked: Question, symbol: str, one: Contract) -> dict[str, Any]:
    volume = _chain(asked, symbol).volumes.get(one.name, 0.0)
    return wire.ticker(one, asked.markets[symbol], volume, asked.now_ms)


def _ticker(asked: Question) -> Any:
    return answered(asked, _standing(asked, *_contract(asked)))


def _depth(asked: Question) -> Any:
    """A book of one level a side."""
    if number(asked, "depth", 5) not in (1, 5, 10, 20, 50, 100, 1000, 10000):
        raise wrong("depth")
    said = _standing(asked, *_contract(asked))
    bids = [(said["best_bid_price"], said["best_bid_amount"])] if said["best_bid_price"] else []
    asks = [(said["best_ask_price"], said["best_ask_amount"])]
    return answered(asked, {**said, "change_id": asked.now_ms, "bids": bids, "asks": asks})


def _trades(asked: Question) -> Any:
    symbol, one = _contract(asked)
    rows = [row for row in _chain(asked, symbol).trades if row["instrument_name"] == one.name]
    return deribit.page(asked, rows)


def _trades_of_currency(asked: Question) -> Any:
    rows = [row for symbol in _symbols(asked) for row in _chain(asked, symbol).trades]
    return deribit.page(asked, sorted(rows, key=lambda row: row["timestamp"]))


def _summary(asked: Question, symbol: str, one: Contract) -> dict[str, Any]:
    said = _standing(asked, symbol, one)
    kept = ("instrument_name", "mark_price", "mark_iv", "open_interest", "underlying_price", "interest_rate")
    return {
        **{name: said[name] for name in (*kept, "underlying_index", "estimated_delivery_price")},
        **said["stats"],
        "creation_timestamp": asked.now_ms,
        "bid_price": said["best_bid_price"] or None,
        "ask_price": said["best_ask_price"],
        "mid_price": None,
        "last": said["last_price"],
        "base_currency": one.base,
        "quote_currency": one.base,
    }


def _summaries(asked: Question) -> Any:
    found = [(symbol, one) for symbol in _symbols(asked) for one in listed(symbol, asked.now_ms)]
    return answered(asked, [_summary(asked, symbol, one) for symbol, one in found])


def _summary_of_one(asked: Question) -> Any:
    return answered(asked, [_summary(asked, *_contract(asked))])


def _expirations(asked: Question) -> Any:
    """Expiries under their currency, each as its names say it; of one currency."""
    symbols = _symbols(asked)
    days = {
        COINS[symbol].base.lower(): {
            "option": list(dict.fromkeys(one.name.split("-")[1] for one in listed(symbol, asked.now_ms)))
        }
        for symbol in symbols
    }
    return answered(asked, days)


def _volatility(asked: Question) -> Any:
    """Bars of DVOL, the latest thousand of the stretch; the next page ends where this one begins."""
    symbols = _symbols(asked)
    if not symbols:
        raise wrong("currency")
    resolution = _RESOLUTIONS.get(text(asked, "resolution"))
    if resolution is None:
        raise wrong("resolution")
    start, end = number(asked, "start_timestamp"), min(number(asked, "end_timestamp"), asked.now_ms)
    width = resolution * 1000
    begins = range(end - end % width, start - 1, -width)[:_MOST_BARS][::-1]
    rows: list[tuple[float, ...]] = []
    for at in begins:
        seen = [round(at_the_money(symbols[0], at + part * width // 4) * 100, 2) for part in range(4)]
        rows.append((at, seen[0], max(seen), min(seen), seen[-1]))
    more = begins[0] if len(begins) == _MOST_BARS and begins[0] > start else None
    return answered(asked, {"data": rows, "continuation": more})


def _realised(asked: Question) -> Any:
    symbol = next(iter(_symbols(asked)), None)
    if symbol is None:
        raise wrong("currency")
    hour = asked.now_ms - asked.now_ms % _HOUR_MS
    value = COINS[symbol].yearly_vol * 100
    return answered(asked, [(hour - back * _HOUR_MS, value) for back in range(24, -1, -1)])


def _index(asked: Question) -> Any:
    name = text(asked, "index_name")
    for symbol, market in asked.markets.items():
        if wire.index_name(symbol) == name:
            index = round(market.price, 2)
            return answered(asked, {"index_price": index, "estimated_delivery_price": index})
    raise wrong("index_name")


ENDPOINTS = tuple(
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
        ("get_volatility_index_data", _volatility),
        ("get_historical_volatility", _realised),
        ("get_expirations", _expirations),
        ("get_index_price", _index),
        ("status", status),
    )
)
