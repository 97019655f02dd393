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
# From elsewhere, so that nothing is imported from the sources.
cd "$folder"
exec interchange/bin/python -m pytest -q -p no:cacheprovider --rootdir "$tests" "$@" "$tests"
