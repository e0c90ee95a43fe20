"""Database: the door for programs and notebooks: `orderflow.open(…)`, then questions, then frames.

A time is `-4h`, `now`, an ISO 8601 text, epoch milliseconds or a datetime (UTC where it says no zone).
`venues` is one, several, or None for all that have rows. What answers with a `Window` raises `NoData`
with the range that exists where nothing is found.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

from orderflow.market.errors import Disconnected, InvalidArgument
from orderflow.market.events import Nanos
from orderflow.settings import settings
from orderflow.store import access
from orderflow.store.answers import Coverage, GapRow, Listing, SeriesRows, at
from orderflow.store.bars import Source
from orderflow.store.reader import Among, Reader
from orderflow.store.runs import Run
from orderflow.store.statistics import LOOK_BACKS, PERCENTILES, Of
from orderflow.store.windows import Window
from orderflow.tools.times import instant

__all__ = ["Database", "Time", "Window", "open"]

Time: TypeAlias = str | int | float | datetime
T = TypeVar("T")


def open(where: Path | str | None = None, *, token: str | None = None) -> "Database":
    """Open a database to read: through the process that collects into it, else the file, read-only.

    `where` is a path or an address like `quack:127.0.0.1:9555`, which needs the `token` that its owner
    was given; without either, the settings say (`ORDERFLOW_DB`, `ORDERFLOW_QUACK_TOKEN`). While a file
    is open without a collector, none can start on it: close it. Raises `StoreUnusable` in one line.
    """
    chosen = settings()
    place = chosen.db if where is None else where
    secret = chosen.quack_token.get_secret_value() if token is None and chosen.quack_token else token
    return Database(lambda: access.open_reader(place, token=secret or ""), str(place))


class Database:
    """Questions to one database; `reader` opens it, and again where the process that serves it was begun anew."""

    def __init__(
        self, reader: Callable[[], Reader], name: str, clock: Callable[[], Nanos] = time.time_ns
    ) -> None:
        self._open, self._name, self._clock = reader, name, clock
        self._reader = reader()

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        how = "through its collector" if self._reader.remote else "read-only"
        return f"<{self.kind or 'no'} data in {self._name}, {how}>"

    # ── What there is ─────────────────────────────────────────────────────────────────────────

    @property
    def kind(self) -> str | None:
        """What the data is: live, simulated, replay or backfill; None where nothing ran yet."""
        return self._ask(lambda reader: reader.kind)

    @property
    def simulated(self) -> bool:
        return self.kind == "simulated"

    def symbols(self) -> list[str]:
        """Return the symbols that the database was laid out for."""
        return self._ask(Reader.symbols)

    def series(self) -> list[SeriesRows]:
        """Return the series that have rows, with their names, how many, the first and the last."""
        return self._ask(Reader.series)

    def instruments(self, symbol: str | None = None, venue: str | None = None) -> list[Listing]:
        """Return what the venues listed when they were last read: native names, tick, lot, contract size."""
        return self._ask(lambda reader: reader.instruments(symbol, venue))

    def runs(self) -> list[Run]:
        """Return when it was collected, replayed or backfilled, oldest first."""
        return self._ask(Reader.runs)

    def gaps(
        self,
        symbol: str | None = None,
        venues: Among = None,
        *,
        stream: str | None = None,
        since: Time | None = None,
        until: Time | None = None,
    ) -> list[GapRow]:
        """Return what was not received: each gap that reaches into a window, filled since or not."""
        first, last = self._instant(since), self._instant(until)
        return self._ask(lambda reader: reader.gaps(symbol, venues, first, last, stream))

    def coverage(
        self, stream: str, symbol: str, venues: Among = None, *, since: Time, until: Time = "now"
    ) -> dict[str, Coverage]:
        """Return, for each venue, what share of a window was collected, and the gaps in it."""
        first, last = self._window(since, until)
        return self._ask(lambda reader: reader.coverages(stream, symbol, venues, first, last))

    # ── Windows of the streams ────────────────────────────────────────────────────────────────

    def stream(
        self,
        stream: str,
        symbol: str,
        venues: Among = None,
        *,
        since: Time | None = None,
        until: Time | None = None,
        limit: int | None = None,
        **picked: Any,
    ) -> Window:
        """Return a stream's rows, oldest first; the last ones where there are more than `limit`.

        Without `since` it is all that is stored. `picked`: `every="1m"` leaves the last row of each bar
        and venue; `interval` picks among candles; `side` and `min_value` among trades and liquidations.
        """
        first = self._instant(since)
        last = self._instant("now" if until is None and since is not None else until)
        return self._ask(
            lambda reader: reader.window(
                stream, symbol, venues, since=first, until=last, limit=limit, **picked
            )
        )

    def trades(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("trades", symbol, venues, **window)

    def prices(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("prices", symbol, venues, **window)

    def orderbooks(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("orderbooks", symbol, venues, **window)

    def mark_prices(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("mark_prices", symbol, venues, **window)

    def index_prices(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("index_prices", symbol, venues, **window)

    def funding(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        """Return the rates as they were told, many for one settlement; `settlements` has each once."""
        return self.stream("funding_rates", symbol, venues, **window)

    def open_interest(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("open_interest", symbol, venues, **window)

    def ticker(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("ticker_24h", symbol, venues, **window)

    def candles(self, symbol: str, venues: Among = None, *, interval: str = "1m", **window: Any) -> Window:
        """Return the venues' own candles of an interval; `ohlcv` makes bars of any length."""
        return self.stream("candles", symbol, venues, interval=interval, **window)

    def liquidations(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("liquidations", symbol, venues, **window)

    def options(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("options", symbol, venues, **window)

    def volatility_index(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("volatility_index", symbol, venues, **window)

    def large_trades(self, symbol: str, venues: Among = None, **window: Any) -> Window:
        return self.stream("large_trades", symbol, venues, **window)

    # ── What follows from them ────────────────────────────────────────────────────────────────

    def ohlcv(
        self,
        symbol: str,
        venues: Among = None,
        bar: str = "1m",
        *,
        since: Time = "-1d",
        until: Time = "now",
        source: Source = "auto",
    ) -> Window:
        """Return bars of any length (1s, 5m, 4h, 1d, 1w), a row a bar and venue.

        From trades, or from the finest candles stored that divide the bar; `auto` takes a venue's trades
        where they tell as much of the window, and `notes["made_of"]` says which were taken.
        """
        first, last = self._window(since, until)
        return self._ask(lambda reader: reader.bars(symbol, venues, bar, first, last, source))

    def percentiles(
        self,
        symbol: str,
        venues: Among = None,
        at: Sequence[float] = PERCENTILES,
        *,
        since: Time = "-1d",
        until: Time = "now",
        step: str = "1s",
        of: Of = "prices",
    ) -> Window:
        """Return percentiles of the price, sampled once a step, a row a venue."""
        first, last = self._window(since, until)
        return self._ask(lambda reader: reader.percentiles(symbol, venues, first, last, at, step, of))

    def volatility(
        self,
        symbol: str,
        venues: Among = None,
        *,
        since: Time = "-1d",
        until: Time = "now",
        step: str = "1m",
        of: Of = "prices",
    ) -> Window:
        """Return realised volatility, of the window and a year, a row a venue."""
        first, last = self._window(since, until)
        return self._ask(lambda reader: reader.volatility(symbol, venues, first, last, step, of))

    def volume_by_price(
        self,
        symbol: str,
        venues: Among = None,
        *,
        since: Time = "-1d",
        until: Time = "now",
        size: float | None = None,
        bins: int = 50,
    ) -> Window:
        """Return what was traded at which prices, by the taker's side, a row a bin; venues together."""
        first, last = self._window(since, until)
        return self._ask(lambda reader: reader.volume_by_price(symbol, venues, first, last, size, bins))

    def price_context(
        self,
        symbol: str,
        venue: str,
        look_backs: Sequence[str] = LOOK_BACKS,
        *,
        until: Time = "now",
        price: float | None = None,
        of: Of = "prices",
    ) -> Window:
        """Return where a price (the last one) stands among those of several look-backs, a row each."""
        last = self._moment(until)
        return self._ask(lambda reader: reader.price_context(symbol, venue, last, look_backs, price, of))

    def settlements(
        self, symbol: str, venues: Among = None, *, since: Time = "-7d", until: Time = "now"
    ) -> Window:
        """Return each funding settlement once, with the sum so far, and the next one."""
        first, last = self._window(since, until)
        return self._ask(lambda reader: reader.settlements(symbol, venues, first, last))

    def funding_comparison(
        self, symbol: str, venues: Among = None, *, since: Time = "-7d", until: Time = "now"
    ) -> Window:
        """Return what funding came to and what is asked next, a row a venue, each by its own interval."""
        first, last = self._window(since, until)
        return self._ask(lambda reader: reader.funding_comparison(symbol, venues, first, last))

    def liquidation_map(
        self,
        symbol: str,
        venues: Among = None,
        *,
        since: Time = "-1d",
        until: Time = "now",
        size: float | None = None,
        bins: int = 20,
        min_value: float = 0.0,
    ) -> Window:
        """Return what was closed by force at which prices, by side, a row a bin; venues together."""
        first, last = self._window(since, until)
        return self._ask(
            lambda reader: reader.liquidation_map(symbol, venues, first, last, size, bins, min_value)
        )

    # ── Times, and asking again ───────────────────────────────────────────────────────────────

    def _instant(self, said: Time | None) -> Nanos | None:
        return None if said is None else self._moment(said)

    def _moment(self, said: Time) -> Nanos:
        return instant(said, self._clock())

    def _window(self, since: Time, until: Time) -> tuple[Nanos, Nanos]:
        first, last = self._moment(since), self._moment(until)
        if first >= last:
            raise InvalidArgument(
                f"the window from {at(first)} to {at(last)} is empty", hint="since lies before until"
            )
        return first, last

    def _ask(self, question: Callable[[Reader], T]) -> T:
        """Ask, and once more of whoever serves the database now where its process was begun anew."""
        try:
            return question(self._reader)
        except Disconnected:
            self._reader.close()
            self._reader = self._open()
            return question(self._reader)
