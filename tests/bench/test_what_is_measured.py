import json
from pathlib import Path

import pytest

from bench.child import Measured, compare
from bench.measure import Results
from bench.recordings import Recording, expected, load
from bench.report import FigureGoal, Goal, ratio
from bench.scenarios import OURS, Done

SNAPSHOT = {"lastUpdateId": 100, "bids": [["10", "1"], ["9", "1"]], "asks": [["11", "2"], ["12", "2"]]}


def diff(first: int, last: int, bids: list[list[str]], asks: list[list[str]]) -> str:
    data = {"e": "depthUpdate", "s": "BTCUSDT", "U": first, "u": last, "pu": first - 1, "b": bids, "a": asks}
    return json.dumps({"stream": "btcusdt@depth@100ms", "data": data})


TICKER = json.dumps({"stream": "btcusdt@bookTicker", "data": {"s": "BTCUSDT", "u": 1, "b": "1", "B": "1"}})


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """A body of the book, a diff from before it, one that removes bid 10, one that adds ask 10.5, a ticker."""
    rows = [
        ("http", "https://host/depth?symbol=BTCUSDT&limit=1000", json.dumps(SNAPSHOT)),
        ("ws", "wss://host", diff(90, 99, [["99", "1"]], [])),
        ("ws", "wss://host", diff(100, 105, [["10", "0"]], [])),
        ("ws", "wss://host", diff(106, 107, [], [["10.5", "3"]])),
        ("ws", "wss://host", TICKER),
    ]
    path = tmp_path / "binance_futures" / "few.jsonl"
    path.parent.mkdir()
    line = {"venue": "binance_futures", "dir": "in", "t": 1.5}
    path.write_text("".join(json.dumps({**line, "kind": k, "url": u, "raw": r}) + "\n" for k, u, r in rows))
    return load(path)


def test_a_recording_says_what_has_to_come_out(recording: Recording) -> None:
    wanted = expected(recording)
    assert wanted.counts == {"diffs": 3, "applied": 2, "quotes": 1, "levels": 4}
    assert wanted.best == {"BTCUSDT": (9.0, 10.5)}  # 10 was removed; 10.5 stands before 11


def test_spot_counts_a_diff_that_ends_at_the_snapshot_as_old_and_futures_do_not(recording: Recording) -> None:
    at_snapshot = diff(95, 100, [["9.5", "1"]], [])
    frames = [*recording.frames[:1], *(frame for frame in recording.frames[1:2])]
    frames[1] = type(frames[1])("x", 0, "ws", "", at_snapshot.encode())
    futures = Recording(name="few", venue="binance_futures", frames=frames)
    spot = Recording(name="few", venue="binance_spot", frames=frames)
    assert (expected(futures).counts["applied"], expected(spot).counts["applied"]) == (1, 0)


def test_a_limit_counts_messages_and_keeps_the_snapshot_before_them(
    tmp_path: Path, recording: Recording
) -> None:
    some = load(tmp_path / "binance_futures" / "few.jsonl", limit=2)
    assert (len(some.messages), list(some.snapshots)) == (2, ["BTCUSDT"])


@pytest.mark.parametrize(
    "done",
    [
        Done(counts={}),
        Done(counts={"diffs": 0}),
        Done(counts={"diffs": 3}),
        Done(counts={"quotes": 1}),
        Done(counts={"diffs": 2, "quotes": 1}),
        Done(counts={"diffs": 3, "quotes": 1, "trades": 1}),
        Done(counts={"diffs": 3, "quotes": 1}, best={"BTCUSDT": (10.0, 10.5)}),
        Done(counts={"diffs": 3, "quotes": 1}, best={"ETHUSDT": (9.0, 10.5)}),
    ],
)
def test_a_contestant_that_did_other_work_is_found_out(recording: Recording, done: Done) -> None:
    with pytest.raises(SystemExit):
        compare("idler", done, expected(recording))


def test_a_contestant_that_did_the_work_is_believed(recording: Recording) -> None:
    compare(
        "worker", Done(counts={"diffs": 3, "quotes": 1}, best={"BTCUSDT": (9.0, 10.5)}), expected(recording)
    )


def test_a_ratio_is_the_median_of_pairs_of_neighbours() -> None:
    def run(name: str, cpu_s: float) -> Measured:
        return Measured(name, "few", 10, cpu_s, cpu_s, 1.0, 1.0, {})

    # Pairs: 8/2 = 4, 30/3 = 10, 5/1 = 5. The median is 5, where the ratio of medians would be 8/2 = 4.
    runs = {
        (OURS, "few"): [run(OURS, 2.0), run(OURS, 3.0), run(OURS, 1.0)],
        ("cryptofeed", "few"): [run("cryptofeed", 8.0), run("cryptofeed", 30.0), run("cryptofeed", 5.0)],
    }
    assert ratio(Results(runs, {}, ["few"]), "cryptofeed", "few") == 5.0


def test_a_missed_goal_says_by_how_much() -> None:
    assert Goal("cryptofeed", at_least=4).judge(4.0) == "met"
    assert Goal("cryptofeed", at_least=4).judge(3.0) == "missed by 25 %"  # 1 - 3/4
    assert Goal("bare decode", at_most=3).judge(0.25) == "missed by 33 %"  # costs 4 times: 4/3 - 1
    memory = FigureGoal("memory", "socket to row", "MB", at_most=400)
    assert memory.row([500.0])[-1] == "missed by 25 %"  # 500/400 - 1
    assert memory.row([])[1] == "not measured"
