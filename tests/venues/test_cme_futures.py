"""CME by hand: units, times, delays, and a calendar worked out from its rules."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from orderflow.cli.surroundings import chosen_forms
from orderflow.feed.recordings import recording
from orderflow.market.errors import UnknownSymbol, VenueChanged
from orderflow.market.events import DAY, SECOND, Candle, Event, Ignored, OpenInterest, Quote, Ticker
from orderflow.settings import Settings
from orderflow.venues.cme_futures import CME_FUTURES as CME
from orderflow.venues.cme_futures import with_chart
from orderflow.venues.cme_futures.contracts import (
    Future,
    business_days,
    front,
    is_business_day,
    listed,
    parse,
    session,
)
from orderflow.venues.cme_futures.term import Roll, Traded, basis, roll, slope
from orderflow.venues.spec import Memory, answer

CAPTURES = Path(__file__).resolve().parents[3] / "shared" / "captures" / "cme_futures"
recorded = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the recordings are not here")


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


# ── Units, times, delays ──────────────────────────────────────────────────────────────────────


def test_open_interest_is_told_in_coins_and_in_contracts() -> None:
    """https://publicreporting.cftc.gov: open_interest_all counts contracts, on a Tuesday."""
    rows = ",".join(
        f'{{"report_date_as_yyyy_mm_dd":"2026-11-17T00:00:00.000","cftc_contract_market_code":"{code}",'
        f'"open_interest_all":"{contracts}"}}'
        for code, contracts in (("146022", 7), ("146021", 200), ("133742", 13), ("133741", 1000))
    )
    url = "https://publicreporting.cftc.gov/resource/gpe5-46if.json?$limit=4"
    found = [one for one in answer(CME, url, f"[{rows}]".encode(), 9) if isinstance(one, OpenInterest)]
    # 1000 * 5 bitcoin; 13 * 0.1 bitcoin; 200 * 50 ether; 7 * 0.1 ether
    assert [(one.symbol, one.size, one.contracts) for one in found] == [
        ("BTCUSDT", 5000.0, 1000.0),
        ("MBT", 1.3, 13.0),
        ("ETHUSDT", 10_000.0, 200.0),
        ("MET", 0.7, 7.0),
    ]
    assert {one.ts_event for one in found} == {at("2026-11-17")}
    assert {one.usd for one in found} == {None}


def test_a_chart_has_its_own_time_and_nothing_of_it_is_called_now() -> None:
    body = (
        b'{"chart":{"result":[{"meta":{"symbol":"BTC=F","regularMarketPrice":91250.5,"regularMarketTime":1795172100},'
        b'"timestamp":[1795168800,1795172400],"indicators":{"quote":[{"open":[1,2],"high":[4,5],"low":[1,2],'
        b'"close":[3,4],"volume":[10,null]}]}}],"error":null}}'
    )
    heard = 1_795_172_700 * SECOND
    url = "https://query1.finance.yahoo.com/v8/finance/chart/BTC=F?interval=1h"
    over, running, day = answer(CME, url, body, heard)
    assert isinstance(over, Candle) and isinstance(running, Candle) and isinstance(day, Ticker)
    # its last price is ten minutes old: 1795172700 - 1795172100 = 600 s
    assert day.ts_event is not None and heard - day.ts_event == 600 * SECOND
    # the bar that ends at 1795172400 is over for us, but the chart has not come to its end
    assert [one.closed for one in (over, running)] == [False, False]
    assert over.close_ts == 1_795_172_399_999 * 1_000_000
    assert over.volume == 50.0  # 10 contracts of 5 bitcoin
    assert running.volume != running.volume  # not told


def test_by_default_nothing_but_the_report_is_asked_and_the_chart_says_that_it_is_late() -> None:
    assert [(one.endpoint, one.per_symbol) for one in CME.polls] == [("positions", False)]
    assert set(CME.cannot) == {"prices", "ticker_24h", "candles"} and not CME.channels
    asked = with_chart()
    assert [one.endpoint for one in asked.polls] == ["positions", "chart"]
    assert all(one.every_s >= 60 for one in asked.polls)
    assert all("delayed" in asked.notes[stream] for stream in ("ticker_24h", "candles"))
    assert asked.params_of(asked.endpoint("chart"), "BTCUSDT", Memory()) == {"ticker": "BTC=F"}
    assert asked.params_of(asked.endpoint("chart"), "ETHZ26", Memory()) == {"ticker": "ETHZ26.CME"}


def of_file(path: Path) -> list[Event]:
    return [
        event
        for batch in recording(path)
        for one in batch
        if one.kind == "table"
        for event in answer(CME, one.url, one.payload, one.ts_recv)
    ]


