#!/bin/sh
# numpy.sort leaves an array of ml_dtypes' bfloat16 or float8 unsorted once it holds a NaN.
# ml_dtypes 0.6.0 with numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: NaN last and the numbers in order, as for float16, float32 and float64.
# Seen: [3, nan, -1, 1] comes back as it went in; median of it is a number, and unique keeps both of two NaNs.
# Order statistics of bfloat16 (medians, quantiles, best of a sweep) want astype(float32) first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ml_dtypes==0.6.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import math

import ml_dtypes
import numpy as np


def shown(array):
    return ["nan" if math.isnan(x) else float(x) for x in array]


given = [3.0, math.nan, -1.0, 1.0]
for dtype in (np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2):
    ordered = shown(np.sort(np.array(given, dtype)))
    print(np.dtype(dtype).name, ordered)
    assert ordered == ([-1, 1, 3, "nan"] if dtype is np.float16 else [3, "nan", -1, 1])
assert shown(np.sort(np.array([3, -1, 1], ml_dtypes.bfloat16))) == [-1, 1, 3]
assert len(np.unique(np.array([math.nan, math.nan], ml_dtypes.bfloat16))) == 2
assert len(np.unique(np.array([math.nan, math.nan], np.float16))) == 1
EOF
