#!/usr/bin/env bash
# Everything there is to check and measure on a machine with a GPU, in one go and without a network: builds with
# nvcc, runs the tests on the device, again under compute-sanitizer's four tools, the benchmarks, and the same
# work in whatever of PyTorch and JAX is installed. Usage:
#
#   bench/gpu_check.sh OUT [PACKAGES]
#
# OUT       a folder for the results: a log of every step, summary.json, and table.txt, which is printed, too
# PACKAGES  a folder made by bench/gpu_packages.sh on a machine with a network, for what this one lacks
#
# Every step has its own limit; all of them together end within ten minutes on 16 cores. Committing
# OUT/summary.json as bench/results/gpu-DATE-NAME.json and running `bench/gpu_report.py document` brings it into
# docs/gpu-verification.md. LUGE_CUDA=SIMT tries this script itself on a machine without a GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "${1:?usage: bench/gpu_check.sh OUT [PACKAGES]}" && cd "$1" && pwd)
packages=${2:+$(cd "$2" && pwd)}
data=()
jobs=$(nproc)
build=build-gpu
cuda=${LUGE_CUDA:-ON}
: >"$out/steps.tsv"

# step NAME SECONDS COMMAND...: runs it with a limit; log, exit code and time go to OUT.
step() {
  local name=$1 limit=$2 begin=$SECONDS code=0
  shift 2
  printf '%-22s ' "$name"
  timeout -k 5 "$limit" "$@" >"$out/$name.log" 2>&1 </dev/null || code=$?
  printf '%s\t%s\t%s\n' "$name" "$code" "$((SECONDS - begin))" >>"$out/steps.tsv"
  printf '%4d s  %s\n' "$((SECONDS - begin))" "$([ "$code" = 0 ] && echo ok || echo "exit code $code, see $name.log")"
  return "$code"
}
skip() {  # NAME REASON
  printf '%s\tskipped\t0\n' "$1" >>"$out/steps.tsv"
  printf '%-22s skipped: %s\n' "$1" "$2"
}

configure=(cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release "-DLUGE_CUDA=$cuda" -DLUGE_BUILD_EXAMPLES=OFF)
command -v ninja >/dev/null && configure+=(-G Ninja)
[ "$cuda" = ON ] && configure+=("-DLUGE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES:-90-real}")
if [ -n "$packages" ]; then
  libraries=$packages/usr/lib/x86_64-linux-gnu
  openblas=$libraries/openblas-pthread
  export LD_LIBRARY_PATH=$libraries:$openblas${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  export PKG_CONFIG_PATH=$openblas/pkgconfig:$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$packages
  export LIBRARY_PATH=$libraries:$openblas PATH=$packages/usr/bin:$PATH
  data=(--data "$packages/usr/share/datasets/fashion-mnist")
  configure+=("-DCMAKE_PREFIX_PATH=$packages/usr" "-DCMAKE_EXE_LINKER_FLAGS=-L$libraries -L$openblas -Wl,-rpath-link,$libraries")
fi

{ nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader; nvcc --version; uname -srm
  sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1; } >"$out/machine.txt" 2>/dev/null

step configure 60 "${configure[@]}" &&
  step build 280 cmake --build "$build" --parallel "$jobs" --target all ||
  { bench/gpu_report.py summary "$out"; exit 1; }
step doctor 30 "$build/luge" doctor

tests=$build/tests
on_device='--gtest_filter=*/cuda*'
for suite in tensor kernels ops autograd train capture; do
  step "test_$suite" 90 "$tests/test_$suite" "$on_device" "--gtest_output=json:$out/test_$suite.json"
done

if command -v compute-sanitizer >/dev/null; then
  # The sanitizers are slow: the suite that runs every kernel, each tool at the same time as the others.
  for tool in memcheck racecheck initcheck synccheck; do
    step "$tool" 150 compute-sanitizer --tool "$tool" --error-exitcode 9 --kernel-name regex=.*_kernel.* \
      "$tests/test_kernels" "$on_device:-*Large*:*ManySizes*" --gtest_brief=1 &
  done
  wait
else
  skip compute-sanitizer 'it is not on PATH'
fi

device=cuda
step demo 30 "$build/luge" demo --device $device --sets 1000000
step train 60 "$build/luge" train --device $device --epochs 5 "${data[@]}"
step bench 60 sh -c "'$build/luge' bench --device $device --sets 1000,1000000,10000000,100000000 --json >'$out/bench.json'"
step bench_torch 60 python3 bench/compare_gpu.py torch "$out/torch.json"
step bench_jax 60 python3 bench/compare_gpu.py jax "$out/jax.json"

bench/gpu_report.py summary "$out" | tee "$out/table.txt"
