"""Options by hand: prices, smiles, ratios, gamma, pain; and what must hold of any chain."""

from math import erf, exp, pi, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.black76 import Greeks, gamma, greeks, years_to
from orderflow.flow.options import Chain, at_moneyness, forward_volatilities, smiles
from orderflow.flow.positioning import by_strike, gamma_exposure, max_pain, put_call_ratio, zero_gamma
from orderflow.market.events import DAY

NOW = 0
YEAR = 365 * DAY
UNKNOWN = float("nan")


def chain(*rows: tuple[str, float, float, float], forward: float = 100.0, expiry: int = YEAR) -> Chain:
    """Return a chain of (C or P, strike, volatility, open interest); its volume is a tenth of what is open."""
    kinds, strikes, ivs, sizes = zip(*rows, strict=True)
    size = np.array(sizes)
    return Chain(
        np.full(len(rows), expiry), np.array(strikes), np.array([one == "C" for one in kinds]),
        np.full(len(rows), forward), np.array(ivs), size, size / 10,
    )  # fmt: skip


def together(*parts: Chain) -> Chain:
    return Chain(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))  # pyright: ignore[reportArgumentType]


def priced(forward: float, strike: float, years: float, iv: float, call: bool) -> Greeks:
    return greeks(*(np.array([one]) for one in (forward, strike, years, iv)), np.array([call]))


# ── Black-76 by hand ──────────────────────────────────────────────────────────────────────────


def test_an_option_at_the_money_is_worth_what_the_formula_says() -> None:
    # F = K = 100, T = 1, σ = 0.2: d1 = 0.1, d2 = -0.1; N(0.1) = 0.539828, N(-0.1) = 0.460172
    # call = 100 × (0.539828 - 0.460172) = 7.9656, and the put is worth the same
    # φ(0.1) = e^-0.005 / √2π = 0.396953; Γ = 0.396953 / (100 × 0.2) = 0.01984763
    # vega of a point = 100 × 0.396953 × √1 × 0.01 = 0.396953; Θ of a day = -39.6953 × 0.2 / 2 / 365 = -0.0108754
    call, put = priced(100, 100, 1, 0.2, True), priced(100, 100, 1, 0.2, False)
    assert call.value[0] == pytest.approx(100 * erf(0.1 / sqrt(2)))
    assert call.value[0] == pytest.approx(7.9656, abs=5e-5) == put.value[0]
    assert (call.delta[0], put.delta[0]) == pytest.approx((0.539828, -0.460172), abs=1e-6)
    density = exp(-0.005) / sqrt(2 * pi)
    assert call.gamma[0] == pytest.approx(density / 20) == put.gamma[0]
    assert call.vega[0] == pytest.approx(density)
    assert call.theta[0] == pytest.approx(-100 * density * 0.2 / 2 / 365)
    assert call.rho[0] == pytest.approx(-call.value[0] / 100)


def test_years_are_of_365_days_and_an_expired_option_has_none() -> None:
    left = years_to(np.array([NOW + 73 * DAY, NOW]), NOW)
    assert left[0] == 0.2 and np.isnan(left[1])
    expired = greeks(*(np.array([one]) for one in (100.0, 90.0, UNKNOWN, 0.5)), np.array([True]))
    assert all(np.isnan(column[0]) for column in expired)


@given(
    st.floats(0.5, 2.0), st.floats(0.01, 3.0), st.floats(0.05, 2.0), st.booleans(),
)  # fmt: skip
def test_greeks_are_slopes_of_the_value_and_calls_and_puts_keep_their_parity(
    moneyness: float, years: float, iv: float, call: bool
) -> None:
    forward, strike = 100.0, 100.0 * moneyness
    found = priced(forward, strike, years, iv, call)
    step = 1e-3
    up, down = (priced(forward + by, strike, years, iv, call).value[0] for by in (step, -step))
    assert found.delta[0] == pytest.approx((up - down) / (2 * step), abs=1e-6)
    wider = priced(forward, strike, years, iv + 1e-5, call).value[0]
    narrower = priced(forward, strike, years, iv - 1e-5, call).value[0]
    assert found.vega[0] == pytest.approx((wider - narrower) / 2e-5 / 100, abs=1e-6)
    both = [priced(forward, strike, years, iv, one).value[0] for one in (True, False)]
    assert both[0] - both[1] == pytest.approx(forward - strike, abs=1e-9)
    assert found.gamma[0] >= 0 and 0 <= abs(found.delta[0]) <= 1


# ── Smiles ────────────────────────────────────────────────────────────────────────────────────


def strike_of(delta: float, iv: float, call: bool) -> float:
    """Return the strike at which an option of a year on 100 has a delta: K = F e^(σ²T/2 - d1 σ√T)."""
    wanted = delta if call else 1 - delta
    low, high = -8.0, 8.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + erf(middle / sqrt(2))) / 2 < wanted else (low, middle)
    return 100 * exp(iv * iv / 2 - low * iv)


