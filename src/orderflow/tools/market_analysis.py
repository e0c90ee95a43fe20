"""Analysis: the figures of one symbol on each venue, and what they say by rules that are the same for all."""

from collections import Counter
from typing import Any

from orderflow.flow.reading import SUBJECTS, Reading, Subject, readings
from orderflow.market.instruments import MARKETS
from orderflow.tools.analysis_figures import Gathered, Seen, gather
from orderflow.tools.answers import Answer, Row, Source, Table
from orderflow.tools.asking import meta_of, wanted_symbol
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

_FINDINGS = {
    "venue": "", "subject": "", "reading": "", "side": "", "figure": "unit", "threshold": "unit", "unit": "",
    "age_ms": "ms", "source": "",
}  # fmt: skip
_SNAPSHOT = {
    "venue": "", "price": "quote", "change_pct": "% in 24 h", "range_position_pct": "% from low to high",
    "volume_value": "quote in 24 h", "mark": "quote", "index": "quote", "basis_bps": "bps",
    "funding_annual_pct": "% a year", "open_interest": "base", "open_interest_usd": "USD",
    "open_interest_change_pct": "% in 24 h", "account_ratio": "long / short", "taker_buy_pct": "%",
    "imbalance": "ratio of ten levels", "depth_bid": "base", "depth_ask": "base", "long_liquidated": "quote in 1 h",
    "short_liquidated": "quote in 1 h", "put_call_ratio": "puts / calls", "skew_points": "points of % a year",
    "volatility_index_pct": "% a year",
}  # fmt: skip
# The figures that a subject is judged by, to say which of them are unknown.
_FIGURES: dict[Subject, tuple[str, ...]] = {
    "trend": ("change_pct",),
    "funding": ("funding_annual_pct",),
    "positioning": ("account_ratio",),
    "open_interest": ("open_interest_change_pct", "change_pct"),
    "basis": ("basis_bps",),
    "flow": ("taker_buy_pct",),
    "book": ("imbalance",),
    "liquidations": ("long_liquidated_pct",),
}
_OF_FUTURES: tuple[Subject, ...] = ("funding", "positioning", "open_interest", "basis", "liquidations")
_NOT_ON_SPOT = "spot has none"
NO_SCORE = "findings are fixed rules (docs/market.md), counted and not weighed: nobody has measured here what followed them"


@tool(
    family=FAMILY,
    title="Market analysis",
    columns=_FINDINGS | _SNAPSHOT,
    example={"symbol": "BTCUSDT", "venues": ["binance_futures", "bybit_futures"]},
    limit=60,
    open_world=True,
)
def market_analysis(ask: Ask, symbol: str, venues: list[AnyVenueId] | None = None) -> Answer:
    """What each venue's figures say: trend, funding, positioning, open interest, basis, flow, book, liquidations,
    on Deribit options, by one set of thresholds, with the figures.

    Use it for an overall reading; nothing is scored. market_snapshot has figures alone.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that answer when left out
    """
    wanted = wanted_symbol(symbol)
    found = gather(ask, wanted, venues)
    findings = {venue: readings(seen.figures) for venue, seen in found.markets.items()}
    meta = meta_of(ask, found.tickers, _FINDINGS | _SNAPSHOT, wanted)
    meta.venues.answered += [one for one in found.markets if one not in meta.venues.answered]
    meta.venues.asked += [one for one in found.markets if one not in meta.venues.asked]
    meta.venues.missing = {
        one: why for one, why in meta.venues.missing.items() if one not in meta.venues.answered
    }
    meta.source = _source(meta.source, found)
    meta.warnings.append(NO_SCORE)
    return Answer(
        meta=meta,
        columns=list(_FINDINGS),
        rows=_rows(found, findings),
        summary=_summary(found, findings),
        more={
            "snapshot": Table(
                columns=list(_SNAPSHOT),
                rows=[
                    [one.venue, *map(one.figures.get, list(_SNAPSHOT)[1:])] for one in found.markets.values()
                ],
            )
        },
    )


def _source(told: Source, found: Gathered) -> Source:
    """Tell whose the figures are: those of tickers, and where others come from elsewhere, of both."""
    kinds = {one.source for seen in found.markets.values() for one in seen.of.values()}
    return "mixed" if told in ("live", "rest") and kinds - {told} else told


def _rows(found: Gathered, findings: dict[str, list[Reading]]) -> list[Row]:
    """Return the findings of all venues, those that are usual last."""
    rows = [(one, found.markets[venue]) for venue, read in findings.items() for one in read]
    rows.sort(key=lambda row: row[0].side == "neutral")
    return [_row(seen, one) for one, seen in rows]


def _row(seen: Seen, one: Reading) -> Row:
    of = seen.of[one.subject]
    return [
        seen.venue, one.subject, one.reading, one.side, one.figure, one.threshold, one.unit, of.age_ms, of.source,
    ]  # fmt: skip


def _summary(found: Gathered, findings: dict[str, list[Reading]]) -> dict[str, Any]:
    """Count the sides, in all and by subject, and say what could not be judged, and why."""
    every = [one for read in findings.values() for one in read]
    by_subject = {
        subject: dict(Counter(one.side for one in every if one.subject == subject))
        for subject in SUBJECTS
        if any(one.subject == subject for one in every)
    }
    return {
        "sides": dict(Counter(one.side for one in every)),
        "by_subject": by_subject,
        "not_judged": _not_judged(found),
    }


def _not_judged(found: Gathered) -> dict[str, Any]:
    """Return, by subject, the reasons why it could not be judged, each with its venues."""
    told: dict[str, dict[str, str]] = {}
    for subject, names in _FIGURES.items():
        reasons: dict[str, list[str]] = {}
        for venue, seen in found.markets.items():
            if "price" in seen.figures and any(seen.figures.get(name) is None for name in names):
                why = found.unknown.get(subject, {}).get(venue, f"tells no {names[0]}")
                why = _NOT_ON_SPOT if subject in _OF_FUTURES and MARKETS[venue].market == "spot" else why
                reasons.setdefault(why, []).append(venue)
        if reasons:
            told[subject] = {why: " ".join(venues) for why, venues in reasons.items()}
    if options := found.unknown.get("options"):
        told["options"] = {why: venue for venue, why in options.items()}
    return told
