"""What Bybit tells over REST and on no stream: ratios, insurance pools, risk limits, notices, maintenance.

Docs    https://bybit-exchange.github.io/docs/v5/market/long-short-ratio and the pages beside it
Quirks  A ratio of accounts counts users with a net long position, and those with a net short one.
        An insurance pool without symbols is the shared one; the others are of the contracts that they name.
        A position limit counts the quote coin (UNCONFIRMED: the page says neither). Its margins were shares of
        a hundred and are fractions now: `initialMargin` times `maxLeverage` is one (or a hundred), which
        tells them apart.
        A notice's event has a beginning and an end only where it is of `latest_activities`.
        The page of the system's status lists what is planned, going on and over, for all products; where
        nothing goes on, the venue is online.
Times   Of a ratio, the instant that the venue writes: whether a period begins or ends there is UNCONFIRMED.
        Of a pool, when it was counted, once a day. Of a notice, when it was published. Else the answer's.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from orderflow.market.events import MS, Event
from orderflow.market.facts import Announcement, InsuranceFund, LongShort, RiskTier, VenueStatus
from orderflow.venues.bybit.envelope import Category, Meaning, Said, enveloped
from orderflow.venues.spec import Endpoint

# ── What REST answers ─────────────────────────────────────────────────────────────────────────


class _Ratio(msgspec.Struct, gc=False):
    symbol: str
    buyRatio: float
    sellRatio: float
    timestamp: int


class _Ratios(msgspec.Struct):
    list: list[_Ratio]


class _Pool(msgspec.Struct, gc=False):
    coin: str
    balance: float
    value: str = ""
    symbols: str = ""


class _Pools(msgspec.Struct):
    list: list[_Pool]
    updatedTime: int | None = None


class _Limit(msgspec.Struct, gc=False):
    symbol: str
    riskLimitValue: float
    maintenanceMargin: float
    initialMargin: float
    maxLeverage: float


class _Limits(msgspec.Struct):
    list: list[_Limit]


class _Kind(msgspec.Struct, frozen=True):
    title: str = ""
    key: str = ""


class _Notice(msgspec.Struct):
    title: str
    description: str = ""
    type: _Kind = _Kind()
    url: str = ""
    dateTimestamp: int | None = None
    startDateTimestamp: int | None = None
    endDateTimestamp: int | None = None
    publishTime: int | None = None


class _Notices(msgspec.Struct):
    list: list[_Notice]


class _Maintenance(msgspec.Struct):
    title: str
    state: str
    begin: int
    end: int | None = None
    product: list[int] = []
    maintainType: int = 1
    env: int = 1


class _Maintenances(msgspec.Struct):
    list: list[_Maintenance]


_RATIOS = msgspec.json.Decoder(_Ratios, strict=False)
_POOLS = msgspec.json.Decoder(_Pools, strict=False)
_LIMITS = msgspec.json.Decoder(_Limits, strict=False)
_NOTICES = msgspec.json.Decoder(_Notices, strict=False)
_MAINTENANCES = msgspec.json.Decoder(_Maintenances, strict=False)

# ── What it means ─────────────────────────────────────────────────────────────────────────────


def _ratios(asked: Said) -> Sequence[Event]:
    """Decode rows of account ratios, newest first."""
    return [
        LongShort(
            *(asked.venue, one.symbol, one.timestamp * MS, asked.ts_recv),
            "accounts",
            round(one.buyRatio / one.sellRatio, 6) if one.sellRatio else None,
            one.buyRatio,
            one.sellRatio,
        )
        for one in reversed(_RATIOS.decode(asked.result).list)
    ]


def _pools(asked: Said) -> Sequence[Event]:
    said = _POOLS.decode(asked.result)
    counted = None if said.updatedTime is None else said.updatedTime * MS
    return [
        InsuranceFund(
            *(asked.venue, "", counted, asked.ts_recv),
            one.coin,
            one.balance,
            float(one.value) if one.value else None,
            tuple(one.symbols.split(",")) if one.symbols else (),
        )
        for one in said.list
    ]


def _limits(asked: Said) -> Sequence[Event]:
    """Decode risk limits; each begins where the one below it ends."""
    found: list[Event] = []
    tiers: Counter[str] = Counter()
    floors: dict[str, float] = {}
    for one in sorted(_LIMITS.decode(asked.result).list, key=lambda one: (one.symbol, one.riskLimitValue)):
        tiers[one.symbol] += 1
        found.append(
            RiskTier(
                *(asked.venue, one.symbol, asked.sent, asked.ts_recv),
                tiers[one.symbol],
                one.riskLimitValue,
                "quote",
                _fraction(one.initialMargin, one),
                _fraction(one.maintenanceMargin, one),
                one.maxLeverage,
                floors.get(one.symbol, 0.0),
            )
        )
        floors[one.symbol] = one.riskLimitValue
    return found


def _fraction(margin: float, of: _Limit) -> float:
    """Return a margin as a fraction, whether it was written as one or as a share of a hundred.

    >>> _fraction(0.5, _Limit("BTCUSD", 150.0, 0.5, 1.0, 100.0))
    0.005
    >>> _fraction(0.005, _Limit("BTCUSDT", 2e6, 0.005, 0.01, 100.0))
    0.005
    """
    return round(margin / 100, 12) if of.initialMargin * of.maxLeverage > 10 else margin


def _notices(asked: Said) -> Sequence[Event]:
    found: list[Event] = []
    for one in _NOTICES.decode(asked.result).list:
        told = one.publishTime or one.dateTimestamp
        spans = one.type.key == "latest_activities"
        found.append(
            Announcement(
                *(asked.venue, "", told * MS if told else None, asked.ts_recv),
                one.title,
                one.description,
                one.type.key or one.type.title,
                one.url,
                one.startDateTimestamp * MS if spans and one.startDateTimestamp else None,
                one.endDateTimestamp * MS if spans and one.endDateTimestamp else None,
            )
        )
    return found


_PRODUCTS: dict[Category, int] = {"linear": 1, "spot": 2, "option": 3}
_INCIDENT = 3
_PRODUCTION = 1
ONLINE = "no maintenance or incident is told"


def _status(category: Category) -> Meaning:
    """Return what a list of maintenances means for one product: what is now, then what is planned."""

    def meaning(asked: Said) -> Sequence[Event]:
        now: list[Event] = []
        planned: list[Event] = []
        for one in _MAINTENANCES.decode(asked.result).list:
            mine = not one.product or _PRODUCTS[category] in one.product
            if not mine or one.env != _PRODUCTION or one.state not in ("ongoing", "scheduled"):
                continue
            ahead = one.state == "scheduled"
            (planned if ahead else now).append(
                VenueStatus(
                    *(asked.venue, "", asked.sent, asked.ts_recv),
                    "incident" if one.maintainType == _INCIDENT else "maintenance",
                    one.title,
                    one.begin * MS,
                    one.end * MS if one.end else None,
                    ahead,
                )
            )
        online = VenueStatus(asked.venue, "", asked.sent, asked.ts_recv, "online", ONLINE)
        return [*(now or [online]), *planned]

    return meaning


# ── Endpoints ─────────────────────────────────────────────────────────────────────────────────


def of_the_venue(venue: str, category: Category) -> tuple[Endpoint, ...]:
    """Return what is asked about the venue as a whole."""
    notices = {"locale": "en-US", "limit": "20"}
    return (
        Endpoint("announcements", "/v5/announcements/index", enveloped(venue, category, _notices), notices),
        Endpoint("status", "/v5/system/status", enveloped(venue, category, _status(category))),
    )


def of_contracts(venue: str) -> tuple[Endpoint, ...]:
    """Return what is asked about perpetuals and futures."""
    linear = {"category": "linear"}
    return (
        Endpoint(
            "account_ratio",
            "/v5/market/account-ratio",
            enveloped(venue, "linear", _ratios),
            {**linear, "period": "1h", "limit": "50"},
            ("symbol",),
        ),
        Endpoint("insurance", "/v5/market/insurance", enveloped(venue, "linear", _pools)),
        Endpoint("risk_limit", "/v5/market/risk-limit", enveloped(venue, "linear", _limits), linear),
    )
