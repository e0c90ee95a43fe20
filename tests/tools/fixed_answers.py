"""What venues answer in the fixed market: one or two facts of each kind, by venue and question."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fixed_market import NOW, FakeAsker, context

from orderflow.jobs.tasks import Task
from orderflow.market import facts
from orderflow.market.events import (
    DAY,
    HOUR,
    MS,
    SECOND,
    BookUpdate,
    Candle,
    Event,
    Funding,
    IndexPrice,
    Instrument,
    MarkPrice,
    OpenInterest,
    Option,
    Quote,
    Ticker,
    Trade,
)
from orderflow.market.instruments import MARKETS, venue_id
from orderflow.tools.context import Context

COIN, EXPIRY = "BTC", NOW + 30 * DAY
INSTRUMENT = "BTC-25DEC26-100000-C"  # that of the tools' examples


def answers(venue: str) -> dict[str, Sequence[Event]]:
    """Return what a venue that answers everything tells, by question."""
    btc = (venue, "BTCUSDT", NOW - SECOND, NOW)
    coin = (venue, COIN, NOW - SECOND, NOW)
    then = (venue, "BTCUSDT", NOW - HOUR, NOW)
    whole = [
        Ticker(*btc, 101.0, open=100.0, high=103.0, low=99.0, volume=10.0, quote_volume=1010.0),
        Quote(*btc, 100.5, 1.0, 101.5, 2.0),
        OpenInterest(*btc, 1000.0),
        Funding(*btc, 0.0001, interval_hours=8.0),
    ]
    book = BookUpdate(*btc, True, [(100.5, 1.0), (100.0, 2.0)], [(101.5, 2.0), (102.0, 1.0)])
    options = [
        Option(*coin, INSTRUMENT, EXPIRY, 100.0, "call", 4.0, 5.0, mark_iv=0.5, underlying_price=101.0,
               open_interest=10.0, volume_24h=3.0),
        Option(*coin, "BTC-25DEC26-100000-P", EXPIRY, 100.0, "put", 3.0, 4.0, mark_iv=0.5, underlying_price=101.0,
               open_interest=20.0, volume_24h=1.0),
    ]  # fmt: skip
    return {
        "ticker": whole,
        "tickers": whole,
        "rolling_ticker": whole[:1],
        "price": [facts.LastPrice(*btc, 101.0)],
        "prices": [facts.LastPrice(*btc, 101.0)],
        "quote": whole[1:2],
        "quotes": whole[1:2],
        "book": [book],
        "trades": [Trade(*btc, 1, False, 101.0, 2.0)],
        "candles": [Candle(*then, "1h", NOW - HOUR, NOW - 1, 100.0, 103.0, 99.0, 101.0, 10.0)],
        "mark": [MarkPrice(*btc, 101.0, index=100.0)],
        "index": [IndexPrice(*btc, 100.0)],
        "funding": whole[3:],
        "funding_history": [Funding(*then, 0.0001, interval_hours=8.0)],
        "open_interest": whole[2:3],
        "open_interest_history": [OpenInterest(*then, 900.0), OpenInterest(*btc, 1000.0)],
        "long_short": [facts.LongShort(*then, "accounts", 1.5, 0.6, 0.4)],
        "taker_volume": [facts.TakerVolume(*then, 6.0, 4.0)],
        "basis": [facts.Basis(*then, 1.0, 0.01)],
        "contract_stats": [facts.ContractStats(*then, 1000.0, long_liquidated=1.0)],
        "insurance_fund": [facts.InsuranceFund(*coin, "USDT", 1_000_000.0)],
        "risk_tiers": [facts.RiskTier(*btc, 1, 100.0, "base", 0.01, 0.005, 100.0)],
        "instruments": [Instrument(*btc, "BTCUSDT", "perpetual", "BTC", "USDT", "TRADING", True)],
        "currencies": [facts.Asset(*coin, "BTC", "XBT")],
        "quote_history": whole[1:2],
        "settlements": [facts.Settlement(*coin, "delivery", "BTC-1NOV26", 100.0)],
        "realised_volatility": [facts.Volatility(*coin, 0.5, "realised", 30.0)],
        "volatility_index": [facts.VolatilityBar(*coin, 0.5, 0.6, 0.4, 0.55, 3600.0)],
        "announcements": [facts.Announcement(*btc, "a listing")],
        "status": [facts.VenueStatus(*btc, "online")],
        "option_underlyings": [facts.Asset(*coin, "BTC", "BTC", "underlying")],
        "option_expirations": [facts.Asset(*coin, "BTC", "BTC", "expiry", expiry_ts=EXPIRY)],
        "option_chain": options,
        "option": options[:1],
        "option_book": [book],
    }  # fmt: skip


def asker(*venues: str) -> FakeAsker:
    """Return venues each of which answers everything."""
    return FakeAsker(
        {(venue, question): events for venue in venues for question, events in answers(venue).items()}
    )


class Changed(NamedTuple):
    changed: list[str]
    state: dict[str, Any]
    hint: str = "until the next start"


class FakeSteering:
    """A collector that does all that it is told, at once."""

    def state(self) -> dict[str, Any]:
        one = {"state": "running", "connections": ["open"], "not_listed": [], "restarts": 0, "error": ""}
        return {
            "venues": {"binance_futures": one},
            "not_collected": ["bybit_spot"],
            "symbols": ["BTCUSDT"],
            "streams": ["trades"],
            "flush_interval_s": 1.0,
        }

    def start(self, venues: Sequence[str]) -> Changed:
        return Changed([f"{venue_id(one)} started" for one in venues], self.state())

    def stop(self, venues: Sequence[str]) -> Changed:
        return Changed([f"{venue_id(one)} stopped" for one in venues], self.state())

    def configure(self, *chosen: Any) -> Changed:
        return Changed(["chosen"], self.state())

    def backfill(self, venues: Sequence[str] | None = None, *about: Any) -> Task:
        for one in venues or ():
            venue_id(one)
        return Task(id="backfill-1", kind="backfill", about={}, began=NOW // MS)

    def export(self, streams: Any = (), symbols: Any = (), venues: Sequence[str] = (), *about: Any) -> Task:
        for one in venues:
            venue_id(one)
        return Task(id="export-1", kind="export", about={}, began=NOW // MS)

    def tasks(self) -> list[Task]:
        return [self.backfill(), self.export()]

    def cancel(self, id: str) -> Task:
        return Task(id=id, kind="backfill", about={}, state="cancelled", began=NOW // MS, ended=NOW // MS)


def house(*venues: str) -> Context:
    """Return the fixed market, where venues answer too and the collector can be steered."""
    return context(asker=asker(*(venues or MARKETS)), steering=FakeSteering(), writes=True)
