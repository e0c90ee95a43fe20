"""Gate's options settled in USDT, which are asked by tools and not collected.

Docs    https://www.gate.com/docs/developers/apiv4/en (options)
Quirks  A chain is asked for by its underlying (BTC_USDT), a name is BTC_USDT-20261225-60000-C: it expires on
        that day at 08:00 UTC. Prices are USDT for one coin. Sizes are contracts, of which the list of
        contracts says what each holds: it is asked beside the chain and beside a book.
        A ticker tells no volume. What no bid or ask has is told as 0.
        One option has no ticker of its own: it is a row of its chain.
        How an unknown underlying is refused is UNCONFIRMED; an order book has at most 50 levels, UNCONFIRMED.
Times   An order book has `update`, the matching engine's; tickers and contracts have none.
"""

from orderflow.venues import gate
from orderflow.venues.gate.asked_only import LIMITS, no_frames, nothing
from orderflow.venues.gate.rows import native_of
from orderflow.venues.gate_options.answers import VENUE, Options
from orderflow.venues.questions import Question
from orderflow.venues.spec import BookRule, Endpoint, Hosts, Venue

_SAID = Options(VENUE)
_OPTIONS = "/api/v4/options"
_OF = {"underlying": "{symbol}"}
_MOST_LEVELS = 50
_LISTED_S = 300.0  # what a contract holds does not change

ENDPOINTS = (
    Endpoint("time", "/api/v4/spot/time", _SAID.time),
    Endpoint("underlyings", f"{_OPTIONS}/underlyings", _SAID.underlyings, of_symbol={}),
    Endpoint("expirations", f"{_OPTIONS}/expirations", _SAID.expirations, {}, ("underlying",), of_symbol=_OF),
    Endpoint("contracts", f"{_OPTIONS}/contracts", _SAID.contracts, {}, ("underlying",), of_symbol=_OF),
    Endpoint(
        "contract",
        f"{_OPTIONS}/contracts/{{contract}}",
        _SAID.contract,
        {},
        ("contract",),
        of_symbol={"contract": "{symbol}"},
    ),
    Endpoint("tickers", f"{_OPTIONS}/tickers", _SAID.tickers, {}, ("underlying",), of_symbol=_OF),
    Endpoint(
        "underlying",
        f"{_OPTIONS}/underlying/tickers/{{underlying}}",
        _SAID.underlying,
        {},
        ("underlying",),
        of_symbol=_OF,
    ),
    Endpoint(
        "book",
        f"{_OPTIONS}/order_book",
        _SAID.order_book,
        {"limit": "20", "with_id": "true"},
        ("contract",),
        of_symbol={"contract": "{symbol}"},
    ),
)


def _of_coin(name: str, endpoint: str, keeps_s: float = 1.0, note: str = "") -> Question:
    return Question(
        name=name,
        endpoint=endpoint,
        of="coin",
        about="underlying",
        coin="{coin}_USDT",
        keeps_s=keeps_s,
        note=note,
    )


QUESTIONS = (
    Question(name="option_underlyings", endpoint="underlyings", of="venue", keeps_s=60.0),
    _of_coin("option_expirations", "expirations", 60.0),
    _of_coin("option_contracts", "contracts", _LISTED_S),
    _of_coin("option_chain", "contracts", _LISTED_S),  # first: sizes of the chain are read by it
    _of_coin("option_chain", "tickers", note="prices in USDT for one coin, not in the coin"),
    Question(name="option_book", endpoint="contract", of="instrument", about="contract", keeps_s=_LISTED_S),
    Question(
        name="option_book",
        endpoint="book",
        of="instrument",
        about="contract",
        rows="limit",
        most=_MOST_LEVELS,
    ),
    Question(name="index", endpoint="underlying"),
)

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

GATE_OPTIONS = Venue(
    name=VENUE,
    docs="https://www.gate.com/docs/developers/apiv4/en",
    hosts=Hosts(rest=gate.REST, ws={}),
    headers=gate.HEADERS,
    limits=LIMITS,
    book=BookRule.SNAPSHOTS,
    channels=(),
    endpoints=ENDPOINTS,
    questions=QUESTIONS,
    buckets=gate.BUCKETS,
    decode=no_frames(VENUE),
    subscribe=nothing,
    unsubscribe=nothing,
    native=native_of,
    taker_fee_bps=4.0,
    taker_fee_source=(
        "0.04 % of the underlying, not of the price: `taker_fee_rate` in the document's example of 2021;"
        " not read from the venue"
    ),
    refusals=gate.REFUSALS,
)
