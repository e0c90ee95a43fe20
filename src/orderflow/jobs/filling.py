"""Filling: a collector's gaps are filled from the past while it collects, again and again."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from orderflow.feed.live import Feed
from orderflow.jobs.backfill import Asked, Backfill, Desk
from orderflow.jobs.plan import Plan
from orderflow.market.errors import StoreBroken, StoreUnusable
from orderflow.market.events import HOUR, Gap, Nanos

log = logging.getLogger(__name__)

FIRST_S = 5.0  # by then a restart's gaps have closed
EVERY_S = 30.0
RETRY: Nanos = HOUR  # for what failed
SHARE = 0.4  # of a venue's allowance: snapshots and polls need the rest
EASE = 2.0  # rests after each write, twice as long as it took


async def fill(
    desk: Desk,
    oldest: Nanos,
    plan: Callable[[], Plan],
    living: Callable[[], list[Feed]],
    filled: Callable[[Gap], None],
) -> None:
    """Fill what is known to be missing and not older than `oldest`, until it is cancelled.

    `living` are the feeds whose venues are asked: when they change, it begins anew with those. A disk
    that is full makes it rest; a database that is broken ends it, and the next flush says so.
    """
    backfill, feeds = None, list[Feed]()
    try:
        await asyncio.sleep(FIRST_S)
        while True:
            if backfill is None or feeds != living():  # some were started, stopped or begun again
                if backfill is not None:
                    await backfill.close()
                feeds = living()
                backfill = _backfill(desk, plan(), feeds)
            try:
                await _round(backfill, plan(), oldest, filled)
            except StoreBroken:
                return
            except StoreUnusable as error:
                log.warning("backfill rests: %s", error.message)
            await asyncio.sleep(EVERY_S)
    finally:
        if backfill is not None:
            await backfill.close()


async def _round(backfill: Backfill, plan: Plan, oldest: Nanos, filled: Callable[[Gap], None]) -> None:
    asked = Asked(
        symbols=plan.symbols, streams=plan.streams, since=time.time_ns() - oldest, retry_after=RETRY
    )
    report = await backfill.run(asked)
    for one in report.filled:
        filled(Gap(*one.series, one.from_ts, one.until_ts, one.reason))
    if report.pieces:
        log.info("backfill: %s rows, %d gaps filled", f"{report.written:,}", len(report.filled))


def _backfill(desk: Desk, plan: Plan, feeds: Sequence[Feed]) -> Backfill:
    return Backfill(
        desk,
        plan.venues,
        Path(f"{plan.db}.downloads"),
        kind="simulated" if plan.kind == "simulated" else "backfill",
        hosts=plan.hosts,
        share=SHARE,
        ease=EASE,
        rests={feed.venue.name: feed.rest for feed in feeds},
    )
