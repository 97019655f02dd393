#!/bin/sh
# Installs the Python package as a user would, by pip, into a virtual environment of its own, and runs its tests there,
# and the samples of tests/agreement against PyTorch's records.
# What is built already in FOLDER is not built again. Usage: tests/python/run.sh FOLDER [pytest options]
set -eu
folder=$1
shift
venv=$folder/venv
tests/python/install.sh "$folder" "$venv/bin/python"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check pytest mypy tqdm tensorboardX 'ml_dtypes>=0.4,<0.6' \
  'safetensors>=0.4.3,<1' 'array-api-strict>=2.3,<3' 'array-api-compat>=1.10,<2'
# From elsewhere, so that nothing is imported from the sources.
folder=$(cd "$folder" && pwd) tests=$(cd tests/python && pwd) agreement=$(cd tests/agreement && pwd)
cd "$folder"
rm -f pytest.xml
status=0
LUGE_CPP_BUILD=$folder "$folder/venv/bin/python" -m pytest -q -o cache_dir="$folder/pytest" --junitxml=pytest.xml \
  --rootdir "$tests" "$@" "$tests" "$agreement" || status=$?
# The counts, as tests/summary.sh reads them.
number() { sed -n "s/.*<testsuite [^>]*$1=\"\([0-9]*\)\".*/\1/p" pytest.xml; }
{
  printf '1/1 Testing: pytest\n[==========] %s tests ran.\n' "$(number tests)"
  printf '[  SKIPPED ] %s tests\n' "$(number skipped)"
  for _ in $(seq $(($(number failures) + $(number errors)))); do printf '[  FAILED  ] pytest (0 ms)\n'; done
  [ "$status" -eq 0 ] && echo 'Test Passed.' || echo 'Test Failed.'
} >ctest-python.log
exit "$status"
