#!/bin/sh
# tinygrad reads a safetensors file with an empty tensor and cannot write one.
# tinygrad 0.14.0 with numpy 2.4.6 and safetensors 0.8.0; Linux x86-64, Python 3.11.
# Guessed before the run: it writes what it reads; the format allows sizes of 0.
# Seen: safe_load gives the tensor of shape (0, 3); safe_save of it is an AssertionError from inside, and leaves a file behind
# that the reference library reads: the header is right, and the tensor after the empty one is zeros.
# Who saves a state by tinygrad must leave empty tensors out, and must not take the file for saved because it is there.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tinygrad==0.14.0 numpy==2.4.6 safetensors==0.8.0
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
from safetensors.numpy import load_file, save_file
from tinygrad import Tensor
from tinygrad.nn.state import safe_load, safe_save

save_file({"none": np.zeros((0, 3), np.float32)}, "in")
shape = safe_load("in")["none"].shape
try:
    safe_save({"none": Tensor(np.zeros((0, 3), np.float32)), "some": Tensor(np.ones(2, np.float32))}, "out")
    error = None
except AssertionError as raised:
    error = type(raised).__name__
left = {name: value.tolist() for name, value in load_file("out").items()}
print(shape, error, left)
assert shape == (0, 3)
assert error == "AssertionError"
assert left == {"none": [], "some": [0.0, 0.0]}
EOF
