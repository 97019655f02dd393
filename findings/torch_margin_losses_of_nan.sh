#!/bin/sh
# PyTorch's multi_margin_loss and multilabel_margin_loss of NaN are 0, with a gradient of 0; its other margin losses are NaN.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: NaN, so that a training that has gone wrong shows it.
# Seen: 0 and gradients of 0 where all scores are NaN, also where only the labelled one is; hinge_embedding_loss,
# margin_ranking_loss, soft_margin_loss and multilabel_soft_margin_loss give NaN.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import math

import torch
import torch.nn.functional as F

nan, one = math.nan, torch.ones(3)
for scores in ([nan, nan, nan], [1.0, nan, 2.0]):
    for loss in (
        lambda x: F.multi_margin_loss(x, torch.tensor([1])),
        lambda x: F.multi_margin_loss(x, torch.tensor([1]), p=2),
        lambda x: F.multilabel_margin_loss(x, torch.tensor([[1, -1, 0]])),
    ):
        x = torch.tensor([scores], requires_grad=True)
        found = loss(x)
        found.backward()
        print(scores, found.item(), x.grad.tolist())
        assert found == 0 and (x.grad == 0).all()
x = torch.full((3,), nan)
for found in (
    F.hinge_embedding_loss(x, -one),
    F.margin_ranking_loss(x, one, one),
    F.soft_margin_loss(x, one),
    F.multilabel_soft_margin_loss(x, one),
):
    assert found.isnan()
EOF
