"""Deribit options as they speak on their sockets: chains, their trades and DVOL; the form stands last.

A coin's chain follows the price that all venues follow. Its trades are few and single.
"""

import random
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from orderflow.sim import deribit, deribit_options_rest
from orderflow.sim import deribit_options_wire as wire
from orderflow.sim.deribit import said
from orderflow.sim.deribit_chain import AMOUNT_STEP, listed, quoted
from orderflow.sim.gathering import Every
from orderflow.sim.happenings import Happening, Millis
from orderflow.sim.listings import COINS, Listing, Place
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form, Frame, Opening, Streams

_ENDINGS = {"100ms": 100, "agg2": 1000}
_TRADE_EVERY_MS = 2000  # on average, and coin
_KEPT_TRADES = 2000
_OLDEST_MS = 60_000  # a trade on which nobody had waited for so long is made no more


def route_of(stream: str, markets: Mapping[str, Market]) -> str | None:
    """Any name that could be an option's: which of them trade depends on the day."""
    kind, _, rest = stream.partition(".")
    for symbol in markets:
        base, index = COINS[symbol].base, wire.index_name(symbol)
        if stream in (
            f"trades.option.{base}.100ms",
            f"markprice.options.{index}",
            f"deribit_volatility_index.{index}",
        ):
            return "public"
        name, _, ending = rest.rpartition(".")
        if kind == "ticker" and ending in _ENDINGS and name.startswith(f"{base}-") and name.count("-") == 3:
            return "public"
    return None


class Chain(Streams):
    """One coin's options. Their trades are drawn whether somebody listens or not."""

    def __init__(self, market: Market) -> None:
        self.market, self.symbol = market, market.symbol
        self.trades: deque[dict[str, Any]] = deque(maxlen=_KEPT_TRADES)
        self.volumes: defaultdict[str, float] = defaultdict(float)
        self._draws = random.Random(f"{market.seed} {market.symbol} options")
        self._sequences: Counter[str] = Counter()
        self._next_ms: Millis | None = None
        self._every = {ending: Every(ms) for ending, ms in _ENDINGS.items()}
        self._wide = Every(1000)
        base, index = COINS[self.symbol].base, wire.index_name(self.symbol)
        self._trades_stream = f"trades.option.{base}.100ms"
        self._marks_stream = f"markprice.options.{index}"
        self._volatility_stream = f"deribit_volatility_index.{index}"

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out = self._trade(now_ms, wanted)
        for ending, every in self._every.items():
            if every.due(now_ms):
                for one in listed(self.symbol, now_ms):
                    if (stream := f"ticker.{one.name}.{ending}") in wanted:
                        out.append(self._ticker(stream, now_ms))
        if self._wide.due(now_ms):
            out += self._surface(now_ms, wanted)
        return out

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        if stream == self._volatility_stream:
            return Opening([self._volatility(now_ms)])
        name = stream.removeprefix("ticker.").rpartition(".")[0]
        if stream.startswith("ticker.") and any(one.name == name for one in listed(self.symbol, now_ms)):
            return Opening([self._ticker(stream, now_ms)])
        return NO_OPENING

    def _ticker(self, stream: str, now_ms: Millis) -> Frame:
        name = stream.removeprefix("ticker.").rpartition(".")[0]
        one = next(one for one in listed(self.symbol, now_ms) if one.name == name)
        data = wire.ticker(one, self.market, self.volumes[name], now_ms)
        return Frame(stream, said(stream, data), told=((self.symbol, "options", 1),))

    def _surface(self, now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        out: list[Frame] = []
        if self._marks_stream in wanted:
            rows = [wire.mark(one, self.market, now_ms) for one in listed(self.symbol, now_ms)]
            told = ((self.symbol, "options", len(rows)),)
            out.append(Frame(self._marks_stream, said(self._marks_stream, rows), told=told))
        if self._volatility_stream in wanted:
            out.append(self._volatility(now_ms))
        return out

    def _volatility(self, now_ms: Millis) -> Frame:
        stream = self._volatility_stream
        told = ((self.symbol, "volatility_index", 1),)
        return Frame(stream, said(stream, wire.volatility(self.symbol, now_ms)), told=told)

    def _trade(self, now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        """Make the trades that are due since the last step."""
        if self._next_ms is None or now_ms - self._next_ms > _OLDEST_MS:
            self._next_ms = now_ms
        rows: list[dict[str, Any]] = []
        while self._next_ms <= now_ms:
            rows.append(self._made(self._next_ms))
            self._next_ms += 1 + round(self._draws.expovariate(1 / _TRADE_EVERY_MS))
        self.trades.extend(rows)
        if not rows or self._trades_stream not in wanted:
            return []
        told = ((self.symbol, "trades", len(rows)),)
        return [Frame(self._trades_stream, said(self._trades_stream, rows), told=told)]

    def _made(self, ts: Millis) -> dict[str, Any]:
        one = self._draws.choice(listed(self.symbol, ts))
        found = quoted(one, self.symbol, self.market.price, ts)
        sells = self._draws.random() < 0.5 and found.bid > 0
        amount = round(AMOUNT_STEP[one.base] * self._draws.randint(1, 30), 1)
        self._sequences[one.name] += 1
        self.volumes[one.name] += amount
        iv = found.bid_iv if sells else found.ask_iv
        number = ts * 10 + len(self.trades) % 10
        return {
            "timestamp": ts,
            "price": found.bid if sells else found.ask,
            "amount": amount,
            "direction": "sell" if sells else "buy",
            "index_price": round(self.market.price, 2),
            "instrument_name": one.name,
            "trade_seq": self._sequences[one.name],
            "mark_price": round(found.mark, 6),
            "iv": round(iv * 100, 2),
            "tick_direction": 2 if sells else 0,
            "contracts": amount,
            "trade_id": str(number) if one.base == "BTC" else f"{one.base}-{number}",
        }


class Chains(Streams):
    """The chains of all coins; REST reads their trades here."""

    def __init__(self, venue: str, markets: Mapping[str, Market]) -> None:
        self.chains = {symbol: Chain(market) for symbol, market in markets.items()}

    def frames(self, happenings: Sequence[Happening], now_ms: Millis, wanted: Collection[str]) -> list[Frame]:
        return [frame for one in self.chains.values() for frame in one.frames((), now_ms, wanted)]

    def opening(self, stream: str, now_ms: Millis) -> Opening:
        found = (one.opening(stream, now_ms) for one in self.chains.values())
        return next((one for one in found if one is not NO_OPENING), NO_OPENING)


def _nothing(venue: str, market: Market) -> Streams:
    return Streams()


# ── The form ──────────────────────────────────────────────────────────────────────────────────

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.0001", "0.1", 4, 1, native="BTC"),
        Listing("ETHUSDT", "0.0001", "1", 4, 0, native="ETH"),
    )
}

DERIBIT_OPTIONS = Form(
    name="deribit_options",
    place=Place(kind="options", listings=LISTINGS),
    limits=deribit.LIMITS,
    routes={"public": "/ws/api/v2"},
    route_of=route_of,
    control=deribit.control,
    tick=deribit.tick,
    streams=_nothing,
    market_wide=Chains,
    endpoints=deribit_options_rest.ENDPOINTS,
    refusal=deribit.refusal,
    wrong_shape=b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":7,"data":{"what":[]}}}',
    always=True,
)
