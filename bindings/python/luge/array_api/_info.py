"""What the namespace can do: __array_namespace_info__()."""

from __future__ import annotations

from typing import Any

from .. import _C, cuda
from ._dtypes import KINDS, DType

__all__ = ["__array_namespace_info__"]

_NAMES: dict[str, DType] = {
    "bool": _C.bool_, "int8": _C.int8, "int16": _C.int16, "int32": _C.int32, "int64": _C.int64, "uint8": _C.uint8,
    "float32": _C.float32, "float64": _C.float64,
}  # fmt: skip


class Info:
    """Devices, dtypes and capabilities."""

    def capabilities(self) -> dict[str, bool | int | None]:
        """What may be used."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": None}

    def default_device(self) -> Any:
        """Where arrays are made unless a device is given."""
        return _C.device("cpu")

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """What Python's numbers become. There are no complex numbers."""
        return {"real floating": _C.float32, "integral": _C.int64, "indexing": _C.int64}

    def devices(self) -> list[Any]:
        """Where arrays can be."""
        return [_C.device("cpu")] + ([_C.device("cuda")] if cuda.is_available() else [])

    def dtypes(self, *, device: Any = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The standard's dtypes that are here, by name: no uint16, uint32, uint64 and no complex ones. float16 and bfloat16,
        which the standard does not know, can be used, too."""
        kinds = tuple(KINDS) if kind is None else (kind,) if isinstance(kind, str) else kind
        for one in kinds:
            if one not in KINDS:
                raise ValueError(f"dtypes: kind is '{one}'; allowed are {', '.join(KINDS)}")
        return {name: dtype for name, dtype in _NAMES.items() if any(dtype in KINDS[one] for one in kinds)}


def __array_namespace_info__() -> Info:
    """Devices, dtypes and capabilities of this namespace.

    >>> sorted(luge.array_api.__array_namespace_info__().dtypes(kind="real floating"))
    ['float32', 'float64']
    """
    return Info()
