"""Real frames: every recorded frame of each venue is read, and chosen ones by hand."""

from collections import Counter
from pathlib import Path

import pytest
from expected import EVERY

from orderflow import venues
from orderflow.feed.recordings import expand, recording
from orderflow.market.events import BookUpdate, Event, Funding, Ignored, Liquidation, MarkPrice, Trade
from orderflow.venues.spec import Memory, answer

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures"


def events(path: Path) -> list[Event]:
    found: list[Event] = []
    for batch in recording(path):
        for one in batch:
            if one.kind == "note":
                continue
            venue = venues.ALL[one.venue]
            ws = one.kind == "ws"
            found += (
                venue.decode(one.payload, one.ts_recv, Memory())
                if ws
                else answer(venue, one.url, one.payload, one.ts_recv)
            )
    return found


@pytest.mark.parametrize("venue", sorted(EVERY))
def test_every_recorded_frame_is_read_and_means_something(venue: str) -> None:
    frames = 0
    for path in expand([CAPTURES / venue]):
        for batch in recording(path) if "OUTDATED" not in path.name else ():
            for one in batch:
                if one.kind == "note":
                    continue
                frames += 1
                form = venues.ALL[venue]
                if one.kind == "ws":
                    assert form.decode(one.payload, one.ts_recv, Memory()), (path.name, one.payload[:200])
                else:
                    assert answer(form, one.url, one.payload, one.ts_recv), (path.name, one.url)
    assert frames == EVERY[venue]


def test_the_reasons_for_leaving_out_are_few_and_known() -> None:
    reasons = Counter(
        one.reason
        for path in expand([CAPTURES / "binance_futures", CAPTURES / "binance_spot"])
        if path.stat().st_size < 200_000
        for one in events(path)
        if isinstance(one, Ignored)
    )
    assert reasons == {
        "another market: COIN-M": 3,
        "a book whose request is not recorded has no symbol": 1,
    }


def test_a_forced_sell_order_of_2026_closed_a_long_at_its_mean_price() -> None:
    found = [
        one
        for one in events(CAPTURES / "binance_futures/indexexcerpts_2026_frames.jsonl")
        if isinstance(one, Liquidation)
    ]
    # BTCUSDT: S SELL, ap 82651.90, z 0.190, T 1791565602120 ms; XRPUSDT: S BUY, ap 1.4912, z 127.2
    assert (found[0].side, found[0].price, found[0].size) == ("long", 82651.9, 0.19)
    assert found[0].ts_event == 1_791_565_602_120 * 1_000_000
    assert found[0].ts_recv == 1_791_565_603_055_000_000
    assert (found[1].symbol, found[1].side, found[1].price, found[1].size) == (
        "XRPUSDT",
        "short",
        1.4912,
        127.2,
    )


def test_the_first_frames_of_a_busy_recording_by_hand() -> None:
    first = events(CAPTURES / "binance_futures/hftbacktest_20240808_BTCUSDT.jsonl.gz")[:3]
    book, quote, trade = first
    assert isinstance(book, BookUpdate)
    assert (book.first_id, book.last_id, book.prev_id) == (5123107832006, 5123107837557, 5123107831937)
    assert book.bids[2] == (61510.90, 0.0)  # a removed level
    assert quote.ts_recv == 1_723_161_255_088_169_000  # t 1723161255.088169
    assert isinstance(trade, Trade)
    assert (trade.id, trade.price, trade.size, trade.side) == (5266583935, 61800.3, 0.006, "buy")


def test_the_first_mark_price_of_a_recording_by_hand() -> None:
    found = events(CAPTURES / "binance_futures/hftbacktest_20230404_BTCUSDT_markprice.jsonl.gz")
    mark = next(one for one in found if isinstance(one, MarkPrice))
    rate = next(one for one in found if isinstance(one, Funding))
    assert (mark.mark, mark.index) == (28147.27373413, 28159.75642857)
    # 1680652800000 ms - 1680652701000 ms: the settlement is 99 s away
    assert rate.next_ts is not None and rate.ts_event is not None
    assert (rate.rate, rate.next_ts - rate.ts_event) == (0.00002754, 99 * 1_000_000_000)


def test_the_ids_of_a_table_of_merged_trades_have_no_hole() -> None:
    trades = events(CAPTURES / "binance_spot/freqtrade_201910_XRPETH_aggTrades_part1.csv")
    assert len(trades) == 6238
    ids = [one.id for one in trades if isinstance(one, Trade)]
    assert ids == list(range(13519807, 13519807 + 6238))
    first = trades[0]
    assert isinstance(first, Trade)
    assert (first.symbol, first.price, first.size, first.side, first.count) == (
        "XRPETH",
        0.00141342,
        23.0,
        "sell",
        1,
    )
