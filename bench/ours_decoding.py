"""Ours, decoding alone: how much of our cost is the venue's decoder, from bytes to events."""

from bench.ours import frames_of
from bench.recordings import Recording
from bench.scenarios import Done, Run, Told
from orderflow.market.events import Instrument
from orderflow.venues import ALL
from orderflow.venues.spec import Memory, answer


def prepare(recording: Recording) -> Run:
    venue = ALL[recording.venue]
    memory = Memory()
    for frame in frames_of(recording.listing):
        for event in answer(venue, frame.url, frame.payload, frame.ts_recv, memory):
            if isinstance(event, Instrument):
                memory.learn(event)
    frames = frames_of([frame for frame in recording.frames if frame.kind == "ws"])
    decode = venue.decode

    def run() -> Told:
        for frame in frames:
            decode(frame.payload, frame.ts_recv, memory)
        return lambda: Done(counts={}, whole=False)

    return run
