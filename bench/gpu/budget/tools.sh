#!/bin/sh
# Puts cuobjdump and nvdisasm, which read machine code, where `budget.py` finds them: from PyPI into BUILD/budget/venv, unless
# they are there already. Without a network it says so and fails; budget.py then says what it does not count.
# Usage: bench/gpu/budget/tools.sh BUILD
set -eu
venv=${1:?usage: bench/gpu/budget/tools.sh BUILD}/budget/venv
for folder in $(echo "$PATH" | tr : ' ') /usr/local/cuda/bin "$venv"/lib/python*/site-packages/nvidia/cu*/bin; do
  [ ! -x "$folder/cuobjdump" ] || [ ! -x "$folder/nvdisasm" ] || exit 0
done
[ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps nvidia-cuda-cuobjdump==13.5.37 nvidia-cuda-nvdisasm==13.5.37 ||
  { echo "tools.sh: cuobjdump is not on this machine and cannot be installed from PyPI" >&2; exit 1; }
chmod +x "$venv"/lib/python*/site-packages/nvidia/cu*/bin/cuobjdump "$venv"/lib/python*/site-packages/nvidia/cu*/bin/nvdisasm
