"""What Kraken's spot market is asked by tools, and how.

Bars and spreads are not asked since a time: the document does not say whether that one is part of the answer,
which reaches back 720 bars or some 200 changes whatever is asked.
"""

from orderflow.venues.kraken_spot.rest import INTERVALS
from orderflow.venues.questions import Question

QUESTIONS = (
    *(Question(name=name, endpoint="ticker") for name in ("ticker", "price", "quote")),
    *(Question(name=name, endpoint="ticker", of="venue") for name in ("tickers", "prices", "quotes")),
    Question(name="book", endpoint="book", rows="count", most=500),
    Question(name="trades", endpoint="trades", rows="count", most=1000, since="since", unit="ns"),
    Question(
        name="candles",
        endpoint="candles",
        most=720,
        period="interval",
        periods={ours: minutes for minutes, ours in INTERVALS.items()},
    ),
    Question(name="quote_history", endpoint="spreads", most=200),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=3600.0),
    Question(name="currencies", endpoint="currencies", of="venue", keeps_s=3600.0),
    Question(name="status", endpoint="status", of="venue"),
)
