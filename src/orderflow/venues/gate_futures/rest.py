"""What Gate's perpetual futures are asked over REST, and what is kept of their past."""

from orderflow.market.events import HOUR, MINUTE
from orderflow.venues.gate.answers import Answers
from orderflow.venues.gate.asked import OF_CONTRACT, SETTLED, endpoints
from orderflow.venues.gate_futures.socket import VENUE
from orderflow.venues.spec import EVERY_FIVE_MINUTES, Endpoint, History, leaves_out
from orderflow.venues.spec import SETTLED as SETTLED_RATES

BASE = "/api/v4/futures/{settle}"

ENDPOINTS = (
    *endpoints(BASE, Answers(VENUE), levels=100),
    Endpoint(
        "premium_candles",
        f"{BASE}/premium_index",
        leaves_out(VENUE, "no stream for candles of the premium"),
        {**SETTLED, "interval": "1m", "limit": "1000"},
        ("contract",),
        of_symbol=OF_CONTRACT,
    ),
    Endpoint(
        "index_parts",
        f"{BASE}/index_constituents/{{index}}",
        leaves_out(VENUE, "no stream for an index's parts"),
        SETTLED,
        ("index",),
        of_symbol={"index": "{symbol}"},
    ),
)

# ── What is kept of the past ──────────────────────────────────────────────────────────────────

PAST = (
    History(
        stream="trades",
        endpoint="trades",
        start="from",
        end="to",
        unit="s",
        newest_first=True,
        most_rows=1000,
    ),
    History(
        stream="candles",
        endpoint="candles",
        start="from",
        end="to",
        unit="s",
        most_rows=998,
        span=998 * MINUTE,  # more than 1,000 bars were refused once, 2,000 are documented
        step=MINUTE,
        keeps=166 * HOUR,  # the latest 10,000 bars, which since February 2026 is enforced
    ),
    History(
        stream="funding_rates",
        endpoint="funding_history",
        start="from",
        end="to",
        unit="s",
        newest_first=True,
        most_rows=1000,
        lacks=SETTLED_RATES,
    ),
    History(
        stream="open_interest",
        endpoint="statistics",
        start="from",  # and so many rows from there: it takes no end
        unit="s",
        most_rows=100,
        lacks=EVERY_FIVE_MINUTES,
    ),
)
