#!/bin/sh
# max, min and maximum of tinygrad keep a NaN or drop it, depending on where it stands; the sign of NaN is 1.
# tinygrad 0.14.0 on its CPU device, Linux x86-64, Python 3.11.
# Guessed before the run: NaN is kept throughout, as in NumPy and PyTorch.
# Seen: max is NaN only where NaN comes first; maximum(nan, 1) is NaN and maximum(1, nan) is 1; sign(nan) is 1.
# A check of a batch by its largest loss misses a NaN in all places but the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tinygrad==0.14.0
"$folder/venv/bin/python" - <<'EOF'
import math

from tinygrad import Tensor

nan = math.nan
largest = [Tensor(values).max().item() for values in ([nan, 1.0, 2.0], [1.0, nan, 2.0], [1.0, 2.0, nan])]
smallest = [Tensor(values).min().item() for values in ([nan, 1.0, 2.0], [1.0, nan, 2.0], [1.0, 2.0, nan])]
left, right = Tensor([nan]).maximum(1.0).item(), Tensor([1.0]).maximum(nan).item()
sign = Tensor([nan]).sign().item()
print(largest, smallest, left, right, sign)
assert math.isnan(largest[0]) and largest[1:] == [2, 2]
assert math.isnan(smallest[0]) and smallest[1:] == [1, 1]
assert math.isnan(left) and right == 1 and sign == 1
EOF
