"""Results: what a desk's questions give, as the doors and their OpenAPI document declare it.

Prices and sizes are in quote and base units, values and open interest in USD where they are called so,
rates are fractions per interval of their market. Times are ISO 8601 in UTC. What is unknown is null.
"""

from typing import Any, TypeAlias

import msgspec


class LargeTrade(msgspec.Struct, kw_only=True):
    """A large trade of a tape, or a liquidation; `is_liquidation` is null where the tape does not tell."""

    exchange: str
    symbol: str
    side: str | None
    price: float | None
    size: float | None
    value_usd: float | None
    timestamp: str
    trade_id: str | None
    is_liquidation: bool | None
    metadata: dict[str, Any]


class FundingRate(msgspec.Struct, kw_only=True):
    """A rate as it was announced, per `interval_hours` in the metadata."""

    exchange: str
    symbol: str
    rate: float | None
    predicted_rate: float | None
    timestamp: str
    next_funding_time: str | None
    metadata: dict[str, Any]


class OpenInterest(msgspec.Struct, kw_only=True):
    """Open interest, one side: in base units, and in USD where the venue tells."""

    exchange: str
    symbol: str
    open_interest: float | None
    open_interest_usd: float | None
    timestamp: str
    metadata: dict[str, Any]


class OrderBook(msgspec.Struct, kw_only=True):
    """The best ten levels of a book, as [price, size], best first."""

    exchange: str
    symbol: str
    bids: list[list[float]]
    asks: list[list[float]]
    timestamp: str
    sequence: int | None
    metadata: dict[str, Any]


class TradesSummary(msgspec.Struct, kw_only=True):
    """All rows of the window, also those beyond `limit`.

    A liquidation's fills are on the tape too, where a venue does not mark them: `total_value_usd` adds all
    rows, so its two parts are told beside it.
    """

    total_value_usd: float
    trades_value_usd: float
    liquidations_value_usd: float
    liquidation_count: int
    exchanges: list[str]
    symbols: list[str]


class IntervalRates(msgspec.Struct, kw_only=True):
    """The mean rate of the markets that pay every `interval_hours`: as paid, per 8 hours and per year."""

    interval_hours: float | None
    markets: int
    count: int
    average_rate: float
    average_rate_percent: float
    average_rate_8h: float | None
    annualized_percent: float | None


class FundingSummary(msgspec.Struct, kw_only=True):
    """Mean rates of the window. `average_rate` is per `average_rate_hours`, whatever a market's interval.

    A market's mean is that of its rows; each market weighs the same, however often its venue repeats
    itself. Rows whose interval is not known are in `by_interval` alone.
    """

    average_rate: float | None
    average_rate_percent: float | None
    average_rate_hours: int
    annualized_percent: float | None
    by_interval: list[IntervalRates]
    exchanges: list[str]
    symbols: list[str]
    reason: str | None


class InterestSummary(msgspec.Struct, kw_only=True):
    """The latest row of each market, and the sum of those that are told in USD."""

    total_oi_usd: float | None
    latest: list[OpenInterest]
    without_usd: list[str]
    exchanges: list[str]
    symbols: list[str]
    reason: str | None


class BooksSummary(msgspec.Struct, kw_only=True):
    exchanges: list[str]
    symbols: list[str]


class LargeTrades(msgspec.Struct, kw_only=True):
    """`count` rows of `total` in the window; `reason` says why there are none."""

    count: int
    total: int
    trades: list[LargeTrade]
    summary: TradesSummary
    reason: str | None


class FundingRates(msgspec.Struct, kw_only=True):
    """`count` rows of `total` in the window; `reason` says why there are none."""

    count: int
    total: int
    funding_rates: list[FundingRate]
    summary: FundingSummary
    reason: str | None


class OpenInterests(msgspec.Struct, kw_only=True):
    """`count` rows of `total` in the window; `reason` says why there are none."""

    count: int
    total: int
    open_interest: list[OpenInterest]
    summary: InterestSummary
    reason: str | None


class OrderBooks(msgspec.Struct, kw_only=True):
    """`count` rows of `total` in the window; of the latest ones, one a market, there are no others."""

    count: int
    total: int
    orderbooks: list[OrderBook]
    summary: BooksSummary
    reason: str | None


Data: TypeAlias = LargeTrades | FundingRates | OpenInterests | OrderBooks


class Answer(msgspec.Struct, kw_only=True):
    """The envelope: the data, the filters as they were understood, and when it was asked."""

    success: bool
    data: Data
    filters: dict[str, Any]
    timestamp: str
