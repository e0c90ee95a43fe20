"""The surface: implied volatility of a coin by expiry and delta or moneyness, its skew and its course in time."""

from typing import Any

from orderflow.flow.black76 import DAYS_A_YEAR
from orderflow.flow.options import Smile, at_moneyness, forward_volatilities, smiles
from orderflow.market.events import MS
from orderflow.tools.answers import TIME, Answer, Row, Table
from orderflow.tools.asking import meta_of
from orderflow.tools.options import FAMILY, Priced, chains, coin_of, priced, remarks_of
from orderflow.tools.spec import AnyVenueId, Ask, tool

_PCT = "% a year"
_POINTS = "points of % a year"
_COLUMNS = {
    "venue": "", "expiry": TIME, "days": "days", "underlying": "quote", "atm_pct": _PCT, "call_25_pct": _PCT,
    "put_25_pct": _PCT, "risk_reversal_25": _POINTS, "butterfly_25": _POINTS, "call_10_pct": _PCT, "put_10_pct": _PCT,
    "risk_reversal_10": _POINTS, "butterfly_10": _POINTS, "forward_pct": _PCT, "options": "count", "age_ms": "ms",
    "source": "",
}  # fmt: skip
_MONEYNESS = (0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3)
_BY_MONEYNESS = {"venue": "", "expiry": TIME, **{f"at_{round(one * 100)}": _PCT for one in _MONEYNESS}}
_PERCENT = 100
HOW = (
    "volatilities are read at the mark, between neighbouring options, never beyond the outermost: ATM at the"
    " forward in ln(strike / forward), 25 and 10 delta in Black-76 delta on the forward;"
    " risk reversal = call - put, butterfly = (call + put) / 2 - ATM;"
    " forward_pct is of the stretch to the next expiry"
)


@tool(
    family=FAMILY,
    title="Volatility surface",
    columns=_COLUMNS,
    example={"coin": "BTC"},
    limit=60,
    core=False,
    open_world=True,
    asks_store=True,
)
def options_surface(ask: Ask, coin: str = "BTC", venues: list[AnyVenueId] | None = None) -> Answer:
    """Implied volatility by expiry: at the money, at 25 and 10 delta, risk reversal and butterfly, the term
    structure with forward volatilities; and by strike over forward.

    Use it for the price of protection: a negative risk reversal says puts are dearer than calls.

    Args:
        coin: the underlying, as BTC
        venues: all with options when left out
    """
    wanted = coin_of(coin)
    found = chains(ask, wanted, venues)
    known = [priced(one, ask.now) for one in found.heard]
    meta = meta_of(ask, found, _COLUMNS | _BY_MONEYNESS, wanted)
    meta.warnings += [HOW, *remarks_of(known)]
    of_venues = [(one, smiles(one.chain, ask.now)) for one in known]
    return Answer(
        meta=meta,
        columns=list(_COLUMNS),
        rows=[row for one, curves in of_venues for row in _rows(one, curves)],
        summary={one.heard.venue: _course(curves) for one, curves in of_venues},
        more={
            "moneyness": Table(
                columns=list(_BY_MONEYNESS), rows=[row for one in known for row in _by_moneyness(one, ask)]
            )
        },
    )


def _rows(known: Priced, curves: list[Smile]) -> list[Row]:
    between = [*forward_volatilities([one.years for one in curves], [one.atm for one in curves]), None]
    heard = known.heard
    return [
        [
            heard.venue, one.expiry // MS, one.years * DAYS_A_YEAR, one.forward,
            *(_percent(value) for value in (
                one.atm, one.call_25, one.put_25, one.risk_reversal_25, one.butterfly_25,
                one.call_10, one.put_10, one.risk_reversal_10, one.butterfly_10, after,
            )),
            one.options, heard.age_ms, heard.source,
        ]
        for one, after in zip(curves, between, strict=True)
    ]  # fmt: skip


def _by_moneyness(known: Priced, ask: Ask) -> list[Row]:
    return [
        [known.heard.venue, expiry // MS, *(_percent(one) for one in read)]
        for expiry, read in at_moneyness(known.chain, ask.now, _MONEYNESS).items()
    ]


def _course(curves: list[Smile]) -> dict[str, Any]:
    """Return the ends of the term structure: its nearest and its farthest volatility at the money."""
    read = [one for one in curves if one.atm is not None]
    if not read:
        return {"near_pct": None, "far_pct": None, "slope": None}
    near, far = read[0].atm, read[-1].atm
    assert near is not None and far is not None  # noqa: S101 - those without were left out
    return {
        "near_pct": _percent(near),
        "far_pct": _percent(far),
        "slope": "flat" if near == far else "rising" if far > near else "falling",
    }


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else fraction * _PERCENT
