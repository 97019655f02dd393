#!/bin/sh
# PyTorch's kron raises "view size is not compatible" for a transposed matrix; NumPy's takes it.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: strides do not matter to kron.
# Seen: RuntimeError where either factor is a transposed matrix, of shapes that kron takes when they are contiguous.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
import torch

a, b = torch.arange(6.0).reshape(2, 3), torch.ones(2, 2)
for first, second in ((a.t(), b), (torch.ones(4), torch.ones(3, 2).t())):
    try:
        torch.kron(first, second)
    except RuntimeError as error:
        print(error)
        assert "view size is not compatible" in str(error)
    else:
        raise AssertionError("taken")
    whole = torch.kron(first.contiguous(), second.contiguous())
    assert (np.kron(first.numpy(), second.numpy()) == whole.numpy()).all()
EOF
