"""The names of the arrays that everything is computed with; shapes are said where they are used."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
DateArray = NDArray[np.datetime64]
ObjectArray = NDArray[np.object_]

# Entries are `Unavailable` or None.
ReasonArray = ObjectArray
# Entries are str or None.
TextArray = ObjectArray
