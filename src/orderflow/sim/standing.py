"""Standing: what venues publish beside the market: how accounts divide, what funds hold, how volatile it was.

Nobody trades on these numbers, so they are drawn from the seed by what they are of: the same for who asks
twice, and known to whoever compares an answer with the truth.
"""

from orderflow.sim.happenings import Millis
from orderflow.sim.path import draw_columns

_DAY_MS = 86_400_000


def share(seed: int, *of: str, ts: Millis, least: float = 0.35, most: float = 0.68) -> float:
    """Return a fraction that belongs to names and an instant: the long share of a venue's accounts, say.

    Four decimals, as venues write them.
    """
    return round(least + (most - least) * float(draw_columns(seed, *of, str(ts)).random()), 4)


def balance(seed: int, *of: str, ts: Millis, about: float = 1e8) -> float:
    """Return what a fund holds on the day of an instant, within a tenth of `about`; two decimals."""
    return round(about * (0.9 + 0.2 * float(draw_columns(seed, *of, str(ts // _DAY_MS)).random())), 2)


def volatility(seed: int, *of: str, ts: Millis) -> float:
    """Return a volatility, a fraction a year between 0.3 and 0.8, that belongs to names and an instant."""
    return share(seed, "volatility", *of, ts=ts, least=0.3, most=0.8)


def periods(now_ms: Millis, width_ms: Millis, count: int) -> list[Millis]:
    """Return when the last `count` whole periods began, the oldest first.

    >>> periods(10_500, 1_000, 3)
    [7000, 8000, 9000]
    """
    last = now_ms - now_ms % width_ms
    return [last - back * width_ms for back in range(count, 0, -1)]
