"""What Gate's perpetual futures are asked by tools, and what those answers mean that only they give.

Docs    https://www.gate.com/docs/developers/apiv4/en (futures)
Quirks  The document tells `lsr_taker` and `lsr_account` the wrong way round: by the counts beside them the
        first divides what takers bought by what they sold, the second accounts that are long by those short.
        A risk tier's limit is the value of a position in USDT.
        A liquidation's window may be an hour long at most; without one the latest are given.
Times   of statistics: a row counts from its `time` on, so that a fact of it is of the end of its period; open
        interest keeps the row's own time, as its history is stored. Tiers have none.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from orderflow.market.errors import VenueChanged
from orderflow.market.events import SECOND, Event, Funding, Nanos
from orderflow.market.facts import ContractStats, InsuranceFund, LongShort, RiskTier, TakerVolume
from orderflow.venues.gate.answers import UNNAMED, Answers, unless_refused
from orderflow.venues.gate.asked import OF_CONTRACT, SETTLED, of_contract, questions
from orderflow.venues.gate.rows import at, liquidations, listed, open_interest, span
from orderflow.venues.gate.wire import Liquidated, Stats
from orderflow.venues.gate_futures.rest import BASE
from orderflow.venues.gate_futures.socket import VENUE
from orderflow.venues.questions import Question
from orderflow.venues.spec import Contract, Endpoint, Memory, Query, left_out

PERIODS = {one: one for one in ("1m", "5m", "15m", "30m", "1h", "4h", "8h", "1d")}
_MOST_STATISTICS = 100

# ── Answers ───────────────────────────────────────────────────────────────────────────────────


class _Paid(msgspec.Struct, gc=False):
    t: int
    r: float


class _Balance(msgspec.Struct, gc=False):
    t: int
    b: float


class _Tier(msgspec.Struct, gc=False):
    tier: int
    risk_limit: float | None = None
    initial_rate: float | None = None
    maintenance_rate: float | None = None
    leverage_max: float | None = None
    contract: str = ""


_PAID = msgspec.json.Decoder(list[_Paid], strict=False)
_STATS = msgspec.json.Decoder(list[Stats], strict=False)
_FORCED = msgspec.json.Decoder(list[Liquidated], strict=False)
_BALANCES = msgspec.json.Decoder(list[_Balance], strict=False)
_TIERS = msgspec.json.Decoder(list[_Tier], strict=False)


class _Perpetuals(Answers):
    """The decoders of what perpetuals alone have."""

    @unless_refused
    def funding_history(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        rows = _PAID.decode(body)
        if "contract" not in query:
            return (left_out(VENUE, "", ts_recv, UNNAMED),)
        symbol = listed(query["contract"], memory).symbol
        return [Funding(VENUE, symbol, at(row.t), ts_recv, row.r, next_ts=at(row.t)) for row in rows]

    @unless_refused
    def statistics(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        rows = _STATS.decode(body)
        if "contract" not in query:
            return (left_out(VENUE, "", ts_recv, UNNAMED),)
        one, length = listed(query["contract"], memory), span(query.get("interval", "5m"))
        return [
            event
            for row in rows
            for event in (
                open_interest(VENUE, row, one, at(row.time), ts_recv),
                *_counted(row, one, length, ts_recv),
            )
        ]

    @unless_refused
    def liquidations(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        return liquidations(VENUE, _FORCED.decode(body), ts_recv, memory)

    @unless_refused
    def insurance(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        coin = query.get("settle", "").upper()
        return [InsuranceFund(VENUE, "", at(row.t), ts_recv, coin, row.b) for row in _BALANCES.decode(body)]

    @unless_refused
    def risk_tiers(self, body: bytes, query: Query, ts_recv: Nanos, memory: Memory) -> Sequence[Event]:
        """Rows name their contract only where all contracts were asked for."""
        found: list[Event] = []
        for row in _TIERS.decode(body):
            native = row.contract or query.get("contract", "")
            if not native:
                return (left_out(VENUE, "", ts_recv, UNNAMED),)
            found.append(
                RiskTier(
                    *(VENUE, listed(native, memory).symbol, None, ts_recv),
                    *(row.tier, row.risk_limit, "quote"),
                    initial_margin=row.initial_rate,
                    maintenance_margin=row.maintenance_rate,
                    max_leverage=row.leverage_max,
                )
            )
        return found


# ── A row of statistics ───────────────────────────────────────────────────────────────────────


_Whose: TypeAlias = Literal["accounts", "top_accounts", "top_positions"]
_Ratio: TypeAlias = tuple[_Whose, float | None, float | None, float | None]


def _counted(row: Stats, one: Contract, length: Nanos, ts_recv: Nanos) -> list[Event]:
    """Return the facts of a row: its sums, its ratios, and what takers bought and sold."""
    ends, period_s = at(row.time) + length, length / SECOND
    found: list[Event] = [_summed(row, one, ends, ts_recv, period_s)]
    ratios: tuple[_Ratio, ...] = (
        ("accounts", row.lsr_account, row.long_users, row.short_users),
        ("top_accounts", row.top_lsr_account, row.top_long_account, row.top_short_account),
        ("top_positions", row.top_lsr_size, row.top_long_size, row.top_short_size),
    )
    for of, ratio, long, short in ratios:
        if ratio is not None:
            shares = _shares(long, short)
            found.append(LongShort(VENUE, one.symbol, ends, ts_recv, of, ratio, *shares, period_s))
    bought, sold = _base(row.long_taker_size, row, one), _base(row.short_taker_size, row, one)
    if bought is not None and sold is not None:
        found.append(TakerVolume(VENUE, one.symbol, ends, ts_recv, bought, sold, "base", period_s=period_s))
    return found


def _summed(row: Stats, one: Contract, ends: Nanos, ts_recv: Nanos, period_s: float) -> Event:
    return ContractStats(
        *(VENUE, one.symbol, ends, ts_recv),
        open_interest=_base(row.open_interest, row, one),
        open_interest_usd=row.open_interest_usd,
        long_liquidated=_base(row.long_liq_size, row, one),
        short_liquidated=_base(row.short_liq_size, row, one),
        long_liquidated_usd=row.long_liq_usd,
        short_liquidated_usd=row.short_liq_usd,
        taker_ratio=row.lsr_taker,
        account_ratio=row.lsr_account,
        top_account_ratio=row.top_lsr_account,
        top_position_ratio=row.top_lsr_size,
        mark_price=row.mark_price,
        period_s=period_s,
    )


def _base(contracts: float | None, row: Stats, one: Contract) -> float | None:
    """Return a size in base units; None where it, or what a contract holds, is not known."""
    if contracts is None or (one.inverse and not row.mark_price):
        return None
    base = one.base(contracts, row.mark_price or 0.0)
    return base if base == base else None  # noqa: PLR0124 - NaN where the contract was not listed


def _shares(long: float | None, short: float | None) -> tuple[float | None, float | None]:
    if long is None or short is None or not long + short:
        return None, None
    if long < 0 or short < 0:
        raise VenueChanged(f"{VENUE}: {long} long and {short} short")
    return long / (long + short), short / (long + short)


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────

_SAID = _Perpetuals(VENUE)

FACTS = (
    of_contract("funding_history", f"{BASE}/funding_rate", _SAID.funding_history, {"limit": "1000"}),
    of_contract("statistics", f"{BASE}/contract_stats", _SAID.statistics, {"interval": "5m", "limit": "100"}),
    Endpoint("liquidations", f"{BASE}/liq_orders", _SAID.liquidations, SETTLED, of_symbol=OF_CONTRACT),
    Endpoint("risk_tiers", f"{BASE}/risk_limit_tiers", _SAID.risk_tiers, SETTLED, of_symbol=OF_CONTRACT),
    Endpoint("insurance", f"{BASE}/insurance", _SAID.insurance, SETTLED, of_symbol={}),
)

# ── Questions ─────────────────────────────────────────────────────────────────────────────────


def _statistics(name: str) -> Question:
    """Return a question that is answered by a row of statistics a period."""
    return Question(
        name=name,
        endpoint="statistics",
        rows="limit",
        most=_MOST_STATISTICS,
        period="interval",
        periods=PERIODS,
        since="from",
        unit="s",
        keeps_s=30.0,
    )


QUESTIONS = (
    # The interval and the next time of funding; what tickers say of the rate is newer and comes after it.
    Question(name="ticker", endpoint="instrument"),
    *questions(most_levels=300),
    Question(name="funding", endpoint="instrument"),
    Question(name="fundings", endpoint="instruments", of="venue"),
    Question(
        name="funding_history",
        endpoint="funding_history",
        rows="limit",
        most=1000,
        since="from",
        until="to",
        unit="s",
    ),
    Question(
        name="liquidations",
        endpoint="liquidations",
        rows="limit",
        most=1000,
        since="from",
        until="to",
        unit="s",
    ),
    *(
        _statistics(name)
        for name in ("open_interest_history", "contract_stats", "long_short", "taker_volume")
    ),
    Question(name="insurance_fund", endpoint="insurance", of="venue", rows="limit", most=100, keeps_s=60.0),
    Question(name="risk_tiers", endpoint="risk_tiers", keeps_s=60.0),
)
