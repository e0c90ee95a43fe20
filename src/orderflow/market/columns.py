"""Columns: the arrays in which the analysis speaks. Unknown is NaN in a column of floats, never zero."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Column: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64]  # times in ns UTC, numbers of bars, levels, counts
Mask: TypeAlias = npt.NDArray[np.bool_]

# A price within this part of a step below the next level is at that level: 0.3 / 0.1 is 2.999… in binary, and
# level 3 to everyone who trades. Doubles of prices up to 10^9 steps are nearer than that.
TOLERANCE = 1e-6
