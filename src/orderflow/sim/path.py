"""Path: the seeded price that all venues of a coin share, its bursts, and each venue's own basis."""

import math
from collections.abc import Callable, Iterator
from zlib import crc32

import numpy as np

_BLOCK = 4096
_YEAR_S = 365.25 * 86_400

BURST_EVERY_S = 90.0
BURST_FADES_S = 8.0
MOMENTUM_FADES_S = 10.0
DISLOCATED_EVERY_S = 180.0
DISLOCATION_FADES_S = 15.0


def draw_columns(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that belongs to a seed and names, for many numbers at once."""
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


class Draws:
    """Random numbers from one seed, drawn in blocks because single draws from numpy are slow."""

    def __init__(self, seed: int, *names: str) -> None:
        rng = draw_columns(seed, *names)
        self.uniform: Callable[[], float] = _endless(rng.random).__next__
        self.normal: Callable[[], float] = _endless(rng.standard_normal).__next__
        self.exponential: Callable[[], float] = _endless(rng.standard_exponential).__next__


def _endless(draw: Callable[[int], np.ndarray]) -> Iterator[float]:
    while True:
        yield from draw(_BLOCK).tolist()


class Arrivals:
    """How many events of a Poisson process fall into each stretch of time."""

    def __init__(self, draws: Draws) -> None:
        self._draw = draws.exponential
        self._wait = self._draw()

    def count(self, expected: float, most: int) -> int:
        """The number of events where `expected` are due on average; above `most` the rest are forgotten."""
        self._wait -= expected
        found = 0
        while self._wait <= 0.0:
            found += 1
            self._wait += self._draw()
            if found == most:
                self._wait = max(self._wait, 0.0)
                break
        return found


class Path:
    """A fair price in quote: quiet diffusion, interrupted by bursts that run one way and then fade."""

    def __init__(self, price: float, yearly_vol: float, draws: Draws) -> None:
        self._draws = draws
        self._start = self._log = math.log(price)
        self._vol = yearly_vol / math.sqrt(_YEAR_S)  # of one second
        self._burst = 0.0
        self._way = 1.0
        self.price = price
        self.momentum = 0.0  # the last seconds' log return, fading

    @property
    def heat(self) -> float:
        """How many times busier than in quiet the market is, at least 1."""
        return 1.0 + 0.5 * self._burst

    def step(self, seconds: float) -> None:
        draws = self._draws
        if draws.uniform() < seconds / BURST_EVERY_S:
            self._burst = 4.0 + 6.0 * draws.uniform()
            self._way = 1.0 if draws.uniform() < 0.5 else -1.0
        self._burst *= math.exp(-seconds / BURST_FADES_S)
        vol = self._vol * (1.0 + 0.3 * self._burst)
        move = vol * math.sqrt(seconds) * draws.normal()
        move += self._way * self._vol * self._burst * 0.5 * seconds
        move -= 0.0005 * (self._log - self._start) * seconds  # a long run stays within reason
        self._log += move
        self.momentum = self.momentum * math.exp(-seconds / MOMENTUM_FADES_S) + move
        self.price = math.exp(self._log)


class Basis:
    """How far one venue trades from the shared path, as a fraction; now and then worth an arbitrage."""

    def __init__(self, mean: float, draws: Draws) -> None:
        self._draws = draws
        self._mean = mean
        self._noise = 0.0
        self._jump = 0.0

    @property
    def value(self) -> float:
        return self._mean + self._noise + self._jump

    def step(self, seconds: float) -> None:
        draws = self._draws
        if draws.uniform() < seconds / DISLOCATED_EVERY_S:
            size = 0.0025 + 0.0045 * draws.uniform()  # 25 to 70 bps: more than two taker fees
            self._jump = size if draws.uniform() < 0.5 else -size
        self._jump *= math.exp(-seconds / DISLOCATION_FADES_S)
        self._noise += -0.2 * self._noise * seconds + 0.00006 * math.sqrt(seconds) * draws.normal()
