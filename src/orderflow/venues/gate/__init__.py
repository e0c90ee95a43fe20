"""What Gate's markets have in common: where they are, what they allow, how they refuse.

Docs    https://www.gate.com/docs/developers/apiv4/en
One host for perpetuals, dated contracts and options, told apart by the path. A decimal is text on the wire
and a float here; sizes are contracts. The header makes them decimal texts: without it they are rounded down.
"""

import msgspec

from orderflow.venues.spec import Bucket, Refusals

REST = "https://api.gateio.ws"
HEADERS = {"X-Gate-Size-Decimal": "1"}
BUCKETS = (Bucket("weight", 200, 10),)  # the venue counts each endpoint apart


class _Refusal(msgspec.Struct):
    label: str
    message: str = ""


_REFUSAL = msgspec.json.Decoder(_Refusal)


def complaint(body: bytes) -> tuple[str, str] | None:
    """Return the label and the text of an error."""
    try:
        said = _REFUSAL.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return said.label, said.message


REFUSALS = Refusals(
    complaint=complaint,
    limited_codes=frozenset({"TOO_MANY_REQUESTS"}),
    unavailable_codes=frozenset({"INTERNAL", "SERVER_ERROR", "TOO_BUSY"}),
    unknown_symbol_codes=frozenset({"CONTRACT_NOT_FOUND"}),
)
