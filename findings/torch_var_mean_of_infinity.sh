#!/bin/sh
# PyTorch's var_mean and std_mean give NaN as the mean of a float64 tensor of infinities, where mean() and NumPy give infinity.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: the mean of var_mean is that of mean(), and the variance NaN.
# Seen: the mean of [inf, inf] is NaN from var_mean and std_mean, since the running mean adds inf - inf; mean() is inf. Of
# [1, inf] all of them say inf, and the variance is NaN: the infinity has to be followed by another number.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math

import numpy as np
import torch

for values in ([1.0, math.inf], [math.inf, math.inf], [math.inf, 1.0]):
    x = torch.tensor(values, dtype=torch.float64)
    var, mean = torch.var_mean(x)
    std, mean_too = torch.std_mean(x)
    print(values, mean.item(), x.mean().item(), np.mean(values))
    assert x.mean().item() == np.mean(values) == math.inf
    assert var.isnan() and std.isnan() and mean.isnan() == mean_too.isnan() == (values[0] == math.inf)
EOF
