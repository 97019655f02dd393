#!/bin/sh
# Tries luge with other packages from PyPI, in pinned versions and environments of their own; nothing is sent anywhere.
# PyTorch's environment takes 6 GB. Usage: tests/interchange/run.sh FOLDER [pytest options]
set -eu
folder=$1
shift
tests=$(cd tests/interchange && pwd)
# prepare ENVIRONMENT REQUIREMENTS [venv's options]
prepare() {
  venv=$folder/$1 requirements=$tests/$2
  shift 2
  [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$@" "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
}
prepare interchange requirements.txt
prepare interchange-torch requirements-torch.txt
# Debian's NumPy and PyTorch are older ones, with rows of their own in docs/interchange.md.
prepare interchange-debian requirements-debian.txt --system-site-packages
tests/python/install.sh "$folder" "$folder/interchange/bin/python"
for venv in interchange-torch interchange-debian; do
  "$folder/$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$folder"/wheel/luge-*.whl
done
# From elsewhere, so that nothing is imported from the sources.
cd "$folder"
status=0
for venv in interchange-debian interchange-torch; do
  result=0
  $venv/bin/python -m pytest -q -p no:cacheprovider --rootdir "$tests" "$@" "$tests/test_arrays.py" || result=$?
  [ "$result" -ne 5 ] || [ $# -eq 0 ] || result=0  # the options chose no test of this file
  [ "$result" -eq 0 ] || status=$result
done
interchange/bin/python -m pytest -q -p no:cacheprovider --rootdir "$tests" "$@" "$tests" || status=$?
exit "$status"
