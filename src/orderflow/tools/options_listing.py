"""What options there are: the coins that they are written on, and the days on which they expire."""

from orderflow.market.events import DAY, MS
from orderflow.market.facts import Asset
from orderflow.tools.answers import TIME, Answer, Row
from orderflow.tools.asking import Heard, hear, meta_of
from orderflow.tools.options import FAMILY, coin_of, day
from orderflow.tools.spec import AnyVenueId, Ask, tool

_UNDERLYINGS = {"venue": "", "coin": "", "native": "", "age_ms": "ms", "source": ""}
_EXPIRIES = {
    "venue": "",
    "day": "",
    "expiry": TIME,
    "days": "days",
    "native": "",
    "age_ms": "ms",
    "source": "",
}


@tool(
    family=FAMILY,
    title="Underlyings of options",
    columns=_UNDERLYINGS,
    example={},
    limit=100,
    core=False,
    open_world=True,
)
def options_underlyings(ask: Ask, venues: list[AnyVenueId] | None = None) -> Answer:
    """The coins on which each venue lists options, by our name and by its own.

    Use it before options_expirations or options_chain, to see what can be asked.

    Args:
        venues: all with options when left out
    """
    found = hear(ask, ["option_underlyings"], venues, kinds=(Asset,))
    rows: list[Row] = [
        [heard.venue, one.name, one.native, heard.age_ms, heard.source]
        for heard in found.heard
        for one in heard.of(Asset)
        if one.kind == "underlying"
    ]
    return Answer(meta=meta_of(ask, found, _UNDERLYINGS), columns=list(_UNDERLYINGS), rows=rows)


@tool(
    family=FAMILY,
    title="Expiries of options",
    columns=_EXPIRIES,
    example={"coin": "BTC"},
    limit=100,
    core=False,
    open_world=True,
)
def options_expirations(ask: Ask, coin: str = "BTC", venues: list[AnyVenueId] | None = None) -> Answer:
    """The days on which options of a coin expire, the nearest first, with the days that are left.

    Use it to choose the expiry that options_chain or options_positioning is asked about.

    Args:
        coin: the underlying, as BTC
        venues: all with options when left out
    """
    wanted = coin_of(coin)
    found = hear(ask, ["option_expirations"], venues, wanted, kinds=(Asset,))
    rows = [row for heard in found.heard for row in _expiries(ask, heard)]
    return Answer(meta=meta_of(ask, found, _EXPIRIES, wanted), columns=list(_EXPIRIES), rows=rows)


def _expiries(ask: Ask, heard: Heard) -> list[Row]:
    known = {
        one.expiry_ts: one.native
        for one in heard.of(Asset)
        if one.kind == "expiry" and one.expiry_ts is not None and one.expiry_ts > ask.now
    }
    return [
        [heard.venue, day(at), at // MS, (at - ask.now) / DAY, native, heard.age_ms, heard.source]
        for at, native in sorted(known.items())
    ]
