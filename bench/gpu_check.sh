#!/usr/bin/env bash
# Everything there is to check and measure on a machine with a GPU, without a network: builds with nvcc, runs the
# tests on the device, compute-sanitizer's four tools, the program, and every benchmark beside PyTorch and JAX.
#
#   bench/gpu_check.sh [options] OUT
#
# Where a call may take ten minutes, in three calls, the numbers that matter most first (their summaries are put together by
# `bench/gpu/report.py merge`):
#   bench/gpu_check.sh --binaries FILE --parts bench OUT1
#   bench/gpu_check.sh --binaries FILE --parts tests,program OUT2
#   bench/gpu_check.sh --binaries FILE --parts sanitizers OUT3
#
# OUT                 a folder for the results, complete after every step: summary.json, table.txt, log.txt
# --parts A,B,...     of build, tests, sanitizers, program, bench; all by default. What has to be built always is.
# --binaries PATH     made by bench/gpu/binaries.sh: nothing is built here
# --packages PATH     made by bench/gpu/packages.sh on a machine with a network, for what this one lacks to build; not both,
#                     since each holds the images
# --limit SECONDS     for all of it, 570 by default; steps that no time is left for are reported as skipped
# --commit ID         what is being checked, where there is no git to ask and no --binaries, which know it
# --rehearse          tries this script without a GPU: kernels run by the host, small sizes, PyTorch and JAX on the CPU
#
# Every step has its own limit, and the next one follows whatever became of it. Parts that ran apart are put together by
# `bench/gpu/report.py merge`; a summary committed as bench/results/gpu-DATE-NAME.json is brought into
# docs/gpu-verification.md by `bench/gpu/report.py document`.
set -uo pipefail
here=$PWD
cd "$(dirname "$0")/.." || exit
usage() { sed -n '5,23s/^# \{0,1\}//p' bench/gpu_check.sh >&2; exit 2; }
absolute() { (cd "$here" && realpath -m "$1"); }

parts=build,tests,sanitizers,program,bench limit=570 packages='' binaries='' out='' rehearse=''
while [ $# -gt 0 ]; do
  case $1 in
    --rehearse) rehearse=1; shift; continue ;;
    --*) [ $# -gt 1 ] || usage ;;&
    --parts) parts=$2 ;;
    --packages) packages=$(absolute "$2") ;;
    --binaries) binaries=$(absolute "$2") ;;
    --limit) limit=$2 ;;
    --commit) export LUGE_COMMIT=$2 ;;
    --*) usage ;;
    *) [ -z "$out" ] || usage
       out=$(absolute "$1"); shift; continue ;;
  esac
  shift 2
done
[ -n "$out" ] || usage
[ -z "$packages" ] || [ -z "$binaries" ] || usage
build=$PWD/build-gpu
[ -z "$rehearse" ] || build=$PWD/build-rehearse
work=$build/check
rm -rf "$work"
mkdir -p "$out" "$work"
: >"$work/steps.tsv"
: >"$out/log.txt"
deadline=$((SECONDS + limit))
source bench/gpu/steps.sh
# The suites with tests on a device.
suites=(autograd capture data fit io kernels nn ops sweep tensor train types)
# Most of the time of these is NVRTC's: in shards that run at once.
compiling=(capture fit)

has() { [[ ,$parts, == *,$1,* ]]; }
# A folder as it is, or the contents of an archive.
unpacked() {
  if [ -d "$1" ]; then echo "$1"; return; fi
  local folder
  folder=$build/$(basename "$1" | cut -d. -f1)
  mkdir -p "$folder"
  tar -xf "$1" -C "$folder" 2>/dev/null || python3 -m tarfile -e "$1" "$folder" >&2
  echo "$folder"
}
[ -z "$packages" ] || packages=$(unpacked "$packages")
[ -z "$binaries" ] || binaries=$(unpacked "$binaries")
if [ -z "${LUGE_COMMIT:-}" ] && [ -f "$binaries/commit" ]; then
  LUGE_COMMIT=$(cat "$binaries/commit")
  export LUGE_COMMIT
fi
[ ! -d /usr/local/cuda/bin ] || export PATH=$PATH:/usr/local/cuda/bin
python=$(find_python)

# What runs luge: its libraries must not get in the way of PyTorch's.
libraries=$packages/usr/lib/x86_64-linux-gnu openblas=$packages/usr/lib/x86_64-linux-gnu/openblas-pthread
paths=${binaries:+$binaries:$binaries/lib:}${packages:+$libraries:$openblas:}$(cuda_libraries)
paths=$paths${LD_LIBRARY_PATH:-}
luge=(env "LD_LIBRARY_PATH=${paths%:}" "LUGE_CACHE=$build/cache")
data=()
for folder in "$packages/usr/share/datasets/fashion-mnist" "$binaries/fashion-mnist"; do
  [ ! -d "$folder" ] || data=(--data "$folder")
done

{ nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || echo 'no GPU'
  nvcc --version | tail -n 2; uname -srm; sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1; } \
  >"$work/machine.txt" 2>/dev/null

if [ -n "$binaries" ]; then
  bin=$binaries
else
  bin=$build
  configure_and_build
fi
tests=$bin/tests
on_device='--gtest_filter=*/cuda*:FitCuda*'
shards=4
# A rehearsal tries the script, not the tests, of which it runs a few: shard 3 of 10, shared out where a suite has shards.
few=1
[ -z "$rehearse" ] || few=10

step doctor 30 "${luge[@]}" "$bin/luge" doctor
! has bench || run_benchmarks
! has tests || run_tests
! has program || run_program
! has sanitizers || run_sanitizers

rm -f "$work/lock"
summarize | tee "$out/table.txt"
