"""Whether what luge gives is what is expected."""

import numpy as np

from running import NUMPY, arrays

#: Multiples of epsilon: of the largest value of a tensor for values, four times that for gradients. float16 and bfloat16 are
#: rounded between the steps of a formula, by PyTorch and by luge, at different places.
TOLERANCES = {"float16": 4, "bfloat16": 4, "float32": 64, "float64": 64}
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


def kind(array):
    return "bfloat16" if array.dtype == NUMPY["bfloat16"] else str(array.dtype)


def difference(ours, theirs, tol, factor=1, epsilon=0.0):
    """What is wrong with a tensor, or None. `epsilon` is that of a coarser dtype that the values went through."""
    if kind(ours) != kind(theirs):
        return f"dtype {kind(ours)}, not {kind(theirs)}"
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, not {theirs.shape}"
    if kind(ours) not in EPSILON:
        same = ours == theirs
    else:
        a, b = ours.astype(np.float64), theirs.astype(np.float64)
        finite = np.abs(b[np.isfinite(b)])
        scale = finite.max() if finite.size else 0.0
        bound = factor * (tol or TOLERANCES[kind(ours)]) * max(epsilon, EPSILON[kind(ours)]) * scale
        with np.errstate(invalid="ignore"):
            same = (np.abs(a - b) <= bound) | (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return None
    place = tuple(int(number) for number in np.argwhere(~same)[0]) if same.shape else ()
    return f"{ours[place]!r} at {place}, not {theirs[place]!r} ({int((~same).sum())} of {same.size} differ)"


def compare(ours, theirs, tol=None, factor=1, where="result", epsilon=0.0):
    """What is wrong with a result, or None."""
    if isinstance(theirs, np.ndarray):
        if not isinstance(ours, np.ndarray):
            return f"{where}: {ours!r} is no tensor"
        wrong = difference(ours, theirs, tol, factor, epsilon)
        return wrong and f"{where}: {wrong}"
    if isinstance(ours, np.ndarray) or type(ours) is not type(theirs):
        return f"{where}: {type(ours).__name__}, not {type(theirs).__name__}"
    if isinstance(theirs, (tuple, list, dict)):
        if len(ours) != len(theirs):
            return f"{where}: {len(ours)} parts, not {len(theirs)}"
        keys = theirs if isinstance(theirs, dict) else range(len(theirs))
        if isinstance(theirs, dict) and set(ours) != set(theirs):
            return f"{where}: keys {sorted(ours)}, not {sorted(theirs)}"
        parts = (compare(ours[key], theirs[key], tol, factor, f"{where}[{key!r}]") for key in keys)
        return next((wrong for wrong in parts if wrong), None)
    same = ours == theirs or (ours != ours and theirs != theirs)
    if isinstance(theirs, float) and not same:
        same = abs(ours - theirs) <= 64 * EPSILON["float32"] * abs(theirs)
    return None if same else f"{where}: {ours!r}, not {theirs!r}"


def identical(ours, theirs, where="result"):
    """What of two of luge's own results is not the same bits, or None."""
    if isinstance(theirs, np.ndarray):
        if not isinstance(ours, np.ndarray):
            return f"{where}: no tensor"
        if kind(ours) != kind(theirs) or ours.shape != theirs.shape:
            return f"{where}: {kind(ours)} {ours.shape}, not {kind(theirs)} {theirs.shape}"
        if ours.tobytes() == theirs.tobytes():
            return None
        if kind(ours) in EPSILON:  # NaNs may differ in their payload
            both = np.isnan(ours.astype(np.float64)) & np.isnan(theirs.astype(np.float64))
            if np.where(both, 0, ours).tobytes() == np.where(both, 0, theirs).tobytes():
                return None
        return f"{where}: other bits, {(ours != theirs).sum()} of {ours.size} differ"
    if isinstance(theirs, (tuple, list)) and isinstance(ours, (tuple, list)):
        if len(ours) != len(theirs):
            return f"{where}: {len(ours)} parts, not {len(theirs)}"
        return next((wrong for n, (a, b) in enumerate(zip(ours, theirs)) if (wrong := identical(a, b, f"{where}[{n}]"))), None)
    return None if repr(ours) == repr(theirs) else f"{where}: {ours!r}, not {theirs!r}"


def disagreement(sample, ours, theirs):
    """What is wrong with an outcome of luge, or None."""
    if "error" in theirs:
        return None if "error" in ours else f"must raise; PyTorch: {theirs['error']}"
    if "error" in ours:
        return f"{ours['error']}: {ours['text'].splitlines()[0] if ours['text'] else ''}"
    wrong = compare(ours["result"], theirs["result"], sample.tol)
    if wrong:
        return wrong
    if sorted(ours["changed"]) != sorted(theirs["changed"]):
        return f"changes the arguments {sorted(ours['changed'])}, not {sorted(theirs['changed'])}"
    for place, values in theirs["changed"].items():
        wrong = compare(ours["changed"][place], values, sample.tol, where=f"argument {place} afterwards")
        if wrong:
            return wrong
    epsilons = [EPSILON[kind(one)] for one in arrays(theirs["result"]) if kind(one) in ("float32", "float64")]
    return _of_gradients(sample, ours["grads"], theirs["grads"], max(epsilons, default=0.0))


def _of_gradients(sample, ours, theirs, epsilon):
    if isinstance(theirs, str):  # PyTorch has no derivative
        return None
    if isinstance(ours, str):
        return f"gradients: {ours}"
    if theirs is None:
        return "the result requires a gradient; it must not" if ours is not None else None
    for place, expected in enumerate(theirs):
        one = ours[place] if ours else None
        if one is None and expected is not None:
            one = np.zeros_like(expected)
        if expected is None:
            expected = np.zeros_like(one) if one is not None else None
        if expected is not None:
            wrong = compare(one, expected, sample.tol, 4, f"gradient {place}", epsilon)
            if wrong:
                return wrong
    return None
