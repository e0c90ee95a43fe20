"""Crossing two books: what is left of buying on one and selling on the other, after both taker fees."""

from collections.abc import Sequence

import msgspec

from orderflow.market.events import Level

BPS = 1e4


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk down both books gives: sizes in base units, money in quote units.

    `exhausted` says that one side ended while the last pair still paid: the books that we see bear
    at least this size.
    """

    size: float
    buy_avg: float
    sell_avg: float
    gross: float
    fees: float
    exhausted: bool

    @property
    def net(self) -> float:
        return self.gross - self.fees

    @property
    def cost(self) -> float:
        return self.size * self.buy_avg

    @property
    def net_bps(self) -> float:
        return self.net / self.cost * BPS


def gross_bps(ask: float, bid: float) -> float:
    """Return what a pair gives before fees, in bps of what the bought side costs."""
    return (bid - ask) / ask * BPS


def net_bps(ask: float, bid: float, buy_fee_bps: float, sell_fee_bps: float) -> float:
    """Return what a pair gives after both fees, each on its own side's value, in bps of the cost.

    >>> round(net_bps(100.0, 101.0, 10.0, 10.0), 6)
    79.9
    """
    return gross_bps(ask, bid) - buy_fee_bps - sell_fee_bps * bid / ask


def cross(
    asks: Sequence[Level],
    bids: Sequence[Level],
    buy_fee_bps: float,
    sell_fee_bps: float,
    least_bps: float = 0.0,
) -> Crossing | None:
    """Walk asks (cheapest first) against bids (dearest first) while the next pair pays its fees and
    leaves at least `least_bps`; None if not even the best pair does.
    """
    size = paid = received = 0.0
    at_ask = at_bid = 0
    left_ask, left_bid = (asks[0][1] if asks else 0.0), (bids[0][1] if bids else 0.0)
    while at_ask < len(asks) and at_bid < len(bids):
        ask, bid = asks[at_ask][0], bids[at_bid][0]
        left = net_bps(ask, bid, buy_fee_bps, sell_fee_bps)
        if left <= 0 or left < least_bps:
            break
        taken = min(left_ask, left_bid)
        size, paid, received = size + taken, paid + taken * ask, received + taken * bid
        left_ask, left_bid = left_ask - taken, left_bid - taken
        if left_ask <= 0:
            at_ask += 1
            left_ask = asks[at_ask][1] if at_ask < len(asks) else 0.0
        if left_bid <= 0:
            at_bid += 1
            left_bid = bids[at_bid][1] if at_bid < len(bids) else 0.0
    if size <= 0:
        return None
    return Crossing(
        size=size,
        buy_avg=paid / size,
        sell_avg=received / size,
        gross=received - paid,
        fees=(paid * buy_fee_bps + received * sell_fee_bps) / BPS,
        exhausted=at_ask >= len(asks) or at_bid >= len(bids),
    )
