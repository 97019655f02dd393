"""What trainings need beside tensors, as in torch.utils."""

from . import data

__all__ = ["data"]
