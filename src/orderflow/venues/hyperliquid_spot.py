"""Hyperliquid spot: asked by tools, and not collected.

Docs    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/spot
Quirks  A pair is called by its number, `@107`, or by its tokens where it is an early one, `PURR/USDC`; only the
        listing says which tokens a number is of.
        Dollars (USDC) are told as USDT, like on every venue here; other quotes keep their names, `HYPEUSDT0`;
        all in capitals. A coin that the bridge called Unit holds, `UBTC` with the full name `Unit Bitcoin`, is
        told as that coin, unless a token has that name itself; a rule of ours.
        Contexts may be more than pairs: each names its own. Where it does not, it is told by its place.
        What `markPx` is of spot is not documented: it is told as a mark price.
Times   `time`, of the block; none in contexts and mids, a closed candle's end for candles.
"""

from collections.abc import Sequence

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import Event, Instrument, MarkPrice, Nanos, Quote
from orderflow.market.facts import Asset
from orderflow.venues import hyperliquid
from orderflow.venues.hyperliquid import is_spot
from orderflow.venues.hyperliquid.requests import QUESTIONS, REFUSALS, info
from orderflow.venues.questions import Question
from orderflow.venues.spec import BookRule, Bucket, Hosts, Limits, Memory, Names, Query, Venue

VENUE = "hyperliquid_spot"

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Token(msgspec.Struct, gc=False):
    name: str
    index: int
    szDecimals: int
    weiDecimals: int | None = None
    fullName: str | None = None


class _Pair(msgspec.Struct, gc=False):
    name: str
    tokens: tuple[int, int]  # base and quote, by their index


class _Listing(msgspec.Struct, gc=False):
    universe: list[_Pair]
    tokens: list[_Token]


class _Context(hyperliquid.Day, gc=False):
    coin: str = ""
    midPx: float | None = None


_LISTING = msgspec.json.Decoder(_Listing, strict=False)
_CONTEXTS = msgspec.json.Decoder(tuple[_Listing, list[_Context]], strict=False)

# ── Names ─────────────────────────────────────────────────────────────────────────────────────

_DOLLARS = "USDC"
_HELD = "Unit "


def _coin(token: _Token, names: set[str]) -> str:
    """Return the coin that a token is: what Unit holds is the coin itself, unless a token is called so."""
    held = (token.fullName or "").startswith(_HELD) and token.name.startswith("U")
    return token.name[1:] if held and token.name[1:] and token.name[1:] not in names else token.name


def _unified(base: str, quote: str) -> str:
    """Return the symbol of a pair; tether's own, were there one, would have another name than dollars.

    >>> _unified("HYPE", "USDC"), _unified("HYPE", "USDT0"), _unified("kHYPE", "USDC"), _unified("A", "USDT")
    ('HYPEUSDT', 'HYPEUSDT0', 'KHYPEUSDT', 'A/USDT')
    """
    if quote == "USDT":
        return f"{base}/{quote}".upper()
    return f"{base}{'USDT' if quote == _DOLLARS else quote}".upper()


def native(symbol: str) -> str:
    """Return a symbol as it is: without the listing no pair's number is known."""
    return symbol


def _symbol(pair: str, memory: Memory) -> str:
    known = memory.contracts.get(pair)
    return pair if known is None else known.symbol


# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _instruments(said: _Listing, ts_recv: Nanos) -> list[Instrument]:
    tokens, names = {one.index: one for one in said.tokens}, {one.name for one in said.tokens}
    found: list[Instrument] = []
    for pair in said.universe:
        base, quote = (tokens.get(one) for one in pair.tokens)
        if base is None or quote is None:
            continue
        coin = _coin(base, names)
        found.append(
            Instrument(
                VENUE,
                _unified(coin, quote.name),
                None,
                ts_recv,
                native=pair.name,
                kind="spot",
                base=coin,
                quote=quote.name,
                status="listed",
                trading=True,
                lot=hyperliquid.lot(base.szDecimals),
            )
        )
    return found


