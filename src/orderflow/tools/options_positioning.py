"""Positioning: what is open in options of a coin: calls and puts, dealers' gamma by strike, max pain; in sums too."""

from typing import Any

import numpy as np

from orderflow.flow.options import Chain
from orderflow.flow.positioning import (
    REACH,
    Dealers,
    by_strike,
    gamma_exposure,
    max_pain,
    put_call_ratio,
    zero_gamma,
)
from orderflow.market.columns import Column
from orderflow.market.events import MS
from orderflow.tools.answers import TIME, Answer, Row, Table
from orderflow.tools.asking import meta_of
from orderflow.tools.options import FAMILY, Priced, chains, coin_of, priced, remarks_of
from orderflow.tools.spec import AnyVenueId, Ask, tool

_GAMMA = "quote per 1 % move"
_STRIKES = {
    "venue": "", "strike": "quote", "calls": "base", "puts": "base", "gamma_exposure": _GAMMA, "away_pct": "%",
}  # fmt: skip
_EXPIRIES = {
    "venue": "", "expiry": TIME, "calls": "base", "puts": "base", "put_call_ratio": "puts / calls",
    "put_call_volume": "puts / calls", "max_pain": "quote", "max_pain_payout": "quote", "gamma_exposure": _GAMMA,
}  # fmt: skip
_ASSUMED = {
    "long_calls": "dealers are taken to be long calls and short puts: calls count +, puts -",
    "long_puts": "dealers are taken to be long puts and short calls: puts count +, calls -",
    "long_all": "dealers are taken to be long all options: all count +",
    "short_all": "dealers are taken to be short all options: all count -",
}
HOW = (
    "gamma exposure = gamma x open interest x underlying² x 1 %, gamma by Black-76 at the mark volatility; whose"
    " positions these are nobody publishes"
)
_LEVEL = (
    "zero_gamma is where the sum would be nil if the price moved at once and each option kept its volatility;"
    f" null where that is not within {REACH:.0%}"
)
_PAIN = (
    "max pain is the strike with the least Σ calls x max(P - K, 0) + Σ puts x max(K - P, 0), of one expiry:"
    " arithmetic, no forecast"
)


@tool(
    family=FAMILY,
    title="Positioning in options",
    columns=_STRIKES | _EXPIRIES,
    example={"coin": "BTC"},
    limit=40,
    core=False,
    open_world=True,
    asks_store=True,
)
def options_positioning(
    ask: Ask,
    coin: str = "BTC",
    venues: list[AnyVenueId] | None = None,
    expiry: str | None = None,
    dealers: Dealers = "long_calls",
) -> Answer:
    """Open interest by strike, put/call ratios, dealers' gamma by strike and its zero level, and max pain by
    expiry.

    Use it for strikes that may hold or drive the price. Whose positions they are is an assumption that can be
    changed.

    Args:
        coin: the underlying, as BTC
        venues: all with options when left out
        expiry: a day as 2026-12-25; all together when left out
        dealers: which options dealers are taken to hold
    """
    wanted = coin_of(coin)
    found = chains(ask, wanted, venues, expiry)
    known = [priced(one, ask.now) for one in found.heard]
    meta = meta_of(ask, found, _STRIKES | _EXPIRIES, wanted)
    meta.warnings += [_ASSUMED[dealers], HOW, _LEVEL, _PAIN, *remarks_of(known)]
    rows: list[Row] = []
    expiries: list[Row] = []
    summary: dict[str, Any] = {}
    for one in known:
        exposure = gamma_exposure(one.chain, ask.now, dealers)
        rows += _strikes(one, exposure)
        expiries += _expiries(one, exposure)
        summary[one.heard.venue] = _together(ask, one, exposure, dealers)
    rows.sort(key=lambda row: -(row[2] + row[3]))
    more = {"expiries": Table(columns=list(_EXPIRIES), rows=expiries)}
    return Answer(meta=meta, columns=list(_STRIKES), rows=rows, summary=summary, more=more)


_SUMMARY = {
    "venue": "", "options": "count", "calls": "base", "puts": "base", "put_call_ratio": "puts / calls",
    "call_volume": "base in 24 h", "put_volume": "base in 24 h", "put_call_volume": "puts / calls", "value": "quote",
    "underlying": "quote", "expiries": "count", "age_ms": "ms", "source": "",
}  # fmt: skip


