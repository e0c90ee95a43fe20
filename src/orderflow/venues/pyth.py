"""Pyth, an oracle: its prices by Hermes, as server-sent events and over REST.

Docs    https://docs.pyth.network/price-feeds
Quirks  Every request needs a key since 26 Aug 2026; without one the venue is not asked.
        A price is an integer and an exponent of its own. There is neither bid nor ask: the price is a
        quote's `mid`, and `conf`, by how much the publishers disagree, its `confidence`; no spread.
        Channels are ids of feeds, named in the address of a stream; the listing says whose they are,
        and those of nine coins are known without it. An id that neither knows is its own symbol.
        Frames begin with a signed copy of the prices, kilobytes of it, which is skipped; so a feed
        that falls silent among others is told by the age of its prices alone.
        Quoted in USD; under the symbols of USDT all the same, like every venue here.
        The last event of a stream is a text that says why it ends, after 24 hours or earlier.
        Whether slots are counted on since the upgrade of 2026 is UNCONFIRMED: a price without one is
        told apart by its time and value.
Times   `publish_time`, in seconds; several prices share one, in the order of their slots.
"""

import re
from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import SECOND, Control, Event, Instrument, Nanos, Quote
from orderflow.market.facts import LastPrice
from orderflow.venues.questions import Question
from orderflow.venues.spec import (
    BookRule,
    Bucket,
    Channel,
    Endpoint,
    Hosts,
    Key,
    Limits,
    Memory,
    Names,
    Query,
    Refusals,
    Venue,
    left_out,
)

VENUE = "pyth"

# ── What we ask ───────────────────────────────────────────────────────────────────────────────

# From the lists of push feeds in github.com/pyth-network/pyth-crosschain (2026) and, for AR, BRETT, POPCAT
# and PNUT, as several public programs have them; the listing wins.
_IDS = {
    "BTCUSDT": "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43",
    "ETHUSDT": "ff61491a931112ddf1bd8147cd1b641375f79f5825126d665480874634fd0ace",
    "SOLUSDT": "ef0d8b6fda2ceba41da15d4095d1da392a0d2f8ed0c6c7bc0f4cfac8c280b56d",
    "XRPUSDT": "ec5d399846a9209f3fe5881d70aae9268c94339ff9817e8d18ff19fa05eea1c8",
    "ARUSDT": "f610eae82767039ffc95eef8feaeddb7bbac0673cfe7773b2fde24fd1adb0aee",
    "BRETTUSDT": "9b5729efe3d68e537cdcb2ca70444dea5f06e1660b562632609757076d0b9448",
    "POPCATUSDT": "b9312a7ee50e189ef045aa3c7842e099b061bd9bdc99ac645956c3b660dc8cce",
    "WIFUSDT": "4ca4beeca86f0d164160323817a4e42b10010a724c2217c6ee41b54cd4cc61fc",
    "PNUTUSDT": "116da895807f81f6b5c5f01b109376e7f6834dc8b51365ab7cdfa66634340e54",
}
_SYMBOLS = {id: symbol for symbol, id in _IDS.items()}
_ID = re.compile(r"[0-9a-f]{64}")


def native(symbol: str) -> str:
    """Return the id of a symbol's feed; the symbol itself where none is known without the listing."""
    return _IDS.get(symbol, symbol)


def address(url: str, names: Names) -> str:
    """Return the address of a stream of these feeds; a feed that is gone must not refuse the others."""
    ids = "".join(f"ids[]={quote(name)}&" for name in names if _ID.fullmatch(name))
    return f"{url}?{ids}parsed=true&ignore_invalid_price_ids=true"


def _says_nothing(names: Names, id: int) -> bytes:
    return b""


# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Price(msgspec.Struct, gc=False):
    price: int
    conf: int
    expo: int
    publish_time: int


class _Metadata(msgspec.Struct, gc=False):
    slot: int | None = None


class _Feed(msgspec.Struct, gc=False):
    id: str
    price: _Price
    metadata: _Metadata | None = None


class _Update(msgspec.Struct, gc=False):
    parsed: list[_Feed] | None


class _Mean(msgspec.Struct, gc=False):
    id: str
    start_timestamp: int
    end_timestamp: int
    twap: _Price


class _Means(msgspec.Struct, gc=False):
    parsed: list[_Mean] | None


class _Attributes(msgspec.Struct, gc=False):
    symbol: str
    base: str = ""
    quote_currency: str = ""


class _Listed(msgspec.Struct, gc=False):
    id: str
    attributes: _Attributes


_UPDATE = msgspec.json.Decoder(_Update, strict=False)
_MEANS = msgspec.json.Decoder(_Means, strict=False)
_LISTING = msgspec.json.Decoder(list[_Listed])

_ENDINGS = (b"Connection timeout reached", b"Slow consumer")

# ── What it means ─────────────────────────────────────────────────────────────────────────────

_LARGEST = 40  # an exponent beyond it is none that a price has
_MOST = 2**63  # a mantissa is a number of 64 bits


