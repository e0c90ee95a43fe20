"""Flush: what waits after a busy second, into a database on disk, in one transaction."""

import tempfile
import time
from pathlib import Path
from statistics import median

import duckdb

from bench.ours import begun, house
from bench.recordings import Recording
from bench.scenarios import Done, Run, Told


def prepare(recording: Recording) -> Run:
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "flush.duckdb")
    connection = duckdb.connect(str(path))
    made = house(recording, connection, begun(connection))

    def run() -> Told:
        seconds: list[float] = []
        rows: list[int] = []
        for second in made.seconds:
            for frames in second:
                made.pipeline.take(frames)
            began = time.perf_counter()
            written = made.writer.flush().rows
            seconds.append(time.perf_counter() - began)
            rows.append(sum(written.values()))
        figures = {
            "median ms a flush": 1000 * median(seconds),
            "longest ms": 1000 * max(seconds),
            "median rows a flush": median(rows),
            "rows/s while flushing": sum(rows) / sum(seconds),
        }
        folder.cleanup()
        return lambda: Done(counts={}, figures=figures)

    return run
