#!/bin/sh
# A binary with CUDA inside has to start on a machine without a GPU or driver, work on the CPU there, and say
# truly why the GPU cannot be used. Usage: cuda_without_gpu.sh PROGRAM HAS_CUDA; exit code 77 where there is
# nothing to try.
set -eu
luge=$1
if [ "$2" != ON ]; then
  echo "cuda_without_gpu: skipped, this build has no CUDA (no nvcc on this machine, or LUGE_CUDA=OFF)"
  exit 77
fi
"$luge" doctor
status=0
message=$("$luge" demo --device cuda 2>&1) || status=$?
if [ "$status" -eq 0 ]; then
  echo "cuda_without_gpu: skipped, this machine has a GPU and the demo runs on it"
  exit 77
fi
printf 'luge demo --device cuda: exit code %s\n%s\n' "$status" "$message"
[ "$status" -eq 1 ]
echo "$message" | grep -Eq 'no driver|driver too old|no device|does not start|architecture not in this binary'
"$luge" demo --device cpu >/dev/null
echo "cuda_without_gpu: starts, refuses --device cuda with the reason, runs on the CPU"
