"""What PyTorch gave, in records/*.txt: a line for each sample, its key first, sorted, so that changes are few lines.

A line is the key, what the outcome is made of as JSON, and the values of its tensors one behind the other, packed by zlib and
written in base 85. The JSON of a tensor is its dtype and shape, {"t": ["float32", 2, 3]}; of a tuple {"u": [...]}.
"""

import base64
import json
import zlib

import numpy as np

from agreement import FOLDER
from comparing import kind
from running import numpy_dtype

VERSION = "2.15"


def _path(area):
    return FOLDER / "records" / f"{area}.txt"


def _pack(value, arrays):
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"t": [kind(value), *value.shape]}
    if isinstance(value, tuple):
        return {"u": [_pack(part, arrays) for part in value]}
    if isinstance(value, list):
        return [_pack(part, arrays) for part in value]
    if isinstance(value, dict):
        return {"d": [[key, _pack(part, arrays)] for key, part in value.items()]}
    if isinstance(value, float):
        return {"f": repr(value)}
    return value


def _unpack(value, memory):
    if isinstance(value, list):
        return [_unpack(part, memory) for part in value]
    if not isinstance(value, dict):
        return value
    ((what, inside),) = value.items()
    if what == "t":
        dtype, shape = numpy_dtype(inside[0]), tuple(inside[1:])
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        found = np.frombuffer(bytes(memory[:size]), dtype).reshape(shape)
        del memory[:size]
        return found
    if what == "u":
        return tuple(_unpack(part, memory) for part in inside)
    if what == "d":
        return {key: _unpack(part, memory) for key, part in inside}
    return float(inside)


def line(key, outcome):
    """The record of a sample."""
    if "error" in outcome:
        return f"{key} {json.dumps(outcome['error'])} "
    arrays = []
    form = [_pack(outcome[part], arrays) for part in ("result", "changed", "grads")]
    memory = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    packed = base64.b85encode(zlib.compress(memory, 9)).decode() if memory else ""
    return f"{key} {json.dumps(form, separators=(',', ':'))} {packed}"


def outcome(text):
    """Of a record."""
    _, form, packed = text.split(" ") if text.count(" ") == 2 else (text.split(" ", 1)[0], *text.split(" ", 1)[1].rsplit(" ", 1))
    found = json.loads(form)
    if isinstance(found, str):
        return {"error": found}
    memory = bytearray(zlib.decompress(base64.b85decode(packed)) if packed else b"")
    return {part: _unpack(value, memory) for part, value in zip(("result", "changed", "grads"), found)}


def read(area):
    """The records of an area, by key."""
    path = _path(area)
    lines = path.read_text().splitlines() if path.exists() else []
    return {text.split(" ", 1)[0]: text for text in lines}


def write(area, lines):
    path = _path(area)
    if lines:
        path.write_text("".join(f"{lines[key]}\n" for key in sorted(lines)))
    elif path.exists():
        path.unlink()
