"""What Coinbase lists: products, on both of its hosts, with their 24 hours where the list tells them; coins."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import Event, Instrument, Nanos, Ticker
from orderflow.market.facts import Asset, LastPrice
from orderflow.venues.coinbase_spot.words import VENUE, number, unified
from orderflow.venues.spec import Memory, Query, left_out

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Product(msgspec.Struct):
    id: str
    base_currency: str
    quote_currency: str
    status: str = ""
    trading_disabled: bool = False
    quote_increment: str = ""
    base_increment: str = ""
    min_market_funds: str = ""


class _Listed(msgspec.Struct):
    product_id: str
    product_type: str = "SPOT"
    base_currency_id: str = ""
    quote_currency_id: str = ""
    status: str = ""
    is_disabled: bool = False
    trading_disabled: bool = False
    price_increment: str = ""
    base_increment: str = ""
    quote_min_size: str = ""
    alias: str = ""
    price: str = ""
    volume_24h: str = ""
    approximate_quote_24h_volume: str = ""
    price_percentage_change_24h: str = ""
    high_24h: str = ""
    low_24h: str = ""


class _Currency(msgspec.Struct):
    id: str
    status: str = ""
    max_precision: str = ""


class _Products(msgspec.Struct):
    products: list[_Listed]


_PRODUCTS = msgspec.json.Decoder(list[_Product], strict=False)
_ONE_PRODUCT = msgspec.json.Decoder(_Product, strict=False)
_LISTED = msgspec.json.Decoder(_Products, strict=False)
_ONE_LISTED = msgspec.json.Decoder(_Listed, strict=False)
_CURRENCIES = msgspec.json.Decoder(list[_Currency], strict=False)

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def products(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _PRODUCTS.decode(body)
    there = {one.id for one in said}
    kept = [one for one in said if not _is_alias(one, there)]
    return [_product(one, ts_recv) for one in kept] or _nothing(ts_recv)


def one_product(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return (_product(_ONE_PRODUCT.decode(body), ts_recv),)


def _is_alias(one: _Product, there: set[str]) -> bool:
    """Tell whether it is the book in dollars under a further name, as nearly all USDC products are."""
    return one.quote_currency == "USDC" and f"{one.base_currency}-USD" in there


def _product(one: _Product, ts_recv: Nanos) -> Instrument:
    return Instrument(
        VENUE,
        unified(one.id),
        None,
        ts_recv,
        native=one.id,
        kind="spot",
        base=one.base_currency,
        quote=one.quote_currency,
        status=one.status,
        trading=one.status == "online" and not one.trading_disabled,
        tick=number(one.quote_increment),
        lot=number(one.base_increment),
        min_notional=number(one.min_market_funds),
    )


def listed(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _LISTED.decode(body).products
    return [found for one in said for found in _spot(one, ts_recv)] or _nothing(ts_recv)


def one_listed(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return _spot(_ONE_LISTED.decode(body), ts_recv) or _nothing(ts_recv)


def _spot(one: _Listed, ts_recv: Nanos) -> list[Event]:
    """Return a product and, as the list of them tells, its 24 hours; some have traded nothing in them."""
    if one.product_type != "SPOT" or one.alias:
        return []
    symbol, price = unified(one.product_id), number(one.price)
    found: list[Event] = [
        Instrument(
            VENUE,
            unified(one.product_id),
            None,
            ts_recv,
            native=one.product_id,
            kind="spot",
            base=one.base_currency_id,
            quote=one.quote_currency_id,
            status=one.status,
            trading=one.status == "online" and not (one.is_disabled or one.trading_disabled),
            tick=number(one.price_increment),
            lot=number(one.base_increment),
            min_notional=number(one.quote_min_size),
        )
    ]
    if price is not None:
        day = Ticker(
            VENUE,
            symbol,
            None,
            ts_recv,
            last=price,
            high=number(one.high_24h),
            low=number(one.low_24h),
            volume=number(one.volume_24h),
            quote_volume=number(one.approximate_quote_24h_volume),
            change_pct=number(one.price_percentage_change_24h),
        )
        found += [day, LastPrice(VENUE, symbol, None, ts_recv, price)]
    return found


def currencies(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return coins and national currencies; the venue's names are ours."""
    return [
        Asset(
            *(VENUE, "", None, ts_recv, one.id, one.id),
            decimals=len(one.max_precision.partition(".")[2]) if one.max_precision else None,
            status=one.status,
        )
        for one in _CURRENCIES.decode(body)
    ]


def _nothing(ts_recv: Nanos) -> list[Event]:
    return [left_out(VENUE, "", ts_recv, "no spot product, or further names of products alone")]
