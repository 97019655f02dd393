"""Samples under a library: arguments, calls, and what comes out as plain data."""

import functools
import operator

import ml_dtypes
import numpy as np

import made

from agreement import FLOATING, A, V

NUMPY = {"bfloat16": np.dtype(ml_dtypes.bfloat16)}


def numpy_dtype(name):
    return NUMPY.get(name) or np.dtype(name)


# ---- numbers


def _hashed(count, seed):
    """Integers of 64 bits, the same everywhere: splitmix64."""
    with np.errstate(over="ignore"):
        x = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed) * np.uint64(1000003)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def _special(dtype):
    if dtype in FLOATING:
        return [np.nan, np.inf, -np.inf, 0.0, -0.0]
    return [0, 1] if dtype == "bool" else [np.iinfo(dtype).min, np.iinfo(dtype).max, 0]


@functools.lru_cache(maxsize=4096)
def _numbers(shape, dtype, low, high, special, seed):
    count = int(np.prod(shape, dtype=np.int64))
    bits = _hashed(count, seed)
    if dtype == "bool":
        values = (bits >> np.uint64(40)) % np.uint64(2) == 1
    elif dtype in FLOATING:
        unit = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
        values = (low + (high - low) * unit).astype(numpy_dtype(dtype))
    else:
        low, high = max(int(low), np.iinfo(dtype).min), min(int(high), np.iinfo(dtype).max)
        values = (low + (bits >> np.uint64(20)).astype(np.int64) % (high - low + 1)).astype(dtype)
    if special and count:
        places = np.argsort(_hashed(count, seed + 77), kind="stable")
        chosen = _special(dtype)[:count]
        values[places[: len(chosen)]] = np.array(chosen).astype(values.dtype)
    return values.reshape(shape)


def numbers(spec, place=0):
    """The memory of a tensor, as an array: what `tensor` makes a view of."""
    if isinstance(spec, V):
        return np.array(spec.data, dtype=numpy_dtype(spec.dtype))
    shape = list(spec.shape)
    if shape and spec.layout == "transposed":
        shape[-2:] = shape[-2:][::-1]
    elif shape and spec.layout == "strided":
        shape[-1] *= 2
    elif shape and spec.layout == "expanded":
        shape[0] = min(shape[0], 1)
    return _numbers(tuple(shape), spec.dtype, spec.low, spec.high, spec.special, spec.seed * 100 + place)


def arrays(plain):
    """The arrays of a plain result, in order."""
    if isinstance(plain, np.ndarray):
        return [plain]
    parts = plain.values() if isinstance(plain, dict) else plain if isinstance(plain, (tuple, list)) else ()
    return [found for part in parts for found in arrays(part)]


# ---- a library


