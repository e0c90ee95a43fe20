"""Bare decode: msgspec into typed structs of the fields that we use, and nothing else. The floor.

Which struct a message is decoded as is told by a few bytes of its beginning, as the subject declares.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from bench.recordings import Recording
from bench.scenarios import Done, Run, Told

BEGINNING = 96  # bytes in which a route's marker is looked for


def prepare(recording: Recording) -> Run:
    routes = [
        (one.marker, msgspec.json.Decoder(one.type, strict=False).decode, one.kind)
        for one in recording.subject.bare
    ]
    messages = recording.messages

    def run() -> Told:
        seen: list[tuple[object, str | Mapping[type, str]]] = []
        told = seen.append
        for raw in messages:
            beginning = raw[:BEGINNING]
            for marker, decode, kind in routes:
                if marker in beginning:
                    decoded = decode(raw)
                    told((decoded, kind))
                    break
            else:
                raise SystemExit(f"no route of the bare decode for {raw[:200]!r}")
        return lambda: _told(seen)

    return run


def _told(seen: list[tuple[object, str | Mapping[type, str]]]) -> Done:
    counts = Counter(
        kind if isinstance(kind, str) else kind[type(getattr(decoded, "data", decoded))]
        for decoded, kind in seen
    )
    return Done(counts=dict(counts))
