#!/bin/sh
# PyTorch's take_along_dim takes an index modulo the size of the dimension, where gather and NumPy's take_along_axis refuse it.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: -3 to 2 are indices of three elements, and 3 and -4 raise, as NumPy's do.
# Seen: of [10, 20, 30] index 3 gives 10, 5 gives 30 and -4 gives 30; the gradient goes to those elements, too. gather raises.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import torch

x = torch.tensor([10.0, 20.0, 30.0], requires_grad=True)
for index, found in ((-1, 30), (-3, 10), (3, 10), (4, 20), (5, 30), (-4, 30)):
    place = torch.tensor([index])
    taken = torch.take_along_dim(x, place, 0)
    (gradient,) = torch.autograd.grad(taken.sum(), x)
    print(index, taken.item(), gradient.tolist())
    assert taken.item() == found and gradient[index % 3] == 1
    try:
        assert np.take_along_axis(x.detach().numpy(), place.numpy(), 0) == found and -3 <= index < 3
    except IndexError:
        assert not -3 <= index < 3
    try:
        torch.gather(x, 0, place)
        raise AssertionError("gather takes it")
    except RuntimeError as error:
        assert "out of bounds" in str(error)
EOF
