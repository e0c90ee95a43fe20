"""Search finds the tool that a question is about, in a trader's words and in a developer's."""

from pathlib import Path

from orderflow.tools import ALL
from orderflow.tools.search import stems
from orderflow.tools.vocabulary import MEANS, meanings

SHOWN = 8  # of what find_tools gives, a reader looks at so many
LEAST_PCT = 95.0


def questions() -> list[tuple[str, str]]:
    """Return the questions with the tool that answers each best."""
    lines = Path(__file__).with_name("questions.txt").read_text().splitlines()
    return [(question, tool) for question, _, tool in (line.partition("\t") for line in lines)]


def test_the_right_tool_is_among_the_first_eight() -> None:
    asked = questions()
    missed = [one for one in asked if one[1] not in ALL.index.search(one[0], SHOWN)]
    found_pct = 100 * (1 - len(missed) / len(asked))
    assert found_pct >= LEAST_PCT, "\n".join(f"{found_pct:.1f} %: {question}" for question, _ in missed)


def test_every_tool_but_those_that_find_others_is_asked_for() -> None:
    asked = questions()
    assert len(asked) >= 200 and len({question for question, _ in asked}) == len(asked)
    assert {tool for _, tool in asked} == {
        name for name, one in ALL.tools.items() if one.family != "catalogue"
    }


def test_every_meaning_is_a_word_that_some_tool_says() -> None:
    known = {stem for counts in ALL.index._counts.values() for stem in counts}
    unknown = {word: meant for word, meant in MEANS.items() if not set(stems(meant)) & known}
    assert not unknown


def test_what_is_said_short_means_what_is_said_long() -> None:
    assert list(meanings("BTC OI of perps?")) == ["open interest", "perpetuals"]
    assert list(meanings("a short sentence")) == []


def test_a_tool_is_found_by_each_of_its_own_names() -> None:
    for name in ALL.tools:
        assert name in ALL.index.search(name, 3), name
