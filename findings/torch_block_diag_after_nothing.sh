#!/bin/sh
# PyTorch's block_diag after a tensor of shape (0,) gives the next matrix the gradient of other rows.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: rows 1 and 2 of the gradient, since (0,) counts as 1 x 0 and the matrix lies in rows 1 and 2.
# Seen: the result has shape (3, 2) with the matrix in rows 1 and 2, and its gradient is rows 0 and 1 of what is passed back.
# After a tensor of shape (1, 0) it is right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import torch

for shape, first in (((0,), 0), ((1, 0), 1)):
    empty = torch.zeros(shape)
    matrix = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    result = torch.block_diag(empty, matrix)
    assert torch.equal(result, torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]))
    passed = torch.tensor([[10.0, 11.0], [20.0, 21.0], [30.0, 31.0]])
    (found,) = torch.autograd.grad(result, matrix, passed)
    print(shape, tuple(result.shape), found.tolist())
    assert torch.equal(found, passed[first : first + 2])
EOF
