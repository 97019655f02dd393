#!/bin/sh
# PyTorch's gelu of float32 on the CPU, and MLX's, is infinite above half of the greatest number; its gradient there is 1. JAX's is x.
# torch 2.15.0, jax 0.10.2, mlx 0.32.4 with mlx-cpu, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: gelu(x) is x wherever erf is 1, in all three.
# Seen: gelu(1.6e38) = 1.6e38 in all; gelu(1.71e38) and gelu(3e38) are inf in PyTorch and MLX, which multiply by 1 + erf = 2
# before they halve, and x in JAX. PyTorch's approximate="tanh" gives x, and so does its float64 (at 1.7e308).
# Far on the other side PyTorch and MLX have -0 from -6.5 on, JAX -2.6e-10, which is right.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 jax==0.10.2 'mlx[cpu]==0.32.4' numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import jax
import jax.numpy as jnp
import mlx.core as mx
import mlx.nn as nn
import numpy as np
import torch
import torch.nn.functional as F

mx.set_default_device(mx.cpu)
x = np.float32([1.6e38, 1.71e38, 3e38, -6.5])
results = {
    "torch": F.gelu(torch.from_numpy(x)).numpy(),
    "torch, tanh": F.gelu(torch.from_numpy(x), approximate="tanh").numpy(),
    "mlx": np.array(nn.gelu(mx.array(x))),
    "jax": np.asarray(jax.nn.gelu(jnp.array(x), approximate=False)),
}
for name, result in results.items():
    print(f"{name:12}", result)
for name in ("torch", "mlx"):
    assert np.isinf(results[name]).tolist() == [False, True, True, False] and results[name][3] == 0
for name in ("torch, tanh", "jax"):
    assert (results[name][:3] == x[:3]).all()
assert abs(results["jax"][3] / -2.6104e-10 - 1) < 1e-3
leaf = torch.tensor([1.71e38], requires_grad=True)
F.gelu(leaf).backward()
assert leaf.grad.item() == 1
large = torch.tensor([1.7e308], dtype=torch.float64)
assert (F.gelu(large) == large).all()
EOF