def test_a_smile_of_options_at_the_very_deltas_needs_no_reading_between() -> None:
    # 25Δ call at 0.46, put at 0.54, ATM 0.48: reversal -0.08, butterfly 0.50 - 0.48 = 0.02
    # 10Δ call at 0.50, put at 0.62: reversal -0.12, butterfly 0.56 - 0.48 = 0.08
    points = (
        (0.25, 0.46, True), (0.25, 0.54, False), (0.1, 0.5, True), (0.1, 0.62, False),
        (0.05, 0.55, True), (0.05, 0.7, False),
    )  # fmt: skip
    rows = [("C" if call else "P", strike_of(delta, iv, call), iv, 1.0) for delta, iv, call in points]
    (found,) = smiles(chain(*rows, ("C", 100.0, 0.48, 1.0), ("P", 100.0, 0.48, 1.0)), NOW)
    assert (found.call_25, found.put_25, found.atm) == pytest.approx((0.46, 0.54, 0.48))
    assert (found.risk_reversal_25, found.butterfly_25) == pytest.approx((-0.08, 0.02))
    assert (found.risk_reversal_10, found.butterfly_10) == pytest.approx((-0.12, 0.08))
    assert (found.forward, found.years, found.options) == (100.0, 1.0, 8)


def test_between_two_options_the_volatility_is_read_in_proportion_to_delta() -> None:
    # a call of delta 0.30 at 0.50 and one of 0.20 at 0.60: 0.25 lies in the middle, 0.55
    rows = [("C", strike_of(delta, iv, True), iv, 1.0) for delta, iv in ((0.3, 0.5), (0.2, 0.6))]
    (found,) = smiles(chain(*rows), NOW)
    assert found.call_25 == pytest.approx(0.55, abs=1e-9)
    assert (found.put_25, found.call_10, found.atm) == (None, None, None)  # beyond the outermost
    assert (found.risk_reversal_25, found.butterfly_25) == (None, None)


def test_at_the_forward_it_is_read_between_the_options_out_of_the_money() -> None:
    # strikes 80 and 125 are as far away in logarithms: ln 0.8 = -ln 1.25; (0.6 + 0.4) / 2 = 0.5
    # what is in the money (0.9, 0.1) is not looked at
    made = chain(("P", 80.0, 0.6, 1.0), ("C", 80.0, 0.9, 1.0), ("C", 125.0, 0.4, 1.0), ("P", 125.0, 0.1, 1.0))
    (found,) = smiles(made, NOW)
    assert found.atm == pytest.approx(0.5)
    # at 1.25 × √0.8 = 1.118 three quarters of the way are gone: 0.6 - 0.75 × 0.2 = 0.45
    read = at_moneyness(made, NOW, (0.7, 0.8, sqrt(1.25), 1.25, 1.3))[YEAR]
    assert read[0] is None and read[4] is None
    assert read[1:4] == pytest.approx([0.6, 0.45, 0.4])


def test_expiries_come_in_order_and_what_has_expired_is_gone() -> None:
    near, far, gone = (chain(("C", 100.0, 0.5, 1.0), expiry=one) for one in (DAY, YEAR, NOW))
    assert [one.expiry for one in smiles(together(far, gone, near), NOW)] == [DAY, YEAR]


def test_variance_between_two_expiries_is_what_the_nearer_leaves() -> None:
    # √((0.5² × 2 - 0.4² × 1) / 1) = √0.34; and 0.2² × 2 is less than 0.4² × 1: no such volatility
    assert forward_volatilities([1.0, 2.0], [0.4, 0.5]) == pytest.approx([sqrt(0.34)])
    assert forward_volatilities([1.0, 2.0, 3.0], [0.4, 0.2, None]) == [None, None]


@given(st.floats(0.2, 1.5), st.lists(st.floats(40.0, 250.0), min_size=3, max_size=30, unique=True))
def test_a_flat_smile_is_flat_everywhere(iv: float, strikes: list[float]) -> None:
    (found,) = smiles(chain(*((kind, one, iv, 1.0) for one in strikes for kind in "CP")), NOW)
    for known in (found.atm, found.call_25, found.put_25, found.call_10, found.put_10):
        assert known is None or known == pytest.approx(iv)
    assert found.butterfly_25 is None or found.butterfly_25 == pytest.approx(0, abs=1e-9)


# ── Positioning ───────────────────────────────────────────────────────────────────────────────


def test_put_call_ratios_count_what_is_known() -> None:
    made = chain(("C", 100.0, 0.5, 40.0), ("C", 110.0, 0.5, UNKNOWN), ("P", 90.0, 0.5, 30.0))
    assert put_call_ratio(made.open_interest, made) == 0.75  # 30 / 40
    assert put_call_ratio(made.volume, made) == 0.75
    assert put_call_ratio(made.open_interest[2:], made.rows(~made.is_call)) is None  # no calls