def _listing(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return pairs, and the tokens that they are made of."""
    said = _LISTING.decode(body)
    names = {one.name for one in said.tokens}
    tokens = [
        Asset(VENUE, "", None, ts_recv, _coin(one, names), one.name, decimals=one.weiDecimals)
        for one in said.tokens
    ]
    return [*_instruments(said, ts_recv), *tokens]


def _contexts(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    listed, contexts = _CONTEXTS.decode(body)
    symbols = {one.native: one.symbol for one in _instruments(listed, ts_recv)}
    if all(one.coin for one in contexts):
        named = [(one.coin, one) for one in contexts]
    else:  # by place; where one list is longer than the other the places cannot be trusted: ValueError
        named = [(pair.name, one) for pair, one in zip(listed.universe, contexts, strict=True)]
    return [event for pair, one in named if pair in symbols for event in _told(symbols[pair], one, ts_recv)]


def _told(symbol: str, said: _Context, ts_recv: Nanos) -> list[Event]:
    found: list[Event] = [hyperliquid.day(VENUE, symbol, said, ts_recv)]
    if said.midPx is not None:
        found.append(Quote(VENUE, symbol, None, ts_recv, None, None, None, None, mid=said.midPx))
    if said.markPx is not None:
        found.append(MarkPrice(VENUE, symbol, None, ts_recv, said.markPx))
    return found


def _mids(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return mid prices of pairs; those of perpetuals stand between them."""
    listed = memory.contracts
    return [
        hyperliquid.mid(VENUE, _symbol(pair, memory), price, ts_recv)
        for pair, price in hyperliquid.MIDS.decode(body).items()
        if (pair in listed if listed else is_spot(pair))
    ]


def _book(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = hyperliquid.BOOK.decode(body)
    about = (VENUE, _symbol(said.coin, memory), said, ts_recv)
    return [hyperliquid.book(*about), hyperliquid.touch(*about)]


def _trades(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return recent trades, oldest first: the answer begins with the newest."""
    prints = reversed(hyperliquid.PRINTS.decode(body))
    return [hyperliquid.trade(VENUE, _symbol(one.coin, memory), one, ts_recv) for one in prints]


def _candles(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    bars = hyperliquid.BARS.decode(body)
    return hyperliquid.candles(bars, lambda pair: _symbol(pair, memory), VENUE, ts_recv)


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Refuse a frame of a socket: none is opened."""
    raise VenueChanged(f"{VENUE}: no socket is known of this venue: {payload[:200]!r}")


def _nothing(names: Names, id: int) -> bytes:
    return b""


# ── The venue ─────────────────────────────────────────────────────────────────────────────────

HYPERLIQUID_SPOT = Venue(
    name=VENUE,
    docs="https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint/spot",
    hosts=Hosts(rest="https://api.hyperliquid.xyz", ws={}),
    limits=Limits(  # of sockets, of which none is opened
        streams_per_connection=1,
        messages_per_s=1,
        names_per_subscribe=1,
        connects_per_minute=1,
        dead_after_s=60,
    ),
    book=BookRule.SNAPSHOTS,
    channels=(),
    endpoints=(
        info("instruments", "spotMeta", _listing, cache_s=3600),
        info("contexts", "spotMetaAndAssetCtxs", _contexts, cache_s=5),
        info("mids", "allMids", _mids, weight=2),
        info("depth", "l2Book", _book, ("coin",), weight=2),
        info("trades", "recentTrades", _trades, ("coin",), weight=25),
        info(
            "candles", "candleSnapshot", _candles, ("coin", "interval", "startTime"), weight=37, nested=True
        ),
        info("status", "exchangeStatus", hyperliquid.status(VENUE), weight=2),
    ),
    buckets=(Bucket("weight", 300, 60),),  # of 1200 that the address has; the rest is for the perpetuals
    decode=decode,
    subscribe=_nothing,
    unsubscribe=_nothing,
    native=native,
    taker_fee_bps=7.0,
    taker_fee_source=(
        "lowest tier of spot, 0.07 %: `userSpotCrossRate` of an answer of the venue that was published in"
        " September 2026; not read from the venue"
    ),
    listing="instruments",
    refusals=REFUSALS,
    needs_contracts=True,
    questions=(
        *QUESTIONS,
        Question(name="currencies", endpoint="instruments", of="venue", keeps_s=60.0),
    ),
)
