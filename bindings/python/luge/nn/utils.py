"""Functions on parameters, as in torch.nn.utils."""

from typing import TYPE_CHECKING

from .._names import missing as _missing
from .parameter import clip_grad_norm_

__all__ = ["clip_grad_norm_"]

if not TYPE_CHECKING:
    __getattr__ = _missing(__name__)
