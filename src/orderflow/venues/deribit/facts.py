"""What Deribit answers that no stream carries: settlements, currencies, notices, its state.

Docs    https://docs.deribit.com/api-reference
Units   a settlement's profit and loss is that of all holders together, in the coin that settles.
UNCONFIRMED  The state of the platform is text (`"false"`) in recordings and a truth in the documents, its list
        `locked_indices` or `locked_currencies`: either is read.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from orderflow.market.events import MS, Event, Nanos
from orderflow.market.facts import Announcement, Asset, Settlement, VenueStatus
from orderflow.venues.deribit.envelope import OF_ALL, V2, Meaning, answered, of_currency, of_one
from orderflow.venues.deribit.names import FUTURES, named
from orderflow.venues.deribit.names import of_currency as symbol_of_currency
from orderflow.venues.spec import Answer, Endpoint, Query, leaves_out

SETTLED_TOGETHER = "settlements of futures and deliveries of options come in one list"

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Settled(msgspec.Struct):
    type: Literal["settlement", "delivery", "bankruptcy"]
    timestamp: int
    instrument_name: str = ""
    mark_price: float | None = None
    index_price: float | None = None
    position: float | None = None
    session_profit_loss: float | None = None


class _Settlements(msgspec.Struct):
    settlements: list[_Settled]


class _Currency(msgspec.Struct):
    currency: str
    decimals: int | None = None
    fee_precision: int | None = None


class _State(msgspec.Struct):
    locked: bool | str
    locked_indices: list[str] = []
    locked_currencies: list[str] = []


class _Notice(msgspec.Struct):
    title: str
    publication_timestamp: int
    body: str = ""
    important: bool = False


# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _settlements(said: _Settlements, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    of_all = symbol_of_currency(query.get("currency", ""))  # a bankruptcy names no instrument
    return [
        Settlement(
            *(FUTURES, named(one.instrument_name).symbol if one.instrument_name else of_all),
            *(one.timestamp * MS, ts_recv),
            one.type,
            one.instrument_name,
            one.mark_price,
            one.index_price,
            one.position,
            one.session_profit_loss,
        )
        for one in said.settlements
    ]


def _currencies(
    said: list[_Currency], query: Query, ts_event: Nanos | None, ts_recv: Nanos
) -> Sequence[Event]:
    return [
        Asset(
            *(FUTURES, "", ts_event, ts_recv),
            *(one.currency, one.currency),
            decimals=one.fee_precision if one.decimals is None else one.decimals,
        )
        for one in said
    ]


def _index_names(said: list[str], query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    return [Asset(FUTURES, "", ts_event, ts_recv, one.upper(), one, "index") for one in said]


def _notices(said: list[_Notice], query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    return [
        Announcement(
            *(FUTURES, "", one.publication_timestamp * MS, ts_recv),
            *(one.title, one.body, "important" if one.important else ""),
        )
        for one in said
    ]


_STATES = {"false": "online", "true": "locked", "partial": "partially_locked"}


def _state(venue: str) -> Meaning[_State]:
    def meaning(said: _State, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
        status = _STATES.get(str(said.locked).lower(), str(said.locked))
        locked = [*said.locked_indices, *said.locked_currencies]
        message = f"locked: {', '.join(locked)}" if locked else ""
        return (VenueStatus(venue, "", ts_event, ts_recv, status, message),)

    return meaning


# ── What may be asked ─────────────────────────────────────────────────────────────────────────


def whole(name: str, method: str, decode: Answer) -> Endpoint:
    """Return what is asked about the venue itself."""
    return Endpoint(name, V2 + method, decode, of_symbol=OF_ALL)


def status(venue: str) -> Endpoint:
    return whole("status", "status", answered(_State, _state(venue), venue))


FUTURES_FACTS = (
    of_currency(
        "settlements",
        "get_last_settlements_by_currency",
        answered(_Settlements, _settlements, FUTURES),
        {"count": "20"},
    ),
    of_one(
        "settlements_of_one",
        "get_last_settlements_by_instrument",
        answered(_Settlements, _settlements, FUTURES),
    ),
    whole("currencies", "get_currencies", answered(list[_Currency], _currencies, FUTURES)),
    whole("index_names", "get_index_price_names", answered(list[str], _index_names, FUTURES)),
    whole("announcements", "get_announcements", answered(list[_Notice], _notices, FUTURES)),
    status(FUTURES),
    of_currency(
        "realised_volatility",
        "get_historical_volatility",
        leaves_out(FUTURES, "realised volatility is asked beside the options"),
    ),
    of_currency(
        "expirations", "get_expirations", leaves_out(FUTURES, "expiries are asked beside the options")
    ),
)
