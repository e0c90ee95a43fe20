"""OKX options over REST: the chain that all simulated option venues share, in this one's words; no sockets.

A contract is a hundredth of a bitcoin, a tenth of an ether. Premiums are in coin.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from orderflow.sim import okx_rest
from orderflow.sim.deribit_chain import PRICE_TICK, Contract, Quoted, listed, quoted
from orderflow.sim.happenings import Millis
from orderflow.sim.listings import COINS, Listing, Place
from orderflow.sim.market import Market
from orderflow.sim.okx_facts_rest import DAY_MS, EXPIRY_MS, fund
from orderflow.sim.okx_rest import envelope, limit, needed, unknown, wrong
from orderflow.sim.protocol import Endpoint, Form, Limits, Question, Streams

MULTIPLIERS = {"BTC": 0.01, "ETH": 0.1}  # coins in a contract
BID_CONTRACTS, ASK_CONTRACTS = 120, 100  # on the one level of a side
_WEEK_MS = 7 * DAY_MS

# ── The chain ─────────────────────────────────────────────────────────────────────────────────


def name_of(one: Contract) -> str:
    day = datetime.fromtimestamp(one.expiry_ms / 1000, UTC)
    return f"{one.base}-USD-{day:%y%m%d}-{one.strike:.0f}-{'C' if one.call else 'P'}"


def _family(asked: Question) -> str:
    """The coin's symbol of the family asked for; the kind of instrument must be said where it may be."""
    family = asked.params.get("instFamily") or needed(asked, "uly")
    for symbol in asked.markets:
        if family == f"{COINS[symbol].base}-USD":
            return symbol
    raise unknown()


def _chosen(asked: Question) -> list[tuple[str, Contract]]:
    """The option asked for, or those of a family, or all."""
    if asked.params.get("instId"):
        return [_option(asked)]
    symbols = [_family(asked)] if asked.params.get("instFamily") else list(asked.markets)
    return [(symbol, one) for symbol in symbols for one in listed(symbol, asked.now_ms)]


def _options(asked: Question) -> list[tuple[str, Contract]]:
    if needed(asked, "instType") != "OPTION":
        raise wrong("instType")
    return _chosen(asked)


def _option(asked: Question) -> tuple[str, Contract]:
    name = needed(asked, "instId")
    for symbol in asked.markets:
        for one in listed(symbol, asked.now_ms):
            if name_of(one) == name:
                return symbol, one
    raise unknown()


def _quoted(asked: Question, symbol: str, one: Contract) -> Quoted:
    return quoted(one, symbol, asked.markets[symbol].price, asked.now_ms)


# ── Answers ───────────────────────────────────────────────────────────────────────────────────


def _instruments(asked: Question) -> Any:
    if needed(asked, "instType") != "OPTION":
        raise wrong("instType")
    _family(asked)
    return envelope([_instrument(one) for _, one in _chosen(asked)])


def _instrument(one: Contract) -> Any:
    family = f"{one.base}-USD"
    said = {"baseCcy": "", "ctMult": str(MULTIPLIERS[one.base]), "ctType": "", "ctVal": "1"}
    said |= {"ctValCcy": one.base, "expTime": str(one.expiry_ms), "instFamily": family}
    said |= {"instId": name_of(one), "instType": "OPTION", "lever": "", "listTime": str(one.listed_ms)}
    said |= {"lotSz": "1", "minSz": "1", "optType": "C" if one.call else "P", "quoteCcy": ""}
    said |= {"settleCcy": one.base, "state": "live", "stk": f"{one.strike:.0f}"}
    return said | {"tickSz": str(PRICE_TICK), "uly": family}


def _underlying(asked: Question) -> Any:
    if needed(asked, "instType") != "OPTION":
        raise wrong("instType")
    return envelope([[f"{COINS[symbol].base}-USD" for symbol in asked.markets]])


def _summary(asked: Question) -> Any:
    symbol, day = _family(asked), asked.params.get("expTime")
    rows: list[Any] = []
    for one in listed(symbol, asked.now_ms):
        if day and name_of(one).split("-")[2] != day:
            continue
        found = _quoted(asked, symbol, one)
        greeks, value = found.priced, found.priced.value / found.forward
        said: dict[str, Any] = {
            "askVol": f"{found.ask_iv:.8f}",
            "bidVol": f"{found.bid_iv:.8f}",
            "delta": f"{greeks.delta - value:.8f}",  # of what it is worth in coin
            "deltaBS": f"{greeks.delta:.8f}",
            "fwdPx": f"{found.forward:.8f}",
            "gamma": f"{greeks.gamma * found.forward - greeks.delta:.8f}",
            "gammaBS": f"{greeks.gamma:.12f}",
            "instId": name_of(one),
            "instType": "OPTION",
            "lever": "0",
            "markVol": f"{found.mark_iv:.8f}",
            "realVol": "0",
            "theta": f"{greeks.theta / found.forward:.12f}",
            "thetaBS": f"{greeks.theta:.8f}",
            "ts": str(asked.now_ms),
            "uly": f"{one.base}-USD",
            "vega": f"{greeks.vega / found.forward:.12f}",
            "vegaBS": f"{greeks.vega:.8f}",
            "volLv": "0",
        }
        rows.append(said)
    return envelope(rows)


def volume_contracts(one: Contract) -> int:
    """What was traded of an option in a day: a fixed part of its open interest."""
    return round(one.open_interest / 10 / MULTIPLIERS[one.base])


