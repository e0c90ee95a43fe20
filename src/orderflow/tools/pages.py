"""Pages: an answer cut to a budget of tokens, and the cursor that continues it."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from orderflow.market.errors import NoData
from orderflow.tools.answers import Answer, Row, tokens
from orderflow.tools.forms import as_text, csv_line


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where the next page begins: the tool, its resolved arguments and the rows before."""

    tool: str
    arguments: dict[str, Any]
    offset: int

    def write(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def cursor(text: str) -> Cursor:
    """Read a cursor, or raise `NoData`: it names no page."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = msgspec.json.decode(raw, type=Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise NoData(
            "next is not a cursor of ours", hint="pass the `next` of an answer as it stands, or leave it out"
        ) from error
    if found.offset < 0:
        raise NoData("next points before the first row", hint="pass the `next` of an answer as it stands")
    return found


def page(
    answer: Answer, arguments: Mapping[str, Any], offset: int, limit: int | None, max_tokens: int
) -> Answer:
    """Cut an answer that holds all its rows to one page within the budget.

    A first page that is cut by tokens shows its last rows too: a quarter of the budget.
    """
    rows, total = answer.rows, len(answer.rows)
    units = [answer.meta.units.get(name, "") for name in answer.columns]
    if offset and offset >= total:
        raise NoData(
            f"next points to row {offset + 1} of {total}",
            hint="the answer has become shorter: ask again without next",
        )
    wanted = rows[offset : offset + limit] if limit else rows[offset:]
    following = Cursor(tool=answer.meta.tool, arguments=dict(arguments), offset=total)
    room = max_tokens - _overhead(answer, following)
    head = _fitting(wanted, room, units)
    tail: list[Row] = []
    if len(head) < len(wanted) and not offset:
        tail = _fitting(wanted[::-1], room // 4, units)[::-1]
        head = _fitting(wanted, room - room // 4, units)
    answer.rows, answer.tail = (
        head,
        tail[-max(0, len(wanted) - len(head)) :] if len(wanted) > len(head) else [],
    )
    after = offset + len(head)
    answer.meta.rows, answer.meta.total, answer.meta.offset = len(head), total, offset
    if after < total:
        answer.meta.next = msgspec.structs.replace(following, offset=after).write()
    return answer


def _overhead(answer: Answer, following: Cursor) -> int:
    """Return what all but the rows takes, with a cursor and the line that tells of rows left out."""
    bare = msgspec.structs.replace(answer, rows=[], tail=[])
    return tokens(as_text(bare)) + tokens(following.write()) + 15


def _fitting(rows: Sequence[Row], room: int, units: Sequence[str]) -> list[Row]:
    """Return the first rows that fit; one at least, since an empty page would never end."""
    used, kept = 0, []
    for row in rows:
        used += tokens(csv_line(row, units) + "\n")
        if kept and used > room:
            break
        kept.append(row)
    return kept
