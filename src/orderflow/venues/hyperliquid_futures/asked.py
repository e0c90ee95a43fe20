"""What Hyperliquid's perpetuals are asked by tools.

Everything but books, trades and bars comes for all coins at once: `metaAndAssetCtxs` and `allMids`.
"""

from orderflow.venues.hyperliquid import requests
from orderflow.venues.questions import Question

QUESTIONS = (
    *requests.QUESTIONS,
    Question(name="fundings", endpoint="contexts", of="venue", note="the running estimate of the hour"),
    Question(name="open_interests", endpoint="contexts", of="venue"),
    Question(name="marks", endpoint="contexts", of="venue"),
    Question(name="index", endpoint="contexts"),
    Question(name="risk_tiers", endpoint="instruments", keeps_s=60.0),
    Question(
        name="funding_history",
        endpoint="funding_history",
        since="startTime",
        until="endTime",
        most=500,
        wants_window=True,
        each_s=3_600.0,
        keeps_s=30.0,
    ),
)
