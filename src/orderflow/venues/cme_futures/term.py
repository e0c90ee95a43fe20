"""Basis and roll of dated futures: pure arithmetic over prices, volumes and the calendar."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

import msgspec

from orderflow.market.events import DAY, MINUTE, SECOND, Nanos
from orderflow.venues.cme_futures.contracts import Future, business_days

_YEAR_DAYS = 365
_LEAST_DAYS = 3.0  # nearer to the expiry a year's rate is noise
_PATIENCE: Nanos = 20 * MINUTE

# ── Basis ─────────────────────────────────────────────────────────────────────────────────────


class Basis(msgspec.Struct, frozen=True):
    """A future over the spot price of the same instant; `annualised` is a fraction a year.

    What is not known is None, and `why` says so.
    """

    asof: Nanos
    future: float
    spot: float | None
    amount: float | None
    annualised: float | None
    days: float
    why: str = ""


def basis(
    contract: Future,
    price: float,
    heard: Nanos,
    spots: Sequence[tuple[Nanos, float]],
    *,
    delay_s: float = 0.0,
) -> Basis:
    """Compare a price of a future, heard so much too late, with the spot price of when it was made.

    `spots` are (time, price), oldest first. A spot price counts for twenty minutes at most.
    """
    asof = heard - round(delay_s * SECOND)
    days = contract.days_left(asof)
    place = bisect_right(spots, asof, key=lambda one: one[0])
    if not place or asof - spots[place - 1][0] > _PATIENCE:
        return Basis(asof, price, None, None, None, days, "no spot price of that time")
    spot = spots[place - 1][1]
    if days < _LEAST_DAYS:
        why = "it has expired" if days <= 0 else f"it expires in less than {_LEAST_DAYS:g} days"
        return Basis(asof, price, spot, price - spot, None, days, why)
    return Basis(asof, price, spot, price - spot, (price / spot - 1) * _YEAR_DAYS / days, days)


def slope(near: tuple[Future, float], far: tuple[Future, float]) -> float:
    """Return by which fraction a year the price rises from one contract to a later one."""
    days = (far[0].expires - near[0].expires) / DAY
    return (far[1] / near[1] - 1) * _YEAR_DAYS / days


# ── Roll ──────────────────────────────────────────────────────────────────────────────────────


class Traded(msgspec.Struct, frozen=True):
    """What two neighbouring months did on one trade date; None where that is not known."""

    trade_date: date
    front_volume: float | None = None
    second_volume: float | None = None
    front_interest: float | None = None
    second_interest: float | None = None


class Roll(msgspec.Struct, frozen=True):
    """Which signs of a roll are there; None where there was nothing to tell it by."""

    calendar: bool
    volume: bool | None
    open_interest: bool | None

    @property
    def fired(self) -> tuple[str, ...]:
        signs = {"calendar": self.calendar, "volume": self.volume, "open_interest": self.open_interest}
        return tuple(name for name, fires in signs.items() if fires)


def roll(
    contract: Future,
    days: Sequence[Traded],
    today: date,
    *,
    business_days_before: int = 5,
    days_in_a_row: int = 2,
) -> Roll:
    """Tell whether trading moves from a contract to the next: never by a jump of prices.

    `days` are trade dates, oldest first. Of volume the last days in a row count, of open interest the
    last that is known.
    """
    left = business_days(today, contract.last_trade)
    volumes = [
        (one.front_volume, one.second_volume)
        for one in days
        if one.front_volume is not None and one.second_volume is not None
    ][-days_in_a_row:]
    interests = [
        (one.front_interest, one.second_interest)
        for one in days
        if one.front_interest is not None and one.second_interest is not None
    ]
    return Roll(
        calendar=left <= business_days_before,
        volume=all(near < far for near, far in volumes) if len(volumes) == days_in_a_row else None,
        open_interest=interests[-1][0] < interests[-1][1] if interests else None,
    )
