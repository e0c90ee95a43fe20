"""Periodic: what venues count a row a period: ratios, taker volume, basis, open interest, statistics."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from msgspec import Meta as Range

from orderflow.market.events import Event
from orderflow.market.events import OpenInterest as Interest
from orderflow.market.facts import Basis, ContractStats, LongShort, TakerVolume
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import Heard, hear, instant_of, tell, wanted_symbol
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

Points: TypeAlias = Annotated[int, Range(ge=1, le=500)]
_SINCE_FIRST = 100.0  # percent

_BEGIN = {"time": TIME, "venue": ""}
_RATIOS = {**_BEGIN, "of": "", "ratio": "long / short", "long_pct": "%", "short_pct": "%"}
_TAKERS = {**_BEGIN, "buy": "unit", "sell": "unit", "delta": "unit", "buy_share_pct": "%", "unit": ""}
_BASIS = {
    **_BEGIN, "contract": "", "basis": "quote", "basis_pct": "%", "annual_pct": "% a year",
    "futures_price": "quote", "index_price": "quote",
}  # fmt: skip
_INTERESTS = {**_BEGIN, "open_interest": "base", "open_interest_usd": "USD", "change_pct": "%"}
_STATS = {
    **_BEGIN, "open_interest": "base", "open_interest_usd": "USD", "long_liquidated": "base",
    "short_liquidated": "base", "long_liquidated_usd": "USD", "short_liquidated_usd": "USD",
    "taker_ratio": "long / short", "account_ratio": "long / short", "top_account_ratio": "long / short",
    "top_position_ratio": "long / short", "mark_price": "quote",
}  # fmt: skip

_ROWS_DOC = {"example": {"symbol": "BTCUSDT"}, "limit": 100, "open_world": True, "core": False}


class _Of:
    """A question that is answered by a row a period, and how a row is made of an event."""

    def __init__(
        self, question: str, kind: type[Event], columns: Mapping[str, str], row: Callable[[Any], Row]
    ) -> None:
        self.question, self.kind, self.columns, self.row = question, kind, columns, row

    def answer(
        self,
        ask: Ask,
        symbol: str,
        venues: Sequence[str] | None,
        period: str,
        points: int,
        series: Callable[[Any], object] = lambda event: None,
        summed: Callable[[Sequence[Any]], Any] | None = None,
    ) -> Answer:
        """Ask, and tell the last `points` of each venue's each series, the newest first."""
        wanted = wanted_symbol(symbol)
        found = hear(ask, [self.question], venues, wanted, kinds=(self.kind,), rows=points, period=period)
        rows: list[Row] = []
        summary: dict[str, Any] = {}
        for heard in found.heard:
            kept = _last(heard, points, series)
            rows += [[instant_of(one), heard.venue, *self.row(one)] for one in kept]
            if summed is not None and kept:
                summary[heard.venue] = summed(kept)
        rows.sort(key=lambda row: -(row[0] or 0))
        return tell(ask, found, self.columns, rows, symbol=wanted, summary=summary)


def _last(heard: Heard, points: int, series: Callable[[Any], object]) -> list[Any]:
    """Return the last points of each series of a venue, in the order of time."""
    apart: dict[object, list[Event]] = {}
    for one in sorted(heard.events, key=lambda event: event.ts_event or 0):
        apart.setdefault(series(one), []).append(one)
    return [one for each in apart.values() for one in each[-points:]]


def _pct(share: float | None) -> float | None:
    return None if share is None else share * 100


def _takers(one: TakerVolume) -> Row:
    both = one.buy + one.sell
    return [one.buy, one.sell, one.buy - one.sell, one.buy / both * 100 if both else None, one.unit]


_LONG_SHORT = _Of(
    "long_short", LongShort, _RATIOS, lambda one: [one.of, one.ratio, _pct(one.long), _pct(one.short)]
)
_TAKER_VOLUME = _Of("taker_volume", TakerVolume, _TAKERS, _takers)
_FUTURES_BASIS = _Of(
    "basis",
    Basis,
    _BASIS,
    lambda one: [
        one.contract, one.basis, _pct(one.rate), _pct(one.annual_rate), one.futures_price, one.index_price,
    ],
)  # fmt: skip
_STATISTICS = _Of(
    "contract_stats", ContractStats, _STATS, lambda one: [getattr(one, name) for name in list(_STATS)[2:]]
)


