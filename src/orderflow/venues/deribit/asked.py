"""How tools ask Deribit: which endpoint answers which question, of futures and of options.

Its currencies are what contracts settle in: BTC and ETH for the inverse ones and their options, USDC for all
other coins together. So an answer about SOL is cut from that about USDC by who asked.
"""

from orderflow.venues.deribit.facts import SETTLED_TOGETHER
from orderflow.venues.deribit.meaning import RESOLUTIONS
from orderflow.venues.deribit.option_facts import SPANS
from orderflow.venues.questions import Question

_CURRENCIES = ("BTC", "ETH", "USDC")
_INVERSE = {"BTC": "BTC", "ETH": "ETH"}
_DEPTHS = (1, 5, 10, 20, 50, 100, 1000, 10000)
_HOUR_S = 3600.0

# What a ticker tells of one contract, and the summaries of all contracts.
_OF_ONE = ("ticker", "quote", "mark", "funding", "open_interest")
_OF_ALL = ("tickers", "quotes", "marks", "fundings", "open_interests")

_IN_COIN = (
    "prices of BTC and ETH options are in coin, of the others in USDC; open interest and volume in coin"
)
_NO_GREEKS = "its chain comes without greeks and without bid and ask volatilities"


def _of_venue(name: str, keeps_s: float = 30.0) -> Question:
    return Question(name=name, endpoint=name, of="venue", keeps_s=keeps_s)


FUTURES_QUESTIONS = (
    *(Question(name=name, endpoint="ticker") for name in _OF_ONE),
    *(
        Question(name=name, endpoint="summary", of="venue", params={"currency": one})
        for name in _OF_ALL
        for one in _CURRENCIES
    ),
    Question(name="book", endpoint="depth", rows="depth", steps=_DEPTHS),
    Question(name="trades", endpoint="trades", rows="count", most=1000),
    Question(
        name="liquidations",
        endpoint="trades",
        params={"count": "1000"},
        note="liquidations are marks on trades: those among the last 1,000",
    ),
    Question(
        name="candles",
        endpoint="candles",
        most=5000,
        period="resolution",
        periods=RESOLUTIONS,
        since="start_timestamp",
        until="end_timestamp",
        wants_window=True,
    ),
    Question(
        name="funding_history",
        endpoint="funding_history",
        most=744,
        since="start_timestamp",
        until="end_timestamp",
        wants_window=True,
        each_s=_HOUR_S,
        keeps_s=30.0,
        note="a row an hour, each the rate of the eight hours before it",
    ),
    Question(name="index", endpoint="index"),
    Question(name="indices", endpoint="index_names", of="venue", keeps_s=600.0),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=600.0),
    _of_venue("currencies", 600.0),
    Question(
        name="settlements",
        endpoint="settlements",
        of="coin",
        about="currency",
        coin="USDC",
        coins=_INVERSE,
        rows="count",
        most=1000,
        keeps_s=30.0,
        note=SETTLED_TOGETHER,
    ),
    _of_venue("announcements"),
    _of_venue("status"),
)

OPTIONS_QUESTIONS = (
    Question(
        name="option_chain",
        endpoint="summary",
        of="coin",
        about="currency",
        coin="USDC",
        coins=_INVERSE,
        note=f"{_IN_COIN}; {_NO_GREEKS}",
    ),
    Question(name="option", endpoint="ticker", of="instrument", about="instrument_name", note=_IN_COIN),
    Question(
        name="option_book",
        endpoint="depth",
        of="instrument",
        about="instrument_name",
        rows="depth",
        steps=_DEPTHS,
        note=_IN_COIN,
    ),
    Question(
        name="option_expirations",
        endpoint="expirations",
        of="coin",
        about="currency",
        coin="USDC",
        coins=_INVERSE,
        keeps_s=600.0,
        note="coins other than BTC and ETH settle in USDC and share one list of expiries",
    ),
    Question(name="option_underlyings", endpoint="contracts", of="venue", keeps_s=600.0),
    Question(name="option_contracts", endpoint="contracts", of="venue", keeps_s=600.0),
    Question(name="instruments", endpoint="instruments", of="venue", keeps_s=600.0),
    Question(name="trades", endpoint="trades_of_currency", rows="count", most=1000, note=_IN_COIN),
    Question(
        name="realised_volatility",
        endpoint="realised_volatility",
        of="coin",
        about="currency",
        keeps_s=60.0,
        note="a row an hour; over how many days each is measured the venue does not say",
    ),
    Question(
        name="volatility_index",
        endpoint="volatility_bars",
        of="coin",
        about="currency",
        period="resolution",
        periods=SPANS,
        since="start_timestamp",
        until="end_timestamp",
        wants_window=True,
        most=1000,
        note="DVOL: implied by options of the next thirty days, of BTC and ETH alone",
    ),
    _of_venue("status"),
)
