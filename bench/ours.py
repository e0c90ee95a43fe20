"""Ours: every frame decoded, books kept, live state held, rows packed into the buffers that a flush takes."""

from bench.recordings import Recording
from bench.scenarios import Done, Run


def prepare(recording: Recording) -> Run:
    from orderflow.feed.frames import Frame
    from orderflow.jobs.collect import decode_to_buffer

    frames = [Frame(one.venue, one.ts_recv, one.raw, one.kind, one.url) for one in recording.frames]

    def run() -> Done:
        counts, best = decode_to_buffer(frames)
        return Done(counts=counts, best=best)

    return run
