"""Answering: one venue asked a question of its form in its own words, at the pace that it allows.

What was answered a moment ago is given again, and who asks what is being asked waits for that answer: a
hundred assistants with one question are one request.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches

import msgspec

from orderflow.feed.asking import understood
from orderflow.feed.frames import Frame
from orderflow.feed.history import written
from orderflow.feed.limits import Clock
from orderflow.feed.rest import Rest
from orderflow.market.errors import InvalidArgument, KeyRefused, UnknownSymbol, UnsupportedByVenue
from orderflow.market.events import SECOND, Event, Funding, FundingInterval, Instrument, Nanos, Option
from orderflow.venues.questions import QUESTIONS, WHOLE, Asked, Question, Told, seconds
from orderflow.venues.spec import Memory, Venue

LISTING_KEEPS_S = 3_600.0
MOST_KEPT = 500  # answers of one venue that are kept for a moment
_COIN = re.compile(r"[A-Z0-9]*")  # with which an option's name begins
USUAL_ROWS = 100  # where a window must be sent and nobody said how many rows


class Answering:
    """One venue's answers. `memory` is what its running feed has read of its listing, where one runs."""

    def __init__(
        self, rest: Rest, memory: Callable[[], Memory | None] = lambda: None, *, clock: Clock = time.time_ns
    ) -> None:
        self.venue: Venue = rest.venue
        self.rest = rest
        self._feeds_memory = memory
        self._own: tuple[Nanos, Memory] | None = None
        self._clock = clock
        self._listing = asyncio.Lock()
        self._kept: dict[tuple[str, str], tuple[Nanos, asyncio.Task[Frame]]] = {}

    async def answer(self, asked: Asked) -> Told:
        """Answer one question.

        Raises `UnsupportedByVenue`, `UnknownSymbol`, `InvalidArgument`, or what `Rest.request` raises.
        """
        rows = self.venue.asked(asked.question)
        if not rows and asked.about is not None and asked.question in WHOLE:
            return await self._of_the_whole(asked)
        if not rows:
            offered = ", ".join(dict.fromkeys(one.name for one in self.venue.questions))
            raise UnsupportedByVenue(
                f"{self.venue.name} does not answer {asked.question!r}",
                hint=f"it answers {offered}" if offered else "it answers no questions",
            )
        memory = await self.memory()
        told, left_out = await self._ask_all(rows, asked, memory)
        events = [
            event
            for one, frame in told
            for event in understood(self.venue, frame, memory)
            if not self._of_another(event, one, asked)
        ]
        kinds = (*QUESTIONS[asked.question], FundingInterval)
        return Told(
            events=_with_intervals(
                self.venue, _joined(rows, asked, [e for e in events if isinstance(e, kinds)])
            ),
            at=max(frame.ts_recv for _, frame in told),
            native=self._native(rows[0], asked, memory),
            notes=tuple(dict.fromkeys([*(one.note for one in rows if one.note), *left_out])),
        )

    async def _of_the_whole(self, asked: Asked) -> Told:
        """Answer about one symbol where the venue answers for all of them at once."""
        rows = self.venue.asked(WHOLE[asked.question])
        if not rows:
            raise UnsupportedByVenue(f"{self.venue.name} does not answer {asked.question!r}")
        coin = None
        if rows[0].of == "coin":  # the whole of it is that of the coin with which an option's name begins
            coin = _COIN.match(str(asked.about).upper())
        else:
            self._check_listed(str(asked.about), await self.memory())
        whole = await self.answer(
            Asked(question=WHOLE[asked.question], about=None if coin is None else coin[0])
        )
        mine = [one for one in whole.events if asked.about in (one.symbol, getattr(one, "instrument", None))]
        return msgspec.structs.replace(whole, events=mine)

    def _of_another(self, event: Event, question: Question, asked: Asked) -> bool:
        """Tell whether an event is left out: of another symbol, where the endpoint answers for all at once."""
        if question.of != "symbol" or asked.about is None:
            return False
        return not self.venue.endpoint(question.endpoint).of_symbol and event.symbol != asked.about

    # ── The listing ───────────────────────────────────────────────────────────────────────────

    async def memory(self) -> Memory:
        """Return what the venue lists: as its feed has read it, or as it is read now, once an hour."""
        known = self._feeds_memory()
        if known is not None and known.contracts:
            return known
        async with self._listing:
            now = self._clock()
            if self._own is None or now - self._own[0] > LISTING_KEEPS_S * SECOND:
                memory = Memory()
                if self.venue.listing is not None:
                    frame = await self.rest.request(self.venue.listing)
                    said = understood(self.venue, frame)
                    memory.relist([one for one in said if isinstance(one, Instrument)])
                self._own = now, memory
            return self._own[1]

    def _check_listed(self, symbol: str, memory: Memory) -> None:
        if not memory.contracts or memory.natives(symbol):
            return
        known = sorted({one.symbol for one in memory.contracts.values() if one.trading})
        near = get_close_matches(symbol, known, n=3, cutoff=0.6) or known[:3]
        raise UnknownSymbol(
            f"{self.venue.name} does not list {symbol[:40]!r}", hint=f"nearest there: {', '.join(near)}"
        )

    def _native(self, question: Question, asked: Asked, memory: Memory) -> str | None:
        if question.of != "symbol" or asked.about is None:
            return None
        return next(iter(memory.natives(asked.about)), None) or self.venue.native(asked.about)

    # ── The request ───────────────────────────────────────────────────────────────────────────

    async def _ask_all(
        self, rows: Sequence[Question], asked: Asked, memory: Memory
    ) -> tuple[list[tuple[Question, Frame]], list[str]]:
        """Ask for every part of an answer; those that want a key are left out and said, unless all do."""
        refused: list[KeyRefused] = []

        async def part(row: Question) -> tuple[Question, Frame] | None:
            try:
                return row, await self._ask(row, asked, memory)
            except KeyRefused as error:
                refused.append(error)
                return None

        told = [one for one in await asyncio.gather(*(part(row) for row in rows)) if one is not None]
        if not told:
            raise refused[0]
        return told, [f"left out: {one.message}" for one in refused]

    async def _ask(self, question: Question, asked: Asked, memory: Memory) -> Frame:
        question = self._reaching(question, asked)
        params = self._params(question, asked, memory)
        key = (question.endpoint, "&".join(f"{name}={said}" for name, said in sorted(params.items())))
        now = self._clock()
        kept = self._kept.get(key)
        if kept is None or kept[0] <= now or _failed(kept[1]):
            self._kept = {at: one for at, one in self._kept.items() if one[0] > now or not one[1].done()}
            if len(self._kept) >= MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            task = asyncio.ensure_future(self.rest.request(question.endpoint, **params))
            kept = self._kept[key] = now + round(question.keeps_s * SECOND), task
        return await asyncio.shield(kept[1])

    def _reaching(self, question: Question, asked: Asked) -> Question:
        """Return the question as it is asked of the endpoint that reaches what is asked for."""
        if question.reaches is None or _rows_away(asked, self._clock()) <= question.reaches:
            return question
        return msgspec.structs.replace(question, endpoint=question.beyond)

    def _params(self, question: Question, asked: Asked, memory: Memory) -> dict[str, str]:
        params = dict(question.params)
        params |= self._subject(question, asked, memory)
        count = asked.rows
        if question.rows and count is not None:
            params[question.rows] = str(_steps(question, count))
        if question.period and asked.period is not None:
            params[question.period] = self._period(question, asked.period)
        since, until = asked.since, asked.until
        if question.wants_window:
            since, until = self._window(question, asked)
        for name, at in ((question.since, since), (question.until, until)):
            if name and at is not None:
                params[name] = written(at, question.unit)
        return params

    def _window(self, question: Question, asked: Asked) -> tuple[Nanos, Nanos]:
        """Return the window that is sent: what was asked for, or its newest part that one answer holds."""
        until = self._clock() if asked.until is None else asked.until
        each = round((seconds(asked.period or "") or question.each_s) * SECOND)
        wide = (asked.rows or USUAL_ROWS) * each if asked.since is None else until - asked.since
        if question.most is not None:
            wide = min(wide, question.most * each)
        return until - wide, until

    def _subject(self, question: Question, asked: Asked, memory: Memory) -> dict[str, str]:
        if question.of == "venue" or asked.about is None:
            return {}
        if question.of == "symbol":
            self._check_listed(asked.about, memory)
            return self.venue.params_of(self.venue.endpoint(question.endpoint), asked.about, memory)
        if question.of == "instrument" and not question.about:
            words = self.venue.words(asked.about)
            of = self.venue.endpoint(question.endpoint).of_symbol
            return {name: said.format(**words) for name, said in of.items()}
        if question.of == "instrument":
            said = asked.about
        else:
            coin = asked.about.upper()
            said = question.coins.get(coin) or question.coin.format(coin=coin)
        return {question.about: said} if question.about else {}

    def _period(self, question: Question, period: str) -> str:
        if period not in question.periods:
            allowed = ", ".join(question.periods)
            raise InvalidArgument(
                f"{self.venue.name} has no {period[:20]!r} of {question.name}", hint=f"it has {allowed}"
            )
        return question.periods[period]


