"""Percentiles of ink as NumPy has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.reading.ink import percentile


@given(values=st.binary(min_size=1, max_size=900), percent=st.integers(0, 100))
def test_percentiles_are_numpys(values: bytes, percent: int) -> None:
    array = np.frombuffer(values, np.uint8)
    assert percentile(array, percent) == pytest.approx(np.percentile(array, percent))
