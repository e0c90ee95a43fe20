"""Tools of options over a simulated Deribit: what they say is the truth of its chain: price, volatility, interest."""

import asyncio
import threading
from collections.abc import Iterator
from math import exp, log
from typing import Any

import pytest
from fixed_market import FakeLatest, context

from orderflow import tools, venues
from orderflow.jobs.asking import Venues
from orderflow.market.errors import InvalidArgument, NoData, UnsupportedByVenue
from orderflow.market.events import MS, SECOND, Option
from orderflow.sim import Simulation
from orderflow.sim.connections import clock_ms
from orderflow.sim.deribit_chain import Contract, black_76, listed, quoted
from orderflow.tools.answers import Answer
from orderflow.tools.context import Context
from orderflow.tools.options import day, joined
from orderflow.venues.spec import Hosts

VENUE = "deribit_options"
YEAR_MS = 365 * 86_400_000


class Standing:
    """A simulated market that ran for a moment and stands still, with a loop of its own behind its socket."""

    def __init__(self) -> None:
        self.simulation = Simulation(("BTCUSDT", "ETHUSDT"), venues=(VENUE,), rate=5.0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._begin())
        forms = {VENUE: venues.ALL[VENUE]}
        self.venues = Venues(forms, hosts={VENUE: Hosts(**self.simulation.hosts(VENUE))})
        self.price = self.simulation.markets["BTCUSDT"].price
        self.context = self._context()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _begin(self) -> None:
        await self.simulation.start()
        await asyncio.sleep(0.3)
        pulse = self.simulation._pulse
        assert pulse is not None
        pulse.cancel()

    def _context(self) -> Context:
        known = context(FakeLatest(kind="simulated"))
        now = clock_ms() * MS
        return type(known)(**{**known.__dict__, "asker": self.venues, "clock": lambda: now, "history": None})

    def close(self) -> None:
        self.venues.close()
        self._wait(self.simulation.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def asked(self, tool: str, /, **arguments: Any) -> Answer:
        return tools.call(self.context, tool, {"max_tokens": 8000, **arguments})

    @property
    def now_ms(self) -> int:
        return self.context.clock() // MS

    @property
    def chain(self) -> tuple[Contract, ...]:
        return listed("BTCUSDT", self.now_ms)


@pytest.fixture(scope="module")
def market() -> Iterator[Standing]:
    standing = Standing()
    yield standing
    standing.close()


def rows(answer: Answer, table: str = "") -> list[dict[str, Any]]:
    found = answer.more[table] if table else answer
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


# ── The chain ─────────────────────────────────────────────────────────────────────────────────


def test_the_chain_has_every_option_with_greeks_computed_where_the_venue_gives_none(market: Standing) -> None:
    found = {one["instrument"]: one for one in rows(market.asked("options_chain", limit=500))}
    assert found.keys() <= {one.name for one in market.chain} and len(found) > 10
    for one in market.chain:
        if (row := found.get(one.name)) is None:
            continue  # beyond the budget of the answer
        truth = quoted(one, "BTCUSDT", market.price, market.now_ms)
        assert (row["strike"], row["kind"], row["open_interest"]) == (
            one.strike, "call" if one.call else "put", one.open_interest,
        )  # fmt: skip
        assert row["iv_pct"] == pytest.approx(100 * truth.mark_iv, abs=0.01)
        assert (row["greeks"], row["source"]) == ("black76", "rest")
        assert row["delta"] == pytest.approx(truth.priced.delta, abs=1e-4)
        assert row["gamma"] == pytest.approx(truth.priced.gamma, rel=1e-2)
        assert row["vega"] == pytest.approx(truth.priced.vega, rel=1e-2, abs=1e-3)
        assert row["value"] == pytest.approx(truth.priced.value, rel=1e-2, abs=1.0)


def test_the_answer_says_units_source_and_what_is_computed(market: Standing) -> None:
    answer = market.asked("options_chain")
    assert answer.meta.units["open_interest"] == "base"
    assert answer.meta.venues.answered == [VENUE]
    assert answer.meta.symbol == "BTC" and answer.meta.age_ms is not None
    assert any("Black-76" in one for one in answer.meta.warnings)
    assert any("without greeks" in one for one in answer.meta.warnings)


def test_a_chain_of_one_day_and_kind_sorted_by_what_is_open(market: Standing) -> None:
    expiry = day(market.chain[0].expiry_ms * MS)
    found = rows(market.asked("options_chain", expiry=expiry, kind="put", sort="open_interest"))
    puts = [one for one in market.chain[:10] if not one.call]
    largest = sorted(puts, key=lambda one: -one.open_interest)
    assert [one["instrument"] for one in found] == [one.name for one in largest]
    with pytest.raises(InvalidArgument) as refused:
        market.asked("options_chain", expiry="2020-01-03")
    assert expiry in str(refused.value.hint)
    with pytest.raises(InvalidArgument, match="is no day"):
        market.asked("options_chain", expiry="soon")


def test_one_option_has_the_venues_own_greeks_and_its_book(market: Standing) -> None:
    one = market.chain[4]
    (row,) = rows(market.asked("options_ticker", instrument=one.name))
    truth = quoted(one, "BTCUSDT", market.price, market.now_ms)
    assert (row["greeks"], row["bid"], row["ask"]) == ("venue", truth.bid, truth.ask)
    assert (row["theta"], row["rho"]) == pytest.approx((truth.priced.theta, truth.priced.rho), rel=1e-2)
    (level,) = rows(market.asked("options_orderbook", instrument=one.name))
    assert (level["level"], level["bid"], level["ask"]) == (1, truth.bid, truth.ask)
    with pytest.raises(InvalidArgument):
        market.asked("options_ticker", instrument="BTC-1JAN20-1-C")
    (old,) = rows(market.asked("deribit_ticker", instrument_name=one.name))
    assert old["instrument"] == one.name


def test_what_is_listed_is_told(market: Standing) -> None:
    coins = rows(market.asked("options_underlyings"))
    assert [(one["coin"], one["native"]) for one in coins] == [("BTC", "BTC"), ("ETH", "ETH")]
    found = rows(market.asked("options_expirations", coin="eth"))
    expiries = sorted({one.expiry_ms for one in listed("ETHUSDT", market.now_ms)})
    assert [one["expiry"] for one in found] == expiries
    assert found[0]["days"] == pytest.approx((expiries[0] - market.now_ms) / 86_400_000, abs=1e-3)


# ── The surface ───────────────────────────────────────────────────────────────────────────────


def test_the_surface_is_the_smile_that_the_market_is_priced_by(market: Standing) -> None:
    found = rows(market.asked("options_surface"))
    expiries = sorted({one.expiry_ms for one in market.chain})
    assert [one["expiry"] for one in found] == expiries
    for row, expiry_ms in zip(found, expiries, strict=True):
        years = (expiry_ms - market.now_ms) / YEAR_MS
        forward = market.price * exp(log(1 + 0.05 * years))
        assert row["underlying"] == pytest.approx(forward, rel=1e-4)
        assert row["days"] == pytest.approx(years * 365, abs=1e-3)
        # the smile is a parabola in ln(K / F) about the volatility at the forward: read between strikes a tenth
        # apart, a chord of it lies at most 0.4 × 0.06² = 0.15 points above
        truth = quoted(_at(market, expiry_ms, forward), "BTCUSDT", market.price, market.now_ms).mark_iv
        assert row["atm_pct"] == pytest.approx(100 * truth, abs=0.25)
        assert row["options"] == 10
    assert found[-1]["forward_pct"] is None


def _at(market: Standing, expiry_ms: int, strike: float) -> Contract:
    one = next(one for one in market.chain if one.expiry_ms == expiry_ms)
    return Contract(one.name, one.base, expiry_ms, strike, True)


def test_skew_is_what_calls_cost_above_puts(market: Standing) -> None:
    for row in rows(market.asked("options_surface")):
        if row["risk_reversal_25"] is not None:
            assert row["risk_reversal_25"] == pytest.approx(row["call_25_pct"] - row["put_25_pct"])
            assert row["butterfly_25"] == pytest.approx(
                (row["call_25_pct"] + row["put_25_pct"]) / 2 - row["atm_pct"]
            )
    by_moneyness = rows(market.asked("options_surface"), "moneyness")
    assert all(one["at_90"] > one["at_100"] for one in by_moneyness)  # puts are the dearer ones here
    assert all(one["at_70"] is None for one in by_moneyness)  # beyond the lowest strike


# ── Positioning ───────────────────────────────────────────────────────────────────────────────


def test_sums_and_ratios_are_those_of_what_is_open(market: Standing) -> None:
    (row,) = rows(market.asked("options_summary"))
    calls = sum(one.open_interest for one in market.chain if one.call)
    puts = sum(one.open_interest for one in market.chain if not one.call)
    assert (row["options"], row["calls"], row["puts"], row["expiries"]) == (
        30, pytest.approx(calls), pytest.approx(puts), 3,
    )  # fmt: skip
    assert row["put_call_ratio"] == pytest.approx(puts / calls)
    assert row["value"] == pytest.approx((calls + puts) * market.price, rel=0.01)


def _exposure(market: Standing, one: Contract, price: float) -> float:
    """Return the dealers' gamma of one option, by the simulation's own Black-76."""
    years = (one.expiry_ms - market.now_ms) / YEAR_MS
    forward = price * (1 + 0.05 * years)
    vol = quoted(one, "BTCUSDT", market.price, market.now_ms).mark_iv
    gamma = black_76(forward, one.strike, years, vol, call=one.call).gamma
    return (1 if one.call else -1) * gamma * one.open_interest * forward**2 / 100


def test_gamma_by_strike_is_that_of_the_markets_own_formula(market: Standing) -> None:
    answer = market.asked("options_positioning")
    for row in rows(answer):
        here = [one for one in market.chain if one.strike == row["strike"]]
        assert row["calls"] == pytest.approx(sum(one.open_interest for one in here if one.call))
        assert row["puts"] == pytest.approx(sum(one.open_interest for one in here if not one.call))
        wanted = sum(_exposure(market, one, market.price) for one in here)
        assert row["gamma_exposure"] == pytest.approx(wanted, rel=2e-3, abs=500.0)
    told = answer.summary[VENUE]
    assert told["gamma_exposure"] == pytest.approx(
        sum(_exposure(market, one, market.price) for one in market.chain), rel=5e-3, abs=2_000.0
    )
    if told["zero_gamma"] is not None:
        level = told["zero_gamma"] / told["underlying"] * market.price
        near, here = (
            abs(sum(_exposure(market, one, at) for one in market.chain)) for at in (level, market.price)
        )
        assert near < 0.05 * here + 1_000.0
    assert any("calls count +, puts -" in one for one in answer.meta.warnings)


def test_who_takes_dealers_to_hold_otherwise_gets_the_other_sign(market: Standing) -> None:
    usual, other = (
        market.asked("options_positioning", dealers=one).summary[VENUE]["gamma_exposure"]
        for one in ("long_calls", "long_puts")
    )
    assert usual == pytest.approx(-other, rel=1e-3)


def test_max_pain_of_each_expiry_pays_the_least(market: Standing) -> None:
    for row in rows(market.asked("options_positioning"), "expiries"):
        here = [one for one in market.chain if one.expiry_ms == row["expiry"]]

        def paid(price: float, here: list[Contract] = here) -> float:
            return sum(
                one.open_interest * max(0.0, price - one.strike if one.call else one.strike - price)
                for one in here
            )

        strikes = sorted({one.strike for one in here})
        assert row["max_pain"] == min(strikes, key=paid)
        assert row["max_pain_payout"] == pytest.approx(paid(row["max_pain"]))


# ── Where the chain comes from ────────────────────────────────────────────────────────────────


class Collected:
    """A store whose stream of options has two rows."""

    def __init__(self, age_ms: int, now: int) -> None:
        self._at, self._now = now - age_ms * MS, now

    def window(self, stream: str, symbol: str, among: Any, **how: Any) -> Any:
        assert (stream, symbol, among) == ("options", "BTCUSDT", [VENUE])
        if self._at < how["since"]:
            raise NoData("nothing in this window", hint="")
        return self

    def rows(self) -> Iterator[dict[str, Any]]:
        fields = set(Option.__struct_fields__) - {"ts_event", "ts_recv", "expiry_ts"}
        for kind, size in (("call", 4.0), ("put", 3.0)):
            row: dict[str, Any] = dict.fromkeys(fields)
            row |= {
                "venue": VENUE,
                "symbol": "BTCUSDT",
                "timestamp": self._at,
                "instrument": kind,
                "kind": kind,
            }
            yield row | {
                "expiry": self._now + 30 * 86_400 * SECOND, "strike": 90_000.0, "mark_iv": 0.5, "delta": 0.4,
                "underlying_price": 90_000.0, "open_interest": size, "gamma": 1e-5,
            }  # fmt: skip


@pytest.mark.parametrize(("age_ms", "source"), [(2_000, "live"), (120_000, "rest")])
def test_a_chain_that_is_collected_is_used_while_it_is_fresh(
    market: Standing, age_ms: int, source: str
) -> None:
    held = {**market.context.__dict__, "history": Collected(age_ms, market.context.clock())}
    answer = tools.call(type(market.context)(**held), "options_chain", {"limit": 5})
    found = rows(answer)
    assert {one["source"] for one in found} == {source}
    if source == "live":
        assert [(one["kind"], one["greeks"], one["delta"]) for one in found] == [
            ("call", "venue", 0.4), ("put", "venue", 0.4),
        ]  # fmt: skip
        assert found[0]["age_ms"] == 2_000


def test_what_a_venue_tells_apart_is_one_row_an_option() -> None:
    def part(name: str, **told: float) -> Option:
        return Option("okx_options", "BTCUSDT", 1, 2, name, 3, 90_000.0, "call", **told)

    parts = [
        part("a", mark_iv=0.5, delta=0.4),
        part("b", mark_iv=0.6),
        part("a", bid=0.01),
        part("a", open_interest=7.0),
    ]
    whole = [part("a", mark_iv=0.5, delta=0.4, bid=0.01, open_interest=7.0), part("b", mark_iv=0.6)]
    assert joined(parts) == whole


def test_where_nobody_has_options_of_a_coin_that_is_said(market: Standing) -> None:
    with pytest.raises(NoData):
        market.asked("options_chain", coin="DOGE")
    with pytest.raises(UnsupportedByVenue):
        market.asked("options_chain", venues=["binance_spot"])
    with pytest.raises(NoData):
        tools.call(context(FakeLatest()), "options_summary", {"venues": [VENUE]})
