#!/bin/sh
# PyTorch's gelu of infinity is infinity in a tensor of one float32, NaN in a tensor of two or more, and infinity in float64.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: infinity everywhere, as the limit of x * Phi(x) is.
# Seen: gelu([inf]) = [inf]; gelu([inf, inf]) = [nan, nan]; in float64 [inf, inf]. approximate="tanh" gives infinity in all.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math

import torch
import torch.nn.functional as F

for dtype in (torch.float32, torch.float64):
    for size in (1, 2, 8, 17):
        x = torch.full((size,), math.inf, dtype=dtype)
        exact, tanh = F.gelu(x), F.gelu(x, approximate="tanh")
        print(dtype, size, exact[0].item(), tanh[0].item())
        lost = dtype == torch.float32 and size > 1
        assert exact.isnan().all() if lost else (exact == math.inf).all()
        assert (tanh == math.inf).all()
EOF