@tool(
    family=FAMILY,
    title="Options in sums",
    columns=_SUMMARY,
    example={"coin": "BTC"},
    core=False,
    open_world=True,
    asks_store=True,
)
def options_summary(ask: Ask, coin: str = "BTC", venues: list[AnyVenueId] | None = None) -> Answer:
    """What is open and was traded in options of a coin on each venue: calls, puts, their ratios, the value.

    Use it for the whole of a chain in one row; options_positioning has strikes and expiries.

    Args:
        coin: the underlying, as BTC
        venues: all with options when left out
    """
    wanted = coin_of(coin)
    found = chains(ask, wanted, venues)
    known = [priced(one, ask.now) for one in found.heard]
    meta = meta_of(ask, found, _SUMMARY, wanted)
    meta.warnings += [
        "value is open interest at the underlying of its expiry; underlying is that of the nearest expiry",
        *remarks_of(known),
    ]
    return Answer(meta=meta, columns=list(_SUMMARY), rows=[_sums(one) for one in known])


def _sums(known: Priced) -> Row:
    chain, heard = known.chain, known.heard
    calls, puts = _sides(chain, chain.open_interest)
    bought, sold = _sides(chain, chain.volume)
    return [
        heard.venue, len(known.options), calls, puts, put_call_ratio(chain.open_interest, chain), bought, sold,
        put_call_ratio(chain.volume, chain), _sum(chain.open_interest * chain.forward), _underlying(chain),
        len(np.unique(chain.expiry)), heard.age_ms, heard.source,
    ]  # fmt: skip


def _together(ask: Ask, known: Priced, exposure: Column, dealers: Dealers) -> dict[str, Any]:
    chain, underlying = known.chain, _underlying(known.chain)
    calls, puts = _sides(chain, chain.open_interest)
    return {
        "underlying": underlying,
        "calls": calls,
        "puts": puts,
        "put_call_ratio": put_call_ratio(chain.open_interest, chain),
        "put_call_volume": put_call_ratio(chain.volume, chain),
        "gamma_exposure": _sum(exposure),
        "zero_gamma": None if underlying is None else zero_gamma(chain, ask.now, underlying, dealers),
        "age_ms": known.heard.age_ms,
        "source": known.heard.source,
    }


def _strikes(known: Priced, exposure: Column) -> list[Row]:
    underlying = _underlying(known.chain)
    found = by_strike(known.chain, exposure)
    return [
        [
            known.heard.venue,
            strike,
            calls,
            puts,
            gamma,
            (strike / underlying - 1) * 100 if underlying else None,
        ]
        for strike, calls, puts, gamma in zip(
            found.strike.tolist(),
            found.calls.tolist(),
            found.puts.tolist(),
            found.gamma.tolist(),
            strict=True,
        )
    ]


def _expiries(known: Priced, exposure: Column) -> list[Row]:
    rows: list[Row] = []
    for expiry in np.unique(known.chain.expiry):
        chosen = known.chain.expiry == expiry
        chain = known.chain.rows(chosen)
        pain = max_pain(chain)
        rows.append(
            [
                known.heard.venue, int(expiry) // MS, *_sides(chain, chain.open_interest),
                put_call_ratio(chain.open_interest, chain), put_call_ratio(chain.volume, chain),
                None if pain is None else pain.strike, None if pain is None else pain.payout,
                _sum(exposure[chosen]),
            ]
        )  # fmt: skip
    return rows


def _sides(chain: Chain, size: Column) -> tuple[float | None, float | None]:
    return _sum(size[chain.is_call]), _sum(size[~chain.is_call])


def _sum(column: Column) -> float | None:
    """Return the sum of what is known; None where nothing is."""
    known = column[np.isfinite(column)]
    return float(known.sum()) if len(known) else None


def _underlying(chain: Chain) -> float | None:
    """Return the forward of the nearest expiry: what is nearest to the price of now."""
    known = np.isfinite(chain.forward)
    if not known.any():
        return None
    return float(chain.forward[known][np.argmin(chain.expiry[known])])
