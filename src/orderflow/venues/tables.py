"""Tables in the columns of other tools, the same for every venue: CCXT's list of trades."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from orderflow.market.errors import VenueChanged
from orderflow.market.events import MS, Event, Nanos, Trade

Row: TypeAlias = Callable[[str, bytes, Mapping[str, str], Nanos], Sequence[Event]]

# Where CCXT's default list of trades is the venue's bundles: the ids are those of the bundles.
_BUNDLED = frozenset({"binance_futures", "binance_spot"})


def _ccxt_trade(venue: str, row: bytes, query: Mapping[str, str], ts_recv: Nanos) -> Sequence[Event]:
    """Decode a row of CCXT's trades: timestamp, id, type, side, price, amount, cost, date.

    The side is the taker's, the time is milliseconds. How many fills a row bundles is not told.
    """
    cells = row.decode().strip().split(",")
    if len(cells) < 6 or cells[3] not in ("buy", "sell"):
        raise VenueChanged(f"{venue}: a ccxt_trades row whose fourth cell is not buy or sell: {row[:200]!r}")
    bundled = venue in _BUNDLED
    id = int(cells[1]) if cells[1].isdecimal() else cells[1]
    price, size = float(cells[4]), float(cells[5])
    ts_event = int(cells[0]) * MS
    count = None if bundled else 1
    symbol = query.get("symbol", "")
    return [Trade(venue, symbol, ts_event, ts_recv, id, cells[3] == "sell", price, size, count, bundled)]


COMMON: dict[str, Row] = {"ccxt_trades": _ccxt_trade}
