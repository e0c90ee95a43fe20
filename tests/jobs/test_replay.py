"""Replay: recordings made here, into the same rows each time, and never simulated beside real."""

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orderflow.feed.frames import Frame
from orderflow.feed.journal import Journal
from orderflow.jobs.pipeline import Pipeline
from orderflow.jobs.replay import Progress, replay
from orderflow.market.errors import RecordingUnreadable, StoreUnusable
from orderflow.market.events import MS, SECOND
from orderflow.market.streams import STREAMS
from orderflow.store import runs, tables
from orderflow.store.live import Live
from orderflow.store.statements import checksum
from orderflow.store.writer import Writer
from orderflow.venues import ALL

T = 1_763_683_200_000  # milliseconds, 2025-11-21T00:00:00Z
SPOT, BTC = "binance_spot", "BTCUSDT"


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with fresh() as connection:
        yield connection


def fresh() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    tables.create(connection, [BTC])
    return connection


def agg(id: int, at: int) -> str:
    data = {
        "e": "aggTrade",
        "E": T,
        "s": BTC,
        "a": id,
        "p": "100",
        "q": "2",
        "f": id,
        "l": id,
        "T": T + at,
        "m": False,
    }
    return json.dumps({"stream": "btcusdt@aggTrade", "data": data})


def depth(id: int, at: int) -> str:
    data = {"e": "depthUpdate", "E": T + at, "s": BTC, "U": id, "u": id, "b": [["100", str(id)]], "a": []}
    return json.dumps({"stream": "btcusdt@depth", "data": data})


def kline(at: int, close: str, closed: bool) -> str:
    bar = {"t": T, "T": T + 59_999, "i": "1m", "o": "1", "c": close, "h": "9", "l": "1", "v": "1", "n": 3}
    bar |= {"x": closed, "q": "1", "V": "1", "Q": "1"}
    data = {"e": "kline", "E": T + at, "s": BTC, "k": bar}
    return json.dumps({"stream": "btcusdt@kline_1m", "data": data})


def snapshot(id: int) -> str:
    return json.dumps({"lastUpdateId": id, "bids": [["100", "1"]], "asks": [["101", "1"]]})


def line(raw: str, at: int | None, url: str = "wss://toy/stream", **other: Any) -> dict[str, Any]:
    seconds = None if at is None else (T + at) / 1000
    return {"venue": SPOT, "kind": "ws", "dir": "in", "t": seconds, "url": url, "raw": raw} | other


# 40 book changes 100 ms apart, of which two wait for the snapshot; trades 1..40 without 21; a bar in three states.
def lines(*, timed: bool = True) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for n in range(40):
        at = 100 * n
        found.append(line(depth(11 + n, at), at))
        if n == 2:
            found.append(line(snapshot(12), at, f"https://toy/api/v3/depth?symbol={BTC}", kind="http"))
        found.append(line(agg(n + 1 + (n > 19), at), at))
        if n in (10, 20, 39):
            found.append(line(kline(60_000 + at, str(n), n == 39), at))
    found.append(line('{"method":"SUBSCRIBE"}', 0, dir="out"))
    found.append(line("{", 4000))
    return found if timed else [one | {"t": None} for one in found]


