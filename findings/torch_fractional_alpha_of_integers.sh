#!/bin/sh
# PyTorch's products of integers cut a fractional alpha down to a whole number and say nothing; add and addr refuse it.
# torch 2.15.0, numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: an error everywhere, as torch.add's is.
# Seen: addmm, addmv and baddbmm with alpha=0.5 leave the product out, and addmm with alpha=2.9 takes it twice; addbmm with
# alpha=1.5 takes it once. add and addr raise RuntimeError.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import torch

a = torch.tensor([[1, 2], [3, 4]])
none = torch.zeros_like(a)
results = {
    "addmm": torch.addmm(none, a, a, alpha=0.5),
    "addmv": torch.addmv(none[0], a, a[0], alpha=0.5),
    "baddbmm": torch.baddbmm(none[None], a[None], a[None], alpha=0.5),
}
for name, result in results.items():
    print(name, result.tolist())
    assert (result == 0).all()
assert torch.equal(torch.addmm(none, a, a, alpha=2.9), 2 * (a @ a))
assert torch.equal(torch.addbmm(none, a[None], a[None], alpha=1.5), a @ a)
for name, call in {"add": lambda: torch.add(a, a, alpha=0.5), "addr": lambda: torch.addr(a, a[0], a[0], alpha=0.5)}.items():
    try:
        call()
    except RuntimeError as error:
        print(name, error)
    else:
        raise AssertionError(name)
EOF
