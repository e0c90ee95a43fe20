"""What every simulated venue promises, asked of each form in the table."""

import pytest

from orderflow.sim.happenings import Fill
from orderflow.sim.listings import COINS, Wording
from orderflow.sim.market import Market
from orderflow.sim.protocol import Form
from orderflow.sim.protocols import FORMS
from orderflow.sim.tape import Ledger, Tape

every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


@every_form
def test_a_form_is_listed_under_its_name_with_coins_that_exist(form: Form) -> None:
    assert FORMS[form.name] is form
    assert form.place.listings
    assert set(form.place.listings) <= set(COINS)
    assert all(listing.symbol == symbol for symbol, listing in form.place.listings.items())


@every_form
def test_paths_are_absolute_and_none_is_given_twice(form: Form) -> None:
    paths = [*form.routes.values(), *form.silent_paths, *(one.path for one in form.endpoints)]
    assert all(path.startswith("/") for path in paths)
    assert len(paths) == len(set(paths))


@every_form
def test_a_start_price_is_many_ticks_and_a_typical_trade_some_lots(form: Form) -> None:
    for symbol, listing in form.place.listings.items():
        coin = COINS[symbol]
        assert coin.price / listing.tick_size > 500
        assert coin.trade_quote / coin.price / listing.lot_size >= 5
        assert float(Wording(listing).price(1)) == listing.tick_size
        assert float(Wording(listing).size(1)) == listing.lot_size


@every_form
def test_every_listed_coin_has_a_deep_uncrossed_book_from_the_start(form: Form) -> None:
    for symbol in form.place.listings:
        market = Market(symbol, {form.name: form.place}, seed=1, rate=5.0, now_ms=1_795_000_000_000)
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
