#!/bin/sh
# PyTorch's scatter_reduce with include_self=False divides the gradient of a greatest value by the element that it leaves out.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: 1 / 2 for each of the two equal sources, and 0 for the element that is not included.
# Seen: 1 / 3 each if that element equals them and 1 / 2 if it differs, though it has no part in the result; amin, too.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import torch

index = torch.zeros(3, dtype=torch.int64)
for reduce, values in (("amax", [5.0, 5.0, 3.0]), ("amin", [5.0, 5.0, 8.0])):
    for left_out, share in ((5.0, 1 / 3), (4.0, 1 / 2), (6.0, 1 / 2)):
        x = torch.tensor([left_out], requires_grad=True)
        source = torch.tensor(values, requires_grad=True)
        result = torch.scatter_reduce(x, 0, index, source, reduce, include_self=False)
        result.sum().backward()
        print(reduce, left_out, result.tolist(), x.grad.tolist(), source.grad.tolist())
        assert result.item() == 5 and x.grad.item() == 0
        assert torch.allclose(source.grad, torch.tensor([share, share, 0.0]))
EOF