def _failed(task: "asyncio.Task[Frame]") -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _steps(question: Question, count: int) -> int:
    """Return how many rows to ask for: at most what one answer holds, or the next of the counts allowed."""
    wanted = count if question.most is None else min(count, question.most)
    return next((one for one in question.steps if one >= wanted), (question.steps or (wanted,))[-1])


def _rows_away(asked: Asked, now: Nanos) -> float:
    """Return how many rows away the furthest is that is asked for: of a book, or of bars back from now."""
    count = asked.rows or 0
    length = seconds(asked.period or "")
    if length is None:
        return count
    until = now if asked.until is None else asked.until
    first = until - round(count * length * SECOND) if asked.since is None else asked.since
    return (now - first) / (length * SECOND)


def _joined(rows: Sequence[Question], asked: Asked, events: Sequence[Event]) -> list[Event]:
    """Join what several endpoints tell of one option into one row; of all, keep the one that was asked for."""
    if len(rows) == 1 or not all(isinstance(one, Option) for one in events):
        return list(events)
    joined: dict[str, Option] = {}
    for one in events:
        if isinstance(one, Option) and (rows[0].of != "instrument" or one.instrument == asked.about):
            joined[one.instrument] = _filled(joined.get(one.instrument), one)
    return list(joined.values())


def _filled(one: Option | None, more: Option) -> Option:
    """Return an option's row with what another one adds; its time is that of the newer."""
    if one is None:
        return more
    unknown = [name for name in Option.__struct_fields__ if getattr(one, name) is None]
    known = {name: getattr(more, name) for name in unknown}
    known["ts_event"] = max(one.ts_event or 0, more.ts_event or 0) or None
    return msgspec.structs.replace(one, **known)


def _with_intervals(venue: Venue, events: Sequence[Event]) -> list[Event]:
    """Give rates their interval, where the venue tells it apart from them or for most contracts alike."""
    hours = {one.symbol: one.interval_hours for one in events if isinstance(one, FundingInterval)}
    return [
        msgspec.structs.replace(one, interval_hours=hours.get(one.symbol, venue.funding_hours))
        if isinstance(one, Funding) and one.interval_hours is None
        else one
        for one in events
        if not isinstance(one, FundingInterval)
    ]
