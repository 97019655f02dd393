#!/bin/sh
# MLX's exp on the CPU is infinite from 88.03, where the answer is half of the greatest float32, and its erf is 0 near 0.
# mlx 0.32.4 with mlx-cpu, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: exp is right to a few units in the last place up to 88.72 and flushes subnormal results, erf is odd
# and close to 2 x / sqrt(pi) near 0.
# Seen: mx.exp(88.03) = inf (1.70e38), and so to 88.72; mx.exp(-87.7) = 0 (8.2e-39, as guessed). mx.erf(1e-8) = 0 and so for
# everything nearer to 0 (1.128e-8); mx.erf(1e-6) has an error of 5 %. A loss of exp(88.1) or a gate erf(1e-9) is silently wrong.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4' numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math

import mlx.core as mx
import numpy as np

mx.set_default_device(mx.cpu)
x = np.float32([87.9, 88.03, 88.5, 88.72])
print("exp ", np.array(mx.exp(mx.array(x))), "expected", np.exp(x))
assert np.isfinite(np.exp(x)).all()
assert np.isinf(np.array(mx.exp(mx.array(x)))).tolist() == [False, True, True, True]

x = np.float32([1e-30, 1e-9, 1e-8, 1e-6, 1e-3])
got, right = np.array(mx.erf(mx.array(x))), np.array([math.erf(value) for value in x])
print("erf ", got, "expected", right)
assert (got[:3] == 0).all() and (right > 0).all()
error = abs(got[3:] - right[3:]) / right[3:]
print("relative errors at 1e-6 and 1e-3", error)
assert 0.01 < error[0] < 0.2 and error[1] < 1e-3
EOF
