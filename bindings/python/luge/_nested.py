"""Nested state, such as {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, as tensors with names and
one text of JSON that says how they hang together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ._C import IoError, Tensor

#: Where the text stands among a file's metadata.
KEY = "luge.nested"
#: Deeper state is hardly meant, and Python's own functions of JSON end there.
_DEEPEST = 100


def is_flat(given: Any) -> bool:
    """Whether it is names and tensors alone."""
    return isinstance(given, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in given.items()
    )


def is_plain(given: Any) -> bool:
    """Whether a file of tensors gives it back as it was: they come in the order of their names."""
    return is_flat(given) and list(given) == sorted(given)


class _Taken:
    """The tensors of nested state, named by their ways: "optimizer.state.0.exp_avg"."""

    def __init__(self, op: str) -> None:
        self.op = op
        self.tensors: dict[str, Tensor] = {}

    def _name(self, way: tuple[Any, ...]) -> str:
        name = wanted = ".".join(map(str, way)) or "tensor"
        number = 2
        while name in self.tensors:  # {"a.b": x, "a": {"b": y}}
            name, number = f"{wanted}#{number}", number + 1
        return name

    def told(self, value: Any, way: tuple[Any, ...]) -> Any:
        """What JSON says of a value."""
        if len(way) > _DEEPEST:
            raise ValueError(f"{self.op}: obj is nested more than {_DEEPEST} deep")
        if isinstance(value, Tensor):
            name = self._name(way)
            self.tensors[name] = value
            return {"tensor": name}
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return {"float": float(value).hex()}
        if hasattr(value, "dtype") and getattr(value, "shape", None) == () and hasattr(value, "item"):
            return self.told(value.item(), way)  # a number of NumPy's comes back as one of Python's
        if isinstance(value, Mapping):
            return {"dict": [[self._key(key, way), self.told(part, (*way, key))] for key, part in value.items()]}
        if isinstance(value, (list, tuple)):
            parts = [self.told(part, (*way, number)) for number, part in enumerate(value)]
            return {"list" if isinstance(value, list) else "tuple": parts}
        where = "".join(f"[{key!r}]" for key in way)
        raise TypeError(
            f"{self.op}: obj{where} is of type {type(value).__name__}; it must be a tensor, None, a bool, int, float or str, or a dict, "
            "list or tuple of them"
        )

    def _key(self, key: Any, way: tuple[Any, ...]) -> Any:
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            where = "".join(f"[{one!r}]" for one in way)
            raise TypeError(f"{self.op}: obj{where} has a key of type {type(key).__name__}; keys must be str or int")
        return key


def taken_apart(op: str, given: Any) -> tuple[dict[str, Tensor], str]:
    """Its tensors, by names, and the text. Raises TypeError, with the place, for what cannot be kept."""
    taken = _Taken(op)
    text = json.dumps(taken.told(given, ()))
    return taken.tensors, text


def _built(told: Any, tensors: Mapping[str, Tensor]) -> Any:
    if told is None or isinstance(told, (bool, str, int)):
        return told
    if isinstance(told, dict) and len(told) == 1:
        (kind, value), *_ = told.items()
        if kind == "tensor":
            return tensors[value]
        if kind == "float":
            return float.fromhex(value)
        if kind == "dict":
            return {key: _built(part, tensors) for key, part in value}
        if kind in ("list", "tuple"):
            parts = [_built(part, tensors) for part in value]
            return parts if kind == "list" else tuple(parts)
    raise ValueError


def put_together(op: str, path: str, text: str, tensors: Mapping[str, Tensor]) -> Any:
    """The state of which taken_apart() made these. Raises IoError for a text that it did not write."""
    try:
        built = _built(json.loads(text), tensors)
        if isinstance(built, (dict, list, tuple, Tensor)):
            return built
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        pass
    raise IoError(f"{op}: '{path}' says in its metadata that it holds nested state, and what it says cannot be read")
