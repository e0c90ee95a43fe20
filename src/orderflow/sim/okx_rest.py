"""What REST of all OKX markets has in common: the envelope, refusals, counts of rows."""

from typing import Any

from orderflow.sim.protocol import Question, Refusal


def envelope(data: list[Any], code: str = "0", words: str = "") -> Any:
    return {"code": code, "data": data, "msg": words}


def refusal(status: int) -> Any:
    if status == 429:
        words = "Rate limit reached. Please refer to API documentation and throttle requests accordingly."
        return envelope([], "50011", words)
    return envelope([], "50001", "Service temporarily unavailable. Please try again later.")


def needed(asked: Question, name: str) -> str:
    """A parameter that must be there."""
    if not (text := asked.params.get(name)):
        raise Refusal(400, envelope([], "50014", f"Parameter {name} can not be empty."))
    return text


def wrong(name: str) -> Refusal:
    return Refusal(400, envelope([], "51000", f"Parameter {name} error"))


def unknown() -> Refusal:
    return Refusal(200, envelope([], "51001", "Instrument ID doesn't exist."))


def limit(asked: Question, usual: int, most: int, name: str = "limit") -> int:
    text = asked.params.get(name, "")
    return min(most, int(text)) if text.isdecimal() and int(text) else usual
