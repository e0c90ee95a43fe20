"""The chain: every option of a coin with its prices, volatilities, open interest and greeks; and one alone."""

from math import isnan
from typing import Annotated, Any, Literal

from msgspec import Meta as Range

from orderflow.market.events import MS, BookUpdate, Option
from orderflow.tools.answers import TIME, Answer, Meta, Row
from orderflow.tools.asking import hear, meta_of
from orderflow.tools.options import COMPUTED, FAMILY, Priced, chains, coin_of, kept, priced, remarks_of
from orderflow.tools.spec import AnyVenueId, Ask, tool

_PRICE = "coin or quote, as the venue quotes"
_COLUMNS = {
    "venue": "", "instrument": "", "expiry": TIME, "strike": "quote", "kind": "", "bid": _PRICE, "ask": _PRICE,
    "mark": _PRICE, "value": "quote", "bid_iv_pct": "% a year", "ask_iv_pct": "% a year", "iv_pct": "% a year",
    "underlying": "quote", "open_interest": "base", "volume": "base in 24 h", "delta": "base", "gamma": "1 / quote",
    "vega": "quote per point", "theta": "quote a day", "rho": "quote per point", "greeks": "", "age_ms": "ms",
    "source": "",
}  # fmt: skip
_GREEKS = ("delta", "gamma", "vega", "theta", "rho")
_PERCENT = 100


@tool(
    family=FAMILY,
    title="Option chain",
    columns=_COLUMNS,
    example={"coin": "BTC"},
    limit=60,
    core=False,
    open_world=True,
    asks_store=True,
)
def options_chain(
    ask: Ask,
    coin: str = "BTC",
    venues: list[AnyVenueId] | None = None,
    expiry: str | None = None,
    kind: Literal["call", "put"] | None = None,
    sort: Literal["strike", "open_interest", "volume"] = "strike",
) -> Answer:
    """Every option of a coin: bid, ask, mark, volatilities, open interest, volume and greeks, a row an option.

    Use it for strikes of one expiry, or for the options with the largest open interest. Greeks that a venue
    does not give are computed, and say so.

    Args:
        coin: the underlying, as BTC
        venues: all with options when left out
        expiry: a day as 2026-12-25; all when left out
        kind: both when left out
        sort: by expiry and strike, or the largest first
    """
    found = chains(ask, coin_of(coin), venues, expiry, kind)
    known = [priced(one, ask.now) for one in found.heard]
    rows = [row for one in known for row in _rows(one)]
    if sort != "strike":
        place = list(_COLUMNS).index(sort)
        rows.sort(key=lambda row: -(row[place] or 0.0))
    return Answer(
        meta=_computed(meta_of(ask, found, _COLUMNS, coin_of(coin)), known),
        columns=list(_COLUMNS),
        rows=rows,
    )


@tool(
    family=FAMILY,
    title="One option",
    columns=_COLUMNS,
    example={"instrument": "BTC-25DEC26-100000-C"},
    core=False,
    open_world=True,
)
def options_ticker(ask: Ask, instrument: str, venues: list[AnyVenueId] | None = None) -> Answer:
    """One option on the venue that lists it: quotes, volatilities, open interest, volume, greeks.

    Use it when the instrument's name is known; options_chain has the names.

    Args:
        instrument: the venue's own name, as BTC-25DEC26-100000-C
        venues: all with options when left out
    """
    wanted = instrument.strip()
    found = hear(ask, ["option"], venues, wanted, kinds=(Option,))
    found = kept(found, lambda one: one.instrument == wanted, f"no option {wanted[:40]!r}")
    known = [priced(one, ask.now) for one in found.heard]
    return Answer(
        meta=_computed(meta_of(ask, found, _COLUMNS, wanted), known),
        columns=list(_COLUMNS),
        rows=[row for one in known for row in _rows(one)],
    )


_BOOK = {"venue": "", "level": "", "bid": _PRICE, "bid_size": "base", "ask": _PRICE, "ask_size": "base"}


@tool(
    family=FAMILY,
    title="Book of one option",
    columns=_BOOK,
    example={"instrument": "BTC-25DEC26-100000-C", "depth": 10},
    limit=50,
    core=False,
    open_world=True,
)
def options_orderbook(
    ask: Ask,
    instrument: str,
    venues: list[AnyVenueId] | None = None,
    depth: Annotated[int, Range(ge=1, le=1000)] = 20,
) -> Answer:
    """The best levels of one option's book on each venue that lists it, bids beside asks.

    Use it for what an order would meet; options_ticker has the best prices with the greeks.

    Args:
        instrument: the venue's own name, as BTC-25DEC26-100000-C
        venues: all with options when left out
        depth: levels a side
    """
    found = hear(ask, ["option_book"], venues, instrument.strip(), kinds=(BookUpdate,), rows=depth)
    rows: list[Row] = []
    for heard in found.heard:
        for book in heard.of(BookUpdate)[-1:]:
            bids = sorted(book.bids, key=lambda one: -one[0])[:depth]
            asks = sorted(book.asks)[:depth]
            for level in range(max(len(bids), len(asks))):
                bid = bids[level] if level < len(bids) else (None, None)
                other = asks[level] if level < len(asks) else (None, None)
                rows.append([heard.venue, level + 1, *bid, *other])
    return Answer(meta=meta_of(ask, found, _BOOK, instrument.strip()), columns=list(_BOOK), rows=rows)


def _computed(meta: Meta, known: list[Priced]) -> Meta:
    meta.warnings += [COMPUTED, *remarks_of(known)]
    return meta


def _rows(known: Priced) -> list[Row]:
    return [_row(known, place, one) for place, one in enumerate(known.options)]


def _row(known: Priced, place: int, option: Option) -> Row:
    own = {name: getattr(option, name) for name in _GREEKS}
    computed = {name: _known(getattr(known.greeks, name)[place]) for name in _GREEKS}
    told = any(one is not None for one in own.values())
    by = "venue" if told else "black76" if computed["delta"] is not None else None
    shown: dict[str, Any] = own if told else computed
    return [
        option.venue, option.instrument, option.expiry_ts // MS, option.strike, option.kind, option.bid, option.ask,
        option.mark_price, _known(known.greeks.value[place]), _percent(option.bid_iv), _percent(option.ask_iv),
        _percent(option.mark_iv), option.underlying_price, option.open_interest, option.volume_24h,
        *shown.values(), by, known.heard.age_ms, known.heard.source,
    ]  # fmt: skip


def _known(value: float) -> float | None:
    return None if isnan(value) else float(value)


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else fraction * _PERCENT
