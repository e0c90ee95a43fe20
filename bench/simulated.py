"""Simulated recordings, for a machine without the captures: the simulator's own messages, without a socket."""

from pathlib import Path

import msgspec

from orderflow.sim.market import Market
from orderflow.sim.protocol import Form, Question
from orderflow.sim.protocols import FORMS

SYMBOL = "BTCUSDT"
SEED = 20_261_121
START_MS = 1_795_000_000_000
STEP_MS = 20
STEPS = 6_000  # two minutes of the market
TRADES_PER_S = 120.0

# Depth every 100 ms, each best price and trade, and what the venue says on a timer.
ENDINGS = {
    "binance_futures": ("depth@100ms", "bookTicker", "trade", "markPrice@1s", "kline_1m"),
    "binance_spot": ("depth@100ms", "bookTicker", "trade", "kline_1m"),
}


def record(folder: Path) -> list[Path]:
    """Write one recording a venue, in the form of the captures; the same each time."""
    return [_write(FORMS[venue], endings, folder) for venue, endings in ENDINGS.items()]


def _write(form: Form, endings: tuple[str, ...], folder: Path) -> Path:
    market = Market(SYMBOL, {form.name: form.place}, seed=SEED, rate=TRADES_PER_S, now_ms=START_MS)
    streams = form.streams(form.name, market)
    wanted = {f"{SYMBOL.lower()}@{ending}" for ending in endings}
    path = folder / form.name / f"simulated_{SYMBOL}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as lines:
        for now in range(START_MS, START_MS + STEPS * STEP_MS, STEP_MS):
            for frame in streams.frames(market.step(now)[form.name], now, wanted):
                lines.write(_line(form.name, "ws", now, f"/stream?streams={frame.stream}", frame.payload))
            if now == START_MS + 10 * STEP_MS:  # some diffs come before the snapshot, as they do live
                lines.write(_line(form.name, "http", now, *_snapshot(form, market, now)))
    return path


def _snapshot(form: Form, market: Market, now_ms: int) -> tuple[str, bytes]:
    depth = next(one for one in form.endpoints if one.path.endswith("/depth"))
    params = {"symbol": SYMBOL, "limit": "1000"}
    body = depth.answer(Question(form.name, {SYMBOL: market}, form.place, params, now_ms))
    return f"{depth.path}?symbol={SYMBOL}&limit=1000", msgspec.json.encode(body)


def _line(venue: str, kind: str, now_ms: int, url: str, raw: bytes) -> bytes:
    row = {"venue": venue, "kind": kind, "dir": "in", "t": now_ms / 1000, "url": url, "raw": raw.decode()}
    return msgspec.json.encode(row) + b"\n"
