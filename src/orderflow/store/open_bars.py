"""Open bars: those of a venue that still change, held back until they are over.

In a lake a row that replaces another makes collectors refuse each other's commits, which are judged by file.
So a bar is written there once: when the venue says that it is closed, or when the next one has begun. Who
dies with an open bar loses nothing: the venue tells the whole bar again to whoever asks next, and one that
ended meanwhile lies in the gap.
"""

from collections.abc import Iterable

from orderflow.market.events import Candle, Event


class OpenBars:
    """The last state of each bar that is open, by venue, symbol and interval."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], Candle] = {}

    def over(self, bars: Iterable[Event]) -> list[Event]:
        """Take bars as they come and return those that are over, in that order."""
        found: list[Event] = []
        for one in bars:
            if not isinstance(one, Candle):
                continue
            key = (one.venue, one.symbol, one.interval)
            held = self._open.get(key)
            if held is not None and one.open_ts > held.open_ts:
                found.append(self._open.pop(key))
                held = None
            if one.closed:
                found.append(one)
                if held is not None and held.open_ts == one.open_ts:
                    del self._open[key]
            elif held is None or held.open_ts == one.open_ts:
                self._open[key] = one
            else:
                found.append(one)  # of a bar before the open one: it is over
        return found
