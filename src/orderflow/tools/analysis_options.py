"""Options of an analysis: put/call ratio, skew a month ahead and the volatility index, of the venues that are meant."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from orderflow.flow.black76 import DAYS_A_YEAR
from orderflow.flow.options import smiles
from orderflow.flow.positioning import put_call_ratio
from orderflow.market.errors import OrderflowError
from orderflow.market.events import HOUR, VolatilityIndex
from orderflow.market.facts import VolatilityBar
from orderflow.market.instruments import MARKETS
from orderflow.tools.asking import Heard, hear
from orderflow.tools.options import Priced, chains, coin_of, priced
from orderflow.tools.spec import Ask

OPTION_VENUES = tuple(name for name, one in MARKETS.items() if one.market == "options")
WITH_FUTURES = {"deribit_futures": "deribit_options"}  # an exchange whose options are its larger market
MONTH_DAYS = 30.0  # of the expiries the one nearest to this is read, as volatility indices are


class Judged(NamedTuple):
    """The figures of one venue's options."""

    heard: Heard
    figures: dict[str, Any]


class Options(NamedTuple):
    """What the options that are meant tell, and why others tell nothing."""

    heard: list[Judged]
    missing: dict[str, str]


def of_options(ask: Ask, symbol: str, venues: Sequence[str] | None) -> Options:
    """Ask for the chains of a symbol's coin on the venues of options that are named, or that go with those named."""
    asked = list(WITH_FUTURES) if venues is None else venues
    meant = [WITH_FUTURES.get(one, one) for one in asked]
    meant = [one for one in dict.fromkeys(meant) if one in OPTION_VENUES]
    meant = [one for one in meant if venues is not None or one in ask.context.asker.offered("option_chain")]
    if not meant:
        return Options([], {})
    coin = coin_of(symbol)
    try:
        found = chains(ask, coin, meant)
    except OrderflowError as error:
        return Options([], dict.fromkeys(meant, error.message))
    indices = _indices(ask, coin, [one.venue for one in found.heard])
    return Options(
        [
            Judged(
                one, _figures(priced(one, ask.now), ask) | {"volatility_index_pct": indices.get(one.venue)}
            )
            for one in found.heard
        ],
        found.missing,
    )


def _figures(known: Priced, ask: Ask) -> dict[str, Any]:
    skews = [
        (abs(one.years * DAYS_A_YEAR - MONTH_DAYS), one.risk_reversal_25)
        for one in smiles(known.chain, ask.now)
        if one.risk_reversal_25 is not None
    ]
    nearest = min(skews, default=None)
    return {
        "put_call_ratio": put_call_ratio(known.chain.open_interest, known.chain),
        "skew_points": None if nearest is None else nearest[1] * 100,
    }


def _indices(ask: Ask, coin: str, venues: Sequence[str]) -> dict[str, float]:
    able = [one for one in venues if one in ask.context.asker.offered("volatility_index")]
    if not able:
        return {}
    try:
        found = hear(
            ask, ["volatility_index"], able, coin, kinds=(VolatilityBar, VolatilityIndex),
            since=ask.now - 2 * HOUR, until=ask.now, period="1h",
        )  # fmt: skip
    except OrderflowError:  # the chain is told without it
        return {}
    newest = {one.venue: max(one.events, key=lambda event: event.ts_event or 0) for one in found.heard}
    return {
        venue: (one.close if isinstance(one, VolatilityBar) else one.value) * 100
        for venue, one in newest.items()
        if isinstance(one, VolatilityBar | VolatilityIndex)
    }
