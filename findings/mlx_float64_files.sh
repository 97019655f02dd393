#!/bin/sh
# MLX's float64 arrays go through npy files and not through safetensors files, to which they are no dtype.
# mlx 0.32.4 (CPU) with numpy 2.4.6 and safetensors 0.8.0; Linux x86-64, Python 3.11.
# Guessed before the run: the same dtypes in both; the format has F64.
# Seen: load and save of npy keep float64; save_safetensors raises RuntimeError, and so does load of a file in which any
# tensor is F64: the float32 tensors beside it cannot be read either.
# Checkpoints for MLX must hold no float64 at all, an optimizer's step count or a learning rate included.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4' numpy==2.4.6 safetensors==0.8.0
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import mlx.core as mx
import numpy as np
from safetensors.numpy import save_file

np.save("x.npy", np.array([0.1]))
x = mx.load("x.npy")
mx.save("y.npy", x)
through_npy = np.load("y.npy").dtype.name, np.load("y.npy").tolist()
save_file({"weight": np.ones(2, np.float32), "rate": np.array([0.1])}, "file.safetensors")


def seen(call):
    try:
        return call()
    except Exception as error:
        return type(error).__name__


saved = seen(lambda: mx.save_safetensors("z.safetensors", {"x": x}))
loaded = seen(lambda: mx.load("file.safetensors")["weight"])
print(through_npy, saved, loaded)
assert through_npy == ("float64", [0.1])
assert (saved, loaded) == ("RuntimeError", "RuntimeError")
EOF
