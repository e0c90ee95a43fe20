"""Between venues: what a pair of venues gives, and what is left of it after fees."""

from itertools import permutations
from typing import Annotated, Any

import msgspec
from msgspec import Meta as Range

from orderflow.tools import prices
from orderflow.tools.answers import Answer, Row, Table
from orderflow.tools.board import Board, Place, boards, meta, pair_kind
from orderflow.tools.crossing import Crossing, cross, gross_bps, net_bps
from orderflow.tools.prices import FAMILY, NOT_TRADED, units
from orderflow.tools.spec import Ask, VenueId, tool

_SPREADS = {
    "symbol": "",
    "buy_venue": "",
    "sell_venue": "",
    "pair_kind": "",
    "ask": "quote",
    "bid": "quote",
    "gross_bps": "bps",
    "fees_bps": "bps",
    "net_bps": "bps",
    "age_ms": "ms",
}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Buying at one place and selling at another, at the touch."""

    buy: Place
    sell: Place
    ask: float
    bid: float
    fees: tuple[float, float] | None  # taker fees in bps: where it is bought, where it is sold

    @property
    def gross(self) -> float:
        return gross_bps(self.ask, self.bid)

    @property
    def net(self) -> float | None:
        return None if self.fees is None else net_bps(self.ask, self.bid, *self.fees)

    def crossing(self, least_bps: float) -> Crossing | None:
        if self.fees is None:
            return None
        return cross(self.buy.asks, self.sell.bids, *self.fees, least_bps=least_bps)

    def row(self) -> Row:
        net = self.net
        return [
            self.buy.symbol,
            self.buy.venue,
            self.sell.venue,
            pair_kind(self.buy, self.sell),
            self.ask,
            self.bid,
            self.gross,
            None if net is None else self.gross - net,
            net,
            max(self.buy.age_ms, self.sell.age_ms),
        ]


def _pairs(ask: Ask, found: list[Board]) -> list[Pair]:
    """Return all pairs, the best net first; those whose fees are unknown last, by gross."""
    pairs: list[Pair] = []
    for board in found:
        traded = [one for one in board.places if one.market not in NOT_TRADED]
        for buy, sell in permutations(traded, 2):
            if buy.ask is not None and sell.bid is not None and buy.ask > 0:
                fees = ask.context.fees.get(buy.venue), ask.context.fees.get(sell.venue)
                known = None if fees[0] is None or fees[1] is None else (fees[0], fees[1])
                pairs.append(Pair(buy=buy, sell=sell, ask=buy.ask, bid=sell.bid, fees=known))
    return sorted(pairs, key=lambda pair: (pair.net is None, -(pair.gross if pair.net is None else pair.net)))


def _fees(ask: Ask, found: list[Board]) -> dict[str, float | None]:
    """Name the taker fee that was reckoned with for each venue, in bps; null where none is declared."""
    venues = dict.fromkeys(
        one.venue for board in found for one in board.places if one.market not in NOT_TRADED
    )
    return {venue: ask.context.fees.get(venue) for venue in venues}


@tool(
    family=FAMILY,
    title="Spreads between venues",
    columns=_SPREADS,
    example={"symbol": "BTCUSDT"},
    limit=50,
)
def xv_spreads(
    ask: Ask,
    symbol: str,
    venues: list[VenueId] | None = None,
    max_age_ms: Annotated[int, Range(ge=1, le=3_600_000)] = 5_000,
) -> Answer:
    """Every pair of venues now: buy at one's ask, sell at the other's bid, in bps before and after
    both taker fees, best first.

    Use it to see all gaps at once; xv_arbitrage adds the size that the books bear. pair_kind basis
    is a future against spot.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all when left out
        max_age_ms: older prices are left out and named
    """
    found = boards(ask, symbol, venues, max_age_ms)
    answer = Answer(
        meta=meta(ask, found, units(_SPREADS), venues),
        columns=list(_SPREADS),
        rows=[pair.row() for pair in _pairs(ask, found)],
        summary={"taker_fee_bps": _fees(ask, found)},
    )
    _note(answer, found)
    return answer


def _note(answer: Answer, found: list[Board]) -> None:
    """Say why there is no pair, and that fees of some venue are unknown."""
    if not answer.rows and all(len(board.places) < 2 for board in found):
        answer.meta.warnings.append("fewer than two venues answered: there is no pair to compare")
    unknown = [venue for venue, fee in answer.summary["taker_fee_bps"].items() if fee is None]
    if unknown:
        answer.meta.warnings.append(f"no taker fee declared for {', '.join(unknown)}: net is unknown there")


_OPPORTUNITIES = {
    "symbol": "",
    "buy_venue": "",
    "sell_venue": "",
    "pair_kind": "",
    "size": "base",
    "buy_avg": "quote",
    "sell_avg": "quote",
    "gross_profit": "quote",
    "fees": "quote",
    "net_profit": "quote",
    "net_bps": "bps",
    "levels_exhausted": "",
    "age_ms": "ms",
}
_BEST_SPREADS = 20


@tool(
    family=FAMILY,
    title="Arbitrage net of fees",
    columns=_OPPORTUNITIES,
    example={"symbol": "BTCUSDT", "min_profit_pct": 0.05},
    limit=20,
)
def xv_arbitrage(
    ask: Ask,
    symbol: str | None = None,
    min_profit_pct: Annotated[float, Range(ge=0, le=100)] = 0.0,
    venues: list[VenueId] | None = None,
    include_spreads: bool = False,
    include_opportunities: bool = True,
    max_age_ms: Annotated[int, Range(ge=1, le=3_600_000)] = 5_000,
) -> Answer:
    """What buying on one venue and selling on another leaves now, net of both taker fees, with the
    size that ten book levels bear.

    Use it for "is there arbitrage"; when there is none it says what the best pair lacks. Pairs of
    kind basis (a future against spot) are not riskless.

    Args:
        symbol: unified symbol as in BTCUSDT; all when left out
        min_profit_pct: least net profit in % of the cost, for each level taken
        venues: all when left out
        include_spreads: add all pairs at the touch
        include_opportunities: list the opportunities
        max_age_ms: older prices are left out and named
    """
    found = boards(ask, symbol, venues, max_age_ms)
    pairs = _pairs(ask, found)
    least_bps = min_profit_pct * 100
    kept = [(pair, one) for pair in pairs if (one := pair.crossing(least_bps)) is not None]
    kept.sort(key=lambda each: -each[1].net_bps)
    answer = Answer(
        meta=meta(ask, found, units(_OPPORTUNITIES), venues),
        columns=list(_OPPORTUNITIES),
        rows=[_opportunity(pair, one) for pair, one in kept] if include_opportunities else [],
        summary={
            "verdict": _verdict(pairs, kept, min_profit_pct),
            "best_pair": _best(pairs),
            "taker_fee_bps": _fees(ask, found),
        },
    )
    if include_spreads:
        answer.more["spreads"] = Table(
            columns=list(_SPREADS), rows=[one.row() for one in pairs[:_BEST_SPREADS]]
        )
        answer.more["prices"] = Table(
            columns=list(prices.COLUMNS), rows=[prices.row(one) for board in found for one in board.places]
        )
    _note(answer, found)
    return answer


def _opportunity(pair: Pair, found: Crossing) -> Row:
    return [
        pair.buy.symbol,
        pair.buy.venue,
        pair.sell.venue,
        pair_kind(pair.buy, pair.sell),
        found.size,
        found.buy_avg,
        found.sell_avg,
        found.gross,
        found.fees,
        found.net,
        found.net_bps,
        found.exhausted,
        max(pair.buy.book_age_ms, pair.sell.book_age_ms),
    ]


def _best(pairs: list[Pair]) -> dict[str, Any] | None:
    """Return the best pair at the touch and what it lacks to break even."""
    if not pairs:
        return None
    best = pairs[0]
    net = best.net
    return {
        "symbol": best.buy.symbol,
        "buy_venue": best.buy.venue,
        "sell_venue": best.sell.venue,
        "pair_kind": pair_kind(best.buy, best.sell),
        "gross_bps": best.gross,
        "net_bps": net,
        "lacks_bps": None if net is None else max(0.0, -net),
    }


def _verdict(pairs: list[Pair], kept: list[tuple[Pair, Crossing]], least: float) -> str:
    """Say in one sentence what the numbers say."""
    if kept:
        pair, found = kept[0]
        kind = (
            ""
            if pair_kind(pair.buy, pair.sell) == "same_kind"
            else " (basis: a future against spot, not riskless)"
        )
        return (
            f"{len(kept)} found; best: {found.size:.8g} {pair.buy.symbol} bought on {pair.buy.venue}, "
            f"sold on {pair.sell.venue}, {found.net_bps:.2f} bps net{kind}"
        )
    if not pairs:
        return "nothing to compare: fewer than two venues answered with both sides"
    best = pairs[0]
    where = f"buy {best.buy.symbol} on {best.buy.venue}, sell on {best.sell.venue}"
    if best.net is None:
        return f"unknown: best gap is {best.gross:.2f} bps ({where}), but a fee is not declared"
    if best.net > 0:
        return f"none at {least:g} % or more; best at the touch is {best.net:.2f} bps net ({where})"
    lacks = f"lacks {-best.net:.2f} bps to break even"
    return f"none; best gap is {best.gross:.2f} bps before fees ({where}) and {lacks}"
