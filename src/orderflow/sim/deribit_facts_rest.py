"""REST of Deribit beside its markets: settlements, currencies, indices, notices, the state of the platform."""

from collections.abc import Sequence
from typing import Any

from orderflow.sim.deribit import CURRENCIES, PUBLIC, answered, number, text, wrong
from orderflow.sim.deribit_futures_wire import Words, index_name
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS
from orderflow.sim.protocol import Endpoint, Question
from orderflow.sim.standing import share

_SETTLES_MS = 8 * 3_600_000  # after midnight UTC, once a day
_DAY_MS = 86_400_000
_MOST_SETTLEMENTS = 1000


def session_profit(seed: int, symbol: str, ts: Millis) -> float:
    """What all holders of a perpetual made in the session that a settlement ended, in the coin that settles."""
    return share(seed, "deribit_futures", symbol, "session", ts=ts, least=-50.0, most=50.0)


def _settled(asked: Question, symbol: str) -> list[dict[str, Any]]:
    """A perpetual's daily settlements: every third of the payments that the simulation knows."""
    held, listing = asked.markets[symbol].perpetuals[asked.venue], asked.place.listings[symbol]
    amount = Words(listing, listing.native).amount(held.open_lots)
    return [
        {
            "type": "settlement",
            "timestamp": paid.ts,
            "instrument_name": listing.native,
            "mark_price": round(paid.mark, 4),
            "index_price": round(paid.mark, 4),
            "position": amount,
            "profit_loss": 0.0,
            "session_profit_loss": session_profit(asked.markets[symbol].seed, symbol, paid.ts),
            "funding": round(paid.rate, 9),
        }
        for paid in held.settlements
        if paid.ts % _DAY_MS == _SETTLES_MS and paid.ts <= asked.now_ms
    ]


def _settlements(asked: Question, symbols: Sequence[str]) -> Any:
    """The latest first; the simulation has no page that would follow."""
    rows = [row for symbol in symbols for row in _settled(asked, symbol)]
    rows.sort(key=lambda row: -row["timestamp"])
    count = min(max(1, number(asked, "count", 20)), _MOST_SETTLEMENTS)
    return answered(asked, {"settlements": rows[:count], "continuation": None})


def _settlements_of_currency(asked: Question) -> Any:
    currency = text(asked, "currency")
    if currency not in CURRENCIES:
        raise wrong("currency")
    listings = asked.place.listings
    margins = {one: COINS[one].base if listings[one].inverse else "USDC" for one in asked.markets}
    return _settlements(asked, [one for one, margin in margins.items() if currency in ("any", margin)])


def _settlements_of_one(asked: Question) -> Any:
    name = text(asked, "instrument_name")
    found = [one for one in asked.markets if asked.place.listings[one].native == name]
    if not found:
        raise wrong("instrument_name")
    return _settlements(asked, found)


def _currencies(asked: Question) -> Any:
    coins = [COINS[one].base for one in asked.markets if asked.place.listings[one].inverse]
    return answered(
        asked,
        [
            {
                "currency": coin,
                "currency_long": coin,
                "decimals": 6 if coin == "USDC" else 8,
                "fee_precision": 4,
            }
            for coin in (*coins, "USDC")
        ],
    )


def _index_names(asked: Question) -> Any:
    return answered(asked, [index_name(asked.place.listings[one].native) for one in asked.markets])


def _announcements(asked: Question) -> Any:
    day = asked.now_ms - asked.now_ms % _DAY_MS
    notice = {
        "id": 1,
        "title": "Simulated maintenance",
        "body": "Nothing will happen.",
        "publication_timestamp": day,
        "important": False,
        "confirmation": False,
    }
    return answered(asked, [notice])


def status(asked: Question) -> Any:
    return answered(asked, {"locked": "false", "locked_indices": []})


FACTS = tuple(
    Endpoint(PUBLIC + method, answer)
    for method, answer in (
        ("get_last_settlements_by_currency", _settlements_of_currency),
        ("get_last_settlements_by_instrument", _settlements_of_one),
        ("get_currencies", _currencies),
        ("get_index_price_names", _index_names),
        ("get_announcements", _announcements),
        ("status", status),
    )
)
