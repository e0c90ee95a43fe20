"""Gate's dated contracts over REST: of each coin the one that is settled at the end of the quarter.

It trades above its index, and pays no funding. The form stands last.
"""

from collections.abc import Mapping
from typing import Any

from orderflow.sim import gate_contracts as rest
from orderflow.sim.gate_contracts import Sizes
from orderflow.sim.listings import Listing, Place
from orderflow.sim.market import Market
from orderflow.sim.past import FIVE_MINUTES_MS
from orderflow.sim.protocol import Endpoint, Form, Limits, Question, Streams

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.1", "0.0001", 1, 0, native="BTC_USDT", contract="0.0001"),
        Listing("ETHUSDT", "0.01", "0.01", 2, 0, native="ETH_USDT", contract="0.01"),
    )
}


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    return None


def streams(venue: str, market: Market) -> Streams:
    return Streams()


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def position(asked: Question, market: Market) -> int:
    """How many lots are open: those of the last whole five minutes."""
    now_ms = asked.now_ms
    return market.open_interest(asked.venue, now_ms - 2 * FIVE_MINUTES_MS, now_ms, 1)[-1].lots


def _priced(asked: Question, market: Market, words: Sizes) -> dict[str, Any]:
    """Mark, index and basis: the mark is the middle of the book."""
    mark, index = round(market.exchanges[asked.venue].mid, 6), round(market.price, 6)
    return {
        "mark_price": f"{mark}",
        "index_price": f"{index}",
        "basis_value": f"{mark - index:.6f}",
        "basis_rate": f"{(mark - index) / index:.8f}",
    }


def _contracts(asked: Question) -> Any:
    return [_listed(asked, *one) for one in rest.contracts(asked)]


def _contract(asked: Question) -> Any:
    return _listed(asked, *rest.contract(asked))


def _listed(asked: Question, native: str, market: Market, words: Sizes) -> Any:
    exchange = market.exchanges[asked.venue]
    return {
        "name": native,
        "underlying": exchange.listing.native,
        "cycle": "QUARTERLY",
        "type": "direct",
        "quanto_multiplier": exchange.listing.contract,
        "mark_type": "internal",
        "last_price": words.price(exchange.candles.running.close),
        **_priced(asked, market, words),
        "order_price_round": exchange.listing.tick,
        "mark_price_round": exchange.listing.tick,
        "order_size_min": 1,
        "order_size_max": 1_000_000,
        "position_size": words.size(position(asked, market)),
        "expire_time": round(rest.expiry(asked.now_ms).timestamp()),
        "settle_price": "0",
        "orderbook_id": exchange.book.update_id,
        "in_delisting": False,
    }


def _tickers(asked: Question) -> Any:
    return [
        {
            "contract": native,
            **rest.day(market.exchanges[asked.venue], words),
            **_priced(asked, market, words),
            "funding_rate": "",
            "funding_rate_indicative": "",
            "total_size": words.size(position(asked, market)),
            **rest.best(market.exchanges[asked.venue], words),
        }
        for native, market, words in rest.contracts(asked)
    ]


# ── The form ──────────────────────────────────────────────────────────────────────────────────

_DELIVERY = "/api/v4/delivery/{settle}"

GATE_DELIVERY = Form(
    name="gate_delivery",
    place=Place(kind="future", listings=LISTINGS, mean_basis=0.004, id_holes=True),
    limits=Limits(weight=200, window_s=10),
    route_of=route_of,
    streams=streams,
    endpoints=(
        Endpoint("/api/v4/spot/time", rest.time),
        Endpoint(f"{_DELIVERY}/contracts", _contracts),
        Endpoint(f"{_DELIVERY}/contracts/{{contract}}", _contract),
        Endpoint(f"{_DELIVERY}/order_book", rest.order_book),
        Endpoint(f"{_DELIVERY}/trades", rest.trades),
        Endpoint(f"{_DELIVERY}/candlesticks", rest.candlesticks),
        Endpoint(f"{_DELIVERY}/tickers", _tickers),
    ),
    refusal=rest.refusal,
    meter=rest.meter,
)
