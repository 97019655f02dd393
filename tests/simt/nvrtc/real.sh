#!/bin/sh
# The kernels that the capture tests generate, compiled by NVIDIA's NVRTC. Usage: real.sh REAL TEST_CAPTURE
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/sources"
LUGE_CACHE=$folder/cache SIMT_NVRTC_SOURCES=$folder/sources "$2" --gtest_brief=1 \
  --gtest_filter='*PlanTest.*/cuda:*ReplayTest.EveryOptimizer/cuda:*ReplayTest.CurveFits/cuda' >/dev/null
for architecture in sm_80 sm_90; do "$1" "$architecture" "$folder"/sources/*.cu; done
