"""What Deribit answers about options that no stream carries: volatilities, expiries, what is listed.

Docs    https://docs.deribit.com/api-reference
Units   volatilities are percent a year on the wire and fractions here.
Times   a realised volatility's is that of its row; a bar of DVOL ends a resolution after its own; expiries are
        at 08:00 UTC.
UNCONFIRMED  A list of expiries comes under its currency (`{"btc": {"option": []}}`), or without one where all
        currencies are asked together: either is read.
"""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import MS, SECOND, Event, Nanos
from orderflow.market.facts import Asset, OptionContract, Volatility, VolatilityBar
from orderflow.venues.deribit.envelope import (
    LISTINGS,
    OF_ALL,
    TIMES,
    V2,
    answered,
    of_currency,
    of_one,
)
from orderflow.venues.deribit.facts import status, whole
from orderflow.venues.deribit.meaning import fraction
from orderflow.venues.deribit.names import OPTIONS, expires, named, prefix_symbol
from orderflow.venues.deribit.names import of_currency as symbol_of_currency
from orderflow.venues.spec import Endpoint, Query, leaves_out, left_out

# Our lengths of a bar of DVOL: counted in seconds, but for the day. Minutes are the series that is kept.
SPANS = {"1h": "3600", "12h": "43200", "1d": "1D"}
_DAY_S = 86_400

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Bars(msgspec.Struct):
    data: list[tuple[int, float, float, float, float]]


class _Contract(msgspec.Struct):
    instrument_name: str
    kind: str
    is_active: bool
    tick_size: float
    contract_size: float | None = None


_Expiries = dict[str, list[str] | dict[str, list[str]]]

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _realised(
    said: list[tuple[int, float]], query: Query, ts_event: Nanos | None, ts_recv: Nanos
) -> Sequence[Event]:
    if "currency" not in query:
        return (_unnamed(ts_recv),)
    coin = query["currency"].upper()
    return [
        Volatility(OPTIONS, coin, at * MS, ts_recv, value, "realised")
        for at, percent in said
        if (value := fraction(percent)) is not None
    ]


def _bars(said: _Bars, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    if "currency" not in query or "resolution" not in query:
        return (_unnamed(ts_recv),)
    coin, resolution = query["currency"].upper(), query["resolution"]
    width_s = _DAY_S if resolution == "1D" else int(resolution)
    return [
        VolatilityBar(
            *(OPTIONS, coin, at * MS + width_s * SECOND, ts_recv),
            *(round(first / 100, 8), round(high / 100, 8), round(low / 100, 8), round(last / 100, 8)),
            float(width_s),
        )
        for at, first, high, low, last in said.data
    ]


def _unnamed(ts_recv: Nanos) -> Event:
    return left_out(OPTIONS, "", ts_recv, "volatilities whose request is not recorded: no coin")


def _expiries(said: _Expiries, query: Query, ts_event: Nanos | None, ts_recv: Nanos) -> Sequence[Event]:
    days: list[tuple[str, str]] = []
    for name, inner in said.items():
        if isinstance(inner, dict):
            days += [(symbol_of_currency(name), day) for day in inner.get("option", [])]
        elif name == "option":
            days += [("", day) for day in inner]
    return [
        Asset(
            *(OPTIONS, symbol, ts_event, ts_recv),
            *(f"{expires(day):%Y-%m-%d}", day, "expiry"),
            expiry_ts=int(expires(day).timestamp()) * SECOND,
        )
        for symbol, day in days
    ]


def _contracts(
    said: list[_Contract], query: Query, ts_event: Nanos | None, ts_recv: Nanos
) -> Sequence[Event]:
    """Decode a listing of options: what they are written on, then each of them."""
    options = [(one, named(one.instrument_name)) for one in said if one.kind == "option"]
    prefixes = dict.fromkeys(one.instrument_name.partition("-")[0] for one, _ in options)
    underlyings = [
        Asset(
            *(OPTIONS, prefix_symbol(prefix), ts_event, ts_recv),
            *(prefix.partition("_")[0], prefix, "underlying"),
        )
        for prefix in prefixes
    ]
    contracts = [
        OptionContract(
            *(OPTIONS, place.symbol, ts_event, ts_recv, one.instrument_name),
            *(place.expiry_ts, place.strike, place.right),
            *(one.contract_size, one.tick_size, one.is_active),
        )
        for one, place in options
    ]
    return [*underlyings, *contracts]


# ── What may be asked ─────────────────────────────────────────────────────────────────────────

# The listing under the name of what it lists: the same request, told apart by a parameter's usual value.
CONTRACTS = Endpoint(
    "contracts",
    V2 + "get_instruments",
    answered(list[_Contract], _contracts, OPTIONS),
    {"currency": "any", "kind": "option", "expired": "false"},
    bucket=LISTINGS,
    cache_s=600,
    of_symbol=OF_ALL,
    when={"currency": "any", "expired": "false"},
)

_SETTLED = leaves_out(OPTIONS, "settlements are asked beside the futures")

OPTIONS_FACTS = (
    of_currency(
        "realised_volatility",
        "get_historical_volatility",
        answered(list[tuple[int, float]], _realised, OPTIONS),
    ),
    Endpoint(
        "volatility_bars",
        V2 + "get_volatility_index_data",
        answered(_Bars, _bars, OPTIONS),
        {"resolution": "3600"},
        ("currency", *TIMES),
        of_symbol={"currency": "{currency}"},
    ),
    of_currency(
        "expirations", "get_expirations", answered(_Expiries, _expiries, OPTIONS), {"kind": "option"}
    ),
    status(OPTIONS),
    of_currency("settlements", "get_last_settlements_by_currency", _SETTLED),
    of_one("settlements_of_one", "get_last_settlements_by_instrument", _SETTLED),
    *(
        whole(name, method, leaves_out(OPTIONS, f"{name} are asked beside the futures"))
        for name, method in (
            ("currencies", "get_currencies"),
            ("index_names", "get_index_price_names"),
            ("announcements", "get_announcements"),
        )
    ),
)