class Library:
    """luge or PyTorch."""

    def __init__(self, module):
        self.module = module
        self.Tensor = module.Tensor

    def array(self, values):
        """A new tensor of an array."""
        if values.dtype == NUMPY["bfloat16"]:
            return self.module.from_numpy(values.astype(np.float32)).to(self.module.bfloat16)
        return self.module.from_numpy(values.copy())

    def tensor(self, spec, place=0):
        made = self.array(numbers(spec, place))
        if isinstance(spec, A) and spec.shape:
            if spec.layout == "transposed" and len(spec.shape) > 1:
                made = made.transpose(-1, -2)
            elif spec.layout == "strided":
                made = made[..., 1::2]
            elif spec.layout == "expanded":
                made = made.expand(spec.shape)
        return made

    def arguments(self, sample, seed=0, make=None):
        """(args, kwargs, their tensors); `make` may make a tensor of a spec and its place."""
        tensors = []
        make = make or (lambda spec, place: self.tensor(spec, place + seed))

        def build(tree):
            if isinstance(tree, (A, V)):
                tensors.append(make(tree, len(tensors)))
                return tensors[-1]
            if isinstance(tree, (tuple, list)):
                return type(tree)([build(part) for part in tree])
            if isinstance(tree, dict):
                return {key: build(part) for key, part in tree.items()}
            if isinstance(tree, slice):
                return slice(build(tree.start), build(tree.stop), build(tree.step))
            if isinstance(tree, str) and tree.startswith("dtype:"):
                return getattr(self.module, tree[6:])
            return tree

        args, kwargs = build(sample.args), build(sample.kwargs)
        return args, kwargs, tensors

    def call(self, name, args, kwargs):
        owner, _, last = name.rpartition(".")
        if owner == "operator":
            result = getattr(operator, last)(*args, **kwargs)
            return None if last == "setitem" else result
        if owner == "Tensor":
            found = getattr(args[0], last)
            return found(*args[1:], **kwargs) if callable(found) else found
        if owner == "made":
            return getattr(made, last)(self.module, *args, **kwargs)
        module = self.module
        for part in owner.split(".") if owner else []:
            module = getattr(module, part)
        return getattr(module, last)(*args, **kwargs)

    def has(self, name):
        owner = self.module
        for part in name.split("."):
            owner = getattr(owner, part, None)
        return owner is not None

    def dtype(self, tensor):
        return str(tensor.dtype).rpartition(".")[2]

    def values(self, tensor):
        """A tensor's values as an array."""
        tensor = tensor.detach()
        if getattr(tensor, "_is_zerotensor", bool)():  # one of PyTorch's that has no memory
            tensor = tensor.clone()
        if self.dtype(tensor) == "bfloat16":
            wide = np.array(tensor.to(self.module.float32).numpy())
            return wide.astype(NUMPY["bfloat16"])
        return np.array(tensor.numpy())

    def plain(self, result):
        """A result as plain data: arrays for tensors, and tuples, lists, dicts, numbers, texts, None."""
        if isinstance(result, self.Tensor):
            return self.values(result)
        if isinstance(result, (tuple, list)):
            parts = [self.plain(part) for part in result]
            return tuple(parts) if isinstance(result, tuple) else parts
        if isinstance(result, dict):
            return {key: self.plain(part) for key, part in result.items()}
        if result is None or isinstance(result, (bool, int, float, str)):
            return result
        return f"{type(result).__name__.replace('DType', 'dtype')}:{str(result).rpartition('.')[2]}"

    def leaves(self, result):
        """The tensors of a result, in order."""
        if isinstance(result, self.Tensor):
            return [result]
        parts = result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else ()
        return [leaf for part in parts for leaf in self.leaves(part)]

    # ---- runs

    def run(self, sample):
        """What a sample gives: {"result", "changed", "grads"}, or {"error"}."""
        args, kwargs, tensors = self.arguments(sample)
        before = [self.values(tensor) for tensor in tensors]
        try:
            result = self.plain(self.call(sample.name, args, kwargs))
        except Exception as raised:
            return {"error": type(raised).__name__, "text": str(raised), "class": type(raised)}
        after = [self.values(tensor) for tensor in tensors]
        changed = {number: new for number, (old, new) in enumerate(zip(before, after))
                   if old.tobytes() != new.tobytes() or old.shape != new.shape}  # fmt: skip
        outcome = {"result": result, "changed": changed, "grads": None}
        if sample.grad:
            outcome["grads"] = self.gradients(sample, changed)
        return outcome

    def prepared(self, sample):
        """The tensors of a sample, floating ones as leaves that require gradients."""
        pairs = zip(sample.specs, self.arguments(sample)[2])
        return [tensor.detach().requires_grad_(True) if spec.dtype in FLOATING else tensor for spec, tensor in pairs]

    def outputs(self, sample, prepared, changed=()):
        """The results of a call with these tensors, or copies of those that it changes, which are results, too."""
        given = [tensor.clone() if place in changed else tensor for place, tensor in enumerate(prepared)]
        rest = iter(given)
        args, kwargs, _ = self.arguments(sample, make=lambda spec, place: next(rest))
        found = self.leaves(self.call(sample.name, args, kwargs))
        return found + [given[place] for place in changed if not any(given[place] is one for one in found)]

    def derived(self, outputs, prepared, cotangents):
        """The gradients of the leaves, None where there are none; None where no result has any."""
        pairs = [(one, cotangent) for one, cotangent in zip(outputs, cotangents) if one.requires_grad]
        leaves = [tensor for tensor in prepared if tensor.requires_grad]
        if not pairs:
            return None
        return self.module.autograd.grad([one for one, _ in pairs], leaves, [one for _, one in pairs], allow_unused=True)

    def cotangent(self, shape, dtype, place):
        return self.array(_numbers(shape, dtype, -1, 1, False, 5000 + place))

    def cotangents(self, outputs):
        """For each result that requires a gradient."""
        return [self.cotangent(tuple(one.shape), self.dtype(one), place) if one.requires_grad else None
                for place, one in enumerate(outputs)]  # fmt: skip

    def gradients(self, sample, changed=()):
        """The gradients of the floating arguments, None for those that are not in the graph; None where there is no graph;
        a text where there is an error."""
        if not any(spec.dtype in FLOATING for spec in sample.specs) or "out" in sample.kwargs:
            return None
        try:
            prepared = self.prepared(sample)
            outputs = self.outputs(sample, prepared, changed)
            found = self.derived(outputs, prepared, self.cotangents(outputs))
        except Exception as raised:
            return f"{type(raised).__name__}: {raised}"
        return found and [None if one is None else self.values(one) for one in found]
