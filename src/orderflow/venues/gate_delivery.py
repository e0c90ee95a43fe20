"""Gate's dated contracts settled in USDT, which are asked by tools and not collected.

Docs    https://www.gate.com/docs/developers/apiv4/en (delivery)
Quirks  Rows and sizes are as on gate_futures; read there. What differs:
        A contract's name has the day on which it is settled at 08:00 UTC: BTC_USDT_20261225, here
        BTCUSDT20261225. It pays no funding: a rate in a ticker is empty or means nothing.
        `basis_value` is how far the mark price is above the index, `basis_rate` that part of the index;
        whether the rate is said for a year is UNCONFIRMED.
        An order book has at most 50 levels a side, UNCONFIRMED.
Times   REST tickers and contracts have none.
"""

from orderflow.venues import gate
from orderflow.venues.gate.answers import Answers
from orderflow.venues.gate.asked import endpoints, questions
from orderflow.venues.gate.asked_only import LIMITS, no_frames, nothing
from orderflow.venues.gate.rows import native_of
from orderflow.venues.questions import Question
from orderflow.venues.spec import BookRule, Hosts, Venue

VENUE = "gate_delivery"
_MOST_LEVELS = 50

# ── The venue ─────────────────────────────────────────────────────────────────────────────────

GATE_DELIVERY = Venue(
    name=VENUE,
    docs="https://www.gate.com/docs/developers/apiv4/en",
    hosts=Hosts(rest=gate.REST, ws={}),
    headers=gate.HEADERS,
    limits=LIMITS,
    book=BookRule.SNAPSHOTS,
    channels=(),
    endpoints=endpoints("/api/v4/delivery/{settle}", Answers(VENUE), levels=_MOST_LEVELS),
    questions=(*questions(most_levels=_MOST_LEVELS), Question(name="basis", endpoint="tickers")),
    buckets=gate.BUCKETS,
    decode=no_frames(VENUE),
    subscribe=nothing,
    unsubscribe=nothing,
    native=native_of,
    taker_fee_bps=5.0,
    taker_fee_source=(
        "that of swaps, first tier, 0.05 %: ccxt 4.5.90 (2026); whether it is that of dated contracts is"
        " UNCONFIRMED"
    ),
    listing="instruments",
    listing_every_s=3600,
    refusals=gate.REFUSALS,
    needs_contracts=True,
)
