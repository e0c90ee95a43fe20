"""Ours: every frame decoded, books kept, live state held, rows packed into the buffers that a flush takes."""

from bench.recordings import Recording
from bench.scenarios import Done, Run


def prepare(recording: Recording) -> Run:
    from orderflow.jobs.collect import decode_to_buffer

    def run() -> Done:
        counts, best = decode_to_buffer(recording.frames, recording.venue)
        return Done(counts=counts, best=best)

    return run
