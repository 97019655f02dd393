"""A matrix, its views, and where arrays are: for the tests of what shares memory with other libraries."""

import pytest

import luge

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]  # of NumPy, too
ROWS = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]

#: Views of a 3 x 4 matrix that are the same for luge and NumPy.
VIEWS = {
    "whole": lambda x: x,
    "transposed": lambda x: x.T,
    "sliced": lambda x: x[1:, ::2],
    "column": lambda x: x[:, 2],
    "one": lambda x: x[1, 3],
    "one row": lambda x: x[1:2],
    "empty": lambda x: x[:, 4:],
}
BROADCAST = {
    "rows": lambda x: x[0].expand(3, 4),
    "number": lambda x: x[1, 1].expand(2, 5),
}

needs_gpu = pytest.mark.skipif(not luge.cuda.is_available(), reason=f"no GPU: {luge.cuda.why_not()}")


def matrix(dtype="float32"):
    return luge.tensor(ROWS, dtype=getattr(luge, dtype))


def address(array):
    return array.__array_interface__["data"][0]
