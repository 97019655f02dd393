#!/bin/sh
# PyTorch's clamp gives an element at a bound no gradient if the bound is a number, half of it if it is a tensor, and the whole
# between two equal tensors; an infinite bound that is given counts, one that is left out does not.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: the whole gradient at every bound, as torch 1.13.1 gives it.
# Seen: 0, 1/2 and 1. margin_ranking_loss and hinge_embedding_loss, which clamp inside, have 0 at their margins, too: a network
# that starts with all distances at the margin does not begin to learn.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math

import torch
from torch.nn import functional


def gradients(function, *values):
    leaves = [torch.tensor(float(value), requires_grad=True) for value in values]
    function(*leaves).backward()
    return [leaf.grad.item() for leaf in leaves]


one = torch.tensor(1.0)
cases = [
    ("clamp(x, 1, 2) at 1", lambda x: x.clamp(1, 2), (1,), [0]),
    ("clamp(x, min=0) at 0", lambda x: x.clamp(min=0), (0,), [0]),
    ("clamp of tensors, x = low", torch.clamp, (1, 1, 2), [0.5, 0.5, 0]),
    ("clamp of tensors, x = high", torch.clamp, (2, 1, 2), [0.5, 0, 0.5]),
    ("clamp of tensors, x = low = high", torch.clamp, (1, 1, 1), [1, 0, 0]),
    ("clamp of tensors, x < low = high", torch.clamp, (0, 1, 1), [0, 1, 0]),
    ("clamp(x, max=1) at -inf", lambda x: x.clamp(max=1), (-math.inf,), [1]),
    ("clamp(x, -inf, 1) at -inf", lambda x: x.clamp(-math.inf, 1), (-math.inf,), [0]),
    ("margin_ranking_loss", lambda x: functional.margin_ranking_loss(x, 0 * one, one, margin=1.0), (1,), [0]),
    ("hinge_embedding_loss", lambda x: functional.hinge_embedding_loss(x, -one), (1,), [0]),
]
for what, function, values, wanted in cases:
    found = gradients(function, *values)
    print(what, found)
    assert found == wanted, (what, found, wanted)
EOF
