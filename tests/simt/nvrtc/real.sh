#!/bin/sh
# The kernels that tests generate, compiled by NVIDIA's NVRTC. Usage: real.sh REAL TEST_CAPTURE TEST_SIMT TEST_FIT
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/sources"
export LUGE_CACHE=$folder/cache SIMT_NVRTC_SOURCES=$folder/sources
"$2" --gtest_brief=1 --gtest_filter='*PlanTest.*/cuda:*ReplayTest.EveryOptimizer/cuda:*ReplayTest.CurveFits/cuda' >/dev/null
"$3" --gtest_brief=1 --gtest_filter='FusedTest.ManySteps*:SegmentKernelTest.HasTheBits*' >/dev/null
"$4" --gtest_brief=1 --gtest_filter='FitCudaTest.ModelsOfEveryKind:FitCudaTest.ManyParameters*:FitCudaTest.EveryLoss' >/dev/null
"$1" sm_90 "$folder"/sources/*.cu
