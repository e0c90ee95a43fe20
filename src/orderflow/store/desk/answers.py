"""Answers: what a desk's questions give, put together in one way from what either store has found."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias

from orderflow.store.desk import questions
from orderflow.store.desk.questions import Asked, Dialect, Filters, Statement, instant
from orderflow.store.desk.results import (
    Answer,
    BooksSummary,
    Data,
    FundingRate,
    FundingRates,
    FundingSummary,
    InterestSummary,
    IntervalRates,
    LargeTrade,
    LargeTrades,
    OpenInterest,
    OpenInterests,
    OrderBook,
    OrderBooks,
    TradesSummary,
)

Found: TypeAlias = list[tuple[Any, ...]]
Ask: TypeAlias = Callable[[Statement], Found]

COMPARED_HOURS = 8  # the interval in which rates of different intervals are averaged
_YEAR_HOURS = 8_760
_EXACT = 2**53  # below it every whole number is one of a float


def answered(asked: Asked, filters: Filters, dialect: Dialect, ask: Ask) -> Answer:
    """Ask what an answer needs, and put it together."""
    data = _ANSWERS[asked.question.name](asked, filters, dialect, ask)
    return Answer(
        success=True,
        data=data,
        filters=_understood(asked, filters),
        timestamp=instant(questions.moment(asked.until)),
    )


def _understood(asked: Asked, filters: Filters) -> dict[str, Any]:
    hours = filters.hours
    found: dict[str, Any] = {
        "symbol": asked.symbol,
        "exchange": list(asked.exchanges) or None,
        "hours": int(hours) if hours == int(hours) else hours,
        "since": instant(questions.moment(asked.since)),
        "until": instant(questions.moment(asked.until)),
    }
    if asked.question.name == "large_trades":
        least = asked.min_value_usd
        found["min_value_usd"] = None if least is None else float(least)
        found["only_liquidations"] = asked.only_liquidations
    if asked.question.name == "orderbooks":
        found["latest"] = filters.latest
    return found | {"order": asked.order, "limit": asked.limit}


# ── One question each ─────────────────────────────────────────────────────────────────────────


def _large_trades(asked: Asked, filters: Filters, dialect: Dialect, ask: Ask) -> LargeTrades:
    markets = ask(questions.markets(asked, dialect))
    trades = [
        LargeTrade(
            exchange=exchange,
            symbol=symbol,
            side=side,
            price=_number(price),
            size=_number(size),
            value_usd=_number(value),
            timestamp=instant(when),
            trade_id=trade_id,
            is_liquidation=forced,
            metadata=_json(metadata),
        )
        for exchange, symbol, side, price, size, value, when, trade_id, forced, metadata in (
            ask(questions.page(asked, dialect)) if markets else []
        )
    ]
    total, forced_usd = _sum(one[5] for one in markets), _sum(one[7] for one in markets)
    summary = TradesSummary(
        total_value_usd=float(total),
        trades_value_usd=float(total - forced_usd),
        liquidations_value_usd=float(forced_usd),
        liquidation_count=sum(one[6] for one in markets),
        **_names(markets),
    )
    return LargeTrades(
        count=len(trades),
        total=sum(one[2] for one in markets),
        trades=trades,
        summary=summary,
        reason=None if markets else _nothing(asked, dialect, ask),
    )


def _funding_rates(asked: Asked, filters: Filters, dialect: Dialect, ask: Ask) -> FundingRates:
    markets = ask(questions.markets(asked, dialect))
    rates = [
        FundingRate(
            exchange=exchange,
            symbol=symbol,
            rate=_number(rate),
            predicted_rate=_number(predicted),
            timestamp=instant(when),
            next_funding_time=None if settles is None else instant(settles),
            metadata=_json(metadata),
        )
        for exchange, symbol, rate, predicted, when, settles, metadata in (
            ask(questions.page(asked, dialect)) if markets else []
        )
    ]
    return FundingRates(
        count=len(rates),
        total=sum(one[3] for one in markets),
        funding_rates=rates,
        summary=_funding_summary(markets),
        reason=None if markets else _nothing(asked, dialect, ask),
    )


def _funding_summary(markets: Found) -> FundingSummary:
    """Average rates exactly, so that the order in which a store tells its markets changes nothing."""
    told = [
        (exchange, symbol, hours if hours else None, Fraction(total), rates)
        for exchange, symbol, hours, _, _, _, total, rates in markets
        if rates
    ]
    by_market: dict[tuple[str, str], list[tuple[Fraction, int]]] = defaultdict(list)
    by_interval: dict[float | None, list[tuple[Fraction, int]]] = defaultdict(list)
    for exchange, symbol, hours, total, rates in told:
        by_interval[hours].append((total / rates, rates))
        if hours is not None:
            by_market[exchange, symbol].append((total * COMPARED_HOURS / Fraction(hours), rates))
    means = [
        sum(total for total, _ in parts) / sum(rates for _, rates in parts) for parts in by_market.values()
    ]
    mean = sum(means) / Fraction(len(means)) if means else None
    unknown = "no rate in this window has a known interval" if told else None
    return FundingSummary(
        average_rate=None if mean is None else float(mean),
        average_rate_percent=None if mean is None else float(mean * 100),
        average_rate_hours=COMPARED_HOURS,
        annualized_percent=None if mean is None else float(mean * _YEAR_HOURS / COMPARED_HOURS * 100),
        by_interval=[
            _interval(hours, by_interval[hours])
            for hours in sorted(by_interval, key=lambda hours: (hours is None, hours))
        ],
        **_names(markets),
        reason=unknown if mean is None else None,
    )


def _interval(hours: float | None, parts: Sequence[tuple[Fraction, int]]) -> IntervalRates:
    mean = sum((mean for mean, _ in parts), Fraction(0)) / len(parts)
    hourly = None if hours is None else mean / Fraction(hours)
    return IntervalRates(
        interval_hours=hours,
        markets=len(parts),
        count=sum(rates for _, rates in parts),
        average_rate=float(mean),
        average_rate_percent=float(mean * 100),
        average_rate_8h=None if hourly is None else float(hourly * COMPARED_HOURS),
        annualized_percent=None if hourly is None else float(hourly * _YEAR_HOURS * 100),
    )


def _open_interest(asked: Asked, filters: Filters, dialect: Dialect, ask: Ask) -> OpenInterests:
    markets = ask(questions.markets(asked, dialect))
    found = _interests(ask(questions.page(asked, dialect))) if markets else []
    newest = ask(dialect.latest(asked)) if markets else []
    told = [usd for _, _, _, usd, *_ in newest if usd is not None]
    unknown = "no venue of this window tells its open interest in USD" if newest else None
    summary = InterestSummary(
        total_oi_usd=float(_sum(told)) if told else None,
        latest=_interests(newest),
        without_usd=[f"{exchange} {symbol}" for exchange, symbol, _, usd, *_ in newest if usd is None],
        **_names(markets),
        reason=None if told else unknown,
    )
    return OpenInterests(
        count=len(found),
        total=sum(one[2] for one in markets),
        open_interest=found,
        summary=summary,
        reason=None if markets else _nothing(asked, dialect, ask),
    )


def _interests(found: Found) -> list[OpenInterest]:
    return [
        OpenInterest(
            exchange=exchange,
            symbol=symbol,
            open_interest=_number(size),
            open_interest_usd=_number(usd),
            timestamp=instant(when),
            metadata=_json(metadata),
        )
        for exchange, symbol, size, usd, when, metadata in found
    ]


def _orderbooks(asked: Asked, filters: Filters, dialect: Dialect, ask: Ask) -> OrderBooks:
    if filters.latest:
        found = ask(dialect.latest(asked))
        names, total = _names(found), len(found)
        found = found[: asked.limit]
    else:
        markets = ask(questions.markets(asked, dialect))
        names, total = _names(markets), sum(one[2] for one in markets)
        found = ask(questions.page(asked, dialect)) if markets else []
    books = [
        OrderBook(
            exchange=exchange,
            symbol=symbol,
            bids=json.loads(bids, parse_int=float),
            asks=json.loads(asks, parse_int=float),
            timestamp=instant(when),
            sequence=sequence,
            metadata=_json(metadata),
        )
        for exchange, symbol, bids, asks, when, sequence, metadata in found
    ]
    return OrderBooks(
        count=len(books),
        total=total,
        orderbooks=books,
        summary=BooksSummary(**names),
        reason=None if books else _nothing(asked, dialect, ask),
    )


_ANSWERS: dict[str, Callable[[Asked, Filters, Dialect, Ask], Data]] = {
    "large_trades": _large_trades,
    "funding_rates": _funding_rates,
    "open_interest": _open_interest,
    "orderbooks": _orderbooks,
}


# ── Parts ─────────────────────────────────────────────────────────────────────────────────────


def _nothing(asked: Asked, dialect: Dialect, ask: Ask) -> str:
    """Say why there are no rows, with the range that exists."""
    ((first, last),) = ask(questions.stored(asked, dialect))
    kind = "liquidations" if asked.only_liquidations else asked.question.what
    least = "" if asked.min_value_usd is None else f" of at least {asked.min_value_usd} USD"
    where = f" on {', '.join(asked.exchanges)}" if asked.exchanges else ""
    what = f"no {kind}{f' of {asked.symbol}' if asked.symbol else ''}{least}{where} in this window"
    if first is None:
        return f"{what}; none at all are stored"
    return f"{what}; stored are rows from {instant(first)} to {instant(last)}"


def _names(found: Found) -> dict[str, list[str]]:
    return {
        "exchanges": sorted({one[0] for one in found}),
        "symbols": sorted({one[1] for one in found}),
    }


def _sum(values: Iterable[Decimal | None]) -> Decimal:
    return sum((one for one in values if one is not None), Decimal(0))


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _json(said: str | None) -> Any:
    """Return what JSON says, alike where PostgreSQL has written its numbers in another way."""
    return {} if said is None else _alike(json.loads(said))


def _alike(value: Any) -> Any:
    match value:
        case dict():
            return {name: _alike(value[name]) for name in sorted(value)}
        case list():
            return [_alike(one) for one in value]
        case bool():
            return value
        case int() | float():
            whole = int(value)
            return whole if whole == value and abs(whole) < _EXACT else float(value)
        case _:
            return value
