#!/bin/sh
# PyTorch's pixel_unshuffle of an empty batch returns the shape it was given; on the device "meta" it returns the right one.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: (0, 4, 2, 2) from (0, 1, 4, 4), on every device, as pixel_shuffle does it the other way.
# Seen: the CPU gives (0, 1, 4, 4) and "meta" (0, 4, 2, 2), so a model that is traced has other shapes than the one that runs.
# pixel_shuffle of an empty batch is right on both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import torch
import torch.nn.functional as F

given, right = (0, 1, 4, 4), (0, 4, 2, 2)
found = F.pixel_unshuffle(torch.empty(given), 2).shape
meta = F.pixel_unshuffle(torch.empty(given, device="meta"), 2).shape
print(tuple(found), tuple(meta))
assert tuple(found) == given and tuple(meta) == right
assert F.pixel_unshuffle(torch.empty(1, 1, 4, 4), 2).shape == (1, 4, 2, 2)
assert F.pixel_shuffle(torch.empty(right), 2).shape == given
EOF
