#!/bin/sh
# abs and negation of -8 in ml_dtypes' int4 give 8, which int4 does not have; addition wraps around as it should.
# ml_dtypes 0.6.0 with numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: -8, as numpy.int8 gives -128 for abs(-128).
# Seen: 8, which stays 8 in the array, beside 7 + 1 = -8; and the mean of [7, 7] is -1, as the sum wraps around at 16.
# Absolute maxima of int4 weights (scales of a quantisation) want astype(int8) first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import ml_dtypes
import numpy as np

int4 = ml_dtypes.int4
least = np.array([-8], int4)
seen = {
    "max": int(ml_dtypes.iinfo(int4).max),
    "abs": int(np.abs(least)[0]),
    "negated": int((-least)[0]),
    "7 + 1": int((np.array([7], int4) + np.array([1], int4))[0]),
    "mean of 7, 7": int(np.array([7, 7], int4).mean()),
    "int8": int(np.abs(np.array([-128], np.int8))[0]),
}
print(seen)
assert seen == {"max": 7, "abs": 8, "negated": 8, "7 + 1": -8, "mean of 7, 7": -1, "int8": -128}
EOF
