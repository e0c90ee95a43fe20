"""Labels: texts in a plot that do not lie on one another, nor, where it can be helped, on what is drawn there."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from orderflow.charts.canvas import Canvas
from orderflow.market.columns import Column

HIGH = 18.0  # units of a line of small text


class Labels:
    """The labels of one plot, whose limits are set and stay. Who comes first has the place."""

    def __init__(self, canvas: Canvas, plot: Axes) -> None:
        self._canvas, self._plot = canvas, plot
        self._width, self._height = canvas.units(plot)
        self._labels: list[tuple[float, float, float, float]] = []
        self._drawn = np.empty((4, 0))

    def avoid(self, left: Column, right: Column, bottom: Column, top: Column) -> None:
        """Keep labels off boxes, if there is another place; in the plot's own coordinates."""
        boxes = np.stack([*self._across(left, right), *self._up(bottom, top)])
        self._drawn = np.concatenate([self._drawn, boxes[:, ~np.isnan(boxes).any(axis=0)]], axis=1)

    def put(self, text: str, *spots: tuple[float, float, float], bold: bool = False, **how: Any) -> bool:
        """Write a text at the first spot that has room for it; say whether one had.

        A spot is a point and how many units above it the middle of the text is; it is moved inwards where it
        would stick out at the left or right. If all spots have something drawn in them, that does not count.
        """
        half = self._canvas.measured(text, bold=bold) / 2 + 3
        boxes = [self._box(*spot, half) for spot in spots]
        free = [
            box for box in boxes if box[2] >= 0 and box[3] <= self._height and not _meets(box, self._labels)
        ]
        if not free:
            return False
        box = next((one for one in free if not _meets(one, self._drawn.T)), free[0])
        self._labels.append(box)
        self._canvas.label(
            self._plot, (box[0] + box[1]) / 2 / self._width, (box[2] + box[3]) / 2 / self._height, text,
            transform=self._plot.transAxes, bold=bold, ha="center", va="center_baseline",
            bbox={"facecolor": self._canvas.colours.panel, "alpha": 0.7, "linewidth": 0, "pad": 0.5},
            **{"zorder": 7} | how,
        )  # fmt: skip
        return True

    def _box(self, x: float, y: float, up: float, half: float) -> tuple[float, float, float, float]:
        across, middle = float(self._across(x)[0]), float(self._up(y)[0]) + up
        across = min(max(across, half + 2), self._width - half - 2)
        return across - half, across + half, middle - HIGH / 2, middle + HIGH / 2

    def _across(self, *places: Any) -> list[Any]:
        left, right = self._plot.get_xlim()
        return [(place - left) / (right - left) * self._width for place in places]

    def _up(self, *places: Any) -> list[Any]:
        low, high = self._plot.get_ylim()
        return [(place - low) / (high - low) * self._height for place in places]


def _meets(box: tuple[float, float, float, float], others: Sequence[Any] | Any) -> bool:
    if not len(others):
        return False
    left, right, low, high = np.asarray(others).T
    return bool(((left < box[1]) & (right > box[0]) & (low < box[3]) & (high > box[2])).any())
