"""What OKX publishes alike for several kinds of contracts: insurance funds, deliveries, settlements.

Docs    https://www.okx.com/docs-v5/en/#public-data-rest-api
Times   of a fund, its last update (once a day); of a delivery, when it took place.
"""

from collections.abc import Callable, Sequence

import msgspec

from orderflow.market.events import MS, Event, Nanos
from orderflow.market.facts import InsuranceFund, Settlement
from orderflow.venues.okx import number, reads
from orderflow.venues.spec import Answer, Memory, Query, left_out

_USD = ("USD", "USDT", "USDC")

# ── Insurance funds ───────────────────────────────────────────────────────────────────────────


class _FundChange(msgspec.Struct, gc=False):
    ccy: str
    ts: int
    balance: str = ""


class _Fund(msgspec.Struct, gc=False):
    details: list[_FundChange]
    total: str = ""
    instFamily: str = ""


def insurance_fund(venue: str) -> Answer:
    """Return a decoder of a family's fund: the newest row of its updates, and its `total` in USD.

    `balance` is told to be in `ccy`, and in the documents' own example is the same number as the total in
    USD (UNCONFIRMED): where both are one number and the coin is no dollar, it is taken for dollars.
    """

    def meaning(found: list[_Fund], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [event for fund in found for event in _fund(venue, fund, ts_recv)]

    return reads(venue, _Fund, meaning)


def _fund(venue: str, fund: _Fund, ts_recv: Nanos) -> Sequence[Event]:
    newest = max(fund.details, key=lambda one: one.ts, default=None)
    balance, usd = None if newest is None else number(newest.balance), number(fund.total)
    if newest is None or balance is None:
        return (left_out(venue, "", ts_recv, "a fund without a balance"),)
    coin = "USD" if balance == usd and newest.ccy not in _USD else newest.ccy
    markets = (fund.instFamily,) if fund.instFamily else ()
    return (InsuranceFund(venue, "", newest.ts * MS, ts_recv, coin, balance, usd, markets),)


# ── Deliveries and settlements ────────────────────────────────────────────────────────────────


class _Ended(msgspec.Struct, gc=False):
    insId: str
    px: str = ""
    type: str = ""


class _EndedAt(msgspec.Struct, gc=False):
    ts: int
    details: list[_Ended]


class _Settled(msgspec.Struct, gc=False):
    instId: str
    settlePx: str = ""


class _SettledAt(msgspec.Struct, gc=False):
    ts: int
    details: list[_Settled]


def deliveries(venue: str, symbol_of: Callable[[str, Memory], str]) -> Answer:
    """Return a decoder of what was delivered, exercised or expired without worth, at which price."""

    def meaning(found: list[_EndedAt], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [
            Settlement(
                *(venue, symbol_of(one.insId, memory), row.ts * MS, ts_recv),
                *("delivery", one.insId, number(one.px)),
            )
            for row in found
            for one in row.details
        ]

    return reads(venue, _EndedAt, meaning)


def settlements(venue: str, symbol_of: Callable[[str, Memory], str]) -> Answer:
    """Return a decoder of the daily settlements of futures."""

    def meaning(found: list[_SettledAt], query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return [
            Settlement(
                *(venue, symbol_of(one.instId, memory), row.ts * MS, ts_recv),
                *("settlement", one.instId, number(one.settlePx)),
            )
            for row in found
            for one in row.details
        ]

    return reads(venue, _SettledAt, meaning)
