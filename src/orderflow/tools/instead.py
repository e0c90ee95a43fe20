"""Instead: venues asked themselves where nothing of them is live or stored, so that they answer all the same."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from orderflow.market.errors import NoData, OrderflowError, UnsupportedByVenue
from orderflow.market.instruments import COLLECTED, MARKETS, venue_id
from orderflow.tools.answers import Meta
from orderflow.tools.asking import Heard, Kinds, hear, offering
from orderflow.tools.newest import Said
from orderflow.tools.past import check_offered
from orderflow.tools.spec import Ask


class Instead(NamedTuple):
    """Who was asked and answered, and why others did not; `error` is what a round was refused with."""

    heard: list[Heard]
    missing: dict[str, str]
    error: OrderflowError | None = None

    def add_to(self, meta: Meta) -> None:
        """Tell in the meta of an answer who was asked beside what is live and stored."""
        here = meta.venues
        for one in self.heard:
            here.asked += [one.venue] if one.venue not in here.asked else []
            here.answered += [one.venue] if one.venue not in here.answered else []
            if one.native is not None:
                meta.native.setdefault(one.venue, one.native)
            meta.warnings += [f"{one.venue}: {note}" for note in one.notes]
        here.missing |= self.missing
        here.missing = {one: why for one, why in here.missing.items() if one not in here.answered}
        if not self.heard:
            return
        asked_alone = {one.venue for one in self.heard} >= set(here.answered)
        meta.source = (
            meta.source if meta.source in ("simulated", "replay") else "rest" if asked_alone else "mixed"
        )
        ages = [one.age_ms for one in self.heard]
        meta.age_ms = min(ages if meta.age_ms is None else [meta.age_ms, *ages])


NOBODY = Instead([], {})


def ids(venues: Sequence[str] | None) -> list[str] | None:
    """Return the ids of the venues that are named, each once; None where none is."""
    return list(dict.fromkeys(venue_id(one) for one in venues)) if venues else None


def ask_instead(
    ask: Ask, question: str, venues: Sequence[str] | None, symbol: str | None, kinds: Kinds, **how: Any
) -> Instead:
    """Ask the venues, None being all that answer; an error where none does is told, not raised."""
    if venues is not None and not venues:
        return NOBODY
    try:
        found = hear(ask, [question], venues, symbol, kinds=kinds, **how)
    except OrderflowError as error:
        return Instead([], dict.fromkeys(venues or (), error.message), error)
    return Instead(found.heard, found.missing if venues else {})


def reason(found: Instead, why: OrderflowError | None, venues: Sequence[str] | None) -> OrderflowError:
    """Return why there is no answer: what the collected state says, or of venues that are asked alone what they say."""
    alone = bool(venues) and not any(one in COLLECTED for one in venues or ())
    if found.error is not None and (alone or why is None):
        collected = not alone and isinstance(found.error, UnsupportedByVenue)
        if not collected:
            return found.error
    return why or NoData("nothing of it was received or is stored", hint="system_health says what is missing")


def check_answers(ask: Ask, stream: str, question: str, venues: Sequence[str] | None) -> None:
    """Raise `UnsupportedByVenue` where none of the venues named has such a stream or answers such a question."""
    able = offering(ask, [question], of_one=True)
    if not any(one in able and stream not in MARKETS[one].streams for one in venues or ()):
        check_offered(stream, venues)


def rest(heard: Heard) -> Said:
    """Return whose a figure is that was asked for."""
    return Said(heard.venue, heard.age_ms, "rest")
