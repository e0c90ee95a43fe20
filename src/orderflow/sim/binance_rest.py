"""REST on Binance: reading parameters, and the answers that futures and spot word alike."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from orderflow.sim.candles import MINUTE_MS, gathered
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Candle, Millis
from orderflow.sim.listings import Wording
from orderflow.sim.protocol import Question, Refusal
from orderflow.sim.tape import Print, Tape

INTERVALS = {
    "1m": 1,
    "3m": 3,
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "8h": 480,
    "12h": 720,
    "1d": 1440,
    "3d": 4320,
    "1w": 10_080,
    "1M": 44_640,  # at most
}
_A_MONDAY_MS = 4 * 86_400_000
_MOST_BARS_MS = 30 * 86_400_000  # looked through for the latest bars
_MOST_PAST_MS = 6 * 3_600_000  # looked through for one page of what was before the simulation


# ── Parameters ────────────────────────────────────────────────────────────────────────────────


def wrong(code: int, words: str) -> Refusal:
    return Refusal(400, {"code": code, "msg": words})


def symbol(asked: Question) -> str:
    """The symbol asked for, which must be sent and listed."""
    name = asked.params.get("symbol")
    if not name:
        raise wrong(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if name not in asked.markets:
        raise wrong(-1121, "Invalid symbol.")
    return name


def symbols(asked: Question) -> list[str]:
    """The symbol asked for, or all of them."""
    return [symbol(asked)] if asked.params.get("symbol") else list(asked.markets)


def exchange(asked: Question) -> tuple[Exchange, Wording]:
    found = asked.markets[symbol(asked)].exchanges[asked.venue]
    return found, Wording(found.listing)


def number(asked: Question, name: str) -> int | None:
    text = asked.params.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise wrong(
            -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
        )
    return int(text)


def limit(asked: Question, default: int, most: int) -> int:
    count = number(asked, "limit")
    if count is None:
        return default
    if not 1 <= count <= most:
        raise wrong(-1130, "Data sent for parameter 'limit' is not valid.")
    return count


def flat(weight: int) -> Callable[[Mapping[str, str]], int]:
    return lambda params: weight


def one_or_all(one: int, every: int) -> Callable[[Mapping[str, str]], int]:
    return lambda params: one if params.get("symbol") else every


def by_limit(default: int, *steps: tuple[int, int]) -> Callable[[Mapping[str, str]], int]:
    """Weights that grow with `limit`: the first step (up to, weight) that holds it."""

    def weight(params: Mapping[str, str]) -> int:
        text = params.get("limit", "")
        count = int(text) if text.isdecimal() else default
        return next((weight for most, weight in steps if count <= most), steps[-1][1])

    return weight


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def aggregates(asked: Question) -> tuple[list[Print], Wording]:
    """Aggregate trades by id or by time, ascending."""
    found, wording = exchange(asked)
    count = limit(asked, 500, 1000)
    start, end, from_id = (number(asked, name) for name in ("startTime", "endTime", "fromId"))
    tape, past = found.aggregates, asked.markets[symbol(asked)].pasts[asked.venue]
    rows: list[Print] = []
    if from_id is not None:
        rows = past.from_id(from_id, count)
        return [*rows, *tape.rows(max(from_id, past.next_id), count - len(rows))], wording
    if start is not None and start < past.until:
        last = past.until if end is None else end + 1
        rows = past.trades(start, min(last, start + _MOST_PAST_MS))[:count]
        if rows and rows[-1].id + 1 < past.next_id:
            return rows, wording
    return [*rows, *_window(tape, start, end, count - len(rows))], wording


def _window(tape: Tape, start: int | None, end: int | None, count: int) -> Iterable[Print]:
    stop = tape.next_id if end is None else tape.since(end + 1)
    first = max(tape.first_id, stop - count) if start is None else tape.since(start)
    return tape.rows(first, max(0, min(count, stop - first)))


def fills(asked: Question) -> tuple[list[Print], Wording]:
    """The latest trades; rows that are none are left out."""
    found, wording = exchange(asked)
    count = limit(asked, 500, 1000)
    return [row for row in found.fills.latest(count + count // 10) if row.lots][-count:], wording


def klines(asked: Question, most: int) -> list[list[Any]]:
    """Bars from `startTime` on, or the latest ones up to `endTime`, those from before the start included."""
    wording = exchange(asked)[1]
    interval = asked.params.get("interval", "")
    if interval not in INTERVALS:
        raise wrong(-1120, "Invalid interval.")
    count, width = limit(asked, 500, most), INTERVALS[interval] * MINUTE_MS
    start, end = number(asked, "startTime"), number(asked, "endTime")
    last = asked.now_ms if end is None else min(end, asked.now_ms)
    first = start
    if first is None:
        first = opens(interval, max(last - (count - 1) * width, asked.now_ms - _MOST_BARS_MS))
    until = min(ends(interval, opens(interval, last)), first + (count + 1) * width)
    minutes = asked.markets[symbol(asked)].minutes(asked.venue, first, until)
    rows = gathered(minutes, lambda ms: opens(interval, ms))
    rows = [row for row in rows if first <= row.open_ms <= last]
    chosen = rows[:count] if start is not None else rows[-count:]
    return [_kline(row, ends(interval, row.open_ms), wording) for row in chosen]


def opens(interval: str, ms: Millis) -> Millis:
    """When the bar begins that an instant is in: weeks on Monday, months on the first.

    >>> opens("1w", 1_795_000_000_000), opens("1M", 1_795_000_000_000)
    (1794787200000, 1793491200000)
    """
    if interval == "1M":
        day = datetime.fromtimestamp(ms / 1000, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1000
    return ms - (ms - (_A_MONDAY_MS if interval == "1w" else 0)) % (INTERVALS[interval] * MINUTE_MS)


def ends(interval: str, opened: Millis) -> Millis:
    """The last millisecond of a bar."""
    after = opened + INTERVALS[interval] * MINUTE_MS
    return (opens(interval, after) if interval == "1M" else after) - 1


def _kline(candle: Candle, close_ms: int, wording: Wording) -> list[Any]:
    return [
        candle.open_ms,
        wording.price(candle.open),
        wording.price(candle.high),
        wording.price(candle.low),
        wording.price(candle.close),
        wording.size(candle.lots),
        close_ms,
        wording.quote(candle.tick_lots),
        candle.trades,
        wording.size(candle.buy_lots),
        wording.quote(candle.buy_tick_lots),
        "0",
    ]


def one_or_list(asked: Question, rows: list[Any]) -> Any:
    """A single row when one symbol was asked for, else the list."""
    return rows[0] if asked.params.get("symbol") else rows
