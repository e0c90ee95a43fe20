"""Scenarios: what is measured, one row each. A new one is a module with `prepare`, and a row here."""

import importlib
from collections.abc import Callable

import msgspec

from bench.recordings import Best, Recording


class Done(msgspec.Struct, frozen=True):
    """What a run did: messages by kind (and diffs `applied`), the books' best prices, other figures.

    `counts` has every kind that the recording has, or one that counts the same messages: of books the updates
    read (`diffs`), those that changed one (`applied`) or the prices of all at the end (`levels`). `best` is
    empty where no books are kept. Both are compared with what has to come out. `figures` are printed as they are: name with unit → value.
    """

    counts: dict[str, int]
    best: Best = {}
    whole: bool = True  # False where only a part of the work is done, and need not show that it was
    figures: dict[str, float] = {}


Told = Callable[[], Done]  # looks at what was done, after the clock has stopped
Run = Callable[[], Told]


class Scenario(msgspec.Struct, frozen=True):
    """`module` has `prepare(recording) -> Run`: what it does is not timed, what `Run` does is, and telling is not.

    A `compared` scenario runs on every recording and is set beside ours; another one runs on the first
    recording alone, and its figures are what counts (socket to row, flush, memory over time).
    """

    name: str
    module: str
    about: str
    compared: bool = True

    def prepare(self, recording: Recording) -> Run:
        return importlib.import_module(self.module).prepare(recording)


OURS = "ours"

SCENARIOS = (
    Scenario(OURS, "bench.ours", "decode, full books, live state, packed rows ready for the store"),
    Scenario(
        "ours, decoding alone",
        "bench.ours_decoding",
        "the first part of ours: the venue's decoder makes events of each frame; no books, no rows",
    ),
    Scenario("bare decode", "bench.bare_decode", "msgspec's typed decode of the fields we use; nothing kept"),
    Scenario(
        "cryptofeed",
        "bench.rival_cryptofeed_records",
        "its message handler and its own storing callbacks: full books, records ready for a database",
    ),
    Scenario(
        "cryptofeed, keeping nothing",
        "bench.rival_cryptofeed",
        "the same with callbacks that only count: no record is made, so less work than ours",
    ),
    Scenario(
        "ccxt pro",
        "bench.rival_ccxt",
        "its client's handler: unified dictionaries, full books, awaited futures",
    ),
    Scenario("flush", "bench.flush", "a busy second's rows into a database on disk", compared=False),
    Scenario(
        "socket to row",
        "bench.socket_to_row",
        "the collector with everything on, nine symbols, fed as fast as it reads; until the last row is durable",
        compared=False,
    ),
    Scenario(
        "20,000 frames a second",
        "bench.socket_to_row_paced",
        "the same collector and symbols, fed at that pace for a quarter of a minute",
        compared=False,
    ),
)

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
