"""Search: ranks short texts against a few words (BM25), with plurals and endings taken off."""

import math
import re
from collections import Counter
from collections.abc import Mapping

_K1, _B = 1.2, 0.75  # Robertson's usual constants
_ENDINGS = ("ations", "ation", "ities", "ings", "ing", "ies", "ers", "er", "ed", "es", "s", "e", "y")
_SHORTEST_STEM = 4


def stems(text: str) -> list[str]:
    """Return the words of a text without their endings.

    >>> stems("Liquidations liquidation prices")
    ['liquid', 'liquid', 'pric']
    """
    return [_stem(word) for word in re.findall(r"[a-z0-9]+", text.lower())]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


class Index:
    """Texts by name, ready to be searched."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._counts = {name: Counter(stems(text)) for name, text in texts.items()}
        self._lengths = {name: sum(counts.values()) for name, counts in self._counts.items()}
        self._mean = sum(self._lengths.values()) / max(1, len(self._lengths))
        self._found_in = Counter(stem for counts in self._counts.values() for stem in counts)

    def search(self, query: str, limit: int) -> list[str]:
        """Return the best names, best first; those that share no word with the query are left out."""
        wanted = set(stems(query))
        scored = {name: sum(self._score(name, stem) for stem in wanted) for name in self._counts}
        ranked = sorted((name for name, score in scored.items() if score > 0), key=lambda name: -scored[name])
        return ranked[:limit]

    def _score(self, name: str, stem: str) -> float:
        count = self._counts[name][stem]
        if not count:
            return 0.0
        holders = self._found_in[stem]
        rarity = math.log(1 + (len(self._counts) - holders + 0.5) / (holders + 0.5))
        length = 1 - _B + _B * self._lengths[name] / self._mean
        return rarity * count * (_K1 + 1) / (count + _K1 * length)