@tool(family=FAMILY, title="Long/short ratios", columns=_RATIOS, **_ROWS_DOC)
def market_long_short_ratio(
    ask: Ask, symbol: str, venues: list[AnyVenueId] | None = None, period: str = "1h", points: Points = 24
) -> Answer:
    """Ratio of long to short by accounts, by the top traders' accounts and by their positions, a row a period.

    Use it for how the crowd stands against the large. Each venue counts its own clients; a ratio of accounts
    says nothing of sizes.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that publish it when left out
        period: length of a period, as 5m, 1h, 1d
        points: periods back from now, of each ratio
    """
    return _LONG_SHORT.answer(
        ask,
        symbol,
        venues,
        period,
        points,
        series=lambda one: one.of,
        summed=lambda kept: {one.of: one.ratio for one in kept},
    )


@tool(family=FAMILY, title="Taker volume", columns=_TAKERS, **_ROWS_DOC)
def market_taker_volume(
    ask: Ask, symbol: str, venues: list[AnyVenueId] | None = None, period: str = "1h", points: Points = 24
) -> Answer:
    """What takers bought and sold in each period as the venue counts it, with delta and share of buyers.

    Use it for who was aggressive over days, without a trade stored here; orderflow_metrics counts our own
    trades. The unit is the venue's, told in each row.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that publish it when left out
        period: length of a period, as 5m, 1h, 1d
        points: periods back from now
    """
    return _TAKER_VOLUME.answer(ask, symbol, venues, period, points, summed=_taken)


def _taken(kept: Sequence[TakerVolume]) -> dict[str, Any]:
    buy, sell = sum(one.buy for one in kept), sum(one.sell for one in kept)
    return {"buy": buy, "sell": sell, "delta": buy - sell, "unit": kept[-1].unit, "periods": len(kept)}


@tool(family=FAMILY, title="Futures basis", columns=_BASIS, **_ROWS_DOC)
def market_basis(
    ask: Ask, symbol: str, venues: list[AnyVenueId] | None = None, period: str = "1h", points: Points = 24
) -> Answer:
    """The future less its index in each period, in quote and percent, annualised where the venue says.

    Use it for contango and backwardation over time; market_mark_price for this moment on every venue.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that publish it when left out
        period: length of a period, as 5m, 1h, 1d
        points: periods back from now
    """
    return _FUTURES_BASIS.answer(ask, symbol, venues, period, points, series=lambda one: one.contract)


@tool(family=FAMILY, title="Contract statistics", columns=_STATS, **_ROWS_DOC)
def market_contract_stats(
    ask: Ask, symbol: str, venues: list[AnyVenueId] | None = None, period: str = "1h", points: Points = 24
) -> Answer:
    """Open interest, forced closes of each side and long/short ratios of a contract, a row a period.

    Use it where a venue sums all of that up itself (Gate does); null is what it does not tell.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that publish it when left out
        period: length of a period, as 5m, 1h, 1d
        points: periods back from now
    """
    return _STATISTICS.answer(ask, symbol, venues, period, points)


@tool(family=FAMILY, title="Open interest over time", columns=_INTERESTS, **_ROWS_DOC)
def market_open_interest_history(
    ask: Ask, symbol: str, venues: list[AnyVenueId] | None = None, period: str = "1h", points: Points = 48
) -> Answer:
    """Open interest in each period as the venue tells it, with its change from the first row, and the extremes.

    Use it for weeks that were not collected here; history_open_interest has what was.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that publish it when left out
        period: length of a period, as 5m, 1h, 1d
        points: periods back from now
    """
    return _interests(ask, symbol, venues, period, points)


def _interests(ask: Ask, symbol: str, venues: Sequence[str] | None, period: str, points: int) -> Answer:
    first: dict[str, float] = {}

    def row(one: Interest) -> Row:
        change = None
        if one.size is not None:
            begun = first.setdefault(one.venue, one.size)  # rows come in the order of time
            change = (one.size / begun - 1) * _SINCE_FIRST if begun else None
        return [one.size, one.usd, change]

    question = _Of("open_interest_history", Interest, _INTERESTS, row)
    return question.answer(ask, symbol, venues, period, points, summed=_extremes)


def _extremes(kept: Sequence[Interest]) -> dict[str, Any]:
    sizes = [one.size for one in kept if one.size is not None]
    if not sizes:
        return {}
    change = (sizes[-1] / sizes[0] - 1) * 100 if sizes[0] else None
    return {"now": sizes[-1], "lowest": min(sizes), "highest": max(sizes), "change_pct": change}