def capture(folder: Path, said: Sequence[dict[str, Any]], name: str = "spot.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(one) + "\n" for one in said))
    return path


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(
        connection.execute(checksum(table)).fetchall()[0]
        for table in (*STREAMS, "gaps", "instruments", "runs")
    )


def test_a_replay_tells_what_became_of_every_frame(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    said: list[Progress] = []
    report = replay([capture(tmp_path, lines())], database, ALL, progress=said.append)
    # 40 diffs + 1 snapshot + 40 trades + 3 bars + 1 sent + 1 broken
    assert (report.frames, report.used, report.ignored.total(), report.unknown.total()) == (86, 84, 1, 1)
    assert report.used + report.ignored.total() + report.unknown.total() == report.frames
    # the book is in step at 200 ms; 38 changes from 200 to 3900 ms, each third of them a row: 13
    assert report.written == {"orderbooks": 13, "trades": 40, "candles": 1}
    assert {name: report.rows[name] for name in ("orderbooks", "trades", "candles", "gaps", "runs")} == {
        "orderbooks": 13, "trades": 40, "candles": 1, "gaps": 1, "runs": 1,
    }  # fmt: skip
    assert [(gap.stream, gap.reason) for gap in report.gaps] == [
        ("trades", "sequence: trade ids 21..21 missing")
    ]
    assert report.source == "replay"
    assert (said[-1].files, said[-1].of) == (1, 1)
    assert database.execute("SELECT close, closed FROM candles").fetchall() == [(39.0, True)]


@pytest.mark.parametrize("timed", [True, False], ids=["timed", "without times"])
def test_replaying_twice_changes_nothing(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, timed: bool
) -> None:
    path = capture(tmp_path, lines(timed=timed))
    replay([path], database, ALL)
    before = contents(database)
    again = replay([path], database, ALL)
    assert again.written == {}
    assert contents(database) == before
    with fresh() as another:
        replay([path], another, ALL)
        assert contents(another) == before


@pytest.mark.parametrize("frames_a_flush", [1, 5, 33])
def test_a_recording_in_any_pieces_gives_the_same_rows(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, frames_a_flush: int
) -> None:
    said = lines()
    frames = [
        Frame(one["venue"], round(one["t"] * 1000) * MS, one["raw"].encode(), one["kind"], one["url"])
        for one in said
        if one["dir"] == "in"
    ]

    def written(connection: duckdb.DuckDBPyConnection, size: int) -> dict[str, str]:
        run = runs.begin(connection, "replay", "pieces", started=T * MS)
        writer = Writer(connection, run)
        pipeline = Pipeline(ALL, writer, Live("replay"))
        for start in range(0, len(frames), size):
            pipeline.take(frames[start : start + size])
            writer.flush()
        return contents(connection)

    with fresh() as whole:
        assert written(database, frames_a_flush) == written(whole, len(frames))


def test_a_run_is_the_recordings_and_not_the_day_on_which_it_was_replayed(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    replay([capture(tmp_path, lines())], database, ALL, book_interval_ms=500)
    found = runs.last(database)
    assert found is not None
    assert (found.kind, found.started, found.ended) == ("replay", T * MS, (T + 4000) * MS)
    assert found.key.startswith("recording ")
    assert len(found.key) == len("recording ") + 64
    assert found.settings == {"recording": "spot.jsonl", "book_interval_ms": 500}


def test_a_recording_without_times_lasts_from_its_first_event_to_its_last(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    replay([capture(tmp_path, lines(timed=False))], database, ALL)
    found = runs.last(database)
    assert found is not None
    assert (found.started, found.ended) == (
        T * MS,
        (T + 63_900) * MS,
    )  # the last candle is told a minute ahead


def test_several_recordings_are_several_runs_whose_data_do_not_join(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    capture(tmp_path, [line(agg(1, 0), 0), line(agg(2, 1), 1)], "a.jsonl")
    capture(tmp_path, [line(agg(90, 5), 5)], "b.jsonl")
    report = replay([tmp_path], database, ALL)
    assert (report.frames, report.gaps, report.rows["runs"]) == (3, [], 2)
    assert database.execute("SELECT run, count(*) FROM trades GROUP BY run ORDER BY run").fetchall() == [
        (1, 2),
        (2, 1),
    ]


def test_what_came_before_the_damage_is_in_the_database(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    path = tmp_path / "torn.jsonl"
    path.write_text("".join(json.dumps(line(agg(id, id), id)) + "\n" for id in (1, 2)) + "{not json\n")
    with pytest.raises(RecordingUnreadable, match="line 3"):
        replay([path], database, ALL)
    assert database.execute("SELECT count(*) FROM trades").fetchall() == [(2,)]


def test_a_venue_without_a_decoder_is_counted_and_leaves_nothing(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    path = capture(tmp_path, [line("{}", 0, venue="okx_futures"), line(agg(1, 0), 0)])
    report = replay([path], database, {SPOT: ALL[SPOT]})
    assert dict(report.ignored) == {"no decoder for okx_futures": 1}
    assert (report.frames, report.used) == (2, 1)


# ── Archives ──────────────────────────────────────────────────────────────────────────────────

AGG_ROWS = f"agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n7,100,2,70,72,{T},true\n8,101,1,73,73,{T + 5},false\n"
TRADE_ROWS = f"9,100,2,200,{T},True\n11,101,1,101,{T + 5},False\n"
CCXT_ROWS = (
    f"timestamp,id,type,side,price,amount,cost,date\n{T},9,,sell,100,2,200,x\n{T + 5},10,,buy,101,1,101,x\n"
)
TABLES = {
    "aggTrades": (AGG_ROWS, [("7", 100.0, 2.0, "sell", 3), ("8", 101.0, 1.0, "buy", 1)], 0),
    "trades": (TRADE_ROWS, [("9", 100.0, 2.0, "sell", 1), ("11", 101.0, 1.0, "buy", 1)], 1),
    "ccxt": (CCXT_ROWS, [("9", 100.0, 2.0, "sell", None), ("10", 101.0, 1.0, "buy", None)], 0),
}


@pytest.mark.parametrize("layout", TABLES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_archive_of_trades_becomes_trades(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, layout: str, packed: bool
) -> None:
    text, expected, gaps = TABLES[layout]
    path = tmp_path / SPOT / f"{BTC}-{layout}.csv{'.gz' if packed else ''}"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    report = replay([path], database, ALL)
    assert (report.frames, report.used, len(report.gaps)) == (2, 2, gaps)
    found = database.execute(
        "SELECT trade_id, price, quantity, side, count FROM trades ORDER BY id"
    ).fetchall()
    assert found == expected
    assert database.execute("SELECT DISTINCT venue, symbol, clock, received FROM trades").fetchall() == [
        (SPOT, BTC, "venue", None)
    ]
    run = runs.last(database)
    assert run is not None and (run.started, run.ended) == (
        T * MS,
        (T + 5) * MS,
    )  # what was collected: as long as its rows
    assert replay([path], database, ALL).written == {}


# ── Journals ──────────────────────────────────────────────────────────────────────────────────


def journal(folder: Path, kind: str) -> Path:
    about = {"kind": kind, "version": "1", "run": "r", "started": T * MS}
    with Journal(folder, about=about, keep=True) as made:
        made.append(
            [Frame(SPOT, T * MS + id * SECOND, agg(id, id).encode(), "ws", "public") for id in (1, 2, 3)]
        )
        return made.path


def test_a_journal_of_the_simulator_replays_as_simulated(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    report = replay([journal(tmp_path / "j", "simulated")], database, ALL)
    assert (report.source, report.written) == ("simulated", {"trades": 3})
    assert database.execute("SELECT DISTINCT source FROM trades").fetchall() == [("simulated",)]


def test_a_journal_of_a_real_run_replays_as_replay(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    replay([journal(tmp_path / "j", "live")], database, ALL)
    assert database.execute("SELECT DISTINCT source FROM trades").fetchall() == [("replay",)]


@pytest.mark.parametrize(("first", "second"), [("live", "simulated"), ("simulated", "live")])
def test_simulated_and_real_never_share_a_database(
    tmp_path: Path, database: duckdb.DuckDBPyConnection, first: str, second: str
) -> None:
    replay([journal(tmp_path / "one", first)], database, ALL)
    before = contents(database)
    with pytest.raises(StoreUnusable, match="must not be mixed"):
        replay([journal(tmp_path / "two", second)], database, ALL)
    assert contents(database) == before


def test_a_journal_cut_into_segments_gives_the_rows_of_one(
    tmp_path: Path, database: duckdb.DuckDBPyConnection
) -> None:
    frames = [
        Frame(one["venue"], round(one["t"] * 1000) * MS, one["raw"].encode(), one["kind"], one["url"])
        for one in lines()
        if one["dir"] == "in"
    ]
    about = {"kind": "live", "version": "1", "run": "r", "started": T * MS}
    follower = Pipeline(ALL, Writer(database, None), Live("live"))
    with Journal(tmp_path / "j", about=about, keep=True) as made:
        for place, frame in enumerate(frames):
            made.append([frame])
            follower.take([frame])
            if place in (1, 4, 40):  # the first cut falls while diffs wait for their snapshot
                made.rotate(list(follower.keep_books(frame.ts_recv)))
    with fresh() as one, fresh() as cut:
        replay([capture(tmp_path, lines())], one, ALL)
        report = replay([tmp_path / "j"], cut, ALL)
        assert report.rows["runs"] == 4
        for table in ("orderbooks", "trades", "candles"):
            query = f"SELECT * EXCLUDE (run) FROM {table} ORDER BY id"
            assert cut.execute(query).fetchall() == one.execute(query).fetchall()
        assert len(report.gaps) == 1


# ── Protocols that are spoken no longer ───────────────────────────────────────────────────────


def _line(venue: str, raw: dict[str, Any] | list[Any]) -> str:
    said = json.dumps(raw)
    return json.dumps({"venue": venue, "kind": "ws", "dir": "in", "t": 1.0, "url": "", "raw": said})


RETIRED = {
    "bybit_futures": {"topic": "orderBookL2_25.BTCUSDT", "type": "delta", "data": {}},
    "okx_futures": {"table": "swap/trade", "data": [{"instrument_id": "BTC-USDT-SWAP"}]},
}


@pytest.mark.parametrize("venue", sorted(RETIRED))
def test_a_recording_of_a_retired_protocol_is_refused_whole_and_the_others_are_replayed(
    tmp_path: Path, venue: str
) -> None:
    old, today = tmp_path / "a_old.jsonl", tmp_path / "b_today.jsonl"
    ticker = {
        "stream": "btcusdt@bookTicker",
        "data": {"u": 1, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"},
    }
    old.write_text("\n".join([_line(venue, RETIRED[venue])] * 3))
    today.write_text(_line("binance_spot", ticker))
    connection = duckdb.connect()
    tables.create(connection, ["BTCUSDT"])
    report = replay([tmp_path], connection, ALL)
    (said,) = report.refused
    assert "a_old.jsonl: refused, nothing of it is taken" in said and "protocol" in said
    assert (report.frames, report.unknown.total(), report.rows["prices"]) == (1, 0, 1)
    with pytest.raises(RecordingUnreadable, match=r"a_old\.jsonl: refused"):
        replay([old], connection, ALL)


def test_one_old_frame_among_todays_refuses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    pong = {"success": True, "ret_msg": "pong", "conn_id": "x", "op": "ping"}
    path.write_text(
        "\n".join([_line("bybit_futures", pong)] * 2 + [_line("bybit_futures", RETIRED["bybit_futures"])])
    )
    connection = duckdb.connect()
    tables.create(connection, ["BTCUSDT"])
    report = replay([path], connection, ALL)
    assert (report.refused, report.unknown.total(), report.frames) == ([], 1, 3)
