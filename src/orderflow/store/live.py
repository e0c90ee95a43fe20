"""Live: the latest state of every stream, in memory, for the questions that ask "now".

`Latest` is what such questions need; `Live` answers it from the events as they come, `Reader` from
a database. Answers are the events themselves.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from orderflow.market.events import (
    BookTop,
    Event,
    Funding,
    Gap,
    IndexPrice,
    Liquidation,
    MarkPrice,
    Nanos,
    OpenInterest,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.streams import KEPT
from orderflow.store.answers import resolve

RECENT_TRADES = 200
RECENT_LIQUIDATIONS = 50
RECENT_GAPS = 1_000
MOST_SYMBOLS = 2_000  # of a venue: beyond, what nobody asked for is forgotten
_KEPT: tuple[type[Event], ...] = (Quote, BookTop, MarkPrice, IndexPrice, Funding, OpenInterest, Ticker)
_STATES = {KEPT[kind].name: kind for kind in _KEPT}  # stream → whose latest replaces the one before

E = TypeVar("E", bound=Event)


class Latest(Protocol):
    """The latest of each venue and symbol; `symbol=None` asks for all. Nothing yet: an empty list.

    Raises `UnknownSymbol` for a symbol that is not collected, with the nearest ones that are.
    """

    @property
    def kind(self) -> str | None: ...
    def symbols(self) -> list[str]: ...
    def quotes(self, symbol: str | None = None) -> list[Quote]: ...
    def tops(self, symbol: str | None = None) -> list[BookTop]: ...
    def marks(self, symbol: str | None = None) -> list[MarkPrice]: ...
    def fundings(self, symbol: str | None = None) -> list[Funding]: ...
    def open_interests(self, symbol: str | None = None) -> list[OpenInterest]: ...
    def tickers(self, symbol: str | None = None) -> list[Ticker]: ...
    def recent_trades(self, symbol: str, venue: str | None = None, limit: int = 200) -> list[Trade]: ...
    def gaps(
        self,
        symbol: str | None = None,
        venue: str | None = None,
        since: Nanos | None = None,
        until: Nanos | None = None,
    ) -> list[Gap]: ...


class Live:
    """The latest state, in the places that `slots` and `tapes` give out.

    One thread updates; any may ask: an answer is a copy.
    """

    def __init__(self, kind: str, symbols: Iterable[str] = ()) -> None:
        self.kind: str | None = kind
        self._symbols = set(symbols)
        self._latest: dict[type[Event], dict[str, dict[str, Any]]] = {kind: {} for kind in _KEPT}
        self._trades: dict[str, defaultdict[str, deque[Trade]]] = {}
        self._liquidations: dict[str, defaultdict[str, deque[Liquidation]]] = {}
        self._gaps: dict[tuple[str, str, str, Nanos], Gap] = {}

    def slots(self, venue: str) -> dict[type[Event], dict[str, Any]]:
        """Return, for each kind of event that is kept, where the latest of this venue stand by symbol.

        Whoever feeds this venue writes there: a dictionary's item costs a third of a call.
        """
        return {kind: latest.setdefault(venue, {}) for kind, latest in self._latest.items()}

    def tapes(self, venue: str) -> defaultdict[str, deque[Trade]]:
        """Return where the last trades of this venue stand by symbol, for whoever feeds it."""
        return self._trades.setdefault(venue, defaultdict(_recent))

    def liquidations(self, venue: str) -> defaultdict[str, deque[Liquidation]]:
        """Return where the last liquidations of this venue stand by symbol, for whoever feeds it."""
        return self._liquidations.setdefault(venue, defaultdict(_recent_liquidations))

    def collects(self, symbols: Iterable[str]) -> None:
        """Learn which symbols are collected from now on."""
        self._symbols = set(symbols)

    def series(self, venue: str) -> list[tuple[str, str]]:
        """Return the (stream, symbol) pairs of which something of a venue was heard."""
        found = [
            (KEPT[kind].name, symbol)
            for kind, latest in self._latest.items()
            for symbol in latest.get(venue, ())
        ]
        return found + [
            (stream, symbol) for stream, tapes in self._tapes.items() for symbol in tapes.get(venue, ())
        ]

    def forget(self, venue: str, series: Iterable[tuple[str, str]]) -> None:
        """Forget (stream, symbol) pairs that are collected no longer: their state is not the latest."""
        for stream, symbol in series:
            if (tapes := self._tapes.get(stream)) is not None:
                tapes.get(venue, {}).pop(symbol, None)
            for kind, latest in self._latest.items():
                if KEPT[kind].name == stream:
                    latest.get(venue, {}).pop(symbol, None)

    def tidy(self) -> None:
        """Forget what nobody asked for, where a venue names ever new symbols."""
        for latest in (*self._latest.values(), *self._tapes.values()):
            for heard in latest.values():
                places: dict[str, Any] = heard
                if len(places) > MOST_SYMBOLS:
                    for symbol in places.keys() - self._symbols:
                        del places[symbol]

    def update(self, event: Event) -> None:
        """Keep an event if it is of a kind that is kept."""
        if isinstance(event, Trade):
            self.tapes(event.venue)[event.symbol].append(event)
        elif isinstance(event, Liquidation):
            self.liquidations(event.venue)[event.symbol].append(event)
        elif type(event) in self._latest:
            self._latest[type(event)].setdefault(event.venue, {})[event.symbol] = event

    def gap(self, gap: Gap) -> None:
        """Keep a gap that opened or closed; the last `RECENT_GAPS` of them are kept."""
        self._gaps[gap.identity] = gap
        if len(self._gaps) > RECENT_GAPS:
            self._gaps.pop(next(iter(self._gaps)))

    def no_gap(self, gap: Gap) -> None:
        """Forget a gap that turned out to be none."""
        self._gaps.pop(gap.identity, None)

    def gaps(
        self,
        symbol: str | None = None,
        venue: str | None = None,
        since: Nanos | None = None,
        until: Nanos | None = None,
    ) -> list[Gap]:
        """Return the gaps of this process that touch a window, oldest first."""
        found = [
            gap
            for gap in list(self._gaps.values())
            if symbol in (None, gap.symbol)
            and venue in (None, gap.venue)
            and (until is None or gap.from_ts < until)
            and (since is None or gap.until_ts is None or gap.until_ts > since)
        ]
        return sorted(found, key=lambda gap: (gap.from_ts, gap.identity))

    def symbols(self) -> list[str]:
        """Return the symbols that are collected or were heard of, in alphabetical order."""
        heard = {
            symbol
            for kind in list(self._latest.values())
            for one in list(kind.values())
            for symbol in list(one)
        }
        traded = {
            symbol for tapes in self._tapes.values() for one in list(tapes.values()) for symbol in list(one)
        }
        return sorted(self._symbols | heard | traded)

    def quotes(self, symbol: str | None = None) -> list[Quote]:
        return self._of(Quote, symbol)

    def tops(self, symbol: str | None = None) -> list[BookTop]:
        return self._of(BookTop, symbol)

    def marks(self, symbol: str | None = None) -> list[MarkPrice]:
        return self._of(MarkPrice, symbol)

    def fundings(self, symbol: str | None = None) -> list[Funding]:
        return self._of(Funding, symbol)

    def open_interests(self, symbol: str | None = None) -> list[OpenInterest]:
        return self._of(OpenInterest, symbol)

    def tickers(self, symbol: str | None = None) -> list[Ticker]:
        return self._of(Ticker, symbol)

    def recent_trades(self, symbol: str, venue: str | None = None, limit: int = RECENT_TRADES) -> list[Trade]:
        """Return the last trades of a symbol, oldest first; at most 200 a venue are kept."""
        wanted = self._known(symbol)
        found = [
            trade
            for name, trades in list(self._trades.items())
            if venue in (None, name) and wanted in trades
            for trade in tuple(trades[wanted])
        ]
        found.sort(key=_heard)
        return found[-limit:] if limit > 0 else []

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams of which the latest is known."""
        return (*_STATES, *self._tapes)

    def newest(self, stream: str, symbol: str) -> list[Event]:
        """Return the latest of a stream: an event a venue, of trades and liquidations the last ones of each.

        Those of one venue stand together, oldest first. Raises `UnknownSymbol`, as all questions here do.
        """
        if (tapes := self._tapes.get(stream)) is None:
            return list(self._of(_STATES[stream], symbol))
        wanted = self._known(symbol)
        return [event for kept in list(tapes.values()) if wanted in kept for event in tuple(kept[wanted])]

    def age(self, now: Nanos, symbol: str | None = None) -> dict[tuple[str, str], Nanos]:
        """Return how long ago, in nanoseconds, each (venue, symbol) was last heard of on any stream."""
        heard: dict[tuple[str, str], Nanos] = {}
        events: list[Event] = [one for kind in _KEPT for one in self._of(kind, symbol)]
        for trades in list(self._trades.values()):
            events += [kept[-1] for name, kept in list(trades.items()) if symbol in (None, name)]
        for event in events:
            key = event.venue, event.symbol
            heard[key] = max(heard.get(key, event.ts_recv), event.ts_recv)
        return {key: now - last for key, last in sorted(heard.items())}

    @property
    def _tapes(self) -> dict[str, dict[str, Any]]:
        return {"trades": self._trades, "liquidations": self._liquidations}

    def _of(self, kind: type[E], symbol: str | None) -> list[E]:
        venues = list(self._latest[kind].values())
        if symbol is None:
            return [event for one in venues for event in list(one.values())]
        wanted = self._known(symbol)
        return [one[wanted] for one in venues if wanted in one]

    def _known(self, symbol: str) -> str:
        # the dictionaries are asked first: a list of all symbols costs more than the answer
        if symbol in self._symbols:
            return symbol
        return resolve(symbol, self.symbols())


def _recent() -> deque[Trade]:
    return deque(maxlen=RECENT_TRADES)


def _recent_liquidations() -> deque[Liquidation]:
    return deque(maxlen=RECENT_LIQUIDATIONS)


def _heard(event: Event) -> tuple[Nanos, Nanos]:
    return event.ts_recv, event.ts_event or event.ts_recv
