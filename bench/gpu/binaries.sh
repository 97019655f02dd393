#!/usr/bin/env bash
# Builds what bench/gpu_check.sh runs on a machine with nvcc, a GPU not needed, and packs it with its libraries and
# Fashion-MNIST where that is installed, so that a machine with a GPU need not spend its time on building.
# Usage: bench/gpu/binaries.sh FILE.tar.xz
set -euo pipefail
file=$(realpath -m "${1:?usage: bench/gpu/binaries.sh FILE.tar.xz}")
cd "$(dirname "$0")/../.."
build="build-gpu"
folder=$build/binaries
SHARED=ON BUILD_SECONDS=7200 bench/gpu_check.sh --parts build --limit 7200 "$build/log" || true
rm -rf "$folder"
mkdir -p "$folder/bench" "$folder/tests" "$folder/lib"
cp "$build/luge" "$folder"
cp "$build/bench/luge_device_bench" "$folder/bench"
# Files alone: with clang a precompiled header is a folder beside them.
find "$build/tests" -maxdepth 1 -name 'test_*' -type f -executable -exec cp {} "$folder/tests" \;
git rev-parse --short HEAD >"$folder/commit"
cp -P "$build"/libluge.so* "$folder"
# All but the C and C++ runtimes, which every machine has, newer ones being compatible.
for library in $(LD_LIBRARY_PATH=$build ldd "$folder"/luge "$folder"/bench/* "$folder"/tests/test_* | awk '$2 == "=>" { print $3 }' | sort -u); do
  case $(basename "$library") in
    libluge.*|libc.*|libm.*|libdl.*|librt.*|libpthread.*|libstdc++.*|libgcc_s.*) ;;
    *) cp -L "$library" "$folder/lib" ;;
  esac
done
strip --strip-unneeded "$folder"/luge "$folder"/libluge.so.*.* "$folder"/bench/* "$folder"/tests/*
images=/usr/share/datasets/fashion-mnist
[ ! -d "$images" ] || cp -r "$images" "$folder"
tar -C "$folder" -cJf "$file" .
ls -l "$file"
