"""Archive: the host of past days' files as Binance Vision lays them out, made when they are asked for.

Headers and units follow the real ones: futures files have a header since August 2022, spot files never;
spot times are microseconds since 2025. A file appears some hours after its day (or month) is over.
"""

import asyncio
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from aiohttp import web

from orderflow.sim.faults import Faults
from orderflow.sim.happenings import Candle, Millis
from orderflow.sim.listings import Wording
from orderflow.sim.market import Market
from orderflow.sim.past import DAY_MS, Past
from orderflow.sim.tape import Print

ARCHIVE = "/archive"
PUBLISHED_AFTER_MS = 31_200_000  # 8 h 40 min after a day is over
_HEADERS_FROM = datetime(2022, 8, 10, tzinfo=UTC)
_MICROS_FROM = datetime(2025, 1, 1, tzinfo=UTC)
_STAMP = (1980, 1, 1, 0, 0, 0)  # of the table inside, so that a file is the same whenever it is made
_PATH = re.compile(
    r"data/(?P<root>futures/um|spot)/(?P<every>daily|monthly)/(?P<kind>[A-Za-z]+)/(?P<symbol>[A-Z0-9]+)/"
    r"(?:1m/)?(?P=symbol)-(?P<named>[A-Za-z0-9]+)-(?P<date>\d{4}-\d\d(?:-\d\d)?)\.zip(?P<sum>\.CHECKSUM)?"
)
_VENUES = {"futures/um": "binance_futures", "spot": "binance_spot"}
_NAMED = {"aggTrades": "aggTrades", "klines": "1m", "fundingRate": "fundingRate", "metrics": "metrics"}
_EVERY = {
    "aggTrades": ("daily", "monthly"),
    "klines": ("daily", "monthly"),
    "fundingRate": ("monthly",),
    "metrics": ("daily",),
}
_HEADS = {
    "aggTrades": "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker",
    "klines": "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore",
    "fundingRate": "calc_time,funding_interval_hours,last_funding_rate",
    "metrics": "create_time,symbol,sum_open_interest,sum_open_interest_value,"
    "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,"
    "sum_taker_long_short_vol_ratio",
}


class _File(msgspec.Struct, frozen=True):
    venue: str
    kind: str
    symbol: str
    date: str
    first: Millis
    last: Millis


