"""Bare decode: msgspec into typed structs of the fields that we use, and nothing else. The floor."""

from collections import Counter

import msgspec

from bench.recordings import Recording
from bench.scenarios import Done, Run


class Level(msgspec.Struct, array_like=True, gc=False):
    price: float
    size: float


class Depth(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    s: str
    E: int
    U: int
    u: int
    b: list[Level]
    a: list[Level]
    pu: int | None = None


class Trade(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: str
    E: int
    T: int
    t: int
    p: float
    q: float
    m: bool
    X: str | None = None


class AggregateTrade(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    s: str
    E: int
    T: int
    a: int
    p: float
    q: float
    f: int
    l: int  # noqa: E741 - the venue's name
    m: bool


class Ticker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    s: str
    u: int
    b: float
    B: float
    a: float
    A: float
    E: int | None = None


class SpotTicker(msgspec.Struct, gc=False):
    """Spot sends this one without a tag."""

    s: str
    u: int
    b: float
    B: float
    a: float
    A: float


class Mark(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    s: str
    E: int
    p: float
    i: float
    r: float
    T: int


class Candle(msgspec.Struct, gc=False):
    t: int
    T: int
    i: str
    o: float
    h: float
    l: float  # noqa: E741 - the venue's name
    c: float
    v: float
    n: int
    x: bool


class Kline(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    s: str
    E: int
    k: Candle


class Tagged(msgspec.Struct, gc=False):
    data: Depth | Trade | AggregateTrade | Ticker | Mark | Kline


class Untagged(msgspec.Struct, gc=False):
    data: SpotTicker


KINDS: dict[type, str] = {
    Depth: "diffs",
    Trade: "trades",
    AggregateTrade: "trades",
    Ticker: "quotes",
    SpotTicker: "quotes",
    Mark: "marks",
    Kline: "candles",
}


def prepare(recording: Recording) -> Run:
    """Two decoders; only spot's ticker has to be told apart by its text."""
    messages = recording.messages
    tagged = msgspec.json.Decoder(Tagged, strict=False).decode
    untagged = msgspec.json.Decoder(Untagged, strict=False).decode
    untagged_tickers = recording.venue == "binance_spot"

    def run() -> Done:
        seen: list[type] = []
        for raw in messages:
            if untagged_tickers and b"@bookTicker" in raw[:48]:
                seen.append(type(untagged(raw).data))
            else:
                seen.append(type(tagged(raw).data))
        counts: Counter[str] = Counter()
        for kind, times in Counter(seen).items():
            counts[KINDS[kind]] += times
        return Done(counts=dict(counts))

    return run
