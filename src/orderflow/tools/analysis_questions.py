"""Questions of an analysis: all that is asked of the venues of one symbol, at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from orderflow.flow.reading import LEAST_TRADES
from orderflow.market.errors import OrderflowError, UnknownSymbol
from orderflow.market.events import HOUR, BookUpdate, Liquidation, OpenInterest, Trade
from orderflow.market.facts import LongShort, TakerVolume
from orderflow.market.instruments import venue_id
from orderflow.market.streams import BOOK_LEVELS
from orderflow.tools.analysis_options import OPTION_VENUES, Options, of_options
from orderflow.tools.asking import Round, hear, lately, offering, spoken
from orderflow.tools.market_ticker import PARTS, live_ticker
from orderflow.tools.spec import Ask

PERIODS = 24  # of an hour
_TRADES = 200  # of a tape, where a venue counts no taker volume itself


def ask_all(ask: Ask, symbol: str, venues: Sequence[str] | None) -> tuple[Round, dict[str, Round], Options]:
    """Return what was told of the ticker, of each other question by its subject, and of options.

    Raises what the question for the ticker raises; who does not answer another one is missing in its round.
    """
    own = None if venues is None else list(dict.fromkeys(venue_id(one) for one in venues))
    markets = [one for one in own if one not in OPTION_VENUES] if own else None
    wanted = list(offering(ask, ["ticker"], of_one=True)) if markets is None else markets

    def of(question: str, among: Sequence[str] = wanted, **how: Any) -> Round:
        return _of(ask, question, among, symbol, **how)

    summed = offering(ask, ["taker_volume"], of_one=True)
    others = [one for one in wanted if one not in summed]
    since, until = ask.now - HOUR, ask.now
    questions: dict[str, Callable[[], Round]] = {
        "positioning": lambda: of("long_short", kinds=(LongShort,), rows=1, period="1h"),
        "flow": lambda: of("taker_volume", kinds=(TakerVolume,), rows=PERIODS, period="1h"),
        "tape": lambda: of(
            "trades", others, kinds=(Trade,), rows=_TRADES, live=lambda venue: _tape(ask, venue, symbol)
        ),
        "open_interest": lambda: of(
            "open_interest_history", kinds=(OpenInterest,), rows=PERIODS + 2, period="1h"
        ),
        "book": lambda: of(
            "book",
            kinds=(BookUpdate,),
            rows=BOOK_LEVELS,
            live=lambda venue: lately(ask.latest.tops, venue, symbol),
        ),
        "liquidations": lambda: of("liquidations", kinds=(Liquidation,), since=since, until=until),
    }
    with ThreadPoolExecutor(len(questions) + 2) as pool:
        tickers = pool.submit(
            hear,
            ask,
            ["ticker"],
            markets,
            symbol,
            kinds=PARTS,
            live=lambda venue: live_ticker(ask, venue, symbol),
        )
        options = pool.submit(of_options, ask, symbol, own)
        begun = {name: pool.submit(one) for name, one in questions.items()}
        return tickers.result(), {name: one.result() for name, one in begun.items()}, options.result()


def _of(ask: Ask, question: str, venues: Sequence[str], symbol: str, **how: Any) -> Round:
    """Ask a question whose answer may be missing: one subject less, and the others are judged."""
    able = offering(ask, [question], of_one=True)
    missing = {one: f"does not answer {spoken(question)}" for one in venues if one not in able}
    asked = [one for one in venues if one in able]
    if not asked:
        return Round([], [], missing)
    try:
        found = hear(ask, [question], asked, symbol, **how)
    except OrderflowError as error:
        return Round(asked, [], missing | dict.fromkeys(asked, error.message))
    return found._replace(missing=missing | found.missing)


def _tape(ask: Ask, venue: str, symbol: str) -> Sequence[Trade]:
    try:
        kept = ask.latest.recent_trades(symbol, venue)
    except UnknownSymbol:
        return ()
    return kept if len(kept) >= LEAST_TRADES else ()