class ArchiveHost:
    """Routes below `/archive` over the pasts of all markets."""

    def __init__(self, markets: Mapping[str, Market], faults: Faults, clock: Callable[[], Millis]) -> None:
        self._markets, self._faults, self._clock = markets, faults, clock
        self._made = lru_cache(maxsize=32)(self._make)

    def add_to(self, app: web.Application) -> None:
        app.router.add_get(ARCHIVE + "/{path:.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        found = _PATH.fullmatch(path)
        file = None if found is None else self._file(found)
        if found is None or file is None:
            return web.Response(status=404, text="<Error><Code>NoSuchKey</Code></Error>")
        fault = self._faults.answered(file.venue, f"{ARCHIVE}/{path}")
        if fault is not None:
            retry = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return web.Response(status=fault.status, headers=retry)
        packed = self._made(file)
        if found["sum"]:
            return self._checksum(file, path, packed)
        return await self._send(request, file, path, packed)

    def _checksum(self, file: _File, path: str, packed: bytes) -> web.Response:
        name = path.rsplit("/", 1)[-1].removesuffix(".CHECKSUM")
        wrong = self._faults.archived("wrong_checksum", file.venue, f"{ARCHIVE}/{path}")
        digest = hashlib.sha256(packed if wrong is None else b"another file").hexdigest()
        return web.Response(text=f"{digest}  {name}\n")

    async def _send(self, request: web.Request, file: _File, path: str, packed: bytes) -> web.StreamResponse:
        if self._faults.archived("cut_short", file.venue, f"{ARCHIVE}/{path}"):
            return web.Response(body=packed[: len(packed) // 2], content_type="application/zip")
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        begins = int(asked[1]) if asked else 0
        if begins >= len(packed):
            return web.Response(status=416)
        reply = web.StreamResponse(status=206 if asked else 200)
        reply.content_type, reply.content_length = "application/zip", len(packed) - begins
        await reply.prepare(request)
        half = (begins + len(packed)) // 2
        await reply.write(packed[begins:half])
        slow = self._faults.archived("slow", file.venue, f"{ARCHIVE}/{path}")
        if slow is not None:
            await asyncio.sleep(slow.delay_ms / 1000)
        await reply.write(packed[half:])
        return reply

    def _file(self, found: "re.Match[str]") -> _File | None:
        """What a path names, if there is such a file and it is published."""
        venue, kind, symbol = _VENUES[found["root"]], found["kind"], found["symbol"]
        market = self._markets.get(symbol)
        if market is None or venue not in market.pasts or found["every"] not in _EVERY.get(kind, ()):
            return None
        if _NAMED[kind] != found["named"] or (kind in ("fundingRate", "metrics") and venue == "binance_spot"):
            return None
        span = _span(found["date"], found["every"] == "monthly")
        if span is None:
            return None
        first, last = span
        if last > market.pasts[venue].until or self._clock() < last + PUBLISHED_AFTER_MS:
            return None
        return _File(venue, kind, symbol, found["date"], first, last)

    def _make(self, file: _File) -> bytes:
        """The file: one table, packed."""
        market = self._markets[file.symbol]
        past, words = market.pasts[file.venue], Wording(market.exchanges[file.venue].listing)
        begins = datetime.fromtimestamp(file.first / 1000, UTC)
        spot = file.venue == "binance_spot"
        micros = spot and begins >= _MICROS_FROM
        always = file.kind in ("fundingRate", "metrics")
        lines = [_HEADS[file.kind]] if always or (not spot and begins >= _HEADERS_FROM) else []
        lines += _ROWS[file.kind](file, past, words, micros)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            inside = zipfile.ZipInfo(f"{file.symbol}-{_NAMED[file.kind]}-{file.date}.csv", _STAMP)
            inside.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(inside, "\n".join(lines) + "\n")
        return packed.getvalue()


def _span(date: str, monthly: bool) -> tuple[Millis, Millis] | None:
    try:
        begins = datetime.strptime(date, "%Y-%m" if monthly else "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    first = round(begins.timestamp() * 1000)
    if not monthly:
        return first, first + DAY_MS
    ends = begins.replace(year=begins.year + begins.month // 12, month=begins.month % 12 + 1)
    return first, round(ends.timestamp() * 1000)


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def _trades(file: _File, past: Past, words: Wording, micros: bool) -> Iterable[str]:
    spot = file.venue == "binance_spot"
    for row in past.trades(file.first, file.last):
        maker = str(row.taker_sells) if spot else str(row.taker_sells).lower()
        cells = [
            row.id, words.price(row.price), words.size(row.lots), row.first, row.last, _ts(row, micros), maker
        ]  # fmt: skip
        yield ",".join(map(str, [*cells, "True"] if spot else cells))


def _ts(row: Print, micros: bool) -> int:
    """The time: a socket cuts off the microseconds that a file tells."""
    return row.ts * 1000 + row.id * 37 % 1000 if micros else row.ts


def _candles(file: _File, past: Past, words: Wording, micros: bool) -> Iterable[str]:
    unit = 1000 if micros else 1
    for bar in past.minutes(file.first, file.last):
        ends = (bar.open_ms + 60_000) * unit - 1
        cells = [
            bar.open_ms * unit,
            *_prices(bar, words),
            words.size(bar.lots),
            ends,
            words.quote(bar.tick_lots),
        ]
        yield ",".join(
            map(str, [*cells, bar.trades, words.size(bar.buy_lots), words.quote(bar.buy_tick_lots), 0])
        )


def _prices(bar: Candle, words: Wording) -> list[str]:
    return [words.price(one) for one in (bar.open, bar.high, bar.low, bar.close)]


def _funding(file: _File, past: Past, words: Wording, micros: bool) -> Iterable[str]:
    for ts, rate in past.funding(file.first, file.last):
        yield f"{ts + ts // DAY_MS % 5},8,{rate:.8f}"  # the files stray by some milliseconds


def _metrics(file: _File, past: Past, words: Wording, micros: bool) -> Iterable[str]:
    for row in past.open_interest(file.first, file.last):
        at = datetime.fromtimestamp(row.ts / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        yield f"{at},{file.symbol},{words.size(row.lots)},{words.quote(row.tick_lots)},1.5,1.4,1.3,1.1"


_ROWS: dict[str, Callable[[_File, Past, Wording, bool], Iterable[str]]] = {
    "aggTrades": _trades,
    "klines": _candles,
    "fundingRate": _funding,
    "metrics": _metrics,
}
