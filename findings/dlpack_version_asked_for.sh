#!/bin/sh
# JAX and MLX answer __dlpack__(max_version=(1, 0)) with capsules of DLPack before 1.0, which cannot say "read-only".
# jax 0.10.2, mlx 0.32.4 and numpy 2.4.6 (all CPU); Linux x86-64, Python 3.11.
# Guessed before the run: whoever takes the argument max_version makes capsules of that version, as NumPy does.
# Seen: NumPy's capsule is "dltensor_versioned", and says that a read-only array is read-only. JAX's and MLX's, whose arrays
# nobody may write to, are "dltensor" with the argument and without. A consumer that knows arrays by their capsules alone
# takes them for writable memory; it has to look at the object that the capsule comes from, and copy.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 'mlx[cpu]==0.32.4' numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import ctypes

import jax.numpy as jnp
import mlx.core as mx
import numpy as np

name_of = ctypes.pythonapi.PyCapsule_GetName
name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]


def names(array):
    return [name_of(array.__dlpack__(**asked)).decode() for asked in ({}, {"max_version": (1, 0)})]


seen = {"numpy": names(np.ones(3)), "jax": names(jnp.ones(3)), "mlx": names(mx.ones(3))}
print(seen)
assert seen == {
    "numpy": ["dltensor", "dltensor_versioned"],
    "jax": ["dltensor", "dltensor"],
    "mlx": ["dltensor", "dltensor"],
}
EOF
