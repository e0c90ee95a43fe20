"""Exchange: one coin on one venue, where takers eat the book and makers refill it around a fair price."""

import math

from orderflow.sim.book import Book
from orderflow.sim.candles import Candles
from orderflow.sim.happenings import Aggregate, CandleClosed, Fill, Happening, Lots, Millis, Ticks
from orderflow.sim.listings import Coin, Place
from orderflow.sim.path import Arrivals, Basis, Draws
from orderflow.sim.tape import Tape

LEVELS = 300  # a side, about
UPDATES_PER_TRADE = 6
MOST_EVENTS_PER_STEP = 200
_KEPT_LEVELS = 25  # takers never empty a side
_NEAR = 20  # ticks from the fair price where every tick is quoted


class Exchange:
    """A limit order book with its trades, candles and ids; the coin must be listed at the place."""

    def __init__(self, coin: Coin, place: Place, draws: Draws, now_ms: Millis) -> None:
        listing = place.listings[coin.symbol]
        self.listing = listing
        self._place = place
        self._draws = draws
        self._arrivals = Arrivals(draws)
        self.basis = Basis(place.mean_basis, draws)
        self._typical_lots = max(1.0, listing.lots(coin.trade_quote / coin.price, coin.price))
        self._fair = coin.price / listing.tick_size
        self._width = max(LEVELS, int(self._fair * 0.01))
        # Ids grow with the clock, so that a second run does not reuse the ids of the first.
        first_id = (now_ms - 1_700_000_000_000) * 20
        self.fills = Tape(first_id)
        self.aggregates = Tape(first_id // 2)
        self.candles = Candles(round(self._fair), now_ms)
        self.book = Book(now_ms * 100, (lambda: draws.uniform() < 0.3) if place.id_holes else None)
        self._open: list[Fill] = []  # the aggregate that may still grow
        self._batch = now_ms
        self._lay_out()
        self.book.cut(now_ms)

    @property
    def mid(self) -> float:
        """Half way between the best bid and ask, in quote."""
        return (self.book.best_bid + self.book.best_ask) / 2 * self.listing.tick_size

    def step(
        self, now_ms: Millis, seconds: float, trades: float, fair: float, momentum: float
    ) -> list[Happening]:
        """What happens until `now_ms` where `trades` a second are due and the fair price is `fair`."""
        out: list[Happening] = [CandleClosed(candle) for candle in self.candles.roll(now_ms)]
        self.basis.step(seconds)
        self._fair = fair * (1.0 + self.basis.value) / self.listing.tick_size
        events = self._arrivals.count(trades * seconds * (1 + UPDATES_PER_TRADE), MOST_EVENTS_PER_STEP)
        uniform = self._draws.uniform
        for _ in range(events):
            if uniform() * (1 + UPDATES_PER_TRADE) < 1.0:
                self._market_order(now_ms, momentum, out)
            else:
                self._make()
                self._cut(now_ms, out)
        if self._place.batch_ms is not None and now_ms // self._place.batch_ms != self._batch:
            self._batch = now_ms // self._place.batch_ms
            self._aggregate(out)
        return out

    def take(self, sells: bool, lots: Lots, ts: Millis, out: list[Happening]) -> list[Fill]:
        """Send a market order through the book and report its fills, best price first."""
        book = self.book
        side = book.bids if sells else book.asks
        fills: list[Fill] = []
        while lots > 0 and len(side) > _KEPT_LEVELS:
            price = book.best_bid if sells else book.best_ask
            resting = side[price]
            eaten = min(resting, lots)
            for part in self._split(eaten):
                fills.append(self._fill(price, part, sells, False, ts, out))
            if not fills[1:] and self._draws.uniform() < 0.04:
                hidden = max(1, int(self._typical_lots * self._draws.uniform()))
                fills.append(self._fill(price, hidden, sells, True, ts, out))
            book.put(sells, price, resting - eaten)
            lots -= eaten
        self._cut(ts, out)
        if self._place.batch_ms is None:
            self._aggregate(out)
        return fills

    def typical_order(self, times: float = 1.0) -> Lots:
        return max(1, int(self._typical_lots * times * math.exp(1.1 * self._draws.normal())))

    # ── Takers ────────────────────────────────────────────────────────────────────────────────

    def _market_order(self, ts: Millis, momentum: float, out: list[Happening]) -> None:
        """Takers lean towards the fair price when the book lags behind it, and towards the run."""
        book, draws = self.book, self._draws
        spread = max(1, book.best_ask - book.best_bid)
        lag = (self._fair - (book.best_bid + book.best_ask) / 2) / spread
        lean = math.tanh(lag) * 0.35 + math.tanh(momentum * 1000) * 0.1
        sells = draws.uniform() > 0.5 + lean
        self.take(sells, self.typical_order(1.0 + abs(momentum) * 500), ts, out)
        if self._place.odd_rows and draws.uniform() < 0.01:
            self._odd_row(ts, out)

    def _split(self, lots: Lots) -> tuple[int, ...]:
        """One level often holds two makers' orders."""
        if lots < 4 or self._draws.uniform() < 0.7:
            return (lots,)
        part = 1 + int(self._draws.uniform() * (lots - 2))
        return (part, lots - part)

    def _fill(
        self, price: Ticks, lots: Lots, sells: bool, hidden: bool, ts: Millis, out: list[Happening]
    ) -> Fill:
        fill = Fill(self.fills.next_id, price, lots, ts, sells, hidden)
        last = self._open[-1] if self._open else None
        if last is not None and (last.price != price or last.taker_sells != sells):
            self._aggregate(out)
        self.fills.add_fill(fill)
        self.candles.add(fill)
        self._open.append(fill)
        out.append(fill)
        return fill

    def _odd_row(self, ts: Millis, out: list[Happening]) -> None:
        self._aggregate(out)  # the fills of an aggregate are neighbours
        row = Fill(self.fills.next_id, 0, 0, ts, False, False)
        self.fills.add_fill(row)
        out.append(row)

    def _aggregate(self, out: list[Happening]) -> None:
        fills = self._open
        if not fills:
            return
        self._open = []
        first, last = fills[0], fills[-1]
        lots = sum(fill.lots for fill in fills)
        shown = sum(fill.lots for fill in fills if not fill.hidden)
        one = Aggregate(
            self.aggregates.next_id, first.price, lots, shown, first.id, last.id, last.ts, first.taker_sells
        )
        self.aggregates.add_aggregate(one)
        out.append(one)

    # ── Makers ────────────────────────────────────────────────────────────────────────────────

    def _make(self) -> None:
        """One maker places, resizes or cancels; orders on the wrong side of the fair price go first."""
        if self._withdraw():
            return
        draws, book = self._draws, self.book
        is_bid = draws.uniform() < 0.5
        side = book.bids if is_bid else book.asks
        if len(side) > LEVELS * 3 // 2:
            self._thin(is_bid)
            return
        away = (
            int(draws.exponential() * 5) if draws.uniform() < 0.6 else int(self._width * draws.uniform() ** 3)
        )
        tick = self._tick(is_bid, away)
        if tick <= 0 or (tick >= book.best_ask if is_bid else tick <= book.best_bid):
            return
        if tick in side and len(side) > LEVELS // 2 and draws.uniform() < 0.35:
            book.put(is_bid, tick, 0)
        else:
            book.put(is_bid, tick, self._resting(away))

    def _withdraw(self) -> bool:
        """Cancel what the fair price has overtaken, at most 40 levels at once."""
        book, stale = self.book, 0
        bid, ask = self._anchor(True), self._anchor(False)
        while book.best_bid > bid and len(book.bids) > _KEPT_LEVELS and stale < 40:
            book.put(True, book.best_bid, 0)
            stale += 1
        while book.best_ask < ask and len(book.asks) > _KEPT_LEVELS and stale < 40:
            book.put(False, book.best_ask, 0)
            stale += 1
        if stale:
            for is_bid, tick in ((True, bid), (False, ask)):
                side = book.bids if is_bid else book.asks
                crosses = tick >= book.best_ask if is_bid else tick <= book.best_bid
                if tick > 0 and tick not in side and not crosses:
                    book.put(is_bid, tick, self._resting(0))
        return stale > 0

    def _thin(self, is_bid: bool) -> None:
        """Drop every other far level, so that the book keeps its range and not its weight."""
        side = self.book.bids if is_bid else self.book.asks
        ticks = sorted(side, reverse=is_bid)
        for tick in ticks[60::2]:
            self.book.put(is_bid, tick, 0)

    def _anchor(self, is_bid: bool) -> Ticks:
        """Where the best quote belongs."""
        half = max(0.5, self._fair * 0.000005)
        return math.floor(self._fair - half + 0.5) if is_bid else math.ceil(self._fair + half - 0.5)

    def _tick(self, is_bid: bool, away: int) -> Ticks:
        """A price `away` ticks from the touch; far from it only round prices are quoted."""
        anchor = self._anchor(is_bid)
        tick = anchor - away if is_bid else anchor + away
        if away <= _NEAR:
            return tick
        spacing = 1.0 + 3.0 * (self._width / LEVELS - 1.0) * (away / self._width) ** (2 / 3)
        gap = 1 << (int(spacing).bit_length() - 1)
        return tick - tick % gap if is_bid else tick + -tick % gap

    def _resting(self, away: int) -> Lots:
        deeper = 1.0 + 4.0 * min(1.0, away / self._width)
        return max(1, int(self._typical_lots * 4 * deeper * math.exp(0.8 * self._draws.normal())))

    def _lay_out(self) -> None:
        """The first book: every tick near the touch, then ever rounder prices."""
        for is_bid in (True, False):
            for step in range(LEVELS):
                away = step + int((self._width - LEVELS) * (step / LEVELS) ** 3)
                tick = self._tick(is_bid, away)
                side = self.book.bids if is_bid else self.book.asks
                crosses = (
                    self.book.best_ask and tick >= self.book.best_ask
                    if is_bid
                    else tick <= self.book.best_bid
                )
                if tick > 0 and tick not in side and not crosses:
                    self.book.put(is_bid, tick, self._resting(away))

    def _cut(self, ts: Millis, out: list[Happening]) -> None:
        cut = self.book.cut(ts)
        if cut is None:
            return
        changed, best = cut
        out.append(changed)
        if best is not None:
            out.append(best)
