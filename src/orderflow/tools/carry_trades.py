"""Carry trades: long here and short there until an exit, with all that it costs and what funding pays."""

from itertools import permutations
from typing import Annotated, Any

import msgspec
from msgspec import Meta as Range

from orderflow.flow.filling import Filled, settlements, slippage_bps, walk
from orderflow.market.events import HOUR, SECOND, Funding, Nanos
from orderflow.store.bar import bar
from orderflow.store.payments import HOURS_A_YEAR
from orderflow.tools.answers import Answer, Row
from orderflow.tools.board import Place, boards, meta, pair_kind
from orderflow.tools.crossing import BPS
from orderflow.tools.newest import FRESH, newest
from orderflow.tools.prices import FAMILY, NOT_TRADED, units
from orderflow.tools.spec import Ask, VenueId, tool

_COLUMNS = {
    "long_venue": "", "short_venue": "", "pair_kind": "", "size": "base", "value": "quote", "funding_bps": "bps",
    "basis_bps": "bps", "fees_bps": "bps", "slippage_bps": "bps", "net_bps": "bps", "net_profit": "quote",
    "net_annual_pct": "% a year", "long_settlements": "count", "short_settlements": "count", "most_value": "quote",
    "enough_depth": "", "age_ms": "ms",
}  # fmt: skip
_SIDES = 2  # what is opened is closed: fees and slippage are paid twice


class _Leg(msgspec.Struct, frozen=True):
    """One side of a pair: where, what it costs to fill, and what its funding pays a long until the exit."""

    place: Place
    filled: Filled
    touch: float
    fee_bps: float
    funding_bps: float | None  # what a long pays; None where its rate or interval is not known
    payments: int

    @property
    def slippage_bps(self) -> float:
        return slippage_bps(self.touch, self.filled.average)


@tool(
    family=FAMILY,
    title="Carry until an exit",
    columns=_COLUMNS,
    example={"symbol": "BTCUSDT", "value": 10_000, "hold": "1d"},
    limit=20,
)
def xv_carry(
    ask: Ask,
    symbol: str,
    value: Annotated[float, Range(gt=0, le=1e9)] = 10_000.0,
    hold: str = "1d",
    venues: list[VenueId] | None = None,
    max_age_ms: Annotated[int, Range(ge=1, le=3_600_000)] = 10_000,
) -> Answer:
    """Long on one venue and short on another for a while, spot-perp and perp-perp: funding until the exit less
    fees and slippage of both legs in and out, best first, with the value that the books bear.

    Use it to see if carry pays at a size. Funding is taken at the rate announced now; prices may converge or not,
    so the basis is told and not counted.

    Args:
        symbol: unified symbol as in BTCUSDT
        value: of each leg, in quote units
        hold: until the exit, as 8h, 1d, 7d
        venues: all when left out
        max_age_ms: older books are left out and named
    """
    (board,) = boards(ask, symbol, venues, max_age_ms)
    length = bar(hold).length
    rates = newest(ask, ask.latest.fundings(board.symbol), board.symbol, most=FRESH)
    rows: list[Row] = []
    unknown: dict[str, str] = {}
    for long, short in permutations([one for one in board.places if one.market not in NOT_TRADED], 2):
        if short.market == "spot":
            continue  # what one does not own is not sold there
        legs = _leg(ask, long, value, length, rates, True), _leg(ask, short, value, length, rates, False)
        for leg, place in zip(legs, (long, short), strict=True):
            if isinstance(leg, str):
                unknown[place.venue] = leg
        if not isinstance(legs[0], str) and not isinstance(legs[1], str):
            rows.append(_row(legs[0], legs[1], length))
    rows.sort(key=lambda row: -row[9])
    answer = Answer(
        meta=meta(ask, [board], units(_COLUMNS), venues),
        columns=list(_COLUMNS),
        rows=rows,
        summary={"verdict": _verdict(rows, hold), "value": value, "hold": hold},
    )
    answer.meta.venues.missing |= unknown
    return answer


def _leg(
    ask: Ask,
    place: Place,
    value: float,
    length: Nanos,
    rates: dict[tuple[str, str], Funding],
    buys: bool,
) -> _Leg | str:
    """Return a leg, or why there is none."""
    levels, touch = (place.asks, place.ask) if buys else (place.bids, place.bid)
    fee = ask.context.fees.get(place.venue)
    if not levels or not touch:
        return "a side of its book is empty"
    if fee is None:
        return "its taker fee is not declared"
    filled = walk(levels, value)
    if place.market == "spot":
        return _Leg(place, filled, touch, fee, 0.0, 0)
    rate = rates.get((place.symbol, place.venue))
    if rate is None or not rate.interval_hours or rate.next_ts is None:
        return "its funding rate, interval or next settlement is not known now"
    every = round(rate.interval_hours * HOUR / SECOND)
    paid = settlements(ask.now // SECOND, (ask.now + length) // SECOND, rate.next_ts // SECOND, every)
    return _Leg(place, filled, touch, fee, rate.rate * paid * BPS, paid)


def _row(long: _Leg, short: _Leg, length: Nanos) -> Row:
    """Return what a pair gives, in bps of one leg's value: a long pays its funding, a short is paid."""
    funding = (short.funding_bps or 0.0) - (long.funding_bps or 0.0)
    fees = _SIDES * (long.fee_bps + short.fee_bps)
    slips = _SIDES * (long.slippage_bps + short.slippage_bps)
    net = funding - fees - slips
    size = min(long.filled.size, short.filled.size)
    value = size * long.filled.average
    return [
        long.place.venue, short.place.venue, pair_kind(long.place, short.place), size, value, funding,
        (short.touch / long.touch - 1) * BPS, fees, slips, net, net / BPS * value,
        net / 100 * HOURS_A_YEAR / (length / HOUR), long.payments, short.payments,
        min(_bears(long.place.asks), _bears(short.place.bids)),
        not (long.filled.exhausted or short.filled.exhausted), max(long.place.book_age_ms, short.place.book_age_ms),
    ]  # fmt: skip


def _bears(levels: list[tuple[float, float]]) -> float:
    """Return what the levels that we see are worth together."""
    return sum(price * size for price, size in levels)


def _verdict(rows: list[Row], hold: str) -> str:
    if not rows:
        return "nothing to compare: fewer than two venues with books, fees and funding known"
    best: dict[str, Any] = dict(zip(_COLUMNS, rows[0], strict=True))
    where = f"long {best['long_venue']}, short {best['short_venue']}"
    if best["net_bps"] <= 0:
        return f"none pays in {hold}: the best lacks {-best['net_bps']:.2f} bps ({where})"
    limit = "" if best["enough_depth"] else f", though the books bear {best['most_value']:.8g} alone"
    return f"best: {best['net_bps']:.2f} bps net in {hold} ({where}){limit}"
