#!/bin/sh
# The gradient of abs at 0 is 1 in JAX, that of hypot(0, 0) a half, and those of logaddexp(inf, inf) add up to 2.
# jax 0.10.2 and jaxlib 0.10.2 on the CPU, Linux x86-64, Python 3.11.
# Guessed before the run: 0 for abs as in PyTorch, MLX and tinygrad; NaN or 0 for hypot; 1/2 and 1/2 for logaddexp.
# Seen: 1.0 for abs at 0 (and at -0); 0.5 for either side of hypot; 1.0 for either side of logaddexp.
# An L1 penalty moves weights that are exactly zero.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
"$folder/venv/bin/python" - <<'EOF'
import jax
import jax.numpy as jnp

inf = float("inf")
absolute = [float(jax.grad(jnp.abs)(x)) for x in (0.0, -0.0)]
hypot = [float(g) for g in jax.grad(jnp.hypot, argnums=(0, 1))(0.0, 0.0)]
logaddexp = [float(g) for g in jax.grad(jnp.logaddexp, argnums=(0, 1))(inf, inf)]
print(absolute, hypot, logaddexp)
assert absolute == [1, 1]
assert hypot == [0.5, 0.5]
assert logaddexp == [1, 1]
EOF
