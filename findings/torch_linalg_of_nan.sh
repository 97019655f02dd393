#!/bin/sh
# What PyTorch's linalg says to a matrix of NaN depends on the function, and eigh's answer on the size of the matrix.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: LinAlgError from all, or NaN from all.
# Seen: eigh of 1 x 1 and 2 x 2 gives NaN and raises LinAlgError from 3 x 3 on; qr and solve give NaN; svd, pinv and matrix_rank
# raise LinAlgError; cholesky_ex gives NaN with info 1; lstsq raises an internal assertion that asks for a bug report.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math

import torch


def answer(call):
    try:
        found = call()
    except torch.linalg.LinAlgError:
        return "LinAlgError"
    except RuntimeError as error:
        return "internal assertion" if "INTERNAL ASSERT" in str(error) else str(error)
    found = found if isinstance(found, torch.Tensor) else found[-1] if len(found) > 2 else found[0]
    return "nan" if found.isnan().any() else found


seen = {}
for size in (1, 2, 3, 4):
    x = torch.full((size, size), math.nan)
    seen[f"eigh {size}"] = answer(lambda: torch.linalg.eigh(x))
x = torch.full((3, 3), math.nan)
seen["qr"] = answer(lambda: torch.linalg.qr(x).R)
seen["solve"] = answer(lambda: torch.linalg.solve(x, torch.ones(3)))
seen["svd"] = answer(lambda: torch.linalg.svd(x))
seen["pinv"] = answer(lambda: torch.linalg.pinv(x))
seen["matrix_rank"] = answer(lambda: torch.linalg.matrix_rank(x))
seen["lstsq"] = answer(lambda: torch.linalg.lstsq(x, torch.ones(3, 1)).solution)
print(seen)
factor, info = torch.linalg.cholesky_ex(x)
assert factor.isnan().any() and info == 1
refused = "LinAlgError"
assert seen == {
    "eigh 1": "nan", "eigh 2": "nan", "eigh 3": refused, "eigh 4": refused, "qr": "nan", "solve": "nan", "svd": refused,
    "pinv": refused, "matrix_rank": refused, "lstsq": "internal assertion",
}  # fmt: skip
EOF
