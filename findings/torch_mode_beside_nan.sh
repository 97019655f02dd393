#!/bin/sh
# PyTorch's mode counts each NaN as a value of its own, and a NaN changes which index it gives for the others.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: NaN counts as one value, as in torch.sort's order, or never wins; the index is the last one.
# Seen: of four NaN and three 1 the mode is 1; of [nan, nan, 1] it is NaN, at index 0, though 1 is as frequent; the index of
# the mode of [1, 3, 1] is 2, the last one, and of [1, nan, 1] 0, the first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math

import torch


def mode(*values):
    found = torch.mode(torch.tensor(values))
    return found.values.item(), found.indices.item()


nan = math.nan
print(mode(nan, 1, nan, 1, 1, nan, nan), mode(nan, nan, 1), mode(1, 3, 1), mode(1, nan, 1))
assert mode(nan, 1.0, nan, 1.0, 1.0, nan, nan)[0] == 1
value, index = mode(nan, nan, 1.0)
assert math.isnan(value) and index == 0
assert mode(1.0, 3.0, 1.0) == (1, 2) and mode(1.0, nan, 1.0) == (1, 0)
EOF
