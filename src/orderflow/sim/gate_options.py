"""Gate's options over REST: the chain of a coin in dollars, in contracts of a hundredth or a tenth of a coin.

It is the chain that other venues have under names of their own. The form stands last.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from orderflow.sim import gate_contracts as rest
from orderflow.sim.deribit_chain import Contract, Quoted, listed, quoted
from orderflow.sim.gate_contracts import wrong
from orderflow.sim.listings import Listing, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import Endpoint, Form, Limits, Question, Streams

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.1", "0.01", 1, 0, native="BTC_USDT", contract="0.01"),
        Listing("ETHUSDT", "0.01", "0.1", 2, 0, native="ETH_USDT", contract="0.1"),
    )
}
_LEVELS = 20
_MOST_LEVELS = 50


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    return None


def streams(venue: str, market: Market) -> Streams:
    return Streams()


# ── Names ─────────────────────────────────────────────────────────────────────────────────────


def native(one: Contract) -> str:
    """An option's name here: BTC_USDT-20261225-60000-C."""
    day = datetime.fromtimestamp(one.expiry_ms / 1000, UTC)
    return f"{one.base}_USDT-{day:%Y%m%d}-{one.strike:.0f}-{'C' if one.call else 'P'}"


def _underlying(asked: Question) -> tuple[str, Market]:
    name = asked.params.get("underlying", "")
    if not name:
        raise wrong("MISSING_REQUIRED_PARAM", "missing required param: underlying")
    for symbol, market in asked.markets.items():
        if LISTINGS[symbol].native == name:
            return symbol, market
    raise wrong("INVALID_PARAM_VALUE", f"invalid argument: underlying {name}")


def _chain(asked: Question) -> list[tuple[Contract, Quoted]]:
    symbol, market = _underlying(asked)
    return [(one, quoted(one, symbol, market.price, asked.now_ms)) for one in listed(symbol, asked.now_ms)]


def _option(asked: Question) -> tuple[str, Contract, Quoted]:
    name = asked.params.get("contract", "")
    for symbol, market in asked.markets.items():
        for one in listed(symbol, asked.now_ms):
            if native(one) == name:
                return symbol, one, quoted(one, symbol, market.price, asked.now_ms)
    raise wrong("CONTRACT_NOT_FOUND", f"contract {name} not found")


def _held(one: Contract) -> int:
    """How many contracts are open."""
    return round(one.open_interest / float(LISTINGS[f"{one.base}USDT"].contract or 1))


def price(one: Contract, in_coin: float, said: Quoted) -> str:
    """A price in dollars, in whole steps."""
    listing = LISTINGS[f"{one.base}USDT"]
    steps = round(in_coin * said.forward / listing.tick_size)
    return f"{steps * listing.tick_size:.{listing.price_decimals}f}"


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def _underlyings(asked: Question) -> Any:
    return [
        {"name": LISTINGS[symbol].native, "index_price": f"{market.price:.8g}"}
        for symbol, market in asked.markets.items()
    ]


def _ticker_of_underlying(asked: Question) -> Any:
    _, market = _underlying(asked)
    return {"trade_put": 32_543, "trade_call": 23_518, "index_price": f"{market.price:.8g}"}


def _expirations(asked: Question) -> Any:
    return sorted({one.expiry_ms // 1000 for one, _ in _chain(asked)})


def _contracts(asked: Question) -> Any:
    expiry = asked.params.get("expiration")
    return [
        _listed(one, said)
        for one, said in _chain(asked)
        if expiry is None or expiry == str(one.expiry_ms // 1000)
    ]


def _contract(asked: Question) -> Any:
    _, one, said = _option(asked)
    return _listed(one, said)


def _listed(one: Contract, said: Quoted) -> Any:
    listing = LISTINGS[f"{one.base}USDT"]
    return {
        "name": native(one),
        "tag": "WEEK",
        "create_time": one.listed_ms // 1000,
        "expiration_time": one.expiry_ms // 1000,
        "is_call": one.call,
        "strike_price": f"{one.strike:.0f}",
        "mark_price": price(one, said.mark, said),
        "last_price": "0",
        "position_size": _held(one),
        "underlying": listing.native,
        "underlying_price": f"{said.forward:.2f}",
        "multiplier": listing.contract,
        "order_price_round": listing.tick,
        "order_size_min": 1,
        "order_size_max": 100_000,
    }


def _tickers(asked: Question) -> Any:
    _, market = _underlying(asked)
    return [
        {
            "name": native(one),
            "last_price": "0",
            "mark_price": price(one, said.mark, said),
            "index_price": f"{market.price:.8g}",
            "ask1_size": _size(one, 0),
            "ask1_price": price(one, said.ask, said),
            "bid1_size": _size(one, 0) if said.bid else 0,
            "bid1_price": price(one, said.bid, said),
            "position_size": _held(one),
            "mark_iv": f"{said.mark_iv:.5f}",
            "bid_iv": f"{said.bid_iv:.5f}",
            "ask_iv": f"{said.ask_iv:.5f}",
            "leverage": f"{said.forward / max(0.1, said.mark * said.forward) * said.priced.delta:.6f}",
            "delta": f"{said.priced.delta:.5f}",
            "gamma": f"{said.priced.gamma:.8f}",
            "vega": f"{said.priced.vega:.5f}",
            "theta": f"{said.priced.theta:.5f}",
            "rho": f"{said.priced.rho:.5f}",
        }
        for one, said in _chain(asked)
    ]


def _size(one: Contract, level: int) -> int:
    """How many contracts rest on a level: the same whenever it is asked."""
    return 1 + crc32(f"{one.name} {level}".encode()) % 500


def _order_book(asked: Question) -> Any:
    """Levels a thousandth of a coin apart, from the best bid and ask on."""
    _, one, said = _option(asked)
    count = min(rest.number(asked, "limit", 10, _MOST_LEVELS), _LEVELS)

    def side(best: float, step: float) -> list[Any]:
        return [
            {"p": price(one, best + step * level, said), "s": _size(one, level)}
            for level in range(count)
            if best and best + step * level > 0
        ]

    times = {"current": asked.now_ms / 1000, "update": asked.now_ms / 1000}
    book = {**times, "asks": side(said.ask, 0.001), "bids": side(said.bid, -0.001)}
    return {"id": asked.now_ms, **book} if asked.params.get("with_id") == "true" else book


# ── The form ──────────────────────────────────────────────────────────────────────────────────

_OPTIONS = "/api/v4/options"

GATE_OPTIONS = Form(
    name="gate_options",
    place=Place(kind="options", listings=LISTINGS),
    limits=Limits(weight=200, window_s=10),
    route_of=route_of,
    streams=streams,
    endpoints=(
        Endpoint("/api/v4/spot/time", rest.time),
        Endpoint(f"{_OPTIONS}/underlyings", _underlyings),
        Endpoint(f"{_OPTIONS}/underlying/tickers/{{underlying}}", _ticker_of_underlying),
        Endpoint(f"{_OPTIONS}/expirations", _expirations),
        Endpoint(f"{_OPTIONS}/contracts", _contracts),
        Endpoint(f"{_OPTIONS}/contracts/{{contract}}", _contract),
        Endpoint(f"{_OPTIONS}/tickers", _tickers),
        Endpoint(f"{_OPTIONS}/order_book", _order_book),
    ),
    refusal=rest.refusal,
    meter=rest.meter,
)
