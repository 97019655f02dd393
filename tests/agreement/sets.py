"""Set i is what it is alone, bit by bit: each sample as one of seven, stacked along a new first dimension.

This follows from a sample by itself wherever its call means the same for a stack: dims are counted from the end, a reduction of
all becomes one over all dims but the first, and tensors of fewer dims than another get more of them in front. A call counts if
its results have the shape of seven results and nearly the sample's values in its place; then every bit there, and of its
gradients, must be that of the call alone.
"""

import ast
import functools
import inspect
import re

import luge
import numpy as np
from agreement import A, V
from comparing import identical
from running import Library, arrays, numbers

LUGE = Library(luge)
#: No size of a sample, so that no other dimension is taken for the sets; the sample's place is not one that stays when flipped.
SETS, PLACE = 7, 2
#: What is added to a tensor's place, by which its numbers are drawn.
OTHERS = [50, 100, 0, 50, 100, 50, 100]

#: Parameters that count dims of the first tensor.
DIMS = {"dim", "dims", "dim0", "dim1", "axis", "axes", "axis0", "axis1", "start_dim", "end_dim", "source",
        "destination"}  # fmt: skip
#: Functions whose dims are those of the result, one more.
OF_RESULT = {"unsqueeze", "stack"}
#: Functions that mean something else for a stack: they count places, or look for values, in the whole tensor.
OTHER = {"put", "put_", "index_put", "index_put_", "fill_diagonal_", "masked_scatter", "masked_scatter_", "isin",
         "getitem", "setitem", "take", "msort"}  # fmt: skip


def _found(name):
    owner, _, last = name.rpartition(".")
    if owner in ("made", "operator"):
        return None
    module = luge
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


@functools.lru_cache(maxsize=None)
def signatures(name):
    """Of each overload: {parameter: default}, in order; None stands for no default and for a default that is no number."""
    found = _found(name)
    texts = [(entry[0].split("\n")[-1], entry[2] or ()) for entry in getattr(found, "__nb_signature__", ())]
    if not texts and inspect.isfunction(found):
        texts = [(f"def f{inspect.signature(found)}", ())]
    result = []
    for text, values in texts:
        text = re.sub(r"\\(\d+)", lambda number: repr(values[int(number[1])]), text)
        try:
            given = ast.parse(f"{text}: pass").body[0].args
        except SyntaxError:
            continue
        names = [one.arg for one in given.posonlyargs + given.args]
        defaults = [None] * (len(names) - len(given.defaults)) + given.defaults
        if given.vararg and given.vararg.arg in DIMS:  # ints one by one: none of them is missing
            result.append(dict.fromkeys([*names, *(f"{given.vararg.arg} {place}" for place in range(9))], 0))
            continue
        names += [one.arg for one in given.kwonlyargs]
        result.append(dict(zip(names, [*map(_number, defaults), *map(_number, given.kw_defaults)])))
    return result


def _number(default):
    try:
        return None if default is None else ast.literal_eval(default)
    except ValueError:
        return None


def _from_the_end(value, ndim):
    if isinstance(value, bool) or not isinstance(value, (int, tuple, list)):
        return value
    if isinstance(value, int):
        return value - ndim if value >= 0 else value
    return type(value)([_from_the_end(one, ndim) for one in value])


def _calls(sample):
    """(args, kwargs) that may mean the same for a stack."""
    args, kwargs, ndim = list(sample.args), dict(sample.kwargs), len(numbers(sample.specs[0]).shape)
    last = sample.name.rpartition(".")[2].removesuffix("_")
    own = ndim + (last in OF_RESULT)
    if ndim == 0 and DIMS & set(kwargs):  # dim 0 of a number would be that of the sets
        return []
    yielded = []
    for parameters in signatures(sample.name) or [{}]:
        names = list(parameters)
        if ndim == 0 and DIMS & set(names[: len(args)]):
            continue
        positional = [_from_the_end(arg, own) if place < len(names) and names[place].split()[0] in DIMS else arg
                      for place, arg in enumerate(args)]  # fmt: skip
        named = {key: _from_the_end(arg, own) if key in DIMS else arg for key, arg in kwargs.items()}
        for dim in DIMS & set(names):
            place = names.index(dim)
            given = positional[place] if place < len(positional) else named.get(dim, parameters[dim])
            if given is None:
                wanted = tuple(range(-ndim, 0))
            elif place >= len(positional) and dim not in named:
                wanted = _from_the_end(given, own)
            else:
                continue
            if place < len(positional):
                positional[place] = wanted
            else:
                named[dim] = wanted
        if (positional, named) not in yielded:
            yielded.append((positional, named))
    return yielded


