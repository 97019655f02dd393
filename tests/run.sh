#!/bin/sh
# Runs ctest in a build folder and keeps its full log as FOLDER/ctest-PART.log for tests/summary.sh.
# Usage: tests/run.sh FOLDER PART [ctest options]
set -eu
folder=$1 part=$2
shift 2
last=$folder/Testing/Temporary/LastTest.log
rm -f "$last"
status=0
ctest --test-dir "$folder" --output-on-failure --no-tests=error "$@" || status=$?
[ ! -e "$last" ] || cp "$last" "$folder/ctest-$part.log"
exit "$status"
