"""Search: ranks short texts against a few words (BM25 over weighted fields), with endings taken off.

What people say for a thing counts as what it is called here: `vocabulary` has both.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from orderflow.tools.vocabulary import SILENT, meanings

Fields = Sequence[tuple[str, float]]  # texts, each with what a word in it weighs

_K1, _B = 1.2, 0.5  # of Robertson's usual constants, the second less: a long description is no padding
_MEANT = 0.6  # what a word weighs that was meant and not said
_ENDINGS = (
    "isations", "izations", "isation", "ization", "ations", "ation", "ating", "ated", "ates", "ate", "ities", "ments",
    "ment", "ions", "ings", "ity", "ion", "ing", "ies", "ors", "ers", "or", "er", "ed", "es", "s", "e", "y",
)  # fmt: skip
_SHORTEST_STEM = 4


def stems(text: str) -> list[str]:
    """Return the words of a text without their endings, spelt the British way.

    >>> stems("Liquidations liquidated realized prices")
    ['liquid', 'liquid', 'realis', 'pric']
    """
    return [_stem(word) for word in re.findall(r"[a-z0-9]+", text.lower())]


def _stem(word: str) -> str:
    word = re.sub(r"iz(e|ed|es|ing)$", r"is\1", word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


class Index:
    """Texts by name, ready to be searched."""

    def __init__(self, texts: Mapping[str, Fields]) -> None:
        self._counts = {name: _counted(fields) for name, fields in texts.items()}
        self._lengths = {name: sum(counts.values()) for name, counts in self._counts.items()}
        self._mean = sum(self._lengths.values()) / max(1, len(self._lengths))
        self._found_in = Counter(stem for counts in self._counts.values() for stem in counts)

    def search(self, query: str, limit: int) -> list[str]:
        """Return the best names, best first; those that share no word with the query are left out."""
        wanted = _wanted(query)
        scored = {
            name: sum(weight * self._score(name, stem) for stem, weight in wanted.items())
            for name in self._counts
        }
        ranked = sorted((name for name, score in scored.items() if score > 0), key=lambda name: -scored[name])
        return ranked[:limit]

    def _score(self, name: str, stem: str) -> float:
        count = self._counts[name].get(stem)
        if not count:
            return 0.0
        holders = self._found_in[stem]
        rarity = math.log(1 + (len(self._counts) - holders + 0.5) / (holders + 0.5))
        length = 1 - _B + _B * self._lengths[name] / self._mean
        return rarity * count * (_K1 + 1) / (count + _K1 * length)


def _counted(fields: Fields) -> dict[str, float]:
    weights: dict[str, float] = {}
    for text, weight in fields:
        for stem in stems(text):
            weights[stem] = weights.get(stem, 0.0) + weight
    return weights


def _wanted(query: str) -> dict[str, float]:
    """Return the stems that are looked for, with their weights: those said, and those meant by them."""
    said = [word for word in re.findall(r"[a-z0-9]+", query.lower()) if word not in SILENT]
    found = dict.fromkeys((stem for text in meanings(query) for stem in stems(text)), _MEANT)
    return found | dict.fromkeys(stems(" ".join(said)), 1.0)
