"""What Coinbase is asked by tools: the Exchange where it answers for one product, Advanced Trade for the rest.

Docs    https://docs.cdp.coinbase.com/exchange/reference
        https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public
"""

from orderflow.venues.questions import Question

_PERIODS = {
    "1m": "ONE_MINUTE",
    "5m": "FIVE_MINUTE",
    "15m": "FIFTEEN_MINUTE",
    "30m": "THIRTY_MINUTE",
    "1h": "ONE_HOUR",
    "2h": "TWO_HOUR",
    "4h": "FOUR_HOUR",
    "6h": "SIX_HOUR",
    "1d": "ONE_DAY",
}
_BARS = 348  # an answer holds 350, counted with both ends

QUESTIONS = (
    Question(name="ticker", endpoint="ticker"),
    Question(name="ticker", endpoint="stats", note="quoted in USD; sizes of the best quote are not told"),
    Question(
        name="tickers", endpoint="advanced_products", of="venue", note="quoted in USD; no opening price"
    ),
    Question(name="price", endpoint="ticker"),
    Question(name="prices", endpoint="advanced_products", of="venue"),
    Question(name="quote", endpoint="ticker", note="without sizes"),
    Question(name="book", endpoint="advanced_depth", rows="limit", most=1000),
    Question(name="trades", endpoint="trades", rows="limit", most=1000),
    Question(
        name="candles",
        endpoint="advanced_candles",
        period="granularity",
        periods=_PERIODS,
        since="start",
        until="end",
        unit="s",
        most=_BARS,
        wants_window=True,
        note="bars without trades are absent",
    ),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=60.0),
    Question(name="currencies", endpoint="currencies", of="venue", keeps_s=60.0),
)
