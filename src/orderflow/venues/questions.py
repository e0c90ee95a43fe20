"""Questions: what venues can be asked beside their streams, each under one name for all of them.

A venue's form says in a `Question` which endpoint answers, and with which of its words. Tools ask by the
name alone, so that a venue that learns to answer is one more row of its own form.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from orderflow.market import facts
from orderflow.market.events import (
    BookUpdate,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    Liquidation,
    MarkPrice,
    Nanos,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
    VolatilityIndex,
)

Unit: TypeAlias = Literal["iso", "s", "ms", "us", "ns"]

# Name → what an answer is made of. A question about one symbol that a venue answers only for all of them at
# once is asked by the name that follows in `WHOLE`.
QUESTIONS: dict[str, tuple[type[Event], ...]] = {
    "ticker": (Ticker, Quote, MarkPrice, IndexPrice, Funding, OpenInterest),
    "tickers": (Ticker, Quote, MarkPrice, IndexPrice, Funding, OpenInterest),
    "rolling_ticker": (Ticker,),
    "price": (facts.LastPrice,),
    "prices": (facts.LastPrice,),
    "average_price": (facts.LastPrice,),
    "quote": (Quote,),
    "quotes": (Quote,),
    "book": (BookUpdate,),
    "trades": (Trade,),
    "aggregate_trades": (Trade,),
    "candles": (Candle,),
    "mark": (MarkPrice,),
    "marks": (MarkPrice,),
    "index": (IndexPrice,),
    "indices": (facts.Asset,),
    "funding": (Funding,),
    "fundings": (Funding,),
    "funding_history": (Funding,),
    "open_interest": (OpenInterest,),
    "open_interests": (OpenInterest,),
    "open_interest_history": (OpenInterest,),
    "liquidations": (Liquidation,),
    "long_short": (facts.LongShort,),
    "taker_volume": (facts.TakerVolume,),
    "basis": (facts.Basis,),
    "contract_stats": (facts.ContractStats,),
    "insurance_fund": (facts.InsuranceFund,),
    "risk_tiers": (facts.RiskTier,),
    "instruments": (Instrument,),
    "currencies": (facts.Asset,),
    "quote_history": (Quote,),
    "settlements": (facts.Settlement,),
    "realised_volatility": (facts.Volatility,),
    "volatility_index": (facts.VolatilityBar, VolatilityIndex),
    "announcements": (facts.Announcement,),
    "status": (facts.VenueStatus,),
    "volume": (facts.VenueVolume,),
    "option_underlyings": (facts.Asset,),
    "option_expirations": (facts.Asset,),
    "option_contracts": (facts.OptionContract,),
    "option_chain": (Option,),
    "option": (Option,),
    "option_book": (BookUpdate,),
}
WHOLE = {
    "ticker": "tickers",
    "price": "prices",
    "quote": "quotes",
    "mark": "marks",
    "funding": "fundings",
    "open_interest": "open_interests",
    "option": "option_chain",
}


_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


def seconds(period: str) -> float | None:
    """Return how long a period is; None for what has no fixed length, as a month.

    >>> seconds("15m"), seconds("1M")
    (900, None)
    """
    count, unit = period[:-1], period[-1:]
    return int(count) * _SECONDS[unit] if count.isdecimal() and unit in _SECONDS else None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """How a venue is asked: `name` is one of `QUESTIONS`, `endpoint` one of its form.

    `of` says what the question is about: a `symbol` (whose words the endpoint's `of_symbol` holds), a
    `coin` (`about` is then the parameter that names it, written by `coin`, as in `{coin}-USD`), an
    `instrument` (one option, by its own name; without an `about` the endpoint's `of_symbol` holds its words),
    or the venue itself. `params` are what this question adds to
    the endpoint's own. `rows` is the parameter that counts rows, of which one answer holds `most`; where
    only some counts are allowed, `steps` has them. `period` is the parameter that names a bar or a
    period, `periods` the venue's words for ours (`1h`). `since` and `until` are those of a window, in
    `unit`s; one that the venue `wants` is sent though nobody asked, and holds what one answer does; rows
    without a period are `each_s` apart. Where an endpoint `reaches` no more than so many rows (of a book, or
    back from now), what goes further is asked of the one `beyond` it. Where several questions of a form have
    the same name, all of them are asked and their answers put together. Where an endpoint has no words for a
    symbol, it answers for all of them, and what is of others is left out.
    """

    name: str
    endpoint: str
    of: Literal["symbol", "coin", "instrument", "venue"] = "symbol"
    about: str = ""
    coin: str = "{coin}"
    coins: dict[str, str] = {}  # those that it writes otherwise than `coin` says
    params: dict[str, str] = {}
    rows: str = ""
    most: int | None = None
    steps: tuple[int, ...] = ()
    period: str = ""
    periods: dict[str, str] = {}
    since: str = ""
    until: str = ""
    unit: Unit = "ms"
    wants_window: bool = False
    reaches: int | None = None
    beyond: str = ""
    each_s: float = 60.0
    keeps_s: float = 1.0  # so long an answer is given again to who asks the same
    note: str = ""  # what a reader must know of what this venue answers


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question: `about` is a unified symbol, a coin or an option's own name, as the question is `of`.

    `period` is ours (`1h`), the window is [since, until). What a venue cannot be told is left to the asker:
    an answer may have more rows than were asked for, and rows from outside of the window.
    """

    question: str
    about: str | None = None
    rows: int | None = None
    period: str | None = None
    since: Nanos | None = None
    until: Nanos | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue answered, and when; `native` is its own name of the symbol, `notes` what to know of it."""

    events: Sequence[Event]
    at: Nanos
    native: str | None = None
    notes: tuple[str, ...] = ()
