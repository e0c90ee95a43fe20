"""Order flow: what its tools share: which venues are meant, steps of prices, and the store's rows as `flow` takes them.

A question names its venues, and what was traded on them is added up; without any it is of the one on which
most was traded, since prices of several are levels apart.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from orderflow.flow.bars import Bars
from orderflow.flow.cells import Cells, no_cells
from orderflow.market.columns import Column, Index, Mask
from orderflow.market.events import Nanos
from orderflow.store.bar import Bar
from orderflow.store.windows import Window
from orderflow.tools.past import Past, check_offered, past
from orderflow.tools.quality import heard, unknown
from orderflow.tools.spec import Ask

FAMILY = "orderflow"


def traded_in(
    ask: Ask, symbol: str, venues: Sequence[str] | None, since: str, until: str, stream: str = "trades"
) -> Past:
    """Read which part of the past is asked, with the venues that are meant named.

    Raises `InvalidArgument` for an empty window, and `NoData` with the range that exists.
    """
    asked = past(ask, symbol, venues, since, until)
    check_offered(stream, asked.venues)
    if asked.venues is not None:
        return asked
    return msgspec.structs.replace(asked, venues=[most_traded(ask, asked)])


def most_traded(ask: Ask, asked: Past) -> str:
    """Return the venue on which most was traded in a window, in quote units; raise `NoData`."""
    found = ask.history.flow(asked.symbol, asked.venues, asked.since, asked.until)
    value = {row["venue"]: row["quote_volume"] or 0.0 for row in found.rows()}
    return max(value, key=lambda venue: value[venue])


# ── Prices ────────────────────────────────────────────────────────────────────────────────────


class Traded(NamedTuple):
    """What is traded under a symbol: the names of base and quote, and the tick, where a listing tells it."""

    base: str
    quote: str
    tick: float | None = None


_QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "GBP", "BTC", "ETH")


def traded(ask: Ask, symbol: str, venue: str) -> Traded:
    """Return what is traded, as the venue lists it, or else as the symbol's letters say it."""
    listed = ask.context.instrument(venue, symbol)
    if listed is not None:
        return Traded(listed.base, listed.quote, listed.tick)
    quote = next((one for one in _QUOTES if symbol.endswith(one) and symbol != one), None)
    return Traded("base", "quote") if quote is None else Traded(symbol.removesuffix(quote), quote)


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────


def cells_of(found: Window, venues: Sequence[str] | None = None) -> Cells:
    """Return the cells of a window (`Reader.cells`), those of its venues, or of some of them, together."""
    columns = [np.asarray(found[name], dtype=np.int64) for name in ("bar", "level", "trades")]
    amounts = [
        np.asarray(found[name], dtype=np.float64) for name in ("buy", "sell", "buy_quote", "sell_quote")
    ]
    every = Cells(columns[0], columns[1], amounts[0], amounts[1], amounts[2], amounts[3], columns[2])
    if venues is not None and set(venues) != set(heard(found)):
        every = every.rows(np.isin(np.array(found["venue"]), list(venues)))
    return every.plus(no_cells())


def bars_of(found: Window, bar: Bar, venue: str) -> Bars:
    """Return a venue's bars of a window (`Reader.flow_bars`), a row where something was traded.

    They begin and end at their edges.
    """
    here = np.array([one == venue for one in found["venue"]], dtype=np.bool_)

    def whole(name: str) -> Index:
        return np.asarray(found[name], dtype=np.int64)[here]

    def part(name: str) -> Column:
        return np.asarray(found[name], dtype=np.float64)[here]

    start = whole("open_time")
    return Bars(
        whole("bar"), start, start + bar.length, part("open"), part("high"), part("low"), part("close"),
        part("buy"), part("sell"), part("buy_quote"), part("sell_quote"), whole("trades"),
        part("delta_high"), part("delta_low"), part("delta_high_quote"), part("delta_low_quote"),
    )  # fmt: skip


def received(found: Window, venues: Sequence[str], start: Index, length: Nanos | Index) -> Mask:
    """Say of bars whether all that was traded in them is known: no venue was unheard at any time of them."""
    whole = np.ones(len(start), dtype=np.bool_)
    for venue in venues:
        for begin, end in unknown(found, venue):
            whole &= ~((start < end) & (start + length > begin))
    return whole
