"""What the collector and its sender say to one another over the sender's stdin and stdout, in lines.

The collector says `Orders` in JSON, then numbers: the messages before one may be sent. `FINISH` asks to
send what can be sent in `FINISH_S` and to end; where the lines end without it, the collector is dead.
The sender says a `Report` in JSON whenever it has changed.
"""

from typing import Literal

import msgspec

FINISH = b"finish\n"
FINISH_S = 5.0


class Orders(msgspec.Struct, frozen=True):
    """Where to publish, from which message on, and before which to stop for now."""

    url: str
    exchange: str
    start: int
    end: int


class Report(msgspec.Struct):
    """How the sender stands; `away` says that the broker cannot be reached, and `error` why.

    `unrouted` keys had no queue bound for them when last asked. The last `error` stays to be read.
    """

    state: Literal["connecting", "connected", "away"] = "connecting"
    confirmed: int = 0
    under_way: int = 0
    sent_again: int = 0
    connections: int = 0
    unrouted: int = 0
    some_unrouted: list[str] = []
    error: str = ""
