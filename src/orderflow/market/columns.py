"""Columns: the arrays in which the analysis speaks. Unknown is NaN in a column of floats, never zero."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Column: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64]  # times in ns UTC, numbers of bars, levels, counts
Mask: TypeAlias = npt.NDArray[np.bool_]
