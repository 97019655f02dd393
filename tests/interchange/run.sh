#!/bin/sh
# Tries luge with other packages from PyPI, in pinned versions and an environment of their own; nothing is sent anywhere.
# Usage: tests/interchange/run.sh FOLDER [pytest options]
set -eu
folder=$1
shift
venv=$folder/interchange
[ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
tests=$(cd tests/interchange && pwd)
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$tests/requirements.txt"
tests/python/install.sh "$folder" "$venv/bin/python"
# Debian's NumPy and PyTorch are older ones, with rows of their own in docs/interchange.md.
debian=$folder/interchange-debian
[ -x "$debian/bin/python" ] || /usr/bin/python3 -m venv --system-site-packages "$debian"
"$debian/bin/python" -m pip install --quiet --disable-pip-version-check pytest==9.2.0
"$debian/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$folder"/wheel/luge-*.whl
# From elsewhere, so that nothing is imported from the sources.
cd "$folder"
status=0
interchange-debian/bin/python -m pytest -q -p no:cacheprovider --rootdir "$tests" "$@" "$tests/test_arrays.py" || status=$?
[ "$status" -ne 5 ] || [ $# -eq 0 ] || status=0  # the options chose no test of this file
interchange/bin/python -m pytest -q -p no:cacheprovider --rootdir "$tests" "$@" "$tests" || status=$?
exit "$status"