def test_a_file_of_the_users_own_is_played_by_its_columns(tmp_path: Path) -> None:
    folder = tmp_path / "cme_futures"
    folder.mkdir()
    quotes = folder / "BTCZ26-quotes.csv"
    quotes.write_text("time,bid,bid_contracts,ask,ask_contracts\n2026-11-20T08:30:00-06:00,91200,3,91210,1\n")
    (quote,) = of_file(quotes)
    assert isinstance(quote, Quote)
    assert (quote.symbol, quote.bid, quote.bid_size, quote.ask_size) == ("BTCZ26", 91200.0, 15.0, 5.0)
    assert quote.ts_event == at("2026-11-20T14:30")
    days = folder / "ETHZ26-days.csv"
    days.write_text(
        "trade_date,open,high,low,settlement,volume,open_interest\n"
        "2026-03-30,3000,3100,2900,3050,20,10\n2026-11-23,3000,3100,2900,3050,20,-\n"
    )
    spring, interest, autumn = of_file(days)
    assert isinstance(spring, Candle) and isinstance(autumn, Candle) and isinstance(interest, OpenInterest)
    # a Monday in March began on Sunday at 17:00 in Chicago, 22:00 UTC in summer time
    assert (spring.open_ts, spring.ts_event) == (at("2026-03-29T22:00"), at("2026-03-30T21:00"))
    # one in November began on Friday at 17:00 in Chicago, 23:00 UTC: there are no weekends any more
    assert (autumn.open_ts, autumn.ts_event) == (at("2026-11-20T23:00"), at("2026-11-23T22:00"))
    assert (spring.close, spring.volume, interest.size) == (3050.0, 1000.0, 500.0)


@pytest.mark.parametrize("table", ["cme_quotes", "cme_days"])
def test_a_row_cut_short_names_the_columns(table: str) -> None:
    with pytest.raises(VenueChanged, match="a row of 2 cells") as caught:
        answer(CME, f"table:{table}?symbol=BTCZ26", b"2026-11-20,1", 1)
    assert "the columns are" in caught.value.hint


@recorded
def test_the_recorded_page_of_2019_is_left_out_for_its_terms() -> None:
    (one,) = [
        event
        for batch in recording(CAPTURES / "cassette_20190731_quotes_future_8478_BTC.jsonl")
        for frame in batch
        if frame.kind == "http"
        for event in answer(CME, frame.url, frame.payload, frame.ts_recv)
    ]
    assert isinstance(one, Ignored) and "forbid programs" in one.reason


def test_errors_of_both_sources_are_read() -> None:
    complaint = CME.refusals.complaint
    assert complaint(b'{"code":"too.many","error":true,"message":"Slow down"}') == ("too.many", "Slow down")
    missing = b'{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}'
    assert complaint(missing) == ("Not Found", "No data found")
    assert complaint(b"[]") is None and complaint(b'{"chart":{"result":[],"error":null}}') is None


# ── The calendar ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "utc"),
    [
        ("BTCZ26", "2026-12-24T16:00"),  # the last Friday is Christmas
        ("BTCX26", "2026-11-27T16:00"),  # the day after Thanksgiving is a business day
        ("BTCQ26", "2026-08-28T15:00"),  # summer in London
        ("BTCH24", "2024-03-28T16:00"),  # the last Friday was Good Friday; London's summer began on Sunday
        ("BTCK24", "2024-05-31T15:00"),
        ("BTCV26", "2026-10-30T16:00"),  # London's winter began on 25 October
        ("BTCQ19", "2019-08-30T15:00"),  # as CME's own page said in July 2019
        ("BTCU19", "2019-09-27T15:00"),
    ],
)
def test_a_contract_expires_at_four_in_london(code: str, utc: str) -> None:
    assert parse(code).expires == at(utc)


def test_codes_of_one_digit_mean_the_year_that_is_near() -> None:
    assert parse("BTCX6", date(2026, 11, 21)) == Future(2026, 11, "BTC")
    assert parse("BTCF0", date(2026, 11, 21)) == Future(2030, 1, "BTC")
    assert parse("METZ9", date(2026, 11, 21)).code == "METZ29"
    assert (parse("BTCZ26.CME").code, parse("BTCZ26").globex) == ("BTCZ26", "BTCZ6")
    for wrong in ("BTCZ6", "BTCA26", "SOLZ26", "BTCZ", "BTC", ""):
        with pytest.raises(UnknownSymbol):
            parse(wrong)


