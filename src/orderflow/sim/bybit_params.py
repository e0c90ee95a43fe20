"""What Bybit's REST answers share: the envelope, how it refuses, and the parameters that are asked with."""

from typing import Any

from orderflow.sim.exchange import Exchange
from orderflow.sim.listings import Wording
from orderflow.sim.protocol import Question, Refusal

_CATEGORIES = {"spot": "spot", "perpetual": "linear", "options": "option"}  # by the kind of place


def answered(result: Any, now_ms: int, code: int = 0, words: str = "OK") -> dict[str, Any]:
    return {"retCode": code, "retMsg": words, "result": result, "retExtInfo": {}, "time": now_ms}


def wrong(asked: Question, words: str) -> Refusal:
    return Refusal(200, answered({}, asked.now_ms, 10001, words))


def category_of(asked: Question) -> str:
    """The category asked for, which must be sent and this market's."""
    own = _CATEGORIES[asked.place.kind]
    if asked.params.get("category") != own:
        raise wrong(asked, "params error: Category is invalid")
    return own


def symbol_of(asked: Question) -> str:
    name = asked.params.get("symbol", "")
    if name not in asked.markets:
        raise wrong(asked, "params error: symbol invalid")
    return name


def symbols_of(asked: Question) -> list[str]:
    return [symbol_of(asked)] if asked.params.get("symbol") else list(asked.markets)


def exchange_of(asked: Question, symbol: str) -> tuple[Exchange, Wording]:
    found = asked.markets[symbol].exchanges[asked.venue]
    return found, Wording(found.listing)


def number_of(asked: Question, name: str) -> int | None:
    text = asked.params.get(name)
    if text is None:
        return None
    if not text.isdecimal():
        raise wrong(asked, f"params error: {name} invalid")
    return int(text)


def limit_of(asked: Question, default: int, most: int) -> int:
    """How many rows; more than there may be count as the most."""
    return min(number_of(asked, "limit") or default, most)
