"""Themes: the colours of a picture on a dark and on a light ground.

Bought and sold are blue and orange: a pair that people see apart who cannot tell green from red. The colours
are those of Okabe and Ito, "Color Universal Design" (2008), made lighter or darker for their ground.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.colors import to_rgb

from orderflow.market.columns import Column

Theme = Literal["dark", "light"]


class Colours(NamedTuple):
    ground: str
    panel: str
    grid: str
    text: str
    muted: str
    unknown: str  # hatching of what nothing is known of
    buy: str
    sell: str
    bought: str  # text on a ground of `buy`
    sold: str
    mark: str  # what is pointed at: POC, the last price
    lines: tuple[str, ...]  # several series in one plot
    warning: str
    shades: tuple[str, ...]  # of amounts, the faintest first: neither blue nor orange, which are sides


DARK = Colours(
    ground="#11151c",
    panel="#171c25",
    grid="#2a313d",
    text="#e8ebf0",
    muted="#a3acba",
    unknown="#454e5c",
    buy="#56b4e9",
    sell="#f0902e",
    bought="#9bd8ff",
    sold="#ffb877",
    mark="#f5e663",
    lines=("#4fd1a5", "#d98cc0", "#b7c66b", "#8fa8ff", "#d8b08c", "#7fd4d9"),
    warning="#f5e663",
    shades=("#221a3f", "#45277a", "#80399c", "#c260a8", "#f3b3cf", "#ffffff"),
)
LIGHT = Colours(
    ground="#ffffff",
    panel="#f8f9fb",
    grid="#dfe3e9",
    text="#161a20",
    muted="#58616e",
    unknown="#c2c8d1",
    buy="#0072b2",
    sell="#d55e00",
    bought="#003d63",
    sold="#6e2d00",
    mark="#6a1b9a",
    lines=("#00795a", "#a8467f", "#6b7a00", "#3f51b5", "#8a5a2b", "#00818a"),
    warning="#ffe14d",
    shades=("#efe8f6", "#d5c2e6", "#ab84c9", "#7a46a3", "#4a1775", "#1f0238"),
)
THEMES: dict[Theme, Colours] = {"dark": DARK, "light": LIGHT}


def blended(colours: Any, ground: str, strength: Column) -> Any:
    """Return colours so strong on a ground, 0 to 1, as opaque ones: what lies beneath does not shine through."""
    over = np.array([to_rgb(one) for one in colours]).reshape(-1, 3)
    share = strength[:, None]
    return over * share + np.array(to_rgb(ground)) * (1 - share)
