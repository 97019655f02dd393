#!/bin/sh
# PyTorch's quantile of float32 rounds q to float32: the 0.1 quantile of 0 to 10 is 2 with "higher" and 1.5 with "midpoint".
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: 1, the element at 0.1 * 10, in each interpolation, as NumPy has it of the same float32 numbers.
# Seen: in float32 "higher" gives 2 of 0.1, 3 of 0.2 and 4 of 0.3, "lower" gives 6 of 0.7 and 8 of 0.9; in float64 all are right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import torch

seen = {}
for dtype in (torch.float32, torch.float64):
    x = torch.arange(11, dtype=dtype)
    for q in (0.1, 0.2, 0.3, 0.7, 0.9):
        row = []
        for method in ("lower", "higher", "midpoint"):
            assert np.quantile(x.numpy(), q, method=method) == round(q * 10)
            row.append(torch.quantile(x, q, interpolation=method).item())
        seen[dtype, q] = row
        print(dtype, q, row)
assert all(seen[torch.float64, q] == [round(q * 10)] * 3 for q in (0.1, 0.2, 0.3, 0.7, 0.9))
assert seen[torch.float32, 0.1] == [1, 2, 1.5] and seen[torch.float32, 0.2] == [2, 3, 2.5]
assert seen[torch.float32, 0.3] == [3, 4, 3.5]
assert seen[torch.float32, 0.7] == [6, 7, 6.5] and seen[torch.float32, 0.9] == [8, 9, 8.5]
EOF
