"""The board: for one symbol, each venue's newest prices and book, their age, and who is missing and why."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from math import inf
from typing import Any, Literal

import msgspec

from orderflow.market.errors import NoData, UnknownSymbol
from orderflow.market.events import HOUR, MS, BookTop, Level, Nanos, Quote
from orderflow.market.instruments import MARKETS, venue_id
from orderflow.tools.answers import Meta, Venues, Window
from orderflow.tools.context import Hole
from orderflow.tools.spec import Ask
from orderflow.tools.times import millis

PairKind = Literal["same_kind", "basis"]
MOST_GAPS = 10  # in a meta; system_health counts them all


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's market in one symbol: prices in quote units, sizes in base units, None where absent.

    `bids` and `asks` are the best levels of its book, best first; where no book is known they hold
    the touch alone. `age_ms` is the age of the prices, `book_age_ms` that of the levels. `told` is the
    price of a venue that has neither bid nor ask.
    """

    venue: str
    symbol: str
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    age_ms: float
    bids: list[Level]
    asks: list[Level]
    book_age_ms: float
    told: float | None = None
    asked: bool = False  # over REST, not heard

    @property
    def market(self) -> str:
        return MARKETS[self.venue].market

    @property
    def mid(self) -> float | None:
        return self.told if self.bid is None or self.ask is None else (self.bid + self.ask) / 2


class Board(msgspec.Struct, kw_only=True):
    """The places that answered for a symbol and the reasons of the others."""

    symbol: str
    places: list[Place]
    missing: dict[str, str]


def unified(symbol: str) -> str:
    """Return a symbol as we write it: `btc-usdt` and `BTC/USDT` are `BTCUSDT`."""
    return "".join(mark for mark in symbol.upper() if mark.isalnum())


def symbols(ask: Ask, symbol: str | None) -> list[str]:
    """Return the symbol asked, or all; raise `UnknownSymbol`, or `NoData` where nothing came yet."""
    known = list(ask.latest.symbols())
    if not known:
        raise NoData(
            "no prices yet: nothing has been received", hint="system_health says which venues are connected"
        )
    if symbol is None:
        return known
    wanted = unified(symbol)
    if wanted not in known:
        near = get_close_matches(wanted, known, n=3, cutoff=0.4) or [
            one for one in known if wanted and wanted in one
        ]
        hint = f"nearest: {', '.join(near)}; " if near else ""
        raise UnknownSymbol(f"unknown symbol {symbol[:40]!r}", hint=f"{hint}symbols: {', '.join(known[:20])}")
    return [wanted]


def boards(
    ask: Ask, symbol: str | None, venues: Sequence[str] | None, max_age_ms: int | None = None
) -> list[Board]:
    """Return one board a symbol; raise `NoData` if no venue answers for any of them.

    Places older than `max_age_ms` are missing. Ages count from now; in a replay, whose data are of
    the past, from the newest datum.
    """
    asked = list(dict.fromkeys(venue_id(one) for one in venues)) if venues else None
    wanted = symbols(ask, symbol)
    quotes, tops = ask.latest.quotes(symbol and wanted[0]), ask.latest.tops(symbol and wanted[0])
    found = [_board(ask, one, quotes, tops, asked, ask.now, max_age_ms) for one in wanted]
    if not any(board.places for board in found):
        reasons = "; ".join(
            f"{venue} {reason}" for board in found[:1] for venue, reason in board.missing.items()
        )
        raise NoData(
            f"no prices of {symbol or 'any symbol'} to answer with{': ' + reasons if reasons else ''}",
            hint="system_health says which venues are connected and how old their data are"
            + (", and a larger max_age_ms takes older ones" if max_age_ms else ""),
        )
    return found


def _time(event: Quote | BookTop) -> Nanos:
    """Return when an event reached us: the one clock that all venues share."""
    return event.ts_recv or event.ts_event or 0


def _board(
    ask: Ask,
    symbol: str,
    quotes: Iterable[Quote],
    tops: Iterable[BookTop],
    asked: Sequence[str] | None,
    now: Nanos,
    max_age_ms: int | None,
) -> Board:
    quote = {one.venue: one for one in quotes if one.symbol == symbol}
    top = {one.venue: one for one in tops if one.symbol == symbol}
    board = Board(symbol=symbol, places=[], missing={})
    for venue in asked if asked is not None else [one for one in MARKETS if one in quote or one in top]:
        place = _place(venue, symbol, quote.get(venue), top.get(venue), now, max_age_ms)
        if place is None:
            board.missing[venue] = f"no prices of {symbol} received"
        elif max_age_ms is not None and place.age_ms > max_age_ms:
            board.missing[venue] = (
                f"its {symbol} is {place.age_ms:.0f} ms old, more than max_age_ms={max_age_ms}"
            )
        else:
            board.places.append(place)
    _drop_other_currencies(ask, board)
    return board


