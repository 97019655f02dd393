"""The standard's extension for linear algebra, over luge.linalg."""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import _C
from .._C import Tensor
from ._dtypes import DType, finfo, is_floating, together
from ._manipulation import axes_of, axis_of
from ._products import matmul as matmul
from ._products import matrix_transpose as matrix_transpose
from ._products import tensordot as tensordot
from ._products import vecdot as vecdot
from ._reductions import sum as _sum

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power", "matrix_rank",
    "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip


class EighResult(NamedTuple):
    """What eigh() gives."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """What qr() gives."""

    Q: Tensor
    R: Tensor


class SlogdetResult(NamedTuple):
    """What slogdet() gives."""

    sign: Tensor
    logabsdet: Tensor


class SVDResult(NamedTuple):
    """What svd() gives."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def _own() -> Any:
    return importlib.import_module("luge.linalg")


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """The triangular L, or with `upper` its transpose, of which L @ L.mT is x.

    >>> luge.array_api.linalg.cholesky(luge.tensor([[4.0]]))
    tensor([[2.]])
    """
    factor: Tensor = _own().cholesky(x)
    return factor.mT if upper else factor


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors of size 3 along a dimension, counted from the last; all others are broadcast.

    >>> luge.array_api.linalg.cross(luge.tensor([1, 0, 0]), luge.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    a, b = together(x1, x2)
    first, second = axis_of("cross", axis, a.ndim), axis_of("cross", axis, b.ndim)
    if a.shape[first] != 3 or b.shape[second] != 3:
        raise ValueError(f"cross: the shapes are {a.shape} and {b.shape}; the sizes along {axis} must be 3")
    u, v = [[x.select(place, k) for k in range(3)] for x, place in ((a, first), (b, second))]
    parts = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
    return _C.stack(parts, axis if axis < 0 else first)


def det(x: Tensor, /) -> Tensor:
    """The determinant.

    >>> luge.array_api.linalg.det(luge.tensor([[2.0]]))
    tensor(2.)
    """
    found: Tensor = _own().det(x)
    return found


def _square(call: str, x: Tensor) -> None:
    if x.ndim < 2:
        raise ValueError(f"{call}: the array has {x.ndim} dimensions; it must have two or more")


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """A diagonal of each matrix: above the main one for a positive offset.

    >>> luge.array_api.linalg.diagonal(luge.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    _square("diagonal", x)
    height, width = x.shape[-2:]
    row, column = max(0, -offset), max(0, offset)
    count = max(0, min(height - row, width - column))
    places = (_C.arange(count, device=x.device) + row) * width + _C.arange(count, device=x.device) + column
    return _C.index_select(x.reshape((*x.shape[:-2], height * width)), -1, places)


def eigh(x: Tensor, /) -> EighResult:
    """The eigenvalues of a symmetric matrix, ascending, and its eigenvectors as columns.

    >>> luge.array_api.linalg.eigh(luge.tensor([[2.0]])).eigenvalues
    tensor([2.])
    """
    return EighResult(*_own().eigh(x))


def eigvalsh(x: Tensor, /) -> Tensor:
    """The eigenvalues of a symmetric matrix, ascending.

    >>> luge.array_api.linalg.eigvalsh(luge.tensor([[2.0]]))
    tensor([2.])
    """
    return eigh(x).eigenvalues


def inv(x: Tensor, /) -> Tensor:
    """The inverse.

    >>> luge.array_api.linalg.inv(luge.tensor([[2.0]]))
    tensor([[0.5000]])
    """
    found: Tensor = _own().inv(x)
    return found


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Tensor:
    """A norm of each matrix: "fro", "nuc", 1, -1, 2, -2, inf or -inf.

    >>> luge.array_api.linalg.matrix_norm(luge.tensor([[3.0, 4.0]]))
    tensor(5.)
    """
    _square("matrix_norm", x)
    if ord in ("fro", None):
        result = (x * x).sum((-2, -1)).sqrt()
    elif ord == "nuc":
        result = svdvals(x).sum(-1)
    elif ord in (2, -2):
        values = svdvals(x)
        result = values.amax(-1) if ord == 2 else values.amin(-1)
    elif ord in (1, -1, math.inf, -math.inf):
        sums = x.abs().sum(-2 if ord in (1, -1) else -1)
        result = sums.amax(-1) if isinstance(ord, (int, float)) and ord > 0 else sums.amin(-1)
    else:
        raise ValueError(f"matrix_norm: ord is {ord!r}; allowed are 'fro', 'nuc', 1, -1, 2, -2, inf and -inf")
    return result.unsqueeze(-1).unsqueeze(-1) if keepdims else result


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """The product of n times the same square matrix; of the inverse for a negative n.

    >>> luge.array_api.linalg.matrix_power(luge.tensor([[2.0]]), 3)
    tensor([[8.]])
    """
    _square("matrix_power", x)
    if n < 0:
        x, n = inv(x), -n
    result = _C.eye(x.shape[-1], dtype=x.dtype, device=x.device).expand(x.shape).clone()
    while n:
        if n & 1:
            result = matmul(result, x)
        x, n = matmul(x, x), n >> 1
    return result


def _tolerance(values: Tensor, x: Tensor, rtol: float | Tensor | None) -> Tensor:
    largest = values.amax(-1, keepdim=True)
    if rtol is None:
        return largest * (max(x.shape[-2:]) * finfo(x.dtype).eps)
    return largest * (rtol.unsqueeze(-1) if isinstance(rtol, Tensor) else rtol)


def matrix_rank(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """How many singular values exceed the largest times rtol.

    >>> luge.array_api.linalg.matrix_rank(luge.tensor([[1.0, 0.0], [0.0, 0.0]]))
    tensor(1)
    """
    values = svdvals(x)
    return (values > _tolerance(values, x, rtol)).sum(-1)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The products of all pairs of two vectors.

    >>> luge.array_api.linalg.outer(luge.tensor([1, 2]), luge.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    a, b = together(x1, x2)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"outer: the arrays have {a.ndim} and {b.ndim} dimensions; both must have one")
    return a.unsqueeze(1) * b


def pinv(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """The pseudo-inverse of Moore and Penrose; singular values up to the largest times rtol count as 0.

    >>> luge.array_api.linalg.pinv(luge.tensor([[2.0]]))
    tensor([[0.5000]])
    """
    u, values, vh = svd(x, full_matrices=False)
    kept = values > _tolerance(values, x, rtol)
    safe = _C.where(kept, values, _C.ones_like(values))
    inverted = _C.where(kept, 1 / safe, _C.zeros_like(values))
    return matmul(vh.mT * inverted.unsqueeze(-2), u.mT)


def qr(x: Tensor, /, *, mode: str = "reduced") -> QRResult:
    """Orthogonal Q and upper triangular R, of which Q @ R is x; square Q with the mode "complete".

    >>> luge.array_api.linalg.qr(luge.tensor([[1.0, 2.0], [3.0, 4.0]])).R.shape
    (2, 2)
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode is '{mode}'; it must be 'reduced' or 'complete'")
    return QRResult(*_own().qr(x, mode))


def slogdet(x: Tensor, /) -> SlogdetResult:
    """The sign of the determinant and the logarithm of its size.

    >>> luge.array_api.linalg.slogdet(luge.tensor([[-1.0]]))
    SlogdetResult(sign=tensor(-1.), logabsdet=tensor(0.))
    """
    return SlogdetResult(*_own().slogdet(x))


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The y of which x1 @ y is x2: a vector where x2 has one dimension, else matrices.

    >>> luge.array_api.linalg.solve(luge.tensor([[2.0]]), luge.tensor([4.0]))
    tensor([2.])
    """
    a, b = together(x1, x2)
    if b.ndim == 1:
        found: Tensor = _own().solve(a, b.unsqueeze(-1))
        return found.squeeze(-1)
    batch = max(a.ndim, b.ndim)
    found = _own().solve(a, b.reshape((1,) * (batch - b.ndim) + tuple(b.shape)))
    return found


def svd(x: Tensor, /, *, full_matrices: bool = True) -> SVDResult:
    """Orthogonal U and Vh and singular values S, descending, of which (U * S) @ Vh is x.

    >>> luge.array_api.linalg.svd(luge.tensor([[2.0]])).S
    tensor([2.])
    """
    return SVDResult(*_own().svd(x, full_matrices))


def svdvals(x: Tensor, /) -> Tensor:
    """The singular values, descending.

    >>> luge.array_api.linalg.svdvals(luge.tensor([[2.0]]))
    tensor([2.])
    """
    return svd(x, full_matrices=False).S


def trace(x: Tensor, /, *, offset: int = 0, dtype: DType | None = None) -> Tensor:
    """The sum of a diagonal of each matrix; int64 of integers, unless `dtype` says otherwise.

    >>> luge.array_api.linalg.trace(luge.tensor([[1, 2], [3, 4]]))
    tensor(5)
    """
    return _sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(
    x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False, ord: float = 2
) -> Tensor:
    """The norm of order `ord` over some dimensions; inf, -inf and 0, which counts, too.

    >>> luge.array_api.linalg.vector_norm(luge.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if not is_floating(x.dtype):
        x = x.to(_C.float32)
    axes = axes_of("vector_norm", axis, x.ndim)
    size = x.abs()
    if not axes:
        return size
    if ord == math.inf:
        return size.amax(tuple(axes), keepdims)
    if ord == -math.inf:
        return size.amin(tuple(axes), keepdims)
    if ord == 0:
        return (size != 0).to(x.dtype).sum(tuple(axes), keepdims)
    if ord == 2:
        return (size * size).sum(tuple(axes), keepdims).sqrt()
    if ord == 1:
        return size.sum(tuple(axes), keepdims)
    return (size**ord).sum(tuple(axes), keepdims) ** (1 / ord)
