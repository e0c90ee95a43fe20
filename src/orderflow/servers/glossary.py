"""What an assistant may look up before it asks: the words of the field as we mean them, and what is stored."""

from functools import cache

from orderflow.market.streams import SHARED, STREAMS, Column

# term → what it is here; where books differ, which way we took
TERMS: dict[str, str] = {
    "aggressor, taker": "who crossed the spread. Sides of trades, volume and delta are always the taker's.",
    "absorption": "takers trade much at an extreme and price closes away from it: whoever rested there took it all.",
    "annual_pct": "a funding rate times 8,760 hours over its own interval, in %, not compounded.",
    "as_of": "the one instant that counts as now throughout an answer.",
    "age_ms": "how long ago the newest datum behind a figure was received.",
    "basis": "a future or perpetual less its index or spot price. A gap between kinds of market is basis, no riskless gain.",
    "bps": "basis points: hundredths of a percent.",
    "BOS, CHoCH": "a close beyond the last swing with the direction of the last break (BOS), or against it (CHoCH).",
    "coverage": "the share of a window that was received, in %. What was not received is unknown, and never filled in.",
    "CVD": "cumulative volume delta: deltas added up from an anchor, where it is 0.",
    "delta": "what takers bought less what they sold, in base units unless it says quote.",
    "developing": "of a period that has not ended: the figure may still change.",
    "depth": "what rests in the book within a distance of the mid. The store keeps ten levels a side: beyond is unknown.",
    "divergence": "price makes a new swing and CVD does not, or the reverse; told when both swings are known.",
    "footprint": "what was sold and bought at each price of each bar.",
    "funding rate": "what longs pay shorts at each settlement, a fraction of the position's value per interval; below 0 shorts pay.",
    "gap": "a time in which a stream was not received, with the reason. One that was filled later says when.",
    "gamma, dealers'": "open interest times gamma, signed by an assumption of who sold the options: a model, no fact.",
    "HVN, LVN": "hills and valleys of the smoothed volume profile.",
    "imbalance of a book": "(bids - asks) / (bids + asks) over the levels shown, -1 to 1.",
    "imbalance of a footprint": "one side's volume at least three times the other's one step across the diagonal.",
    "index price": "a mean of spot venues by which a derivative is marked and settled; nobody trades at it.",
    "initial balance": "the range of a session's first hour, unless told otherwise.",
    "liquidation": "a position closed by force. Side is the position's: a forced sale closes a long.",
    "long/short ratio": "longs over shorts, by accounts or by positions of one venue's clients. Accounts say nothing of sizes.",
    "lower_bound": "the true figure is this or more: a venue sends only part, or the kept book ends before.",
    "mark price": "the venue's fair price of a derivative, by which it liquidates.",
    "max pain": "the price at which the options of an expiry would be worth least in all.",
    "mid": "the mean of best bid and best ask.",
    "naked POC": "a POC at which nothing was traded since its day ended.",
    "OFI": "order flow imbalance: bids added or asks taken, less the reverse; above 0 orders press up.",
    "open interest": "contracts that are open, one side counted, in base units.",
    "POC": "point of control: the price bin with the most volume (with the most time, in a TPO profile).",
    "risk reversal": "implied volatility of the 25-delta call less the put's; below 0 puts are dearer.",
    "side": "buy or sell of a taker; long or short of a position; bid or ask of the book.",
    "simulated": "made by our own simulator: no market stands behind the number.",
    "source": "live (received a moment ago), stored, mixed, replay, or simulated.",
    "spread": "best ask less best bid; spread_bps over the mid.",
    "stale": "older than its freshness allows. A stale price is shown with its age and left out of comparisons.",
    "sweep": "of liquidity: a wick beyond a swing. Of the tape: one taker order through three prices or more.",
    "swing": "a high or low with lower highs, or higher lows, on both sides; known only some bars later.",
    "symbol": "unified, as in BTCUSDT, whatever a venue calls it. `native` is the venue's own name.",
    "TPO": "time price opportunity: one period in which something was traded at a row of prices.",
    "trapped": "opened at a price that the market has left against it: read from open interest, delta and price together.",
    "units": "base: the coin (BTC of BTCUSDT). quote: what it is priced in (USDT). USD where a venue tells dollars.",
    "value area": "the bins around the POC that hold 70 % of the volume; VAH and VAL are its edges.",
    "venue": "one market of an exchange: binance_spot and binance_futures are two.",
    "VPIN": "a measure of one-sided trading over buckets of equal volume; what it foretells is disputed.",
    "VWAP": "volume-weighted average price: quote by base units traded.",
}


@cache
def glossary() -> str:
    """Return the terms as Markdown, in the order of the alphabet."""
    lines = [f"- **{term}**: {meaning}" for term, meaning in sorted(TERMS.items(), key=_alphabet)]
    return "\n".join(["# Glossary", "", "Unknown is empty or null, never 0. Times are UTC.", "", *lines])


@cache
def schema() -> str:
    """Return the store's tables as Markdown: each stream's columns with type, unit and meaning."""
    lines = [
        "# What is stored",
        "",
        "A table a stream; `sql_query` reads them, `sql_tables` says what else there is. Every table has:",
        "",
        *_rows(SHARED),
    ]
    for one in STREAMS.values():
        derived = f" Derived from `{one.derived_from}`." if one.derived_from else ""
        lines += ["", f"## {one.name}", "", f"{one.doc}{derived}", "", *_rows(one.columns)]
    return "\n".join(lines)


def _rows(columns: tuple[Column, ...]) -> list[str]:
    found = [f"| {one.name} | {one.type} | {one.unit} | {one.doc} |" for one in columns]
    return ["| column | type | unit | what |", "|---|---|---|---|", *found]


def _alphabet(term: tuple[str, str]) -> str:
    return term[0].lower()
