import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.prices.sparse import SparseLayer

ROWS, SESSIONS = 4, 6
CELLS = st.tuples(st.integers(0, ROWS - 1), st.integers(0, SESSIONS - 1))
PUT = st.dictionaries(CELLS, st.sampled_from([1.0, 2.0, 0.5]), max_size=12)


@given(st.lists(PUT, max_size=5), st.lists(st.integers(-1, ROWS - 1), max_size=6), st.tuples(*[st.integers(0, 5)] * 2))
def test_layer_of_few_values_reads_as_a_dense_one(
    puts: list[dict[tuple[int, int], float]], rows: list[int], range_: tuple[int, int]
) -> None:
    layer, dense = SparseLayer(1.0), np.ones((ROWS + 1, SESSIONS))
    for put in puts:
        cells = np.array(list(put), dtype=np.int64).reshape(-1, 2)
        layer.put(cells[:, 0], cells[:, 1], np.array(list(put.values())))
        for (row, session), value in put.items():
            dense[row, session] = value
    first, last = min(range_), max(range_)

    found = layer.block(np.array(rows, dtype=np.int64), first, last)

    # The last row of the dense one is of nobody, as -1 is.
    np.testing.assert_array_equal(found, dense[np.array(rows, dtype=np.int64), first : last + 1])
