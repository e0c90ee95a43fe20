"""What is asked about CME's futures: the weekly report, and Yahoo's delayed chart where that is wanted."""

from orderflow.venues.questions import Question

_WEEKLY = "the CFTC's weekly report: Tuesday's count, published on Friday; without micro contracts"
_WEEKS = {"1w": "400"}  # a row a week, told as the count of rows: of four products, a hundred weeks
_LATE = "about ten minutes late, unofficial, from Yahoo's chart; its front month rolls without a sign"
_BARS = {one: one for one in ("1m", "5m", "15m", "1h", "1d")}

QUESTIONS = (
    Question(name="open_interest", endpoint="positions", params={"$limit": "4"}, keeps_s=600.0, note=_WEEKLY),
    Question(
        name="open_interests",
        endpoint="positions",
        of="venue",
        params={"$limit": "4"},
        keeps_s=600.0,
        note=_WEEKLY,
    ),
    Question(
        name="open_interest_history",
        endpoint="positions",
        period="$limit",
        periods=_WEEKS,
        keeps_s=600.0,
        note=_WEEKLY,
    ),
)

CHART = (
    Question(name="ticker", endpoint="chart", keeps_s=60.0, note=_LATE),
    Question(name="candles", endpoint="chart", period="interval", periods=_BARS, keeps_s=60.0, note=_LATE),
)
