"""What every simulated venue promises, asked of each form in the table."""

from decimal import Decimal

import pytest

from orderflow.sim.happenings import Fill
from orderflow.sim.listings import COINS, TRADING, Names, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import NO_OPENING, Form
from orderflow.sim.protocols import FORMS
from orderflow.sim.tape import Ledger, Tape

START_MS = 1_795_000_000_000
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


@every_form
def test_a_form_is_listed_under_its_name_with_coins_that_exist(form: Form) -> None:
    assert FORMS[form.name] is form
    assert form.place.listings
    assert set(form.place.listings) <= set(COINS)
    assert all(listing.symbol == symbol for symbol, listing in form.place.listings.items())


@every_form
def test_paths_are_absolute_and_none_is_given_twice(form: Form) -> None:
    sockets = [*form.routes.values(), *form.events.values(), *form.silent_paths]
    paths = [(path, "GET") for path in sockets] + [(one.path, one.method) for one in form.endpoints]
    assert all(path.startswith("/") for path, _ in paths)
    assert len(paths) == len(set(paths))
    assert set(form.stamps) <= {*form.routes, *form.events}
    for path in form.more.values():
        assert any(one.path.startswith(path) for one in form.endpoints)


@every_form
def test_a_start_price_is_many_ticks_and_a_typical_trade_some_lots(form: Form) -> None:
    for symbol, listing in form.place.listings.items():
        coin = COINS[symbol]
        words = Wording(listing)
        assert float(words.price(1)) == listing.tick_size
        assert float(words.base(1)) == listing.lot_size
        assert Decimal(words.size(1)) * Decimal(listing.contract or 1) == Decimal(listing.lot)
        if form.place.kind in TRADING:
            assert coin.price / listing.tick_size > 500
            assert listing.lots(coin.trade_quote / coin.price, coin.price) >= 5


@every_form
def test_the_venues_names_are_each_one_coins(form: Form) -> None:
    names = Names(form.place.listings)
    assert [names.symbol(names.native(symbol)) for symbol in form.place.listings] == list(form.place.listings)


@every_form
def test_nothing_is_said_that_nobody_wants(form: Form) -> None:
    symbol = next(iter(form.place.listings))
    market = Market(symbol, {form.name: form.place}, seed=7, rate=100.0, now_ms=START_MS)
    streams, wide = form.streams(form.name, market), form.market_wide(form.name, {symbol: market})
    for now_ms in range(START_MS, START_MS + 5_000, 20):
        assert list(streams.frames(market.step(now_ms)[form.name], now_ms, ())) == []
        assert list(wide.frames((), now_ms, ())) == []


@every_form
def test_a_stream_that_does_not_exist_has_no_route_and_no_opening(form: Form) -> None:
    symbol = next(iter(form.place.listings))
    market = Market(symbol, {form.name: form.place}, seed=7, rate=100.0, now_ms=START_MS)
    for stream in ("", "nosuch", "nosuch.nosuch", "@"):
        assert form.route_of(stream, {symbol: market}) is None
        assert form.streams(form.name, market).opening(stream, START_MS) == NO_OPENING


@every_form
def test_every_listed_coin_has_a_deep_uncrossed_book_from_the_start(form: Form) -> None:
    for symbol in form.place.listings if form.place.kind in TRADING else ():
        market = Market(symbol, {form.name: form.place}, seed=1, rate=5.0, now_ms=START_MS)
        book = market.exchanges[form.name].book
        assert min(len(book.bids), len(book.asks)) >= 150
        assert 0 < max(book.bids) == book.best_bid < book.best_ask == min(book.asks)


def test_the_ledger_forgets_the_oldest_of_the_longest_tape_first() -> None:
    ledger, long, short = Ledger(limit=10), Tape(100), Tape(0)
    for tape, rows in ((long, 8), (short, 4)):
        for _ in range(rows):
            tape.add_fill(Fill(tape.next_id, 5, 1, 0, False, False))
    ledger.add("v", "S", "trade", long)
    ledger.add("v", "S", "aggTrade", short)
    ledger.trim()  # 12 rows: a quarter of the 8 goes, 6 and 4 stay
    assert (long.first_id, long.last_id, len(long)) == (102, 107, 6)
    assert (short.first_id, len(short)) == (0, 4)
    assert [row.id for row in long.rows(0, 3)] == [102, 103, 104]
    long.mark_sent(100, 1)  # forgotten: nothing happens
    long.mark_sent(102, 2)
    assert long.sent() == 1
