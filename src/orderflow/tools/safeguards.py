"""Safeguards: insurance funds, risk tiers, and the settlements that have been made."""

from typing import Annotated

from msgspec import Meta as Range

from orderflow.market.facts import InsuranceFund, RiskTier, Settlement
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import hear, instant_of, tell, wanted_symbol
from orderflow.tools.market import FAMILY
from orderflow.tools.spec import AnyVenueId, Ask, tool

_FUNDS = {"time": TIME, "venue": "", "coin": "", "balance": "coin", "usd": "USD", "markets": ""}
_TIERS = {
    "symbol": "", "venue": "", "tier": "", "floor": "unit", "limit": "unit", "unit": "", "initial_margin_pct": "%",
    "maintenance_margin_pct": "%", "max_leverage": "x",
}  # fmt: skip
_SETTLED = {
    "time": TIME, "venue": "", "kind": "", "instrument": "", "price": "quote", "index": "quote",
    "position": "as the venue counts", "profit_loss": "coin",
}  # fmt: skip
_MOST_NAMED = 20


@tool(
    family=FAMILY,
    title="Insurance funds",
    columns=_FUNDS,
    example={"venues": ["bybit_futures"]},
    limit=50,
    open_world=True,
    core=False,
)
def market_insurance_fund(
    ask: Ask, venues: list[AnyVenueId] | None = None, coin: str | None = None
) -> Answer:
    """What the insurance funds of venues hold, by coin, in the coin and in USD where they say; the past too where
    they tell it.

    Use it for how much stands between a wave of liquidations and auto-deleveraging.

    Args:
        venues: all that publish it when left out
        coin: this coin alone, as USDT
    """
    found = hear(ask, ["insurance_fund"], venues, kinds=(InsuranceFund,))
    kept = [
        (heard, one)
        for heard in found.heard
        for one in heard.of(InsuranceFund)
        if coin is None or one.coin.upper() == coin.upper()
    ]
    rows: list[Row] = [
        [instant_of(one), heard.venue, one.coin, one.balance, one.usd, " ".join(one.markets[:_MOST_NAMED])]
        for heard, one in kept
    ]
    return tell(ask, found, _FUNDS, sorted(rows, key=lambda row: -(row[0] or 0)))


@tool(
    family=FAMILY,
    title="Risk tiers",
    columns=_TIERS,
    example={"symbol": "BTCUSDT", "venues": ["bybit_futures"]},
    limit=50,
    open_world=True,
    core=False,
)
def market_risk_tiers(ask: Ask, symbol: str, venues: list[AnyVenueId] | None = None) -> Answer:
    """The steps of position limits of a contract: up to which size which margins and which leverage.

    Use it for what a large position needs, and where liquidation prices jump.

    Args:
        symbol: unified symbol as in BTCUSDT
        venues: all that publish it when left out
    """
    wanted = wanted_symbol(symbol)
    found = hear(ask, ["risk_tiers"], venues, wanted, kinds=(RiskTier,))
    rows: list[Row] = [
        [
            one.symbol, heard.venue, one.tier, one.floor, one.limit, one.unit, _pct(one.initial_margin),
            _pct(one.maintenance_margin), one.max_leverage,
        ]
        for heard in found.heard
        for one in sorted(heard.of(RiskTier), key=lambda one: one.tier)
        if one.symbol in ("", wanted)
    ]  # fmt: skip
    return tell(ask, found, _TIERS, rows, symbol=wanted)


@tool(
    family=FAMILY,
    title="Settlements",
    columns=_SETTLED,
    example={"coin": "BTC", "venues": ["deribit_futures"]},
    limit=50,
    open_world=True,
    core=False,
)
def market_settlements(
    ask: Ask,
    coin: str = "BTC",
    venues: list[AnyVenueId] | None = None,
    count: Annotated[int, Range(ge=1, le=500)] = 20,
) -> Answer:
    """The last settlements and deliveries of a coin's contracts, newest first, with the price that they were made at.

    Use it for expiries that have passed; options_expirations for those to come.

    Args:
        coin: as BTC
        venues: all that publish it when left out
        count: of each venue
    """
    found = hear(ask, ["settlements"], venues, coin.upper(), kinds=(Settlement,), rows=count)
    rows: list[Row] = [
        [
            instant_of(one), heard.venue, one.kind, one.instrument, one.price, one.index, one.position,
            one.profit_loss,
        ]
        for heard in found.heard
        for one in sorted(heard.of(Settlement), key=lambda one: -(one.ts_event or 0))[:count]
    ]  # fmt: skip
    return tell(ask, found, _SETTLED, rows, summary={"coin": coin.upper()})


def _pct(share: float | None) -> float | None:
    return None if share is None else share * 100
