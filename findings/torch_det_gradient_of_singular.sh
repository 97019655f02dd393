#!/bin/sh
# The gradient of PyTorch's det at a singular matrix of rank n - 1 is zeros, where it is the adjugate's transpose.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: [[4, -2], [-2, 1]] at [[1, 2], [2, 4]], as det is a polynomial of the elements.
# Seen: zeros at [[1, 2], [2, 4]], [[1, 2], [3, 6]] and [[1, 1], [1, 1]], float32 and float64; a * d - b * c written out is right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import torch


def gradient(function, x):
    (found,) = torch.autograd.grad(function(x), x)
    return found


def written_out(x):
    return x[0, 0] * x[1, 1] - x[0, 1] * x[1, 0]


for dtype in (torch.float32, torch.float64):
    for values in ([[1, 2], [2, 4]], [[1, 2], [3, 6]], [[1, 1], [1, 1]]):
        x = torch.tensor(values, dtype=dtype, requires_grad=True)
        (a, b), (c, d) = values
        found, right = gradient(torch.linalg.det, x), torch.tensor([[d, -c], [-b, a]], dtype=dtype)
        print(dtype, values, found.tolist(), right.tolist())
        assert torch.equal(gradient(written_out, x), right)
        assert (found == 0).all()
EOF