def decode(payload: bytes, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the data of one event. Raises `VenueChanged` or a msgspec error."""
    if payload.startswith(_ENDINGS):
        return (Control(VENUE, "", None, ts_recv, "closing", message=payload.decode(errors="replace")),)
    try:
        said = _UPDATE.decode(payload)
    except RecursionError as error:
        raise VenueChanged(f"{VENUE}: nested too deeply: {payload[:200]!r}") from error
    if not said.parsed:
        return (left_out(VENUE, "", ts_recv, "a signed update without its parsed prices"),)
    return [_quote(one, ts_recv, memory) for one in said.parsed]


def _quote(one: _Feed, ts_recv: Nanos, memory: Memory) -> Quote:
    said = one.price
    return Quote(
        VENUE,
        _symbol(one.id, memory),
        said.publish_time * SECOND,
        ts_recv,
        None,
        None,
        None,
        None,
        None if one.metadata is None else one.metadata.slot,
        _scaled(said.price, said.expo),
        _scaled(said.conf, said.expo),
    )


def _symbol(id: str, memory: Memory) -> str:
    known = memory.contracts.get(id)
    return _SYMBOLS.get(id, id) if known is None else known.symbol


def _scaled(mantissa: int, expo: int) -> float:
    """Return an integer with its exponent as the decimal that it is.

    >>> _scaled(11168649121012, -8)
    111686.49121012
    """
    if not -_LARGEST <= expo <= _LARGEST or abs(mantissa) > _MOST:
        raise VenueChanged(f"{VENUE}: a price that none can be: {mantissa} with the exponent {expo}")
    return mantissa * 10.0**expo if expo >= 0 else mantissa / 10.0**-expo


# ── What REST answers ─────────────────────────────────────────────────────────────────────────


def _listing(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [_instrument(one, ts_recv) for one in _LISTING.decode(body)]


def _instrument(one: _Listed, ts_recv: Nanos) -> Instrument:
    """Return a feed as an instrument: `Crypto.BTC/USD` is BTCUSDT, others keep their names."""
    said = one.attributes
    plain = said.base and said.symbol == f"Crypto.{said.base}/USD"
    return Instrument(
        VENUE,
        f"{said.base}USDT" if plain else said.symbol,
        None,
        ts_recv,
        native=one.id.removeprefix("0x"),
        kind="reference",
        base=said.base,
        quote=said.quote_currency,
        status="listed",
        trading=True,
    )


def _prices(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return decode(body, ts_recv, memory)


def _latest(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return the prices that are asked for, as quotes and as prices without more."""
    quotes = [one for one in decode(body, ts_recv, memory) if isinstance(one, Quote)]
    alone = [
        LastPrice(VENUE, one.symbol, one.ts_event, ts_recv, one.mid, "mid")
        for one in quotes
        if one.mid is not None
    ]
    return [*quotes, *alone] or [left_out(VENUE, "", ts_recv, "a signed update without its parsed prices")]


def _means(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return means over a window; its end is their time."""
    return [
        LastPrice(
            *(VENUE, _symbol(one.id, memory), one.end_timestamp * SECOND, ts_recv),
            _scaled(one.twap.price, one.twap.expo),
            "average",
            (one.end_timestamp - one.start_timestamp) / 60,
        )
        for one in _MEANS.decode(body).parsed or ()
    ] or [left_out(VENUE, "", ts_recv, "a signed update without its parsed means")]


_UPDATES = "/v2/updates/price"
_WANTED = {"parsed": "true", "ignore_invalid_price_ids": "true"}
_OF_SYMBOL = {"ids[]": "{symbol}"}

ENDPOINTS = (
    Endpoint("instruments", "/v2/price_feeds", _listing, {"asset_type": "crypto"}, cache_s=3600),
    Endpoint("latest", f"{_UPDATES}/latest", _latest, _WANTED, ("ids[]",), of_symbol=_OF_SYMBOL),
    # the prices of a second; recordings of the stream itself (…/stream) are read by it, too
    Endpoint(
        "then",
        f"{_UPDATES}/{{publish_time}}",
        _prices,
        _WANTED,
        ("ids[]", "publish_time"),
        of_symbol=_OF_SYMBOL,
    ),
    Endpoint(
        "mean",
        "/v2/updates/twap/{window_s}/latest",
        _means,
        _WANTED,
        needs=("ids[]", "window_s"),
        of_symbol=_OF_SYMBOL,
    ),
)

_NO_BOOK = "a reference in USD, not a market: neither bid nor ask"
_WINDOW_S = 300

QUESTIONS = (
    Question(name="price", endpoint="latest", note=_NO_BOOK),
    Question(name="quote", endpoint="latest", note=_NO_BOOK),
    Question(name="average_price", endpoint="mean", params={"window_s": str(_WINDOW_S)}),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=60.0),
)

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

PYTH = Venue(
    name=VENUE,
    docs="https://docs.pyth.network/price-feeds",
    hosts=Hosts(
        rest="https://pyth.dourolabs.app/hermes",
        ws={"prices": f"https://pyth.dourolabs.app/hermes{_UPDATES}/stream"},
    ),
    limits=Limits(
        streams_per_connection=60,  # all of them stand in one address
        messages_per_s=1,
        names_per_subscribe=60,
        connects_per_minute=6,
        dead_after_s=15,
        life_s=23 * 3600 + 50 * 60,  # the venue cuts at 24 h
    ),
    book=BookRule.SNAPSHOTS,  # it has none
    channels=(Channel("prices", ("prices",), "{symbol}", "prices", silent_after_s=60),),
    endpoints=ENDPOINTS,
    buckets=(Bucket("weight", 10, 10),),
    decode=decode,
    subscribe=_says_nothing,
    unsubscribe=_says_nothing,
    native=native,
    taker_fee_bps=0.0,
    taker_fee_source="nothing can be traded at an oracle (2026)",
    listing="instruments",
    refusals=Refusals(limited={429: 60.0}),
    key=Key(
        "PYTH_API_KEY",
        "Authorization",
        "Bearer {key}",
        required="Pyth needs an API key since 26 Aug 2026: set PYTH_API_KEY",
    ),
    address=address,
    questions=QUESTIONS,
    needs_contracts=True,
    notes={"prices": "a reference in USD, not a market: mid_price is told, bid and ask are not; no spread"},
)