def _tickers(asked: Question) -> Any:
    return envelope([_ticker_row(asked, *one) for one in _options(asked)])


def _ticker(asked: Question) -> Any:
    return envelope([_ticker_row(asked, *_option(asked))])


def _ticker_row(asked: Question, symbol: str, one: Contract) -> Any:
    found, contracts = _quoted(asked, symbol, one), volume_contracts(one)
    said = dict.fromkeys(("last", "lastSz", "open24h", "high24h", "low24h", "sodUtc0", "sodUtc8"), "")
    return said | {
        "instType": "OPTION",
        "instId": name_of(one),
        "askPx": f"{found.ask:.4f}",
        "askSz": str(ASK_CONTRACTS),
        "bidPx": f"{found.bid:.4f}" if found.bid else "",
        "bidSz": str(BID_CONTRACTS) if found.bid else "",
        "vol24h": str(contracts),
        "volCcy24h": f"{contracts * MULTIPLIERS[one.base]:.2f}",
        "ts": str(asked.now_ms),
    }


def _marks(asked: Question) -> Any:
    rows: list[Any] = []
    for symbol, one in _options(asked):
        price = f"{_quoted(asked, symbol, one).mark:.8f}"
        said = {"instType": "OPTION", "instId": name_of(one), "markPx": price, "ts": str(asked.now_ms)}
        rows.append(said)
    return envelope(rows)


def _open_interest(asked: Question) -> Any:
    rows: list[Any] = []
    for symbol, one in _options(asked):
        contracts = round(one.open_interest / MULTIPLIERS[one.base])
        usd = one.open_interest * asked.markets[symbol].price
        said = {"instType": "OPTION", "instId": name_of(one), "oi": str(contracts)}
        rows.append(
            said | {"oiCcy": f"{one.open_interest:.2f}", "oiUsd": f"{usd:.2f}", "ts": str(asked.now_ms)}
        )
    return envelope(rows)


def _books(asked: Question) -> Any:
    """A book of one level a side; no bid where nobody pays anything."""
    found = _quoted(asked, *_option(asked))
    bids = [[f"{found.bid:.4f}", str(BID_CONTRACTS), "0", "1"]] if found.bid else []
    asks = [[f"{found.ask:.4f}", str(ASK_CONTRACTS), "0", "1"]]
    return envelope([{"asks": asks, "bids": bids, "ts": str(asked.now_ms), "seqId": asked.now_ms}])


def expired(symbol: str, now_ms: Millis) -> list[Contract]:
    """The options whose last day was the last Friday but none before it."""
    return [one for one in listed(symbol, now_ms - _WEEK_MS) if one.expiry_ms <= now_ms]


def _deliveries(asked: Question) -> Any:
    """Last Friday's, at the price at which the coin started: those in the money were exercised."""
    if needed(asked, "instType") != "OPTION":
        raise wrong("instType")
    symbol = _family(asked)
    price, rows = COINS[symbol].price, dict[Millis, list[Any]]()
    for one in expired(symbol, asked.now_ms):
        worth = (price > one.strike) if one.call else (price < one.strike)
        said = {"insId": name_of(one), "px": f"{price}", "type": "exercised" if worth else "expired_otm"}
        rows.setdefault(one.expiry_ms, []).append(said)
    found = [{"ts": str(ts), "details": said} for ts, said in sorted(rows.items(), reverse=True)]
    return envelope(found[: limit(asked, 100, 100)])


def _fund(asked: Question) -> Any:
    """The fund of a family, whose balance is written in dollars though its coin is told beside it."""
    needed(asked, "instType")
    symbol = _family(asked)
    family, updated = f"{COINS[symbol].base}-USD", (asked.now_ms - EXPIRY_MS) // DAY_MS * DAY_MS + EXPIRY_MS
    held = f"{fund(asked.markets[symbol].seed, family, updated):.2f}"
    detail = {"amt": "", "balance": held, "ccy": COINS[symbol].base, "ts": str(updated)}
    detail |= {"adlType": "", "maxBal": "", "maxBalTs": "", "type": "liquidation_balance_deposit"}
    return envelope([{"details": [detail], "instFamily": family, "instType": "OPTION", "total": held}])


# ── The form ──────────────────────────────────────────────────────────────────────────────────

LISTINGS = {
    listing.symbol: listing
    for listing in (
        Listing("BTCUSDT", "0.0001", "0.01", 4, 0, native="BTC-USD", contract="0.01"),
        Listing("ETHUSDT", "0.0001", "0.1", 4, 0, native="ETH-USD", contract="0.1"),
    )
}


def _no_route(stream: str, markets: Mapping[str, Market]) -> str | None:
    return None


def _nothing(venue: str, market: Market) -> Streams:
    return Streams()


OKX_OPTIONS = Form(
    name="okx_options",
    place=Place(kind="options", listings=LISTINGS),
    limits=Limits(weight=100, window_s=2),
    route_of=_no_route,
    streams=_nothing,
    endpoints=tuple(
        Endpoint(f"/api/v5/{path}", answer)
        for path, answer in (
            ("public/instruments", _instruments),
            ("public/underlying", _underlying),
            ("public/opt-summary", _summary),
            ("public/mark-price", _marks),
            ("public/open-interest", _open_interest),
            ("public/delivery-exercise-history", _deliveries),
            ("public/insurance-fund", _fund),
            ("market/ticker", _ticker),
            ("market/tickers", _tickers),
            ("market/books", _books),
        )
    ),
    refusal=okx_rest.refusal,
)
