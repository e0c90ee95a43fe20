"""Market structure: swings in alternation, breaks, changes of character, and breaks that failed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.flow.structure import Break, Rule, RunningStructure, Structure, structure, structures
from orderflow.flow.swings import Bars
from orderflow.market.errors import InvalidArgument
from tests.flow.random_bars import CUTS, LENGTH, after, bars, first, lines, pieces, walks

RULES: st.SearchStrategy[Rule] = st.sampled_from(["close", "wick"])
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3))


def events(found: Structure) -> list[tuple[str, str, int, float, int, int]]:
    return [(one.kind, one.direction, one.bar, one.level, one.swing, one.known) for one in found.breaks]


def labels(found: Structure) -> list[tuple[int, str | None]]:
    return [(one.bar, one.label) for one in found.swings]


#             0   1   2   3   4   5   6   7   8  9  10
PATH = lines(10, 14, 12, 16, 13, 18, 11, 12, 9, 10, 13)


def test_labels_breaks_and_changes_of_character_by_hand() -> None:
    found = structure(PATH, 1, 1, hold_bars=0)
    assert labels(found) == [
        (1, None), (2, None), (3, "HH"), (4, "HL"), (5, "HH"), (6, "LL"), (7, "LH"), (8, "LL")
    ]  # fmt: skip
    assert events(found) == [
        ("BOS", "up", 3, 14.0, 1, 3),  # the first break of all
        ("BOS", "up", 5, 16.0, 3, 5),
        ("CHoCH", "down", 6, 13.0, 4, 6),
        ("BOS", "down", 8, 11.0, 6, 8),
        ("CHoCH", "up", 10, 12.0, 7, 10),
    ]
    assert (found.trend, found.direction) == ("down", "up")
    assert found.breaks[0].known_time == 4 * LENGTH  # the close of bar 3
    assert (found.swings[0].time, found.swings[0].known_time) == (LENGTH, 3 * LENGTH)


def test_a_break_that_closes_back_inside_has_failed_and_its_level_stands_again() -> None:
    # 14 is known at bar 3; 15 is beyond it, 13 is not; 16 is, and 15 never was a swing
    found = structure(lines(10, 14, 12, 11, 15, 13, 16), 1, 2)
    assert events(found) == [
        ("BOS", "up", 4, 14.0, 1, 4), ("failed", "up", 4, 14.0, 1, 5), ("BOS", "up", 6, 14.0, 1, 6)
    ]  # fmt: skip
    # without patience for failures the first break stands, and a level breaks once
    assert events(structure(lines(10, 14, 12, 11, 15, 13, 16), 1, 2, hold_bars=0)) == [
        ("BOS", "up", 4, 14.0, 1, 4)
    ]


def test_a_change_of_character_that_failed_changed_nothing() -> None:
    #            0   1   2   3   4   5   6     7     8   9
    path = lines(10, 14, 12, 16, 17, 15, 16, 14.5, 15.5, 14)
    found = structure(path, 1, 1, hold_bars=1)
    assert events(found) == [
        ("BOS", "up", 3, 14.0, 1, 3),
        ("CHoCH", "down", 7, 15.0, 5, 7),
        ("failed", "down", 7, 15.0, 5, 8),
        ("CHoCH", "down", 9, 14.5, 7, 9),  # against the rise that went on
    ]
    assert structure(first(path, 9), 1, 1, hold_bars=1).direction == "up"


def test_a_wick_breaks_by_request_and_fails_where_the_close_is_back() -> None:
    path = bars((10, 9, 9.5), (14, 12, 13), (12, 11, 11.5), (15, 12, 13))
    assert events(structure(path, 1, 1)) == []
    assert events(structure(path, 1, 1, "wick")) == [
        ("BOS", "up", 3, 14.0, 1, 3),
        ("failed", "up", 3, 14.0, 1, 3),
    ]


def test_a_bar_beyond_both_sides_went_last_to_where_it_closed() -> None:
    path = ((10, 9, 9.5), (14, 12, 13), (13, 8, 9), (12, 11, 11.5))  # a high of 14, a low of 8
    up, down = bars(*path, (15, 7, 14.5)), bars(*path, (15, 7, 7.5))
    assert events(structure(up, 1, 1, "wick")) == [
        ("BOS", "down", 4, 8.0, 2, 4), ("CHoCH", "up", 4, 14.0, 1, 4), ("failed", "down", 4, 8.0, 2, 4)
    ]  # fmt: skip
    assert structure(up, 1, 1, "wick").direction == "up"
    assert [one.direction for one in structure(down, 1, 1, "wick").breaks] == ["up", "down", "up"]
    assert structure(down, 1, 1, "wick").direction == "down"


def test_of_two_highs_in_a_row_the_higher_one_counts_from_when_it_is_known() -> None:
    # pivots of 2 bars: highs 14 and 16 with a low between them that is none of two bars; then 15, lower
    path = bars(
        (10, 9, 10), (11, 9, 10), (14, 9, 10), (12, 9, 10), (13, 9, 10), (16, 9, 10), (12, 9, 10), (11, 9, 10)
    )
    found = structure(path, 2, 2, hold_bars=0)
    assert [(one.kind, one.bar, one.minor, one.replaced) for one in found.swings] == [
        ("high", 2, False, 7), ("high", 5, False, None)
    ]  # fmt: skip
    assert [one.bar for one in found.alternating] == [5]
    lower = bars(
        (10, 9, 10), (11, 9, 10), (14, 9, 10), (12, 9, 10), (12, 9, 10), (13, 9, 10), (12, 9, 10), (11, 9, 10)
    )
    assert [(one.bar, one.minor, one.replaced) for one in structure(lower, 2, 2).swings] == [
        (2, False, None),
        (5, True, None),
    ]


def test_equal_swings_are_told_with_a_tolerance() -> None:
    path = lines(10, 100, 90, 100.04, 90, 95)
    assert labels(structure(path, 1, 1))[2:] == [(3, "HH"), (4, "EL")]
    assert labels(structure(path, 1, 1, tolerance_bps=5))[2:] == [(3, "EH"), (4, "EL")]
    assert structure(path, 1, 1).trend == "range"


def test_too_few_bars_have_no_structure_and_nonsense_is_refused() -> None:
    assert structure(lines()) == Structure((), (), None)
    assert structure(lines(1, 2, 1), 1, 1).trend is None
    with pytest.raises(InvalidArgument):
        structure(PATH, 0, 1)
    for hold, tolerance in ((-1, 0.0), (1, -1.0)):
        with pytest.raises(InvalidArgument):
            structure(PATH, hold_bars=hold, tolerance_bps=tolerance)
    with pytest.raises(InvalidArgument, match="internal"):
        structures(PATH, 5, 5)


def test_internal_and_external_structure_are_those_of_their_pivots() -> None:
    found = structures(PATH, 1, 3, hold_bars=0)
    assert found.internal == structure(PATH, 1, 1, hold_bars=0)
    assert found.external == structure(PATH, 3, 3, hold_bars=0)


@given(path=walks(), sizes=SIZES, rule=RULES, hold=st.integers(0, 4), cut=st.integers(0, 60))
def test_what_was_known_at_some_bar_stays(
    path: Bars, sizes: tuple[int, int], rule: Rule, hold: int, cut: int
) -> None:
    whole = structure(path, *sizes, rule, hold)
    early = structure(first(path, cut), *sizes, rule, hold)
    assert early.breaks == tuple(one for one in whole.breaks if one.known < cut)
    assert early.swings == tuple(
        one if one.replaced is None or one.replaced < cut else one._replace(replaced=None)
        for one in whole.swings
        if one.known < cut
    )


@given(path=walks(), sizes=SIZES, rule=RULES, hold=st.integers(0, 4))
def test_every_break_is_beyond_its_level_and_every_failure_back_inside(
    path: Bars, sizes: tuple[int, int], rule: Rule, hold: int
) -> None:
    found = structure(path, *sizes, rule, hold)
    swings = {(one.kind, one.bar): one for one in found.swings}
    standing: list[Break] = []
    for one in found.breaks:
        sign = 1 if one.direction == "up" else -1
        origin = swings["high" if sign > 0 else "low", one.swing]
        assert (origin.level, origin.minor) == (one.level, False)
        assert origin.known < one.bar <= one.known
        wick = path.high[one.bar] if sign > 0 else path.low[one.bar]
        assert sign * (path.close[one.bar] if rule == "close" else wick) > sign * one.level
        if one.kind == "failed":
            assert one.known - one.bar <= hold
            assert sign * path.close[one.known] <= sign * one.level
            standing.remove(
                next(other for other in standing if (other.bar, other.level) == (one.bar, one.level))
            )
        else:
            assert one.known == one.bar
            standing.append(one)
    assert found.direction == (standing[-1].direction if standing else None)
    assert len({(one.direction, one.swing) for one in standing}) == len(standing)


@given(path=walks(), sizes=SIZES)
def test_swings_alternate_and_their_labels_compare_them_with_the_one_before(
    path: Bars, sizes: tuple[int, int]
) -> None:
    found = structure(path, *sizes).alternating
    assert all(one.kind != other.kind for one, other in zip(found, found[1:], strict=False))
    assert all(one.bar <= other.bar for one, other in zip(found, found[1:], strict=False))
    for kind, names in (("high", ("LH", "EH", "HH")), ("low", ("LL", "EL", "HL"))):
        levels = [one for one in found if one.kind == kind]
        assert [one.label for one in levels[:1]] in ([], [None])
        for before, one in zip(levels, levels[1:], strict=False):
            assert one.label == names[1 + (one.level > before.level) - (one.level < before.level)]


@given(path=walks(), sizes=SIZES, hold=st.integers(0, 4))
def test_a_path_upside_down_has_its_structure_upside_down(
    path: Bars, sizes: tuple[int, int], hold: int
) -> None:
    up = path._replace(high=path.close, low=path.close)
    down = up._replace(high=-path.close, low=-path.close, close=-path.close)
    ours, theirs = structure(up, *sizes, "close", hold), structure(down, *sizes, "close", hold)
    assert [(one.kind, one.bar, -one.level, one.swing, one.known) for one in ours.breaks] == [
        (one.kind, one.bar, one.level, one.swing, one.known) for one in theirs.breaks
    ]
    assert [one.bar for one in ours.alternating] == [one.bar for one in theirs.alternating]


@given(path=walks(unknown=True), sizes=SIZES, rule=RULES, hold=st.integers(0, 4), cuts=CUTS)
def test_bars_that_come_in_pieces_have_the_structure_of_all_of_them(
    path: Bars, sizes: tuple[int, int], rule: Rule, hold: int, cuts: list[int]
) -> None:
    running = RunningStructure(*sizes, rule, hold)
    told: list[Break] = []
    for so_far, piece in enumerate(pieces(path, cuts)):
        told += running.take(piece)
        if so_far == 0:
            assert running.found == structure(piece, *sizes, rule, hold)
    assert running.found == structure(path, *sizes, rule, hold)
    assert tuple(told) == running.found.breaks


def test_a_bar_is_taken_once_and_of_one_length() -> None:
    running = RunningStructure(1, 1)
    running.take(first(PATH, 5))
    for wrong in (after(PATH, 4), after(PATH, 5)._replace(length=LENGTH // 2)):
        with pytest.raises(InvalidArgument):
            running.take(wrong)
    running.take(after(PATH, 5))
    assert running.found == structure(PATH, 1, 1)
