#!/bin/sh
# Adam of MLX does not correct its moments' bias unless asked to: the first step is sqrt(10) learning rates long.
# mlx 0.32.4 with mlx-cpu 0.32.4, Linux x86-64, Python 3.11.
# Guessed before the run: 1 - 0.1 = 0.9 after one step from 1 with learning rate 0.1 and gradient 1, as in the paper and in PyTorch.
# Seen: 0.68377 (AdamW 0.68277); 0.9 with bias_correction=True.
# A learning rate that was tuned with another library's Adam starts with steps 3.16 times as long here.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4'
"$folder/venv/bin/python" - <<'EOF'
import mlx.core as mx
import mlx.optimizers as optim

def after_one(optimizer):
    return optimizer.apply_gradients({"w": mx.array([1.0])}, {"w": mx.array([1.0])})["w"].item()

plain, decayed = after_one(optim.Adam(0.1)), after_one(optim.AdamW(0.1))
corrected = after_one(optim.Adam(0.1, bias_correction=True))
print(plain, decayed, corrected)
assert abs(plain - (1 - 0.1 * 0.1 / 0.001**0.5)) < 1e-6
assert abs(decayed - 0.682772) < 1e-5
assert abs(corrected - 0.9) < 1e-6
EOF
