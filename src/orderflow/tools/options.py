"""Options: what the tools of option chains share: whose chain is heard, which expiry is meant, its columns."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from orderflow.flow.black76 import Greeks, greeks, years_to
from orderflow.flow.options import Chain
from orderflow.market.columns import Column
from orderflow.market.errors import InvalidArgument, NoData, UnknownSymbol
from orderflow.market.events import MINUTE, SECOND, Nanos, Option
from orderflow.market.instruments import MARKETS
from orderflow.tools.asking import Heard, Round, hear
from orderflow.tools.board import unified
from orderflow.tools.spec import Ask

FAMILY = "options"

COMPUTED = (
    "greeks of source black76 and values are computed here by Black-76 (1976) without interest, from the mark"
    " volatility and the venue's underlying price"
)
UNPRICED = "have no mark volatility or no underlying price: they are in no volatility and no gamma"
_HEARD_WITHIN = (
    5 * MINUTE
)  # so far back the stored stream is looked at; it tells each option about once a second
_WHOLE = "52w"  # bars so long that each option's last row is left

_DAY = re.compile(r"(\d{1,2})([A-Z]{3})(\d\d)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


# ── What is asked about ───────────────────────────────────────────────────────────────────────


def coin_of(said: str) -> str:
    """Return the coin that is meant by its own name, or by that of a symbol or an underlying.

    >>> [coin_of(one) for one in ("btc", "BTCUSDT", "BTC-USD", "SOL_USDC")]
    ['BTC', 'BTC', 'BTC', 'SOL']
    """
    found = re.sub(r"(USDT|USDC|USD)$", "", unified(said)) or unified(said)
    if not found:
        raise InvalidArgument(f"coin: {said[:40]!r} is none", hint="coin: as BTC")
    return found


def day_of(said: str) -> str:
    """Return a day of expiry as ISO 8601 writes it; raise `InvalidArgument` for what is none.

    >>> day_of("2026-12-25"), day_of("25DEC26"), day_of("1798185600")
    ('2026-12-25', '2026-12-25', '2026-12-25')
    """
    text = said.strip().upper()
    try:
        if found := _DAY.fullmatch(text):
            month = _MONTHS.index(found[2]) + 1
            return f"{datetime(2000 + int(found[3]), month, int(found[1]), tzinfo=UTC):%Y-%m-%d}"
        if re.fullmatch(r"\d{9,13}", text):
            return f"{datetime.fromtimestamp(int(text[:10]), UTC):%Y-%m-%d}"
        return f"{datetime.fromisoformat(text):%Y-%m-%d}"
    except ValueError as error:
        raise InvalidArgument(
            f"expiry: {said[:40]!r} is no day", hint="expiry: as 2026-12-25 or 25DEC26"
        ) from error


def day(expiry_ts: Nanos) -> str:
    return f"{datetime.fromtimestamp(expiry_ts // SECOND, UTC):%Y-%m-%d}"


# ── Whose chain is heard ──────────────────────────────────────────────────────────────────────


def chains(
    ask: Ask, coin: str, venues: Sequence[str] | None, expiry: str | None = None, kind: str | None = None
) -> Round:
    """Return each venue's chain of a coin: of the stream that is collected where it is fresh, else asked.

    What has expired is left out. Raises `NoData` where no venue has an option of the coin, or
    `InvalidArgument` with the expiries that there are where none is on the day.
    """
    found = hear(
        ask,
        ["option_chain"],
        venues,
        coin,
        kinds=(Option,),
        live=lambda venue: _stored(ask, venue, coin),
    )
    found = kept(found, lambda one: _is_of(one, coin) and one.expiry_ts > ask.now, f"no options of {coin}")
    if expiry is not None:
        wanted = day_of(expiry)
        days = sorted({day(one.expiry_ts) for heard in found.heard for one in heard.of(Option)})
        if wanted not in days:
            raise InvalidArgument(f"no option expires on {wanted}", hint=f"expiries: {', '.join(days)}")
        found = kept(found, lambda one: day(one.expiry_ts) == wanted, f"none expires on {wanted}")
    if kind is not None:
        found = kept(found, lambda one: one.kind == kind, f"no {kind}s")
    return found


def kept(found: Round, wanted: Callable[[Option], bool], otherwise: str) -> Round:
    """Return a round with the options that are wanted; who has none of them is missing."""
    heard = [
        one._replace(events=[event for event in joined(one.of(Option)) if wanted(event)])
        for one in found.heard
    ]
    missing = found.missing | {one.venue: otherwise for one in heard if not one.events}
    heard = [one for one in heard if one.events]
    if not heard:
        reasons = "; ".join(f"{venue}: {reason}" for venue, reason in missing.items())
        raise NoData(f"no option to answer with: {reasons}", hint="options_underlyings says what is listed")
    return found._replace(heard=heard, missing=missing)


def joined(options: Sequence[Option]) -> list[Option]:
    """Return one row an option, where a venue tells its parts apart: volatilities, prices, what is open."""
    found: dict[str, Option] = {}
    for one in options:
        known = found.get(one.instrument)
        told = {name: getattr(one, name) for name in _TOLD}
        more = {name: value for name, value in told.items() if value is not None}
        found[one.instrument] = one if known is None else msgspec.structs.replace(known, **more)
    return list(found.values())


def _is_of(option: Option, coin: str) -> bool:
    left = option.symbol.removeprefix(coin)
    return option.symbol.startswith(coin) and (left in ("", "USDT", "USDC", "USD") or left[0] in "_-")


def _stored(ask: Ask, venue: str, coin: str) -> list[Option]:
    """Return the last stored row of each option of a venue that is collected."""
    history = ask.context.history
    if history is None or "options" not in MARKETS[venue].streams:
        return []
    since = ask.now - _HEARD_WITHIN
    try:
        found = history.window(
            "options", f"{coin}USDT", [venue], since=since, until=ask.now + 1, every=_WHOLE
        )
    except (NoData, UnknownSymbol):
        return []  # the venue itself is asked then
    rows = {row["instrument"]: row for row in found.rows()}
    return [_option(row) for row in rows.values()]


_TOLD = Option.__struct_fields__[Option.__struct_fields__.index("bid") :]  # what is of the market
_STORED_AS = {"expiry": "expiry_ts"}
_NOT_TOLD = ("venue", "symbol", "ts_event", "ts_recv")


def _option(row: dict[str, Any]) -> Option:
    fields = {_STORED_AS.get(name, name): value for name, value in row.items()}
    own = {name: fields[name] for name in Option.__struct_fields__ if name not in _NOT_TOLD}
    return Option(row["venue"], row["symbol"], row["timestamp"], row["timestamp"], **own)


# ── Its columns ───────────────────────────────────────────────────────────────────────────────


class Priced(NamedTuple):
    """A venue's options, each with its row in columns and its greeks by Black-76."""

    heard: Heard
    options: list[Option]
    chain: Chain
    greeks: Greeks

    @property
    def unpriced(self) -> int:
        return int(np.isnan(self.greeks.value).sum())


def priced(heard: Heard, now: Nanos) -> Priced:
    options = sorted(heard.of(Option), key=lambda one: (one.expiry_ts, one.strike, one.kind))
    chain = Chain(
        np.array([one.expiry_ts for one in options], dtype=np.int64),
        _column([one.strike for one in options]),
        np.array([one.kind == "call" for one in options], dtype=np.bool_),
        _column([one.underlying_price for one in options]),
        _column([one.mark_iv for one in options]),
        _column([one.open_interest for one in options]),
        _column([one.volume_24h for one in options]),
    )
    years = years_to(chain.expiry, now)
    return Priced(heard, options, chain, greeks(chain.forward, chain.strike, years, chain.iv, chain.is_call))


def _column(values: Sequence[float | None]) -> Column:
    return np.array([np.nan if one is None else one for one in values], dtype=np.float64)


def remarks_of(venues: Sequence[Priced]) -> list[str]:
    """Return what a reader must know of the options that could not be priced."""
    return [
        f"{one.heard.venue}: {one.unpriced} of {len(one.options)} options {UNPRICED}"
        for one in venues
        if one.unpriced
    ]
