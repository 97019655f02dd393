"""Functions on parameters, as in torch.nn.utils."""

from .module import clip_grad_norm_

__all__ = ["clip_grad_norm_"]
