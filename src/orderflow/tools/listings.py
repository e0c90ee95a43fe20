"""Listings: what a venue trades, with the steps of price and size, and the coins that it knows."""

from difflib import get_close_matches
from typing import Any, Literal

from orderflow.market.errors import UnknownSymbol
from orderflow.market.events import Instrument
from orderflow.market.facts import Asset
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import hear, tell, wanted_symbol
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

_INSTRUMENTS = {
    "symbol": "", "venue": "", "native": "", "kind": "", "base": "", "quote": "", "status": "", "trading": "",
    "tick": "quote", "lot": "base or contracts", "contract_size": "base, or quote if inverse", "inverse": "",
    "min_notional": "quote", "listed": TIME,
}  # fmt: skip
_COINS = {"symbol": "", "venue": "", "native": "", "kind": "", "decimals": "", "status": ""}


@tool(
    family=FAMILY,
    title="Instruments of a venue",
    columns=_INSTRUMENTS | _COINS,
    example={"venues": ["okx_futures"], "symbol": "BTCUSDT"},
    limit=50,
    open_world=True,
    core=False,
)
def market_instruments(
    ask: Ask,
    venues: list[AnyVenueId] | None = None,
    symbol: str | None = None,
    kind: Literal["spot", "perpetual", "future", "option"] | None = None,
    currencies: bool = False,
) -> Answer:
    """What a venue lists: native name, kind, steps of price and size, contract size, smallest order, since when;
    with currencies=true the coins that it knows instead.

    Use it to find a symbol, or what an order must keep to.

    Args:
        venues: all that answer when left out
        symbol: unified symbol as in BTCUSDT; everything when left out
        kind: these alone
        currencies: list coins instead of markets
    """
    if currencies:
        found = hear(ask, ["currencies"], venues, kinds=(Asset,))
        coins: list[Row] = [
            [one.name, heard.venue, one.native, one.kind, one.decimals, one.status]
            for heard in found.heard
            for one in heard.of(Asset)
        ]
        return tell(ask, found, _COINS, coins, summary={"coins": len(coins)})
    found = hear(ask, ["instruments"], venues, kinds=(Instrument,))
    listed = [(heard, one) for heard in found.heard for one in heard.of(Instrument)]
    wanted = None if symbol is None else wanted_symbol(symbol)
    if wanted is not None and not any(one.symbol == wanted for _, one in listed):
        near = get_close_matches(wanted, sorted({one.symbol for _, one in listed}), n=3, cutoff=0.5)
        raise UnknownSymbol(
            f"{', '.join(one.venue for one in found.heard)} lists no {wanted[:40]!r}",
            hint=f"nearest: {', '.join(near)}" if near else "leave symbol out to see everything",
        )
    rows = [
        _row(heard.venue, one)
        for heard, one in listed
        if wanted in (None, one.symbol) and kind in (None, one.kind)
    ]
    return tell(ask, found, _INSTRUMENTS, rows, symbol=wanted, summary=_counts([one for _, one in listed]))


def _row(venue: str, one: Instrument) -> Row:
    return [
        one.symbol, venue, one.native, one.kind, one.base, one.quote, one.status, one.trading, one.tick, one.lot,
        one.contract_size, one.inverse, one.min_notional,
        None if one.listed_ts is None else one.listed_ts // 1_000_000,
    ]  # fmt: skip


def _counts(listed: list[Instrument]) -> dict[str, Any]:
    kinds: dict[str, int] = {}
    for one in listed:
        kinds[one.kind] = kinds.get(one.kind, 0) + 1
    return {"listed": len(listed), "trading": sum(one.trading for one in listed), **kinds}
