"""Socket to durable row at 20,000 frames a second: what share of a core, and how late the loop runs."""

from bench.recordings import Recording
from bench.scenarios import Run
from bench.socket_to_row import prepare_paced


def prepare(recording: Recording) -> Run:
    return prepare_paced(recording)
