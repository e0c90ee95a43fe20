"""What OKX is asked about options, and in which of its words.

Docs    https://www.okx.com/docs-v5/en/
"""

from collections.abc import Callable
from typing import Any

from orderflow.market.events import Event, Nanos
from orderflow.venues.okx import IN_10, IN_20, IN_40, facts, reads
from orderflow.venues.okx.wire import BookRow, InstrumentRow, MarkRow, OpenInterestRow, TickerRow
from orderflow.venues.okx_options import rows
from orderflow.venues.okx_options.rows import VENUE
from orderflow.venues.questions import Question
from orderflow.venues.spec import Answer, Endpoint, Memory

_OPTIONS = {"instType": "OPTION"}
_FAMILY = {"instFamily": "{family}"}
_ONE = {"instId": "{symbol}"}
_NOTHING: dict[str, str] = {}


def _each(row: Any, meaning: Callable[[Any, Nanos, Memory], Event]) -> Answer:
    return reads(VENUE, row, lambda found, query, ts, memory: [meaning(one, ts, memory) for one in found])


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

ENDPOINTS = (
    Endpoint(
        *("instruments", "/api/v5/public/instruments", reads(VENUE, InstrumentRow, rows.listed)),
        *(_OPTIONS, ("instFamily",)),
        bucket=IN_20,
        cache_s=900.0,
        of_symbol=_FAMILY,
    ),
    Endpoint(
        *("underlyings", "/api/v5/public/underlying", reads(VENUE, list[str], rows.underlyings), _OPTIONS),
        bucket=IN_20,
        of_symbol=_NOTHING,
    ),
    Endpoint(
        *("summary", "/api/v5/public/opt-summary", _each(rows.SummaryRow, rows.summary)),
        needs=("instFamily",),
        bucket=IN_20,
        of_symbol=_FAMILY | {"expTime": "{day}"},
    ),
    Endpoint(
        *("tickers", "/api/v5/market/tickers", _each(TickerRow, rows.ticker), _OPTIONS, ("instFamily",)),
        bucket=IN_20,
        of_symbol=_FAMILY,
    ),
    Endpoint(
        *("ticker", "/api/v5/market/ticker", _each(TickerRow, rows.ticker)),
        needs=("instId",),
        bucket=IN_20,
        of_symbol=_ONE,
    ),
    Endpoint(
        *("marks", "/api/v5/public/mark-price", _each(MarkRow, rows.mark), _OPTIONS),
        bucket=IN_10,
        of_symbol=_ONE,
    ),
    Endpoint(
        *("open_interest", "/api/v5/public/open-interest", _each(OpenInterestRow, rows.open_interest)),
        _OPTIONS,
        bucket=IN_20,
        of_symbol=_ONE,
    ),
    Endpoint(
        *("depth", "/api/v5/market/books", reads(VENUE, BookRow, rows.books), {"sz": "400"}, ("instId",)),
        bucket=IN_40,
        of_symbol=_ONE,
    ),
    Endpoint(
        *("deliveries", "/api/v5/public/delivery-exercise-history"),
        *(facts.deliveries(VENUE, rows.symbol_of), _OPTIONS, ("instFamily",)),
        bucket=IN_40,
        of_symbol=_FAMILY,
    ),
    Endpoint(
        *("insurance_fund", "/api/v5/public/insurance-fund", facts.insurance_fund(VENUE)),
        *(_OPTIONS, ("instFamily",)),
        bucket=IN_10,
        of_symbol=_FAMILY,
    ),
)

# ── Questions ─────────────────────────────────────────────────────────────────────────────────

_IN_COIN = "prices are in coin; greeks are those of Black-Scholes, in dollars"


def _of_coin(name: str, endpoint: str, keeps_s: float = 2.0, rows: str = "", note: str = "") -> Question:
    """Return a question about the options of a coin, those of Bitcoin where none is named."""
    return Question(
        name=name,
        endpoint=endpoint,
        of="coin",
        about="instFamily",
        coin="{coin}-USD",
        params={"instFamily": "BTC-USD"},
        rows=rows,
        most=100 if rows else None,
        keeps_s=keeps_s,
        note=note,
    )


def _of_option(name: str, endpoint: str, rows: str = "", keeps_s: float = 1.0, note: str = "") -> Question:
    """Return a question about one option, whose name gives the endpoint its words."""
    return Question(
        name=name, endpoint=endpoint, of="instrument", rows=rows, most=400, keeps_s=keeps_s, note=note
    )


QUESTIONS = (
    Question(name="option_underlyings", endpoint="underlyings", of="venue", keeps_s=900.0),
    _of_coin("option_expirations", "instruments", 900.0),
    _of_coin("option_contracts", "instruments", 900.0),
    _of_coin("option_chain", "summary", note=_IN_COIN),
    *(_of_coin("option_chain", one) for one in ("tickers", "marks", "open_interest")),
    _of_option("option", "ticker", note=_IN_COIN),
    *(_of_option("option", one) for one in ("summary", "marks", "open_interest")),
    # The listing first: it says what a contract is, in which the book counts.
    _of_option("option_book", "instruments", keeps_s=900.0),
    _of_option("option_book", "depth", rows="sz"),
    *(
        Question(
            name="instruments",
            endpoint="instruments",
            of="venue",
            params={"instFamily": family},
            keeps_s=900.0,
            note="options on BTC and ETH",
        )
        for family in ("BTC-USD", "ETH-USD")
    ),
    _of_coin("settlements", "deliveries", 60.0, rows="limit"),
    _of_coin("insurance_fund", "insurance_fund", 60.0),
)
