"""Rows that OKX writes alike for all kinds of instruments."""

import msgspec

from orderflow.venues.okx import LevelRow


class BookRow(msgspec.Struct, gc=False):
    """A book over REST; the full one and those of before 2023 have no `seqId`."""

    asks: list[LevelRow]
    bids: list[LevelRow]
    ts: int
    seqId: int | None = None


class InstrumentRow(msgspec.Struct, gc=False):
    instType: str
    instId: str
    state: str = ""
    instFamily: str = ""
    uly: str = ""
    baseCcy: str = ""
    quoteCcy: str = ""
    settleCcy: str = ""
    ctVal: str = ""
    ctMult: str = ""
    ctType: str = ""
    tickSz: str = ""
    lotSz: str = ""
    listTime: str = ""


class MarkRow(msgspec.Struct, gc=False):
    instId: str
    markPx: float
    ts: int


class OpenInterestRow(msgspec.Struct, gc=False):
    """Open interest in contracts, in coins and in USD."""

    instId: str
    ts: int
    oi: str = ""
    oiCcy: str = ""
    oiUsd: str = ""


class TickerRow(msgspec.Struct, gc=False):
    instId: str
    ts: int
    instType: str = ""
    last: str = ""
    open24h: str = ""
    high24h: str = ""
    low24h: str = ""
    vol24h: str = ""
    volCcy24h: str = ""
    bidPx: str = ""
    bidSz: str = ""
    askPx: str = ""
    askSz: str = ""
