"""Prices across venues: what a symbol costs everywhere, and how two venues compare."""

from typing import Any

from orderflow.tools.answers import Answer, Row
from orderflow.tools.board import Board, Place, boards, meta, pair_kind
from orderflow.tools.crossing import BPS
from orderflow.tools.spec import Ask, VenueId, tool

FAMILY = "cross_venue"
_MOST_SUMMED = 10
NOT_TRADED = ("oracle",)  # a reference price: nothing can be bought there

COLUMNS = {
    "symbol": "",
    "venue": "",
    "market": "",
    "bid": "quote",
    "bid_size": "base",
    "ask": "quote",
    "ask_size": "base",
    "mid": "quote",
    "spread_bps": "bps",
    "age_ms": "ms",
}


@tool(
    family=FAMILY,
    title="Prices across venues",
    columns=COLUMNS,
    example={"symbol": "BTCUSDT"},
    limit=50,
)
def xv_prices(ask: Ask, symbol: str | None = None, venues: list[VenueId] | None = None) -> Answer:
    """Best bid, ask, mid and age of a symbol on each venue now, in quote units, with where it is
    cheapest to buy and dearest to sell.

    Use it for "what is the price" and "is A above B": two venues also give gap and direction.

    Args:
        symbol: unified symbol as in BTCUSDT; all when left out
        venues: all when left out
    """
    found = boards(ask, symbol, venues)
    rows: list[Row] = []
    for board in found:
        for place in board.places:
            rows.append(row(place))
    answer = Answer(meta=meta(ask, found, units(COLUMNS), venues), columns=list(COLUMNS), rows=rows)
    if len(found) == 1:
        answer.summary = _extremes(found[0])
    elif len(found) <= _MOST_SUMMED:
        answer.summary = {board.symbol: _extremes(board) for board in found if board.places}
    else:
        answer.meta.warnings.append("cheapest and dearest are told of ten symbols at most: name one")
    return answer


def row(place: Place) -> Row:
    """Return a place as a row of `COLUMNS`."""
    spread = (
        (place.ask - place.bid) / place.mid * BPS
        if place.bid is not None and place.ask is not None and place.mid
        else None
    )
    touch = [place.bid, place.bid_size, place.ask, place.ask_size]
    return [place.symbol, place.venue, place.market, *touch, place.mid, spread, place.age_ms]


def _extremes(board: Board) -> dict[str, Any]:
    asks = [
        (one.ask, one.venue) for one in board.places if one.ask is not None and one.market not in NOT_TRADED
    ]
    bids = [
        (one.bid, one.venue) for one in board.places if one.bid is not None and one.market not in NOT_TRADED
    ]
    cheapest, dearest = min(asks, default=None), max(bids, default=None)
    found: dict[str, Any] = {
        "cheapest_to_buy": None if cheapest is None else {"venue": cheapest[1], "ask": cheapest[0]},
        "dearest_to_sell": None if dearest is None else {"venue": dearest[1], "bid": dearest[0]},
    }
    if len(board.places) + len(board.missing) == 2:
        found["comparison"] = _comparison(board)
    return found


def _comparison(board: Board) -> dict[str, Any]:
    """Return the gap of two venues: the first's mid less the second's, in % of the second's."""
    if len(board.places) < 2:
        return {"gap": None, "gap_pct": None, "direction": None, "reason": "; ".join(board.missing.values())}
    first, second = board.places
    kind = pair_kind(first, second)
    if first.mid is None or second.mid is None or not second.mid:
        return {
            "gap": None,
            "gap_pct": None,
            "direction": None,
            "pair_kind": kind,
            "reason": "a side of a book is empty",
        }
    gap = first.mid - second.mid
    above = f"{first.venue} above {second.venue}" if gap > 0 else f"{second.venue} above {first.venue}"
    return {
        "gap": gap,
        "gap_pct": gap / second.mid * 100,
        "direction": above if gap else "equal",
        "pair_kind": kind,
    }


def units(columns: dict[str, str]) -> dict[str, str]:
    """Return the columns that have a unit."""
    return {name: unit for name, unit in columns.items() if unit}
