#!/bin/sh
# sort of tinygrad loses elements where there is a NaN: NaN comes back as another element, as infinity, or fills all.
# tinygrad 0.14.0 on its CPU device, Linux x86-64, Python 3.11.
# Guessed before the run: NaN sorts behind everything else, as in NumPy, JAX and PyTorch.
# Seen: [2, nan, 1] becomes [1, 2, 2]; [1, 2, nan] becomes [1, 2, inf]; [nan, 1, 2] becomes NaN throughout.
# Ranks of runs by their loss are wrong without a sign of it when one run has diverged.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tinygrad==0.14.0
"$folder/venv/bin/python" - <<'EOF'
import math

from tinygrad import Tensor

nan = math.nan
middle = Tensor([2.0, nan, 1.0]).sort()[0].tolist()
last = Tensor([1.0, 2.0, nan]).sort()[0].tolist()
first = Tensor([nan, 1.0, 2.0]).sort()[0].tolist()
print(middle, last, first)
assert middle == [1, 2, 2]
assert last == [1, 2, math.inf]
assert all(math.isnan(value) for value in first)
EOF
