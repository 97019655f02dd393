"""What a newcomer writes: expressions of unusual but valid spellings, each with what PyTorch 2.15 gives for it.

A line of records/spellings is an expression, a tab, and its result under PyTorch. With PyTorch 2.15
`python tests/agreement/test_spellings.py` writes the results anew, after expressions were added to the file.
"""

import json
import math
import warnings

import luge
import numpy as np
import pytest
from agreement import FOLDER

RECORDS = FOLDER / "records/spellings"
LINES = [line.split("\t") for line in RECORDS.read_text().splitlines()]


def names_of(m):
    """What the expressions speak of: m is luge or torch."""
    tensors = {"x": [[3.5, 0.875, 0.25], [-3.75, -0.5, -0.625]], "y": [[-0.125, -0.75, -0.0625], [-0.5, -1.25, 0.875]],
               "s": [[4, 1, 0], [1, 3, 1], [0, 1, 5]]}  # fmt: skip
    made = {key: m.from_numpy(np.array(values, dtype=np.float32)) for key, values in tensors.items()}
    made["i"] = m.from_numpy(np.array([[1, -2, 3], [0, 2, 2]]))
    made["b"] = m.from_numpy(np.array([[True, False, True], [False, True, True]]))
    return {"m": m, "F": m.nn.functional, "math": math, "np": np, **made}


def plain(m, result):
    """A result that JSON holds."""
    if isinstance(result, m.Tensor):
        dtype = str(result.dtype).rpartition(".")[2]
        values = result.detach().to(m.float64).numpy().ravel().tolist()
        return ["tensor", dtype, list(result.shape), values, bool(result.requires_grad)]
    if isinstance(result, np.ndarray):
        return ["array", str(result.dtype), list(result.shape), result.astype(float).ravel().tolist()]
    if isinstance(result, (tuple, list)):
        return ["list" if type(result) is list else "tuple", *(plain(m, part) for part in result)]
    if isinstance(result, (bool, int, float)):
        return result
    return str(result).replace("torch.", "").replace("luge.", "")


def same(ours, theirs):
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(same(*pair) for pair in zip(ours, theirs))
    if type(theirs) is float and type(ours) is float:
        return bool(np.isclose(ours, theirs, rtol=1e-4, atol=1e-5, equal_nan=True))
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize("expression, recorded", LINES, ids=[expression for expression, _ in LINES])
def test_spelling(expression, recorded):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = plain(luge, eval(expression, names_of(luge)))
    expected = json.loads(recorded)
    assert same(json.loads(json.dumps(found)), expected), f"{found}, not {expected}"


if __name__ == "__main__":
    import torch

    RECORDS.write_text("".join(f"{line[0]}\t{json.dumps(plain(torch, eval(line[0], names_of(torch))))}\n" for line in LINES))
