"""What OKX puts into rows, the same on its sockets and over REST: all numbers are texts without idle zeros."""

from collections.abc import Iterable
from typing import Any

from orderflow.sim.book import Book
from orderflow.sim.exchange import Exchange
from orderflow.sim.happenings import Aggregate, Candle, Fill, Level, Liquidated, Marked, Millis
from orderflow.sim.listings import COINS, Listing, Wording
from orderflow.sim.past import OpenInterestThen
from orderflow.sim.perpetual import Perpetual
from orderflow.sim.tape import Print

Row = dict[str, Any]
DEPTH = 400


def short(text: str) -> str:
    """
    >>> short("84094.0"), short("0.10"), short("100")
    ('84094', '0.1', '100')
    """
    return text.rstrip("0").rstrip(".") if "." in text else text


class Words:
    """One swap's numbers as the venue writes them; sizes are contracts, `base` is coins."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.id = listing.native
        self.index = listing.native.removesuffix("-SWAP")
        self._wording = Wording(listing)

    def price(self, ticks: int) -> str:
        return short(self._wording.price(ticks))

    def size(self, lots: int) -> str:
        return short(self._wording.size(lots))

    def base(self, lots: int) -> str:
        return short(self._wording.base(lots))

    def quote(self, tick_lots: int) -> str:
        return short(self._wording.quote(tick_lots))

    def money(self, price: float) -> str:
        """A price that is no tick: a mark, an index."""
        return short(f"{price:.{self.listing.price_decimals}f}")

    def levels(self, side: Iterable[Level]) -> list[list[str]]:
        """[price, size, a dead field, orders]; a level that is gone has no orders either."""
        return [[self.price(tick), self.size(lots), "0", "1" if lots else "0"] for tick, lots in side]


def book(words: Words, bids: Iterable[Level], asks: Iterable[Level], now_ms: Millis, **ids: int) -> Row:
    return {"asks": words.levels(asks), "bids": words.levels(bids), "ts": str(now_ms), **ids}


def top(words: Words, of: Book, depth: int, now_ms: Millis) -> Row:
    bids, asks = of.top(depth)
    return book(words, bids, asks, now_ms, seqId=of.update_id)


def trade(words: Words, one: Aggregate) -> Row:
    """Fills of one order at one price, under the id of the last of them."""
    said = fill(words, one, one.last)
    return said | {"count": str(one.last - one.first + 1), "source": "0", "seqId": one.last}


def fill(words: Words, one: Aggregate | Fill | Print, id: int) -> Row:
    return {
        "instId": words.id,
        "tradeId": str(id),
        "px": words.price(one.price),
        "sz": words.size(one.lots),
        "side": "sell" if one.taker_sells else "buy",
        "ts": str(one.ts),
    }


def liquidation(words: Words, one: Liquidated) -> Row:
    return _forced(words, one.sells, words.price(one.limit), words.size(one.filled_lots), one.ts)


def old_liquidation(words: Words, of: Exchange, now_ms: Millis) -> Row:
    """What a new subscription hears first: a liquidation of an hour ago."""
    return _forced(words, True, words.price(of.book.best_bid), words.size(10), now_ms - 3_600_000)


def _forced(words: Words, sells: bool, price: str, size: str, ts: Millis) -> Row:
    side = "sell" if sells else "buy"
    detail = {"bkLoss": "0", "bkPx": price, "ccy": "", "posSide": "net", "side": side, "sz": size}
    detail["ts"] = str(ts)
    return {
        "details": [detail],
        "instFamily": words.index,
        "instId": words.id,
        "instType": "SWAP",
        "uly": words.index,
    }


def mark(words: Words, one: Marked) -> Row:
    return {"instType": "SWAP", "instId": words.id, "markPx": words.money(one.mark), "ts": str(one.ts)}


def index(words: Words, one: Marked) -> Row:
    price = words.money(one.index)
    said = dict.fromkeys(("open24h", "high24h", "low24h", "sodUtc0", "sodUtc8"), price)
    return {"instId": words.index, "idxPx": price, **said, "ts": str(one.ts)}


def funding(words: Words, of: Perpetual, now_ms: Millis) -> Row:
    one, last = of.marked, of.settlements[-1]
    return {
        "formulaType": "withRate",
        "fundingRate": f"{one.funding:.16f}",
        "fundingTime": str(one.next_funding_ms),
        "impactValue": "20000.0000000000000000",
        "instId": words.id,
        "instType": "SWAP",
        "interestRate": "0.0001000000000000",
        "maxFundingRate": "0.02",
        "method": "current_period",
        "minFundingRate": "-0.02",
        "nextFundingRate": "",
        "nextFundingTime": str(one.next_funding_ms + of.interval_ms),
        "premium": f"{one.mark / one.index - 1.0:.16f}",
        "prevFundingTime": str(last.ts),
        "settFundingRate": f"{last.rate:.16f}",
        "settState": "settled",
        "ts": str(now_ms),
    }


def open_interest(words: Words, of: Perpetual, now_ms: Millis) -> Row:
    base = words.base(of.open_lots)
    return {
        "instId": words.id,
        "instType": "SWAP",
        "oi": words.size(of.open_lots),
        "oiCcy": base,
        "oiUsd": short(f"{float(base) * of.marked.mark:.4f}"),
        "ts": str(now_ms),
    }


def open_interest_then(words: Words, row: OpenInterestThen) -> list[str]:
    return [str(row.ts), words.size(row.lots), words.base(row.lots), words.quote(row.tick_lots)]


def ticker(words: Words, of: Exchange, now_ms: Millis) -> Row:
    day, last = of.candles.day(), of.candles.last_fill
    said = of.book
    opened = words.price(day.open)
    return {
        "instType": "SWAP",
        "instId": words.id,
        "last": words.price(day.close),
        "lastSz": words.size(last.lots) if last is not None else "",
        "askPx": words.price(said.best_ask),
        "askSz": words.size(said.asks[said.best_ask]),
        "bidPx": words.price(said.best_bid),
        "bidSz": words.size(said.bids[said.best_bid]),
        "open24h": opened,
        "high24h": words.price(day.high),
        "low24h": words.price(day.low),
        "sodUtc0": opened,
        "sodUtc8": opened,
        "volCcy24h": words.base(day.lots),
        "vol24h": words.size(day.lots),
        "ts": str(now_ms),
    }


def candle(words: Words, one: Candle, closed: bool) -> list[str]:
    prices = (one.open, one.high, one.low, one.close)
    return [
        *(str(one.open_ms), *map(words.price, prices)),
        *(words.size(one.lots), words.base(one.lots), words.quote(one.tick_lots), "1" if closed else "0"),
    ]


def instrument(words: Words, symbol: str) -> Row:
    listing = words.listing
    lot = words.size(1)
    said = {"alias": "", "baseCcy": "", "category": "1", "ctMult": "1", "ctType": "linear"}
    said |= {
        "ctVal": listing.contract or "",
        "ctValCcy": COINS[symbol].base,
        "expTime": "",
        "instCategory": "1",
    }
    said |= {"instFamily": words.index, "instId": words.id, "instType": "SWAP", "lever": "100"}
    said |= {"listTime": "1573557408000", "lotSz": lot, "minSz": lot, "quoteCcy": "", "ruleType": "normal"}
    return said | {"settleCcy": "USDT", "state": "live", "tickSz": short(listing.tick), "uly": words.index}
