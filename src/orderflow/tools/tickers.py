"""Tickers: every market of a venue in one table, and which of them moved most."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta as Range

from orderflow.market.events import Event, Funding, OpenInterest, Ticker
from orderflow.tools.answers import Answer, Row
from orderflow.tools.asking import Heard, Round, hear, tell
from orderflow.tools.board import unified
from orderflow.tools.carry import annual_pct
from orderflow.tools.market import FAMILY
from orderflow.tools.market_ticker import COLUMNS, PARTS, change_pct, row_of
from orderflow.tools.spec import AnyVenueId, Ask, tool

_TICKERS = {"symbol": "", **COLUMNS}
_MOVERS = {
    "rank": "", "direction": "", "symbol": "", "venue": "", "change_pct": "%", "last": "quote", "high": "quote",
    "low": "quote", "quote_volume": "quote", "age_ms": "ms", "source": "",
}  # fmt: skip
_LEADERS = 5


class _Market(NamedTuple):
    """One symbol on one venue, with what it is ranked by."""

    symbol: str
    heard: Heard

    def one(self, kind: type[Any]) -> Any:
        return self.heard.one(kind)

    @property
    def ranks(self) -> dict[str, float | None]:
        """By what markets are sorted; None where the venue does not tell."""
        ticker, funding, interest = self.one(Ticker), self.one(Funding), self.one(OpenInterest)
        volume = None if ticker is None else ticker.quote_volume
        if volume is None and ticker is not None and ticker.volume is not None and ticker.last is not None:
            volume = ticker.volume * ticker.last
        size = None if interest is None else interest.usd
        if size is None and interest is not None and interest.size is not None and ticker is not None:
            size = interest.size * ticker.last if ticker.last is not None else None
        return {
            "volume": volume,
            "change": None if ticker is None else change_pct(ticker),
            "open_interest": size,
            "funding": None if funding is None else annual_pct(funding.rate, funding.interval_hours),
        }


@tool(
    family=FAMILY,
    title="All tickers of a venue",
    columns=_TICKERS,
    example={"venues": ["binance_futures"], "sort": "change"},
    limit=50,
    open_world=True,
    core=False,
)
def market_tickers(
    ask: Ask,
    venues: list[AnyVenueId] | None = None,
    symbols: list[str] | None = None,
    sort: Literal["volume", "change", "open_interest", "funding"] = "volume",
) -> Answer:
    """The 24 hours of every market that a venue lists, the largest first, with leaders by change, volume, open
    interest and funding.

    Use it to scan a whole venue; market_ticker for one symbol on all venues.

    Args:
        venues: all that answer for their whole market when left out
        symbols: unified symbols to keep, as BTCUSDT; all when left out
        sort: what counts, in quote units, percent or percent a year
    """
    found = _heard(ask, venues)
    wanted = None if symbols is None else {unified(one) for one in symbols}
    markets = [one for one in _markets(found) if wanted is None or one.symbol in wanted]
    markets.sort(key=lambda one: _least(one.ranks[sort]), reverse=True)
    rows: list[Row] = [[one.symbol, *row_of(one.heard, one.symbol)] for one in markets]
    return tell(ask, found, _TICKERS, rows, summary={"markets": len(markets), **_leaders(markets)})


@tool(
    family=FAMILY,
    title="Top movers",
    columns=_MOVERS,
    example={"venues": ["okx_futures"], "count": 5},
    limit=100,
    open_world=True,
)
def market_top_movers(
    ask: Ask,
    venues: list[AnyVenueId] | None = None,
    count: Annotated[int, Range(ge=1, le=100)] = 10,
    min_quote_volume: Annotated[float, Range(ge=0)] = 0.0,
) -> Answer:
    """What rose and what fell most in 24 hours on each venue: gainers first, then losers, `count` of each.

    Use it for what is moving; a floor on volume leaves out what hardly trades.

    Args:
        venues: all that answer for their whole market when left out
        count: of each direction and venue
        min_quote_volume: 24-hour volume in quote units, at least
    """
    found = _heard(ask, venues)
    markets = [one for one in _markets(found) if _least(one.ranks["volume"]) >= min_quote_volume]
    rows: list[Row] = []
    for heard in found.heard:
        mine = [one for one in markets if one.heard.venue == heard.venue and one.ranks["change"] is not None]
        mine.sort(key=lambda one: _least(one.ranks["change"]), reverse=True)
        gained = [one for one in mine if _least(one.ranks["change"]) > 0][:count]
        lost = [one for one in reversed(mine) if _least(one.ranks["change"]) < 0][:count]
        rows += [_mover(rank, "up", one) for rank, one in enumerate(gained, 1)]
        rows += [_mover(rank, "down", one) for rank, one in enumerate(lost, 1)]
    return tell(ask, found, _MOVERS, rows)


def _heard(ask: Ask, venues: Sequence[str] | None) -> Round:
    return hear(ask, ["tickers"], venues, kinds=PARTS)


def _markets(found: Round) -> list[_Market]:
    """Return what was told, market by market, in the order of the venues; those without a ticker are left out."""
    markets: list[_Market] = []
    for heard in found.heard:
        apart: dict[str, list[Event]] = {}
        for one in heard.events:
            apart.setdefault(one.symbol, []).append(one)
        markets += [
            _Market(symbol, heard._replace(events=events))
            for symbol, events in apart.items()
            if any(isinstance(one, Ticker) for one in events)
        ]
    return markets


def _least(value: float | None) -> float:
    """Return what a rank sorts by: what is unknown comes last."""
    return float("-inf") if value is None else value


def _leaders(markets: Sequence[_Market]) -> dict[str, Any]:
    """Return the first few markets by each rank that is known of any."""
    found: dict[str, Any] = {}
    for name, by in (
        ("gainers", "change"),
        ("by_volume", "volume"),
        ("by_open_interest", "open_interest"),
        ("highest_funding", "funding"),
    ):
        known = [(rank, one) for one in markets if (rank := one.ranks[by]) is not None]
        known.sort(key=lambda one: one[0], reverse=True)
        if known:
            found[name] = [_led(rank, one) for rank, one in known[:_LEADERS]]
        if known and by in ("change", "funding"):
            last = "losers" if by == "change" else "lowest_funding"
            found[last] = [_led(rank, one) for rank, one in known[: -_LEADERS - 1 : -1]]
    return found


def _led(rank: float, one: _Market) -> dict[str, Any]:
    return {"symbol": one.symbol, "venue": one.heard.venue, "value": rank}


def _mover(rank: int, direction: str, one: _Market) -> Row:
    ticker = one.one(Ticker)
    return [
        rank, direction, one.symbol, one.heard.venue, one.ranks["change"], ticker.last, ticker.high, ticker.low,
        one.ranks["volume"], one.heard.age_ms, one.heard.source,
    ]  # fmt: skip
