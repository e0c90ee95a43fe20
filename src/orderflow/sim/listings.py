"""Listings: which coins the simulated venues trade, from which price, in which ticks and lots."""

from collections.abc import Callable, Mapping
from decimal import Context, Decimal, Inexact
from functools import lru_cache
from typing import Literal

import msgspec


class Coin(msgspec.Struct, frozen=True):
    """What a coin is like, whatever the venue: where it starts and how nervous and busy it is."""

    symbol: str
    base: str
    price: float  # first price, in quote
    yearly_vol: float  # 0.5 = 50 % a year when nothing happens
    trade_quote: float  # median size of one market order, in quote
    open_interest: float  # at the start, in base


COINS = {
    coin.symbol: coin
    for coin in (
        Coin("BTCUSDT", "BTC", 87_250.0, 0.50, 1_500.0, 92_000.0),
        Coin("ETHUSDT", "ETH", 2_870.0, 0.70, 1_200.0, 1_900_000.0),
        Coin("SOLUSDT", "SOL", 131.50, 0.90, 800.0, 9_400_000.0),
        Coin("XRPUSDT", "XRP", 2.0450, 0.90, 700.0, 310_000_000.0),
        Coin("ARUSDT", "AR", 4.215, 1.20, 250.0, 2_900_000.0),
        Coin("BRETTUSDT", "BRETT", 0.01832, 1.50, 150.0, 480_000_000.0),
        Coin("POPCATUSDT", "POPCAT", 0.10450, 1.50, 150.0, 110_000_000.0),
        Coin("WIFUSDT", "WIF", 0.3821, 1.40, 200.0, 140_000_000.0),
        Coin("PNUTUSDT", "PNUT", 0.08460, 1.50, 150.0, 210_000_000.0),
    )
}

SYMBOLS = tuple(COINS)


class Listing(msgspec.Struct, frozen=True):
    """One coin on one venue. Inside the simulation prices are whole ticks and sizes whole lots.

    On the wire, sizes are base units, or contracts of `contract` base units each. An `inverse` listing
    counts everything in quote instead of base: its lot, its contract and its sizes.
    """

    symbol: str  # the unified one
    tick: str  # smallest price step, in quote
    lot: str  # smallest size step, in base (never in contracts)
    price_decimals: int  # digits after the point on the wire; may be more than the tick has
    size_decimals: int
    native: str = ""  # the venue's own name; "" where it is the unified symbol
    contract: str | None = None  # base units in a contract; None: sizes are base units
    inverse: bool = False

    @property
    def tick_size(self) -> float:
        return float(self.tick)

    @property
    def lot_size(self) -> float:
        return float(self.lot)

    def lots(self, base: float, price: float) -> float:
        """How many lots an amount of base is at a price."""
        return (base * price if self.inverse else base) / self.lot_size


class Names:
    """The venue's names of what it lists, both ways."""

    def __init__(self, listings: Mapping[str, Listing]) -> None:
        self._natives = {symbol: one.native or symbol for symbol, one in listings.items()}
        self._symbols = {native: symbol for symbol, native in self._natives.items()}

    def native(self, symbol: str) -> str:
        """KeyError if the symbol is not listed."""
        return self._natives[symbol]

    def symbol(self, native: str) -> str | None:
        """The unified symbol of a venue's name; None if it lists no such thing."""
        return self._symbols.get(native)


class Place(msgspec.Struct, frozen=True):
    """How one venue runs its markets, as far as the simulation must know.

    Places of the kinds in TRADING have a book and trades, those of kind "perpetual" marks and funding too.
    On the others `market.price`, the price that all venues follow, is what there is; the form adds to it.
    """

    kind: Literal["spot", "perpetual", "future", "options", "oracle"]
    listings: Mapping[str, Listing]
    mean_basis: float = 0.0
    batch_ms: int | None = None  # window that aggregates join fills over; None: per taker order
    funding_hours: int = 8  # between two settlements of a perpetual
    odd_rows: bool = False  # rows without price and size between the fills, whose ids count all the same
    id_holes: bool = False  # book update ids are shared with other markets, so that some are skipped


TRADING = ("spot", "perpetual", "future")


class Wording:
    """Writes whole ticks and lots as the decimal strings of one listing, exactly.

    `size` words lots as the venue does, in contracts where it counts those; `base` words them in base units.
    """

    def __init__(self, listing: Listing) -> None:
        tick, lot = _units(listing.tick), _units(listing.lot)
        size = lot if listing.contract is None else _units(_contracts(listing))
        self.price = _worded(tick, listing.price_decimals)
        self.size = _worded(size, max(listing.size_decimals, size[1]))
        self.base = _worded(lot, lot[1])
        self._quote_unit, self._quote_digits = tick[0] * lot[0], tick[1] + lot[1]
        self._quote_shown = max(self._quote_digits, listing.price_decimals)

    def quote(self, tick_lots: int) -> str:
        """An amount of quote, given as a sum of ticks times lots."""
        return decimal(tick_lots * self._quote_unit, self._quote_digits, self._quote_shown)


def decimal(units: int, digits: int, shown: int) -> str:
    """Write `units` of 10**-digits with `shown` decimals (never fewer than `digits` can need)."""
    scaled = units * 10 ** (shown - digits) if shown >= digits else units // 10 ** (digits - shown)
    sign, scaled = ("-", -scaled) if scaled < 0 else ("", scaled)
    if shown == 0:
        return f"{sign}{scaled}"
    whole, part = divmod(scaled, 10**shown)
    return f"{sign}{whole}.{part:0{shown}d}"


def _worded(step: tuple[int, int], shown: int) -> Callable[[int], str]:
    @lru_cache(maxsize=16_384)
    def word(steps: int) -> str:
        return decimal(steps * step[0], step[1], shown)

    return word


def _contracts(listing: Listing) -> str:
    """A lot in contracts; ValueError where that has no end."""
    try:
        exact = Context(prec=28, traps=[Inexact]).divide(Decimal(listing.lot), Decimal(listing.contract or 1))
    except Inexact as error:
        raise ValueError(
            f"{listing.symbol}: a lot of {listing.lot} is no exact number of contracts of {listing.contract}; "
            "choose a lot that is"
        ) from error
    return format(exact, "f")


def _units(step: str) -> tuple[int, int]:
    """A step as (whole units, digits): '0.10' is (1, 1)."""
    exact = Decimal(step).normalize()
    digits = max(0, -int(exact.as_tuple().exponent))
    return int(exact.scaleb(digits)), digits
