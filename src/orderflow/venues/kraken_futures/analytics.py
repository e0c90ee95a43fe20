"""What Kraken Futures says of itself in buckets of time: open interest, takers' volumes, who is long.

Docs    https://docs.kraken.com/api/docs/futures-api/charts/market-analytics
Quirks  `timestamp` holds when each bucket begins, in seconds, and `data` a list of as many values, or several
        under names. Open interest is [open, high, low, close]: the last is kept. The documents write
        `buyVolume`, the answers `buy_volume`: both are read. Units are not documented: UNCONFIRMED, those of
        the ticker are taken (base units of linear products, contracts of 1 USD of inverse ones).
        Longs and shorts are counted as positions, one an account; of the fifth with the largest positions
        apart. The shares are made of the counts: what `ratio` divides is not documented.
        A bucket without a value is null. Bases, liquidated volumes and volatilities have neither a unit nor a
        sign in the documents: left out.
Times   A bucket's end; of the one that runs, when it was received.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from orderflow.market.events import MS, SECOND, Event, Nanos, OpenInterest
from orderflow.market.facts import LongShort, TakerVolume
from orderflow.venues.kraken_futures.products import VENUE, known
from orderflow.venues.kraken_futures.refusals import unless_refused
from orderflow.venues.spec import Contract, Memory, Query, left_out

_MILLISECONDS = 10**11  # a time above it is told in them
_Values: TypeAlias = list[float | None]


class _Buckets(msgspec.Struct):
    timestamp: list[int]
    data: msgspec.Raw


class _Answer(msgspec.Struct):
    result: _Buckets


class _Volumes(msgspec.Struct, gc=False):
    buy_volume: _Values | None = None
    sell_volume: _Values | None = None
    buyVolume: _Values | None = None
    sellVolume: _Values | None = None


class _Positions(msgspec.Struct, gc=False):
    longCount: _Values
    shortCount: _Values


class _Top(msgspec.Struct):
    top20Percent: _Positions


class _Bucket(msgspec.Struct, gc=False):
    """One bucket: when it ends (or was received, where it still runs), and how long it is so far."""

    ts: Nanos
    period_s: float


_ANSWER = msgspec.json.Decoder(_Answer)
_INTERESTS = msgspec.json.Decoder(list[_Values | float | None], strict=False)
_VOLUMES = msgspec.json.Decoder(_Volumes, strict=False)
_POSITIONS = msgspec.json.Decoder(_Positions, strict=False)
_TOP = msgspec.json.Decoder(_Top, strict=False)


@unless_refused
def analytics(body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
    """Decode the buckets of one kind; those whose unit is not told are left out."""
    one = known(query.get("symbol", ""), memory)
    meaning = _MEANINGS.get(query.get("analytics_type", ""))
    said = _ANSWER.decode(body).result
    width = query.get("interval", "")
    if meaning is None:
        return (left_out(VENUE, one.symbol, ts_recv, "analytics whose unit is not documented"),)
    if not width.isdecimal():
        return (left_out(VENUE, one.symbol, ts_recv, "analytics whose interval is not recorded"),)
    buckets = [_bucket(begun, int(width), ts_recv) for begun in said.timestamp]
    return list(meaning(said.data, buckets, one, ts_recv))


def _bucket(begun: int, width_s: int, ts_recv: Nanos) -> _Bucket:
    begins = begun * MS if begun > _MILLISECONDS else begun * SECOND
    ends = begins + width_s * SECOND
    if begins < ts_recv < ends:
        ends = ts_recv
    return _Bucket(ends, (ends - begins) / SECOND)


# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _interests(
    data: msgspec.Raw, buckets: Sequence[_Bucket], one: Contract, ts_recv: Nanos
) -> Iterator[Event]:
    for at, row in zip(buckets, _INTERESTS.decode(data), strict=False):
        last = (row[-1] if row else None) if isinstance(row, list) else row
        if last is None:
            continue
        if one.inverse:  # in base units only with a price, which is not told
            usd = last * one.times / one.over
            yield OpenInterest(VENUE, one.symbol, at.ts, ts_recv, None, usd, last)
        else:
            yield OpenInterest(VENUE, one.symbol, at.ts, ts_recv, one.base(last, 1.0))


def _volumes(data: msgspec.Raw, buckets: Sequence[_Bucket], one: Contract, ts_recv: Nanos) -> Iterator[Event]:
    said = _VOLUMES.decode(data)
    bought, sold = said.buy_volume or said.buyVolume or [], said.sell_volume or said.sellVolume or []
    unit: Literal["base", "quote"] = "quote" if one.inverse else "base"
    worth = one.times / one.over
    for at, buy, sell in zip(buckets, bought, sold, strict=False):
        if buy is not None and sell is not None:
            about = (VENUE, one.symbol, at.ts, ts_recv)
            yield TakerVolume(*about, buy * worth, sell * worth, unit, at.period_s)


def _everyone(
    data: msgspec.Raw, buckets: Sequence[_Bucket], one: Contract, ts_recv: Nanos
) -> Iterator[Event]:
    return _ratios(_POSITIONS.decode(data), "accounts", buckets, one, ts_recv)


def _largest(data: msgspec.Raw, buckets: Sequence[_Bucket], one: Contract, ts_recv: Nanos) -> Iterator[Event]:
    return _ratios(_TOP.decode(data).top20Percent, "top_accounts", buckets, one, ts_recv)


def _ratios(
    said: _Positions,
    of: Literal["accounts", "top_accounts"],
    buckets: Sequence[_Bucket],
    one: Contract,
    ts_recv: Nanos,
) -> Iterator[Event]:
    for at, long, short in zip(buckets, said.longCount, said.shortCount, strict=False):
        if long is None or short is None or long + short <= 0:
            continue
        whole, ratio = long + short, long / short if short else None
        about = (VENUE, one.symbol, at.ts, ts_recv)
        yield LongShort(*about, of, ratio, long / whole, short / whole, at.period_s)


_Meaning: TypeAlias = Callable[[msgspec.Raw, Sequence[_Bucket], Contract, Nanos], Iterator[Event]]
_MEANINGS: Mapping[str, _Meaning] = {
    "open-interest": _interests,
    "cvd": _volumes,
    "long-short-info": _everyone,
    "top-traders": _largest,
}
