"""Facts: what a venue answers when it is asked, and no stream carries: ratios, funds, tiers, notices.

Like events they say the same thing the same way for every venue; unlike them they are not stored. Units are
those of events: sizes in base units, values in quote units or as named, rates and shares as fractions,
unknown is None. `ts_event` is the instant that a fact is of, or the end of the period that it counts; where
the venue counts from the beginning, `period_s` says how long the period is and `ts_event` is its end.
"""

from typing import Literal

from orderflow.market.events import Event, Nanos


class Fact(Event, frozen=True, gc=False):
    """Base of what is asked for and not kept; symbol "" is of the venue, not of one market."""


class LastPrice(Fact, frozen=True, gc=False):
    """A price without more: the last trade's, a mid, or the mean of the last `minutes`."""

    price: float
    kind: Literal["last", "mid", "average"] = "last"
    minutes: float | None = None


class LongShort(Fact, frozen=True, gc=False):
    """How accounts or positions divide over both sides: `ratio` is long / short, the shares are fractions.

    `of` says whose: all accounts, the accounts of the largest traders, or the positions of those.
    """

    of: Literal["accounts", "top_accounts", "top_positions"]
    ratio: float | None
    long: float | None = None
    short: float | None = None
    period_s: float | None = None


class TakerVolume(Fact, frozen=True, gc=False):
    """What takers bought and sold in a period; `unit` says in which unit the venue counts."""

    buy: float
    sell: float
    unit: Literal["base", "quote", "contracts"] = "base"
    period_s: float | None = None


class Basis(Fact, frozen=True, gc=False):
    """The future above its index: `basis` in quote units, `rate` as a fraction of the index."""

    basis: float
    rate: float | None = None
    annual_rate: float | None = None
    futures_price: float | None = None
    index_price: float | None = None
    contract: str = ""  # perpetual, current_quarter, …
    period_s: float | None = None


class InsuranceFund(Fact, frozen=True, gc=False):
    """The balance of an insurance fund in `coin`, and its value in USD where the venue says."""

    coin: str
    balance: float
    usd: float | None = None
    markets: tuple[str, ...] = ()  # symbols that it stands for, where it is not for all


class RiskTier(Fact, frozen=True, gc=False):
    """A step of position limits: up to `limit` (in `unit`), with its margins as fractions and its leverage."""

    tier: int
    limit: float | None
    unit: Literal["base", "quote", "contracts"]
    initial_margin: float | None = None
    maintenance_margin: float | None = None
    max_leverage: float | None = None
    floor: float | None = None  # from where the tier begins, where the venue says


class ContractStats(Fact, frozen=True, gc=False):
    """A period of one contract as its venue sums it up: positions, forced closes, ratios of long to short."""

    open_interest: float | None = None  # base units
    open_interest_usd: float | None = None
    long_liquidated: float | None = None  # base units
    short_liquidated: float | None = None
    long_liquidated_usd: float | None = None
    short_liquidated_usd: float | None = None
    taker_ratio: float | None = None  # long / short, each
    account_ratio: float | None = None
    top_account_ratio: float | None = None
    top_position_ratio: float | None = None
    mark_price: float | None = None
    period_s: float | None = None


class Settlement(Fact, frozen=True, gc=False):
    """A settlement, delivery or bankruptcy: of a contract, at a price, with what was settled."""

    kind: Literal["settlement", "delivery", "bankruptcy"]
    instrument: str
    price: float | None = None  # mark price, or that of delivery
    index: float | None = None
    position: float | None = None  # as the venue counts it
    profit_loss: float | None = None  # of the session, in the coin that settles


class Announcement(Fact, frozen=True, gc=False):
    """A notice of the venue; `ts_event` is when it was published."""

    title: str
    text: str = ""
    kind: str = ""
    url: str = ""
    starts: Nanos | None = None
    ends: Nanos | None = None


class VenueStatus(Fact, frozen=True, gc=False):
    """What a venue says of itself: online, maintenance, cancel_only, post_only, …; `planned` says it is ahead."""

    status: str
    message: str = ""
    starts: Nanos | None = None
    ends: Nanos | None = None
    planned: bool = False


class VenueVolume(Fact, frozen=True, gc=False):
    """What a venue traded in 24 hours, in all its markets or in `market`, in USD."""

    usd: float
    market: str = ""


class Volatility(Fact, frozen=True, gc=False):
    """A volatility of a coin (the symbol), a fraction a year: realised over `days`, or implied by options."""

    value: float
    kind: Literal["realised", "implied"]
    days: float | None = None


class VolatilityBar(Fact, frozen=True, gc=False):
    """A bar of an implied-volatility index of a coin (the symbol), fractions a year."""

    open: float
    high: float
    low: float
    close: float
    period_s: float


class Asset(Fact, frozen=True, gc=False):
    """A coin that a venue knows, by its own name and by ours, or an index (`kind`)."""

    name: str
    native: str
    kind: Literal["currency", "index", "underlying", "expiry"] = "currency"
    decimals: int | None = None
    status: str = ""
    expiry_ts: Nanos | None = None  # of an expiry


class OptionContract(Fact, frozen=True, gc=False):
    """A listed option: what it is, without its market; `symbol` is that of its underlying."""

    instrument: str
    expiry_ts: Nanos
    strike: float
    kind: Literal["call", "put"]
    contract_size: float | None = None
    tick: float | None = None
    trading: bool = True
