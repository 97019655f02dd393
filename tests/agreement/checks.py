"""What follows for luge alone from a sample: each returns what is wrong, or None."""

import inspect

import luge
import numpy as np
import sets
from agreement import FLOATING, A, V
from comparing import identical
from running import Library, arrays

LUGE = Library(luge)

#: Methods whose first argument is not the function's.
_OTHER_METHOD = {"where", "normal", "result_type"}


def owner(name):
    return name.rpartition(".")[0]


def method_of(sample):
    """The method that has the sample's name, or None."""
    takes = sample.forms and sample.args and isinstance(sample.args[0], (A, V)) and owner(sample.name) == ""
    return sample.name if takes and sample.name not in _OTHER_METHOD and hasattr(luge.Tensor, sample.name) else None


def in_place_of(sample):
    """The in-place method of the sample's name, or None."""
    last = sample.name.rpartition(".")[2] + "_"
    takes = sample.forms and sample.args and isinstance(sample.args[0], (A, V)) and owner(sample.name) in ("", "Tensor")
    return last if takes and sample.name not in _OTHER_METHOD and hasattr(luge.Tensor, last) else None


def takes_out(sample):
    module = luge
    for part in sample.name.split("."):
        module = getattr(module, part, None)
    text = str(getattr(module, "__nb_signature__", ""))
    if not text and inspect.isfunction(module):
        text = str(inspect.signature(module))
    return sample.forms and "out:" in text and "out" not in sample.kwargs and owner(sample.name) != "Tensor"


def method(sample, outcome):
    name = method_of(sample)
    if name is None:
        return None
    args, kwargs, _ = LUGE.arguments(sample)
    wrong = identical(LUGE.plain(LUGE.call(f"Tensor.{name}", args, kwargs)), outcome["result"])
    return wrong and f"as the method {name}: {wrong}"


def in_place(sample, outcome):
    name, result = in_place_of(sample), outcome["result"]
    if name is None or not isinstance(result, np.ndarray) or "out" in sample.kwargs or "dtype" in sample.kwargs:
        return None
    args, kwargs, _ = LUGE.arguments(sample)
    target = args[0].clone()
    if LUGE.dtype(target) != str(result.dtype) or tuple(target.shape) != result.shape:
        return None
    given = LUGE.call(f"Tensor.{name}", [target, *args[1:]], kwargs)
    wrong = identical(LUGE.plain(target), result) or (None if given is target else "returns another tensor")
    return wrong and f"as {name}: {wrong}"


def out(sample, outcome):
    result = outcome["result"]
    if not takes_out(sample):
        return None
    args, kwargs, _ = LUGE.arguments(sample)
    parts = result if isinstance(result, tuple) else (result,)
    if not all(isinstance(part, np.ndarray) for part in parts):
        return None
    targets = tuple(LUGE.array(np.zeros_like(part)) for part in parts)
    LUGE.call(sample.name, args, {**kwargs, "out": targets if isinstance(result, tuple) else targets[0]})
    wrong = identical(LUGE.plain(targets), tuple(parts))
    return wrong and f"out=: {wrong}"


def captured(sample, outcome):
    """Called twice, with gradients where there are."""
    if not sample.capture or not arrays(outcome["result"]) or "out" in sample.kwargs:
        return None
    differentiated = isinstance(outcome["grads"], list)
    tensors = LUGE.prepared(sample) if differentiated else LUGE.arguments(sample)[2]
    cotangents = LUGE.cotangents(LUGE.outputs(sample, tensors, outcome["changed"]))

    def run():
        outputs = LUGE.outputs(sample, tensors, outcome["changed"])
        found = LUGE.derived(outputs, tensors, cotangents) if differentiated else ()
        return (*[one.detach() for one in outputs], *[one for one in found if one is not None])

    eager = LUGE.plain(run())
    step = luge.capture(run)
    for time in ("first", "second"):
        try:
            found = step()
        except luge.CaptureError as raised:
            if "computed nothing" in str(raised):  # views, and tensors without elements
                return None
            raise
        wrong = identical(LUGE.plain(found), eager)
        if wrong:
            return f"captured, {time} call: {wrong}"
    return None


def stacked(sample, outcome):
    return sets.among_others(sample, outcome)[1]


def gradients(sample, outcome):
    """gradcheck and gradgradcheck, in float64."""
    specs = [spec for spec in sample.specs if spec.dtype in FLOATING]
    if not (sample.check and sample.grad and isinstance(outcome["grads"], list)) or outcome["changed"]:
        return None
    if not all(isinstance(spec, A) and spec.dtype == "float64" and not spec.special for spec in specs):
        return None
    size = sum(int(np.prod(spec.shape)) for spec in specs)
    if not 0 < size <= 40:
        return None
    if any(str(array.dtype) in FLOATING[:3] for array in arrays(outcome["result"])):
        return None
    tensors = [LUGE.tensor(spec, place).contiguous() for place, spec in enumerate(sample.specs)]
    leaves = [tensor.clone().requires_grad_(True) for spec, tensor in zip(sample.specs, tensors) if spec in specs]

    results = LUGE.outputs(sample, LUGE.prepared(sample))
    differentiated = [place for place, one in enumerate(results) if one.requires_grad]

    def function(*inputs):
        rest = iter(inputs)
        given = [next(rest) if spec in specs else tensor for spec, tensor in zip(sample.specs, tensors)]
        outputs = [one for place, one in enumerate(LUGE.outputs(sample, given)) if place in differentiated]
        return outputs[0] if len(outputs) == 1 else luge.cat([one.reshape(-1) for one in outputs])

    luge.autograd.gradcheck(function, leaves, atol=1e-4)
    if size <= 16:
        luge.autograd.gradgradcheck(function, leaves, atol=1e-4)
    return None


ALL = (method, in_place, out, captured, stacked, gradients)


def follow(sample, outcome):
    """The first thing that is wrong, or None."""
    for check in ALL:
        try:
            wrong = check(sample, outcome)
        except Exception as raised:
            wrong = f"{check.__name__}: {type(raised).__name__}: {str(raised).splitlines()[0] if str(raised) else ''}"
        if wrong:
            return wrong
    return None


def error(sample, outcome):
    """Whether an error is one of luge's, and as a method, too."""
    last = sample.name.rpartition(".")[2]
    starts = getattr(sample, "starts", None) or f"{last}: "
    if not issubclass(outcome["class"], (TypeError, ValueError, IndexError, RuntimeError)):
        return f"raises {outcome['error']}"
    if outcome["class"] is RuntimeError or not outcome["text"].startswith((starts, f"{sample.name}: ", f"{last}() ")):
        return f"{outcome['error']}: {outcome['text']!r} does not start with {starts!r}"
    for name in filter(None, (method_of(sample), in_place_of(sample))):
        args, kwargs, _ = LUGE.arguments(sample)
        args = [args[0].clone(), *args[1:]]
        before = LUGE.values(args[0])
        try:
            LUGE.call(f"Tensor.{name}", args, kwargs)
            return f"the method {name} raises nothing"
        except Exception as raised:
            text = str(raised)
        if not text.startswith((starts, f"{name}: ")):
            return f"the method {name}: {text!r} does not start with {name}"
        if LUGE.values(args[0]).tobytes() != before.tobytes():
            return f"the method {name} changes its tensor"
    return None
