#!/bin/sh
# The gradients of a ** b at (0, 0) in JAX, MLX and tinygrad: no two agree.
# jax 0.10.2, mlx 0.32.4 (CPU), tinygrad 0.14.0; Linux x86-64, Python 3.11.
# Guessed before the run: 0 for the base, since 0 ** 0 is the constant 1, and -inf for the exponent, as PyTorch gives.
# Seen: JAX (nan, 0), MLX (nan, -inf), tinygrad (0, 0).
# A learned exponent that meets a zero activation poisons training in one library and not in another.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4' jax==0.10.2 tinygrad==0.14.0
"$folder/venv/bin/python" - <<'EOF'
import math

import jax
import mlx.core as mx
from tinygrad import Tensor

a, b = Tensor([0.0]), Tensor([0.0])
seen = {
    "jax": [float(g) for g in jax.grad(lambda a, b: a**b, argnums=(0, 1))(0.0, 0.0)],
    "mlx": [g.item() for g in mx.grad(lambda a, b: mx.power(a, b), argnums=(0, 1))(mx.array(0.0), mx.array(0.0))],
    "tinygrad": [g.item() for g in (a**b).sum().gradient(a, b)],
}
print(seen)
assert math.isnan(seen["jax"][0]) and seen["jax"][1] == 0
assert math.isnan(seen["mlx"][0]) and seen["mlx"][1] == -math.inf
assert seen["tinygrad"] == [0, 0]
EOF
