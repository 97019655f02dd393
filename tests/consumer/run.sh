#!/bin/sh
# Builds and runs a project that uses luge, as a newcomer would. Usage: run.sh WAY BUILD
#   find_package      installs BUILD and moves the installed tree (nothing may depend on where it was)
#   add_subdirectory  takes luge's source into its own build, unoptimised, to save time
set -eu
way=$1
build=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
scratch=$build/consumer/$way
rm -rf "$scratch"
mkdir -p "$scratch"

if [ "$way" = find_package ]; then
  cmake --install "$build" --prefix "$scratch/first" >/dev/null
  mv "$scratch/first" "$scratch/installed"
  set -- -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$scratch/installed"
  [ ! -x "$build/luge" ] || "$scratch/installed/bin/luge" --version
else
  set --
fi
if command -v ccache >/dev/null 2>&1; then  # what another clone compiled; luge itself asks for it at the top level only
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_DEPEND=1
  CCACHE_BASEDIR=$(cd "$here/../.." && pwd)
  export CCACHE_BASEDIR
fi
generator="Unix Makefiles"
! command -v ninja >/dev/null 2>&1 || generator=Ninja
cmake -G "$generator" -S "$here/$way" -B "$scratch/build" "$@"
cmake --build "$scratch/build" --parallel "$(nproc)"
"$scratch/build/consumer"
