#!/bin/sh
# The mean of a thousand threes in ml_dtypes' bfloat16 is 1.02, and so is their variance; a dot product is exact.
# ml_dtypes 0.6.0 with numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: sum stops at 256, as each addition rounds; mean and var go through float32, as those of float16 do.
# Seen: mean and var add in bfloat16, too; dot and @ carry float32. No warning.
# Statistics of bfloat16 gradients by NumPy need dtype=numpy.float32.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import ml_dtypes
import numpy as np

half, brain = (np.full(1000, 3, dtype) for dtype in (np.float16, ml_dtypes.bfloat16))
ones = np.ones(1000, ml_dtypes.bfloat16)
seen = {
    "sum of ones": float(ones.sum()),
    "dot of ones": float(ones @ ones),
    "mean": (float(half.mean()), float(brain.mean()), float(brain.mean(dtype=np.float32))),
    "var": (float(half.var()), float(brain.var()), float(brain.var(dtype=np.float32))),
}
print(seen)
assert seen["sum of ones"] == 256 and seen["dot of ones"] == 1000
assert seen["mean"] == (3, 1.0234375, 3)
assert seen["var"] == (0, 1.0234375, 0)
EOF
