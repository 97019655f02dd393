"""save and load: state as a safetensors file, which other programs read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Union

from . import _C, _nested
from ._C import Tensor, device

Rename = Union[Mapping[str, Union[str, None]], Callable[[str], Union[str, None]]]


@contextlib.contextmanager
def _as(name: str, inner: str) -> Iterator[None]:
    """Errors of the function `inner` under the name that the user called."""
    try:
        yield
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        raise type(error)(str(error).replace(inner, name, 1)) from None


def _checked(name: str, path: object) -> None:
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}: path is of type {type(path).__name__}; it must be a str or an os.PathLike")


def save(obj: Any, path: str | os.PathLike[str]) -> None:
    """Writes names and tensors, for instance model.state_dict(), as a safetensors file. A tensor and nested state work, too: dicts
    with keys of str or int, lists and tuples of tensors, None, bools, ints, floats and str; luge.load gives it back as it was, and
    other programs see its tensors as "optimizer.state.0.exp_avg". NumPy's numbers come back as Python's.

    The file appears whole or not at all. luge.checkpoint keeps a whole training, with random numbers and checksums. Raises
    TypeError, with the place, for anything else.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> luge.save(luge.nn.Linear(2, 3).state_dict(), path)
    >>> luge.load(path)["weight"].shape
    (3, 2)
    >>> luge.save({"model": luge.nn.Linear(2, 3).state_dict(), "epoch": 3}, path)
    >>> luge.load(path)["epoch"]
    3
    """
    if not isinstance(obj, (Mapping, list, tuple, Tensor)):
        raise TypeError(
            f"save: obj is of type {type(obj).__name__}; it must be a dict of tensors, such as model.state_dict(), a tensor, or a list"
        )
    _checked("save", path)
    metadata = None
    if isinstance(obj, Mapping) and _nested.is_plain(obj):
        tensors = dict(obj)
    else:
        tensors, text = _nested.taken_apart("save", obj)
        metadata = {_nested.KEY: text}
    with _as("save", "save_file"):
        _C.save_file(tensors, path, metadata)


def load(
    path: str | os.PathLike[str], device: device | str | None = None, *, rename: Rename | None = None,
    map_location: device | str | None = None, weights_only: bool = True,
) -> Any:  # fmt: skip
    """Names and tensors from a safetensors file, which PyTorch users write with safetensors.torch.save_file, or the nested state
    that luge.save has written.

    `rename` gives them other names: a function from name to name, or a dict of names, which also stand for all that begins with
    them and a dot: {"fc1": "hidden"} makes "fc1.weight" into "hidden.weight". None for a name leaves the tensors out.
    `map_location` is PyTorch's name for `device`. A file holds no code, so `weights_only` must be True.

    Raises IoError for another kind of file, ValueError where two tensors get one name, and for `rename` with nested state.
    """
    _checked("load", path)
    if weights_only is not True:
        raise ValueError(f"load: weights_only is {weights_only!r}; it must be True, because luge does not run pickles")
    if map_location is not None:
        if device is not None:
            raise TypeError("load: device and map_location are given; allowed is one of them")
        if not isinstance(map_location, (str, _C.device)):
            raise TypeError(f"load: map_location is of type {type(map_location).__name__}; it must be a luge.device or a str")
        device = map_location
    if device is not None and not isinstance(device, (str, _C.device)):
        raise TypeError(f"load: device is of type {type(device).__name__}; it must be a luge.device or a str")
    if rename is not None and not callable(rename) and not isinstance(rename, Mapping):
        raise TypeError(f"load: rename is of type {type(rename).__name__}; it must be a function or a dict of names")
    try:
        with _as("load", "load_file"):
            tensors = _C.load_file(path, device)
            with _C.safe_open(path) as file:
                text = file.metadata().get(_nested.KEY)
    except _C.IoError as error:
        raise _C.IoError(_other_format(path) or str(error)) from None
    if text is not None:
        state = _nested.put_together("load", os.fsdecode(path), text, tensors)
        if rename is None:
            return state
        if not _nested.is_flat(state):
            raise ValueError(f"load: rename is given and '{os.fsdecode(path)}' holds nested state, whose parts are in its dicts")
        tensors = state
    return tensors if rename is None else _renamed(tensors, rename)


def _other_format(path: str | os.PathLike[str]) -> str | None:
    """What to say of a file of another well-known format."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError:
        return None
    if head[:6] == b"\x93NUMPY":
        return f"load: '{os.fsdecode(path)}' is an npy file; luge.load_npy reads it"
    if head[:1] == b"\x80" or head[:4] == b"PK\x03\x04":
        return (
            f"load: '{os.fsdecode(path)}' is a pickle or an archive, as torch.save writes; luge does not run pickles: write the "
            "state_dict with safetensors.torch.save_file, or read NumPy's with load_npz"
        )
    return None


def _renamed(tensors: dict[str, Tensor], rename: Rename) -> dict[str, Tensor]:
    result: dict[str, Tensor] = {}
    origins: dict[str, str] = {}
    for name, tensor in tensors.items():
        new = rename(name) if callable(rename) else _mapped(name, rename)
        if new is None:
            continue
        if not isinstance(new, str):
            raise TypeError(f"load: rename gives an object of type {type(new).__name__} for '{name}'; it must give a str or None")
        if new in origins:
            raise ValueError(f"load: rename gives '{new}' to both '{origins[new]}' and '{name}'")
        origins[new] = name
        result[new] = tensor
    return result


def _mapped(name: str, names: Mapping[str, str | None]) -> str | None:
    """The longest of `names` that is all of `name`, or its beginning up to a dot, replaced."""
    end = len(name)
    while end > 0:
        if name[:end] in names:
            new = names[name[:end]]
            return new + name[end:] if isinstance(new, str) else new
        end = name.rfind(".", 0, end)
    return name


