"""Answers over real recordings, as they are kept beside this file: any change of them is seen, and meant.

`python -m tests.golden.rewrite` writes them anew.
"""

import json

import pytest

from orderflow.market.errors import InvalidArgument
from orderflow.tools.context import Context
from tests.golden.kept import ANSWERS, answered, differences, path_of, written
from tests.golden.questions import QUESTIONS, asked, cases

MOST_BYTES = 12_000


def test_every_tool_of_order_flow_and_charts_has_a_question() -> None:
    assert sorted(set(asked()) - set(QUESTIONS)) == [], "add a row to tests/golden/questions.py"


@pytest.mark.parametrize(("tool", "name"), cases())
def test_an_answer_is_the_one_that_is_kept(context: Context, tool: str, name: str) -> None:
    path = path_of(tool, name)
    assert path.is_file(), "python -m tests.golden.rewrite writes it"
    found = list(differences(answered(context, tool, name), json.loads(path.read_text())))
    assert not found, "\n".join([f"{path.name} of {tool}:", *found[:20]])


def test_every_kept_answer_is_of_a_question_and_can_be_read() -> None:
    kept = set(ANSWERS.rglob("*.json"))
    assert sorted(kept - {path_of(*case) for case in cases()}) == []
    assert [path for path in kept if path.stat().st_size > MOST_BYTES] == []


def test_a_changed_answer_is_found_out() -> None:
    one = {"rows": [[1, 2.0], ["a", None]], "summary": {"cvd": 5.0}}
    assert list(differences(one, json.loads(written(one)))) == []
    assert list(differences(one, {**one, "summary": {"cvd": 5.0 + 1e-12}})) == []
    assert list(differences(one, {**one, "summary": {"cvd": 5.1}})) == [
        "answer.summary.cvd: 5.0, kept is 5.1"
    ]
    assert list(differences(one, {**one, "rows": [[1, 2.0]]})) == ["answer.rows has 2 items, kept are 1"]
    assert list(differences({**one, "new": 1}, one)) == ["answer.new is new"]
    assert list(differences([True], [1.5])) == ["answer[0]: True, kept is 1.5"]


def test_a_question_that_is_wrong_is_not_kept_as_an_answer(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUESTIONS, "chart_cvd", {"wrong": {"symbol": "BTCUSDT", "colour": "green"}})
    with pytest.raises(InvalidArgument):
        answered(context, "chart_cvd", "wrong")
