"""What Gate writes alike on its sockets and over REST, field by field."""

import msgspec


class Rung(msgspec.Struct, gc=False):
    """A level as the older channels and REST write it."""

    p: float
    s: float


class Fill(msgspec.Struct, gc=False):
    """A trade; REST writes both of its times in seconds."""

    id: int
    size: float
    price: float
    contract: str
    create_time: float
    create_time_ms: float = 0.0
    is_internal: bool = False


class Day(msgspec.Struct, gc=False):
    """A ticker: the rolling day, mark and index price, funding and open interest in one."""

    contract: str
    last: float | None = None
    change_percentage: float | None = None
    change_price: float | None = None
    total_size: float | None = None
    volume_24h_base: float | None = None
    volume_24h_quote: float | None = None
    mark_price: float | None = None
    index_price: float | None = None
    funding_rate: float | None = None
    funding_interval: float | None = None
    funding_next_apply: float | None = None
    low_24h: float | None = None
    high_24h: float | None = None
    highest_bid: float | None = None  # these four in REST only
    highest_size: float | None = None
    lowest_ask: float | None = None
    lowest_size: float | None = None
    basis_rate: float | None = None  # of dated contracts: how far the mark is above the index, and its part
    basis_value: float | None = None
    t: int | None = None


class Stats(msgspec.Struct, gc=False):
    """A period of one contract; sizes in contracts. What counts accounts and takers is there since 2026."""

    time: int
    open_interest: float | None = None
    open_interest_usd: float | None = None
    contract: str = ""
    mark_price: float | None = None
    long_liq_size: float | None = None
    short_liq_size: float | None = None
    long_liq_usd: float | None = None
    short_liq_usd: float | None = None
    lsr_taker: float | None = None
    lsr_account: float | None = None
    top_lsr_account: float | None = None
    top_lsr_size: float | None = None
    long_users: float | None = None
    short_users: float | None = None
    top_long_account: float | None = None
    top_short_account: float | None = None
    top_long_size: float | None = None
    top_short_size: float | None = None
    long_taker_size: float | None = None
    short_taker_size: float | None = None


class Liquidated(msgspec.Struct, gc=False):
    """A position closed by force; REST tells at which price, and what is left of it."""

    contract: str
    size: float
    price: float | None = None
    fill_price: float | None = None
    left: float | None = None
    time: float = 0.0
    time_ms: float = 0.0


class Bar(msgspec.Struct, gc=False):
    t: int
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float | None = None
    a: float | None = None  # the value traded; `sum` in REST
    sum: float | None = None
    n: str = ""
    w: bool | None = None