def _place(
    venue: str, symbol: str, quote: Quote | None, top: BookTop | None, now: Nanos, max_age_ms: int | None
) -> Place | None:
    """Join the touch and the book: the newer of them is the price, the book is used while it is fresh."""
    if quote is None and top is None:
        return None
    age = (now - _time(quote)) / MS if quote else inf
    book_age = (now - _time(top)) / MS if top else inf
    bids, asks = (levels(top.levels[:20]), levels(top.levels[20:])) if top else ([], [])
    if max_age_ms is not None and book_age > max_age_ms:
        bids, asks, book_age = [], [], inf
    if quote is None or book_age <= age:
        bid, ask = bids[0] if bids else (None, None), asks[0] if asks else (None, None)
    else:
        bid, ask = (quote.bid, quote.bid_size), (quote.ask, quote.ask_size)
        # The book's levels that are still behind the newer touch are the best that is known of them.
        bids = [*levels(bid), *(one for one in bids if quote.bid is not None and one[0] < quote.bid)]
        asks = [*levels(ask), *(one for one in asks if quote.ask is not None and one[0] > quote.ask)]
    return Place(
        venue=venue,
        symbol=symbol,
        bid=bid[0],
        bid_size=bid[1],
        ask=ask[0],
        ask_size=ask[1],
        age_ms=_shown(min(age, (now - _time(top)) / MS if top else inf)),
        bids=bids,
        asks=asks,
        book_age_ms=_shown(age if book_age == inf else book_age),
        told=None if quote is None else quote.mid,
    )


def _shown(age_ms: float) -> float:
    """Return an age as answers show it; a clock a little ahead of ours is no age below zero."""
    return round(max(0.0, age_ms), 1)


def levels(flat: Sequence[float | None]) -> list[Level]:
    """Return (price, size) pairs from a flat half of a book top, without the absent ones."""
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return [(price, size) for price, size in pairs if price is not None and size is not None and size > 0]


def _drop_other_currencies(ask: Ask, board: Board) -> None:
    """Leave out places whose quote currency is known to differ: their prices do not compare.

    A price that is only told, by an oracle, stays: nobody can buy at it, and it says what it is.
    """
    traded = [one.venue for one in board.places if one.told is None]
    listed = {venue: ask.context.instrument(venue, board.symbol) for venue in traded}
    quoted = {venue: instrument.quote for venue, instrument in listed.items() if instrument}
    common = next((quote for quote in quoted.values() if board.symbol.endswith(quote)), None)
    for venue, quote in quoted.items():
        if common is not None and quote != common:
            board.places = [one for one in board.places if one.venue != venue]
            board.missing[venue] = f"quoted in {quote}, the others in {common}"


def pair_kind(one: Place, other: Place) -> PairKind:
    """Say whether two places trade the same kind of instrument, or a future against spot."""
    return "same_kind" if one.market == other.market else "basis"


def meta(ask: Ask, boards: Sequence[Board], units: dict[str, str], venues: Sequence[str] | None) -> Meta:
    """Return the meta of an answer from these boards: who answered, how old, what is missing."""
    answered = [
        venue for venue in MARKETS if any(one.venue == venue for board in boards for one in board.places)
    ]
    missing: dict[str, str] = {}
    for board in boards:
        for venue, reason in board.missing.items():
            missing[venue] = f"{missing[venue]}; {reason}" if venue in missing else reason
    one = boards[0].symbol if len(boards) == 1 else None
    native: dict[str, str] = {}
    for venue in answered:
        listed = ask.context.instrument(venue, one) if one else None
        if listed is not None:
            native[venue] = listed.native
    asked = [venue_id(venue) for venue in venues] if venues else list(dict.fromkeys([*answered, *missing]))
    ages = [place.age_ms for board in boards for place in board.places]
    return Meta(
        tool=ask.tool,
        as_of=ask.as_of,
        source=ask.source,
        symbol=one,
        native=native,
        venues=Venues(asked=list(dict.fromkeys(asked)), answered=answered, missing=missing),
        units=units,
        coverage_reason="an answer about this moment has no window; gaps are those of the last hour",
        gaps=[gap_row(gap) for gap in _recent_gaps(ask, one) if not asked or gap.venue in asked],
        age_ms=min(ages, default=None),
        warnings=remarks(ask),
    )


_REMARKS = {
    "simulated": "simulated data: no market stands behind these numbers",
    "replay": "replayed data: as_of is when the newest of them was received",
    "stored": "stored data: nothing is being collected into this database now",
}


def remarks(ask: Ask) -> list[str]:
    """Return what every answer of this run must warn of."""
    return [_REMARKS[ask.source]] if ask.source in _REMARKS else []


def _recent_gaps(ask: Ask, symbol: str | None) -> list[Hole]:
    wanted = [gap for gap in ask.gaps() if gap.stream in ("prices", "orderbooks")]
    return [gap for gap in wanted if symbol in (None, gap.symbol)][-MOST_GAPS:]


def gap_row(gap: Hole) -> dict[str, Any]:
    """Return a gap as answers show it; `until` is null while it lasts."""
    return {
        "venue": gap.venue,
        "symbol": gap.symbol,
        "stream": gap.stream,
        "from": millis(gap.from_ts),
        "until": None if gap.until_ts is None else millis(gap.until_ts),
        "reason": gap.reason,
    }


def last_hour(ask: Ask) -> Window:
    return Window(since=millis(ask.now - HOUR), until=ask.as_of)