def _stack(parts, ndim, padded):
    """Arrays by what OTHERS says along a new first dimension; with more dims in front of theirs, up to `ndim` of them."""
    stack = np.stack([parts[other] for other in OTHERS])
    shape = stack.shape[1:]
    return stack.reshape(SETS, *([1] * (ndim - len(shape)) if padded else []), *shape)


def _logical(spec, place):
    return LUGE.values(LUGE.tensor(spec, place))


def _rebuilt(sample, args, kwargs, tensors):
    """The call of these arguments with these tensors."""
    rest = iter(tensors)

    class Call:
        pass

    Call.args, Call.kwargs = tuple(args), kwargs
    return LUGE.arguments(Call, make=lambda spec, place: next(rest))[:2]


def _nearly(ours, alone):
    """Whether an array is most of another one: what differs little is to be said, what means something else is not."""
    if ours is None or ours.dtype != alone.dtype or ours.shape != alone.shape:
        return False
    a, b = ours.astype(np.float64), alone.astype(np.float64)
    with np.errstate(invalid="ignore"):
        same = np.isclose(a, b, rtol=0.02, atol=1e-6, equal_nan=True)
    return same.size == 0 or same.mean() > 0.6


def counted(sample):
    return bool(sample.specs) and "out" not in sample.kwargs and sample.name.rpartition(".")[2] not in OTHER


def among_others(sample, outcome):
    """(whether the sample counts, what is wrong or None)."""
    alone = arrays(outcome["result"])
    if not counted(sample) or not alone:
        return False, None
    specs = sample.specs
    parts = [{other: _logical(spec, place + other) for other in set(OTHERS)} for place, spec in enumerate(specs)]
    ndim = max(one[0].ndim for one in parts)
    ways = [False, True] if len({one[0].ndim for one in parts}) > 1 else [False]
    for args, kwargs in _calls(sample):
        for padded in ways:
            stacks = [_stack(one, ndim, padded) for one in parts]
            try:
                found = LUGE.leaves(LUGE.call(sample.name, *_rebuilt(sample, args, kwargs, [LUGE.array(s) for s in stacks])))
                values = [LUGE.values(one) for one in found]
            except Exception:
                continue
            stacked = [one.shape[:1] == (SETS,) for one in values]
            if len(values) != len(alone) or not any(stacked):
                continue
            rows = [np.asarray(one[PLACE]) if is_stack else one if one.size == 0 else None
                    for one, is_stack in zip(values, stacked)]  # fmt: skip
            if not all(_nearly(*pair) for pair in zip(rows, alone)):
                continue
            wrong = identical(rows, alone) or _gradients(sample, outcome, args, kwargs, stacks)
            return True, wrong and f"among others: {wrong}"
    return False, "among others: no stack means the same" if sample.sets else None


def _gradients(sample, outcome, args, kwargs, stacks):
    """What is wrong with the gradients in PLACE, or None."""
    expected = outcome["grads"]
    if not isinstance(expected, list) or outcome["changed"]:
        return None
    leaves = [LUGE.array(stack) for stack in stacks]
    differentiated = [tensor.requires_grad_(True) for tensor, spec in zip(leaves, sample.specs) if tensor.is_floating_point()]
    outputs = LUGE.leaves(LUGE.call(sample.name, *_rebuilt(sample, args, kwargs, leaves)))
    cotangents = [None if one is None else LUGE.array(one) for one in _cotangents(outputs)]
    found = LUGE.derived(outputs, leaves, cotangents) or [None] * len(differentiated)
    for place, (one, alone) in enumerate(zip(found, expected)):
        if one is None or alone is None:
            if (one is None) != (alone is None):
                return f"gradient {place} is there for one of them alone"
            continue
        row = np.asarray(LUGE.values(one)[PLACE]).reshape(alone.shape)
        wrong = identical(row, alone, f"gradient {place}")
        if wrong:
            return wrong
    return None


def _cotangents(outputs):
    """Stacks whose parts in PLACE are Library.cotangents' of the call alone."""
    for place, one in enumerate(outputs):
        if not one.requires_grad:
            yield None
            continue
        shape, dtype = tuple(one.shape)[1:], LUGE.dtype(one)
        parts = {other: LUGE.values(LUGE.cotangent(shape, dtype, place + other)) for other in set(OTHERS)}
        yield np.stack([parts[other] for other in OTHERS])