def test_gamma_exposure_is_what_a_move_of_one_percent_makes_dealers_trade() -> None:
    # Γ = 0.01984763; 10 coins: Γ × 10 × 100² × 0.01 = 19.84763 quote units, + for calls and - for puts
    made = chain(("C", 100.0, 0.2, 10.0), ("P", 100.0, 0.2, 4.0))
    each = exp(-0.005) / sqrt(2 * pi) / 20 * 100**2 * 0.01
    assert gamma_exposure(made, NOW).tolist() == pytest.approx([10 * each, -4 * each])
    assert 10 * each == pytest.approx(19.84763, abs=1e-5)
    for dealers, signs in {"long_puts": (-1, 1), "long_all": (1, 1), "short_all": (-1, -1)}.items():
        found = gamma_exposure(made, NOW, dealers)  # type: ignore[arg-type]
        assert found.tolist() == pytest.approx([signs[0] * 10 * each, signs[1] * 4 * each])
    strikes = by_strike(made, gamma_exposure(made, NOW))
    assert (strikes.strike.tolist(), strikes.calls.tolist(), strikes.puts.tolist()) == ([100], [10], [4])
    assert strikes.gamma[0] == pytest.approx(6 * each)


def test_gamma_is_nil_where_calls_and_puts_of_equal_size_weigh_the_same() -> None:
    # Γ F² = F φ(d1) / σ√T. Calls at 120 and puts at 80, one each, σ = 0.5, T = 1: they weigh the same where both
    # |d1| are equal: ln(F/120) + 1/8 = -(ln(F/80) + 1/8), so F = √(120 × 80) × e^(-1/8)
    made = chain(("C", 120.0, 0.5, 1.0), ("P", 80.0, 0.5, 1.0))
    wanted = sqrt(120 * 80) * exp(-0.125)
    assert wanted == pytest.approx(86.467, abs=1e-3)
    assert zero_gamma(made, NOW, 100.0) == pytest.approx(wanted, rel=1e-4)
    assert zero_gamma(made, NOW, 100.0, "long_puts") == pytest.approx(wanted, rel=1e-4)
    assert zero_gamma(made, NOW, 100.0, "long_all") is None  # never nil
    assert zero_gamma(made.rows(made.is_call & False), NOW, 100.0) is None


def test_max_pain_is_where_least_is_paid() -> None:
    # calls: 10 at 90, 5 at 110; puts: 20 at 100, 2 at 110
    # at  90: puts 20 × 10 + 2 × 20 = 240                          at 100: calls 10 × 10 + puts 2 × 10 = 120
    # at 110: calls 10 × 20 = 200
    made = chain(
        ("C", 90.0, 0.5, 10.0), ("C", 110.0, 0.5, 5.0), ("P", 100.0, 0.5, 20.0), ("P", 110.0, 0.5, 2.0)
    )
    found = max_pain(made)
    assert found is not None and found == (100.0, 120.0, 1)
    assert max_pain(chain(("C", 90.0, 0.5, UNKNOWN), ("P", 90.0, 0.5, 0.0))) is None


def test_of_equal_pains_the_lowest_is_told_and_how_many_there_are() -> None:
    # a call at 100 and a put at 90, one each: nothing is paid at 90, 95 (nothing open) and 100
    found = max_pain(chain(("C", 100.0, 0.5, 1.0), ("C", 95.0, 0.5, 0.0), ("P", 90.0, 0.5, 1.0)))
    assert found == (90.0, 0.0, 3)


def _chains(draw: Any) -> Chain:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("CP"), st.floats(50.0, 200.0), st.floats(0.1, 2.0), st.floats(0.0, 1e4)
            ),
            min_size=1,
            max_size=20,
        )
    )
    return chain(*rows)


chains = st.composite(_chains)


@given(chains())
def test_no_strike_pays_less_than_max_pain_nor_any_price_between(made: Chain) -> None:
    found = max_pain(made)
    if found is None:
        assert made.open_interest.sum() == 0
        return
    for price in (*made.strike, *np.linspace(40.0, 220.0, 50)):
        away = np.where(made.is_call, price - made.strike, made.strike - price)
        paid = float((np.maximum(away, 0) * made.open_interest).sum())
        assert paid >= found.payout * (1 - 1e-9) - 1e-6


@given(chains())
def test_strikes_add_up_to_the_chain_and_the_other_dealers_have_the_other_sign(made: Chain) -> None:
    exposure = gamma_exposure(made, NOW)
    strikes = by_strike(made, exposure)
    assert (strikes.calls + strikes.puts).sum() == pytest.approx(made.open_interest.sum())
    assert strikes.gamma.sum() == pytest.approx(exposure.sum(), abs=1e-6)
    np.testing.assert_allclose(gamma_exposure(made, NOW, "long_puts"), -exposure)
    level = zero_gamma(made, NOW, 100.0)
    assert level is None or 50.0 <= level <= 150.0


def test_gamma_alone_is_that_of_all_greeks() -> None:
    columns = [np.array(one) for one in ([90.0, 110.0], [100.0, 100.0], [0.5, 1.0], [0.4, 0.9])]
    both = greeks(*columns, np.array([True, False])).gamma
    np.testing.assert_allclose(gamma(*columns), both)