def test_six_months_and_two_decembers_are_listed() -> None:
    # November's contract still trades, and December is among the six
    assert [one.code for one in listed("BTC", at("2026-11-21"))] == [
        *("BTCX26", "BTCZ26", "BTCF27", "BTCG27", "BTCH27", "BTCJ27"),
        "BTCZ27",
    ]
    # after the last trade of December 2026 none of the six is a December
    assert [one.code for one in listed("ETH", at("2026-12-24T16:00"))] == [
        *("ETHF27", "ETHG27", "ETHH27", "ETHJ27", "ETHK27", "ETHM27"),
        *("ETHZ27", "ETHZ28"),
    ]
    assert front("BTC", at("2026-12-24T15:59")).code == "BTCZ26"
    assert front("BTC", at("2026-12-24T16:00")).code == "BTCF27"
    assert parse("BTCZ26").days_left(at("2026-12-22T04:00")) == 2.5


def test_both_cities_must_do_business() -> None:
    closed = ("2026-05-25", "2026-08-31", "2026-11-26", "2026-12-28", "2026-07-03", "2026-11-28")
    assert not any(is_business_day(date.fromisoformat(one)) for one in closed)
    assert is_business_day(date(2026, 12, 24)) and is_business_day(date(2026, 11, 27))
    # 18, 21, 22, 23 and 24 December; the first day is not counted
    assert business_days(date(2026, 12, 17), date(2026, 12, 24)) == 5
    with pytest.raises(ValueError, match="no contract traded"):
        session(date(2015, 1, 5))


# ── Basis and roll ────────────────────────────────────────────────────────────────────────────


def test_a_late_price_is_compared_with_the_spot_of_its_own_time() -> None:
    contract = parse("BTCZ26")
    heard = contract.expires - 73 * DAY + 600 * SECOND
    spots = [(heard - 900 * SECOND, 99_000.0), (heard - 600 * SECOND, 100_000.0), (heard, 104_000.0)]
    found = basis(contract, 101_000.0, heard, spots, delay_s=600)
    # 1 % in 73 days is 5 % in 365
    assert (found.spot, found.amount, found.days) == (100_000.0, 1000.0, 73.0)
    assert found.annualised == pytest.approx(0.05) and found.why == ""
    assert basis(contract, 101_000.0, heard, spots).spot == 104_000.0


def test_no_basis_without_a_spot_price_and_no_rate_near_the_expiry() -> None:
    contract = parse("BTCZ26")
    now = contract.expires - 2 * DAY
    none = basis(contract, 101_000.0, now, [(now - 1201 * SECOND, 100_000.0)])
    assert (none.spot, none.amount, none.annualised, none.why) == (
        None,
        None,
        None,
        "no spot price of that time",
    )
    near = basis(contract, 101_000.0, now, [(now - 1200 * SECOND, 100_000.0)])
    assert (near.amount, near.annualised, near.why) == (1000.0, None, "it expires in less than 3 days")
    gone = basis(contract, 101_000.0, contract.expires, [(contract.expires, 100_000.0)])
    assert (gone.annualised, gone.why) == (None, "it has expired")
    assert basis(contract, 1.0, now, [(now + 1, 100_000.0)]).spot is None  # a spot price of later


def test_the_slope_is_a_rate_between_two_expiries() -> None:
    near, far = parse("BTCZ26"), parse("BTCF27")
    # 24 December 16:00 to 29 January 16:00 are 36 days; 0.36 % of them is 3.65 % a year
    assert (far.expires - near.expires) / DAY == 36.0
    assert slope((near, 100_000.0), (far, 100_360.0)) == pytest.approx(0.0365)


def test_a_roll_says_which_of_its_signs_are_there() -> None:
    contract = parse("BTCX26")  # until Friday 27 November; Thursday is Thanksgiving
    # 20, 23, 24, 25 and 27 November come after the 19th
    assert roll(contract, [], date(2026, 11, 19)) == Roll(calendar=True, volume=None, open_interest=None)
    assert not roll(contract, [], date(2026, 11, 18)).calendar
    once = [Traded(date(2026, 11, 12), 10.0, 9.0, 500.0, 400.0), Traded(date(2026, 11, 13), 10.0, 11.0)]
    early = roll(contract, once, date(2026, 11, 16))
    assert early == Roll(calendar=False, volume=False, open_interest=False) and early.fired == ()
    twice = [*once, Traded(date(2026, 11, 16), 10.0, 12.0, 300.0, 301.0)]
    assert roll(contract, twice, date(2026, 11, 16)).fired == ("volume", "open_interest")
    assert roll(contract, once[1:], date(2026, 11, 16)).volume is None  # one day is not two in a row


def test_the_chart_is_asked_where_the_settings_say_so_and_nowhere_else() -> None:
    assert chosen_forms(Settings(venues=("cme",), cme_chart=True))[CME.name] == with_chart()
    assert chosen_forms(Settings(venues=("cme",)))[CME.name] is CME
