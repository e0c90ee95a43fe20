"""What Hyperliquid answers over REST about perpetuals."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from orderflow.market.events import HOUR, MINUTE, MS, Event, Funding, Instrument, Nanos
from orderflow.venues import hyperliquid
from orderflow.venues.hyperliquid.requests import PATH, body, info
from orderflow.venues.hyperliquid_futures import wire
from orderflow.venues.hyperliquid_futures.tiers import Perpetual, Universe, tiers
from orderflow.venues.hyperliquid_futures.wire import FUNDING_HOURS, VENUE, unified
from orderflow.venues.spec import HOURLY, Answer, Endpoint, History, Memory, Query, leaves_out, left_out

# ── What they say ─────────────────────────────────────────────────────────────────────────────


class _Paid(msgspec.Struct, gc=False):
    coin: str
    fundingRate: float
    time: int


class _Predicted(msgspec.Struct, gc=False):
    fundingRate: float
    nextFundingTime: int
    fundingIntervalHours: float | None = None


_UNIVERSE = msgspec.json.Decoder(Universe, strict=False)
_CONTEXTS = msgspec.json.Decoder(tuple[Universe, list[wire.Context]], strict=False)
_PAID = msgspec.json.Decoder(list[_Paid], strict=False)
_PREDICTED = msgspec.json.Decoder(list[tuple[str, list[tuple[str, _Predicted | None]]]], strict=False)

# ── What it means ─────────────────────────────────────────────────────────────────────────────

# Its own history, recorded in 2023, has rows eight hours apart up to here and one hour apart since.
_HOURLY_SINCE_MS = 1_686_186_000_000
_EIGHT_HOURS = 8.0


def _meta(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    said = _UNIVERSE.decode(body)
    return [*(_instrument(one, ts_recv) for one in said.universe), *tiers(said, ts_recv)]


def _instrument(one: Perpetual, ts_recv: Nanos) -> Instrument:
    """Return a listed perpetual. Its tick depends on its price: five digits, so many decimals at most."""
    delisted = bool(one.isDelisted)
    return Instrument(
        VENUE,
        unified(one.name),
        None,
        ts_recv,
        native=one.name,
        kind="perpetual",
        base=f"1000{one.name[1:]}" if unified(one.name).startswith("1000") else one.name,
        quote="USD",
        status="delisted" if delisted else "listed",
        trading=not delisted,
        contract_size=1.0,
        lot=hyperliquid.lot(one.szDecimals),
    )


def _contexts(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    listed, contexts = _CONTEXTS.decode(body)
    found: list[Event] = []
    # By place; where one list is longer than the other the places cannot be trusted: ValueError.
    for one, said in zip(listed.universe, contexts, strict=True):
        found.append(_instrument(one, ts_recv))
        found.extend(wire.context(one.name, said, ts_recv))
    return found


def _mids(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return mid prices of perpetuals; those of spot pairs stand between them."""
    listed = memory.contracts
    return [
        hyperliquid.mid(VENUE, unified(coin), price, ts_recv)
        for coin, price in hyperliquid.MIDS.decode(body).items()
        if (coin in listed if listed else not hyperliquid.is_spot(coin))
    ]


def _book(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    if "nSigFigs" in query:
        return (left_out(VENUE, "", ts_recv, "a book of rounded prices"),)
    said = hyperliquid.BOOK.decode(body)
    return wire.book(said, ts_recv), hyperliquid.touch(VENUE, unified(said.coin), said, ts_recv)


def _trades(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return recent trades, oldest first: the answer begins with the newest."""
    return [wire.trade(one, ts_recv) for one in reversed(hyperliquid.PRINTS.decode(body))]


def _candles(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return hyperliquid.candles(hyperliquid.BARS.decode(body), unified, VENUE, ts_recv)


def _paid(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    return [
        Funding(
            VENUE,
            unified(one.coin),
            one.time * MS,
            ts_recv,
            one.fundingRate,
            interval_hours=FUNDING_HOURS if one.time >= _HOURLY_SINCE_MS else _EIGHT_HOURS,
            next_ts=one.time * MS,
        )
        for one in _PAID.decode(body)
    ]


def _predicted(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Return what this venue will pay; the rows of the others are second-hand."""
    return [
        Funding(
            VENUE,
            unified(coin),
            None,
            ts_recv,
            said.fundingRate,
            interval_hours=said.fundingIntervalHours or FUNDING_HOURS,
            next_ts=said.nextFundingTime * MS,
        )
        for coin, venues in _PREDICTED.decode(body)
        for venue, said in venues
        if venue == "HlPerp" and said is not None
    ] or [left_out(VENUE, "", ts_recv, "no rate of its own among the predicted ones")]


# ── A body whose request is not known ─────────────────────────────────────────────────────────

_ROWS: tuple[tuple[str, Answer], ...] = (("tid", _trades), ("fundingRate", _paid), ("T", _candles))


def _unnamed(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Tell by its shape what a body is."""
    decode = _shape(msgspec.json.decode(body))
    if decode is None:
        return (left_out(VENUE, "", ts_recv, "a body whose request is not recorded"),)
    return decode(body, query, ts_recv, memory)


def _shape(said: Any) -> Answer | None:
    first: Any = cast(list[Any], said)[0] if isinstance(said, list) and said else said
    if not isinstance(first, dict) or "tokens" in first:  # spot lists have tokens
        return None
    if isinstance(said, list):
        if "universe" in first:
            return _contexts
        return next((decode for field, decode in _ROWS if field in first), None)
    return _meta if "universe" in first else _book if "levels" in first else None


# ── What can be asked ─────────────────────────────────────────────────────────────────────────

ENDPOINTS = (
    info("instruments", "meta", _meta, cache_s=3600),
    info("contexts", "metaAndAssetCtxs", _contexts, cache_s=5),
    info("mids", "allMids", _mids, weight=2),
    info("depth", "l2Book", _book, ("coin",), weight=2),
    info("trades", "recentTrades", _trades, ("coin",), weight=25),
    # A candle costs a sixtieth of a unit more, a rate of funding a twentieth: 5000 and 500 are the most.
    info("candles", "candleSnapshot", _candles, ("coin", "interval", "startTime"), weight=104, nested=True),
    info("funding_history", "fundingHistory", _paid, ("coin", "startTime"), weight=45),
    info("status", "exchangeStatus", hyperliquid.status(VENUE), weight=2),
    info("predicted", "predictedFundings", _predicted, cache_s=60),
    *(
        info(name, kind, leaves_out(VENUE, reason), cache_s=3600)
        for name, kind, reason in (
            ("spot_instruments", "spotMeta", "another market: spot"),
            ("spot_contexts", "spotMetaAndAssetCtxs", "another market: spot"),
            ("exchanges", "perpDexs", "another market: exchanges of builders"),
            ("every_instrument", "allPerpMetas", "another market: exchanges of builders"),
        )
    ),
    Endpoint("any", PATH, _unnamed, needs=("type",), weight=20, body=body),
)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

PAST = (
    History(
        stream="candles",
        endpoint="candles",
        start="startTime",
        end="endTime",
        params={"interval": "1m"},
        most_rows=5000,
        step=MINUTE,
        keeps=83 * HOUR,  # the latest 5,000 bars
    ),
    History(
        stream="funding_rates",
        endpoint="funding_history",
        start="startTime",
        end="endTime",
        most_rows=500,
        lacks=HOURLY,
    ),
)
NO_PAST = {"trades": "REST tells the most recent alone, and no time or id can be asked for"}
