#!/bin/sh
# How many places in the product a commit changed: what adding something takes. Usage: tests/places.sh COMMIT...
set -eu
cd "$(dirname "$0")/.."
for commit in "$@"; do
  git show --format= --unified=0 "$commit" -- core kernels bindings |
    awk -v name="$(git log -1 --format=%s "$commit")" \
      '/^diff/ { files++ } /^@@/ { places++ } END { printf "%2d files %3d places  %s\n", files, places, name }'
done
