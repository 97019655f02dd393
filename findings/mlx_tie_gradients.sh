#!/bin/sh
# Gradients of equal extremes in MLX: maximum and minimum of two arrays give all to the second, max of one array shares.
# mlx 0.32.4 with mlx-cpu 0.32.4, Linux x86-64, Python 3.11.
# Guessed before the run: a half to either side, as PyTorch, JAX and tinygrad give, and NaN to the side that is NaN.
# Seen: (0, 1) for maximum and for minimum; (0, 0) where one of them is NaN; 1/2 and 1/2 for max of one array.
# A hinge written as maximum(x, 0) trains otherwise than one written as maximum(0, x) wherever x is exactly 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4'
"$folder/venv/bin/python" - <<'EOF'
import mlx.core as mx

def gradients(function, a, b):
    return [g.item() for g in mx.grad(function, argnums=(0, 1))(mx.array(a), mx.array(b))]

largest, smallest = gradients(mx.maximum, 1.0, 1.0), gradients(mx.minimum, 1.0, 1.0)
missing = gradients(mx.maximum, float("nan"), 1.0)
shared = mx.grad(lambda x: mx.max(x))(mx.array([2.0, 2.0, 1.0])).tolist()
print(largest, smallest, missing, shared)
assert largest == smallest == [0, 1]
assert missing == [0, 0]
assert shared == [0.5, 0.5, 0]
EOF
