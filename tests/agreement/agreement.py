"""Samples of every operation, whose results must be PyTorch's. This file is the format of samples/*.py.

    from agreement import A, V, error, sample

    for dtype in ("float32", "int64"):
        sample("flip", A((3, 4), dtype), dims=(0,))              # torch.flip and luge.flip
    sample("Tensor.copy_", A((3,)), A((3,), "int32"))            # a method: the first argument is its tensor
    sample("Tensor.mT", A((2, 3)))                               # a property
    sample("nn.functional.pad", A((2, 3)), (1, 1), mode="reflect")
    sample("operator.getitem", A((4, 5)), (V([0, 2], "int64"), slice(None)))
    error("flip", A((3,)), dims=(5,))

A and V stand for tensors, "dtype:float32" for the library's dtype, also within tuples, lists and dicts. A sample builds
nothing before it is run under a library.

What is compared: the result (tuple or list, dtype, shape, values), every argument that the call changes, whether the results
require gradients, and the gradients of all floating arguments for random cotangents. From each sample of `f` follow, for
luge alone and with the same bits: the method `Tensor.f`, the in-place method `Tensor.f_` where the result has the tensor's
shape and dtype, `out=` where f has it, the function captured, and the call as one of several sets (sets.py). In float64 gradcheck and gradgradcheck follow, where no
argument is a V (whose values may be ones that have no derivative) and none is special.
"""

import functools
import hashlib
import importlib.util
import pathlib
from dataclasses import dataclass, field
from typing import Any

FOLDER = pathlib.Path(__file__).parent
LAYOUTS = ("contiguous", "transposed", "strided", "expanded")
FLOATING = ("float16", "bfloat16", "float32", "float64")
INTEGER = ("uint8", "int8", "int16", "int32", "int64")
DTYPES = ("bool", *INTEGER, *FLOATING)


@dataclass(frozen=True)
class A:
    """A tensor of random numbers: floating ones in [low, high), integers from low to high, both included.

    layout: transposed swaps the last two dims of a contiguous tensor, strided takes every second element of the last one,
    expanded has stride 0 in the first one. special puts NaN, inf, -inf, 0 and -0 in, the extremes for integers. Arguments of
    one call differ without different seeds.
    """

    shape: tuple
    dtype: str = "float32"
    layout: str = "contiguous"
    low: float = -3
    high: float = 3
    special: bool = False
    seed: int = 0

    def __post_init__(self):
        assert isinstance(self.shape, tuple) and self.dtype in DTYPES and self.layout in LAYOUTS, self


@dataclass(frozen=True)
class V:
    """A tensor of these values, nested lists or a number."""

    data: Any
    dtype: str = "float32"

    def __post_init__(self):
        assert self.dtype in DTYPES, self


@dataclass
class Sample:
    """One call. `fails` says that it must raise."""

    name: str
    args: tuple
    kwargs: dict
    area: str
    fails: bool = False
    grad: bool = True
    tol: float | None = None
    differs: str | None = None
    capture: bool = True
    check: bool = True
    sets: bool = False
    forms: bool = True
    key: str = field(init=False)

    def __post_init__(self):
        text = f"{self.name} {self.args!r} {sorted(self.kwargs.items())!r} {self.fails} {self.grad} {bool(self.differs)}"
        self.key = hashlib.sha256(text.encode()).hexdigest()[:14]

    def __str__(self):
        words = [_word(arg) for arg in self.args] + [f"{key}={_word(value)}" for key, value in self.kwargs.items()]
        return f"{self.name}({', '.join(words)})"

    @property
    def specs(self):
        """Its tensors, in order."""
        return list(_specs((self.args, self.kwargs)))


def _word(value):
    if isinstance(value, (tuple, list)) and list(_specs(value)):
        return f"[{', '.join(_word(part) for part in value)}]"
    if isinstance(value, A):
        rest = "".join(f", {name}={getattr(value, name)!r}" for name in ("layout", "low", "high", "special", "seed")
                       if getattr(value, name) != getattr(A, name))  # fmt: skip
        return f"A({value.shape}, {value.dtype!r}{rest})"
    return f"V({value.data}, {value.dtype!r})" if isinstance(value, V) else repr(value)


def _specs(tree):
    if isinstance(tree, (A, V)):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for part in tree:
            yield from _specs(part)
    elif isinstance(tree, dict):
        for part in tree.values():
            yield from _specs(part)
    elif isinstance(tree, slice):
        yield from _specs((tree.start, tree.stop, tree.step))


#: By area, in the order of the files.
SAMPLES: dict[str, dict[str, Sample]] = {}
_area = "none"

_OPTIONS = ("grad", "tol", "differs", "capture", "check", "sets", "forms")


def _add(made):
    SAMPLES.setdefault(_area, {}).setdefault(made.key, made)


def sample(name, *args, **kwargs):
    """A call whose result must be PyTorch's. Options beside the function's own arguments:

    grad=False      no gradients
    tol=8           the tolerance, in multiples of the dtype's epsilon of the largest value
    differs="why"   luge means to differ (or PyTorch cannot): its own result is recorded instead, and the table of names says why
    capture=False   the operation reads values on the host, or its result is no tensor
    check=False     no gradcheck: the values have no derivative, or too large ones
    sets=True       the call must mean the same for tensors stacked along a new first dimension (sets.py)
    forms=False     the method, in-place and out= forms mean something else
    """
    options = {key: kwargs.pop(key) for key in _OPTIONS if key in kwargs}
    _add(Sample(name, args, kwargs, _area, **options))


def error(name, *args, **kwargs):
    """A call that must raise, in PyTorch and in luge: one of luge's errors, whose message starts with the name.

    differs="why": PyTorch computes something. starts="other: " is another beginning of luge's message. forms=False as above.
    """
    options = {key: kwargs.pop(key) for key in ("differs", "forms") if key in kwargs}
    starts = kwargs.pop("starts", None)
    made = Sample(name, args, kwargs, _area, fails=True, **options)
    made.starts = starts
    _add(made)


def load():
    """All samples: by area, by key."""
    global _area
    if not SAMPLES:
        for path in sorted((FOLDER / "samples").glob("*.py")):
            _area = path.stem
            SAMPLES.setdefault(_area, {})
            found = importlib.util.spec_from_file_location(f"samples_{_area}", path)
            found.loader.exec_module(importlib.util.module_from_spec(found))
    return SAMPLES


@functools.lru_cache(maxsize=1)
def by_name():
    """All samples: by (area, name)."""
    found = {}
    for area, samples in load().items():
        for one in samples.values():
            found.setdefault((area, one.name), []).append(one)
    return found
