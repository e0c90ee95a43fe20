"""Figures of an analysis: what the answers of a venue tell of its market, and what is stored beside them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from orderflow.flow.reading import LEAST_TRADES, Subject, liquidated_pct
from orderflow.market.events import (
    DAY,
    HOUR,
    BookTop,
    BookUpdate,
    Level,
    Liquidation,
    OpenInterest,
    Trade,
)
from orderflow.market.facts import LongShort, TakerVolume
from orderflow.market.instruments import MARKETS
from orderflow.market.streams import BOOK_LEVELS
from orderflow.tools.analysis_questions import PERIODS, ask_all
from orderflow.tools.asking import Heard, Round
from orderflow.tools.board import levels
from orderflow.tools.market_ticker import COLUMNS, row_of
from orderflow.tools.past import attempt, by_venue
from orderflow.tools.spec import Ask


class Of(NamedTuple):
    """How old a figure is, and whether it was live, asked or stored."""

    age_ms: float
    source: str


class Seen(msgspec.Struct, kw_only=True):
    """The figures of one market by name, with how old those of each subject are; unknown is None or absent."""

    venue: str
    figures: dict[str, Any] = {}
    of: dict[Subject, Of] = {}

    def add(self, subject: Subject, heard: Heard, **figures: Any) -> None:
        self.figures |= figures
        self.of[subject] = Of(heard.age_ms, heard.source)


class Gathered(NamedTuple):
    """The markets by venue, the round of tickers that names them, and why a subject is not known of a venue."""

    markets: dict[str, Seen]
    tickers: Round
    unknown: dict[Subject, dict[str, str]]


def gather(ask: Ask, symbol: str, venues: Sequence[str] | None) -> Gathered:
    """Ask for all figures of a symbol at once; raise what the question for the ticker raises."""
    tickers, told, chains = ask_all(ask, symbol, venues)
    found = Gathered({}, tickers, {})
    for heard in tickers.heard:
        found.markets[heard.venue] = _of_ticker(heard, symbol)
    _add_positioning(found, told["positioning"])
    _add_flow(found, told["flow"], told["tape"])
    _add_interest(ask, symbol, found, told["open_interest"])
    _add_books(found, told["book"])
    _add_liquidations(ask, symbol, found, told["liquidations"])
    for one in chains.heard:
        seen = found.markets.setdefault(one.heard.venue, Seen(venue=one.heard.venue))
        seen.add("options", one.heard, **one.figures)
    found.unknown["options"] = dict(chains.missing)
    return found


# ── What they tell ────────────────────────────────────────────────────────────────────────────


def _of_ticker(heard: Heard, symbol: str) -> Seen:
    known = dict(zip(COLUMNS, row_of(heard, symbol), strict=True))
    low, high, last = known["low"], known["high"], known["last"]
    value = known["quote_volume"]
    if value is None and known["volume"] is not None and last is not None:
        value = known["volume"] * last
    seen = Seen(venue=heard.venue)
    seen.add(
        "trend", heard, price=last, change_pct=_change(known), volume_value=value,
        range_position_pct=_position(low, high, last),
    )  # fmt: skip
    seen.add("basis", heard, mark=known["mark"], index=known["index"], basis_bps=known["basis_bps"])
    seen.add("funding", heard, funding_annual_pct=known["funding_annual_pct"])
    seen.figures |= {"open_interest": known["open_interest"], "open_interest_usd": known["open_interest_usd"]}
    return seen


def _change(ticker: Mapping[str, Any]) -> float | None:
    """Return the change of 24 hours in percent, reckoned from the open of them where the venue tells that alone."""
    told, first, last = ticker["change_pct"], ticker["open"], ticker["last"]
    return told if told is not None or not first or last is None else (last / first - 1) * 100


def _position(low: float | None, high: float | None, last: float | None) -> float | None:
    """Return where the last price stands between low and high, in percent."""
    if low is None or high is None or last is None or high <= low:
        return None
    return (last - low) / (high - low) * 100


def _answered(found: Gathered, subject: Subject, told: Round) -> list[Heard]:
    """Return who answered; why the others did not is kept."""
    missing = {one: why for one, why in told.missing.items() if one in found.markets}
    found.unknown[subject] = found.unknown.get(subject, {}) | missing
    return [one for one in told.heard if one.venue in found.markets]


def _add_positioning(found: Gathered, told: Round) -> None:
    for heard in _answered(found, "positioning", told):
        ratios = [one.ratio for one in heard.of(LongShort) if one.of == "accounts" and one.ratio is not None]
        if ratios:
            found.markets[heard.venue].add("positioning", heard, account_ratio=ratios[-1])
        else:
            found.unknown["positioning"][heard.venue] = "tells no ratio of all accounts"


def _add_flow(found: Gathered, summed: Round, tapes: Round) -> None:
    for heard in _answered(found, "flow", summed):
        kept = sorted(heard.of(TakerVolume), key=lambda one: one.ts_event or 0)[-PERIODS:]
        buy, sell = sum(one.buy for one in kept), sum(one.sell for one in kept)
        if buy + sell > 0:
            found.markets[heard.venue].add("flow", heard, taker_buy_pct=buy / (buy + sell) * 100)
    for heard in _answered(found, "flow", tapes):
        kept = heard.of(Trade)
        both = sum(one.size for one in kept)
        if len(kept) >= LEAST_TRADES and both > 0:
            bought = sum(one.size for one in kept if one.side == "buy")
            found.markets[heard.venue].add("flow", heard, taker_buy_pct=bought / both * 100)
        else:
            found.unknown["flow"][heard.venue] = f"{len(kept)} trades are too few"


def _add_interest(ask: Ask, symbol: str, found: Gathered, told: Round) -> None:
    for heard in _answered(found, "open_interest", told):
        kept = sorted(heard.of(OpenInterest), key=lambda one: one.ts_event or 0)
        last = kept[-1]
        before = [one for one in kept if (one.ts_event or 0) <= (last.ts_event or 0) - DAY]
        if before and before[-1].size and last.size is not None:
            change = (last.size / before[-1].size - 1) * 100
            found.markets[heard.venue].add("open_interest", heard, open_interest_change_pct=change)
        else:
            found.unknown["open_interest"][heard.venue] = "its history is shorter than 24 h"
    left = [
        one.venue
        for one in found.markets.values()
        if "open_interest_change_pct" not in one.figures and one.figures.get("open_interest") is not None
    ]
    for venue, before in _stored_a_day_ago(ask, symbol, left).items():
        seen = found.markets[venue]
        seen.figures["open_interest_change_pct"] = (seen.figures["open_interest"] / before - 1) * 100
        seen.of["open_interest"] = seen.of["trend"]


def _stored_a_day_ago(ask: Ask, symbol: str, venues: Sequence[str]) -> dict[str, float]:
    history = ask.context.history
    if history is None or not venues or symbol not in history.symbols():
        return {}
    since, until = ask.now - DAY - 2 * HOUR, ask.now - DAY + 1
    found = attempt(
        lambda: history.window("open_interest", symbol, venues, since=since, until=until, every="52w")
    )
    rows = {} if found is None else {row["venue"]: row["open_interest"] for row in found.rows()}
    return {venue: size for venue, size in rows.items() if size}


def _add_books(found: Gathered, told: Round) -> None:
    for heard in _answered(found, "book", told):
        bids, asks = sides(heard)
        bid, ask_size = (sum(size for _, size in side[:BOOK_LEVELS]) for side in (bids, asks))
        if bids and asks:
            found.markets[heard.venue].add(
                "book",
                heard,
                depth_bid=bid,
                depth_ask=ask_size,
                imbalance=(bid - ask_size) / (bid + ask_size),
            )


def sides(heard: Heard) -> tuple[list[Level], list[Level]]:
    """Return bids and asks, best first, of the newest book that was heard."""
    newest = heard.events[-1]
    if isinstance(newest, BookTop):
        return levels(newest.levels[:20]), levels(newest.levels[20:])
    if isinstance(newest, BookUpdate):
        bids = sorted((one for one in newest.bids if one[1] > 0), reverse=True)
        return bids, sorted(one for one in newest.asks if one[1] > 0)
    return [], []


def _add_liquidations(ask: Ask, symbol: str, found: Gathered, told: Round) -> None:
    sums: dict[str, tuple[float, float, Of]] = {}
    for heard in _answered(found, "liquidations", told):
        recent = [one for one in heard.of(Liquidation) if (one.ts_event or 0) >= ask.now - HOUR]
        long, short = (
            sum(one.price * one.size for one in recent if one.side == side) for side in ("long", "short")
        )
        sums[heard.venue] = long, short, Of(heard.age_ms, heard.source)
    for venue, (long, short) in _stored_hour(ask, symbol, list(found.markets)).items():
        sums[venue] = long, short, Of(0.0, "stored")
    for venue, (long, short, of) in sums.items():
        seen = found.markets[venue]
        share = liquidated_pct(long, short, seen.figures.get("volume_value"))
        seen.figures |= {"long_liquidated": long, "short_liquidated": short, "long_liquidated_pct": share}
        seen.of["liquidations"] = of
        if share is None:
            found.unknown["liquidations"][venue] = "too little was closed by force in the last hour"


def _stored_hour(ask: Ask, symbol: str, venues: Sequence[str]) -> Mapping[str, tuple[float, float]]:
    """Return the values of longs and shorts of the last hour, where the store has any of a venue."""
    history = ask.context.history
    having = [one for one in venues if "liquidations" in MARKETS[one].streams]
    if history is None or not having or symbol not in history.symbols():
        return {}
    found = attempt(lambda: history.liquidation_bars(symbol, having, None, ask.now - HOUR, ask.now + 1))
    told = by_venue(found, "long_value", "short_value")
    return {
        venue: (one["long_value"], one["short_value"])
        for venue, one in told.items()
        if one["long_value"] is not None and one["short_value"] is not None
    }
