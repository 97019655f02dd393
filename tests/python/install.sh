#!/bin/sh
# Builds the Python package as a user would, by pip, and installs it for an interpreter. What is built already in FOLDER is
# not built again. Usage: tests/python/install.sh FOLDER PYTHON
set -eu
folder=$1
python=$2
venv=$folder/venv
# NumPy and PyTorch are Debian's, the rest is PyPI's.
[ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv --system-site-packages "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'nanobind>=2.9,<3' 'scikit-build-core>=0.10'
cached() { sed -n "s/^$1:[^=]*=//p" "$folder/CMakeCache.txt"; }
rm -rf "$folder/wheel"
"$venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps --wheel-dir "$folder/wheel" \
  --config-settings build-dir="$folder" --config-settings cmake.define.LUGE_WERROR=ON \
  --config-settings cmake.define.LUGE_CUDA="$(cached LUGE_CUDA)" \
  --config-settings cmake.define.LUGE_CUDA_ARCHITECTURES="$(cached LUGE_CUDA_ARCHITECTURES)" .
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$folder"/wheel/luge-*.whl
