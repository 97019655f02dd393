#!/bin/sh
# The gradient of clip at its bounds has a different value in each of four libraries.
# mlx 0.32.4 (CPU), jax 0.10.2, tinygrad 0.14.0, autograd 1.9.1 with numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: 1 everywhere, as PyTorch has it: the bound itself is inside.
# Seen: MLX 0, JAX 1/2, tinygrad 1, autograd 0, each at both bounds; 1 between them everywhere.
# Gradient checks of one library against another must leave the bounds out, or say whose rule they want.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4' jax==0.10.2 tinygrad==0.14.0 autograd==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import autograd
import autograd.numpy as anp
import jax
import jax.numpy as jnp
import mlx.core as mx
import tinygrad

at = [0.0, 1.0, 0.5]
t = tinygrad.Tensor(at)
seen = {
    "mlx": mx.grad(lambda x: mx.clip(x, 0.0, 1.0).sum())(mx.array(at)).tolist(),
    "jax": jax.grad(lambda x: jnp.clip(x, 0.0, 1.0).sum())(jnp.array(at)).tolist(),
    "tinygrad": t.clip(0.0, 1.0).sum().gradient(t)[0].tolist(),
    "autograd": autograd.grad(lambda x: anp.sum(anp.clip(x, 0.0, 1.0)))(anp.array(at)).tolist(),
}
print(seen)
assert seen == {"mlx": [0, 0, 1], "jax": [0.5, 0.5, 1], "tinygrad": [1, 1, 1], "autograd": [0, 0, 1]}
EOF
