"""How parameters start: what Parameters.add and the layers take."""

from typing import TYPE_CHECKING

from ._C._init import (
    constant,
    kaiming_normal,
    kaiming_uniform,
    normal,
    ones,
    uniform,
    xavier_normal,
    xavier_uniform,
    zeros,
)
from ._names import missing as _missing

__all__ = [
    "constant",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
