#pragma once
// What the formula text needs from the compiler that reads it. The defaults serve plain host code
// and nvcc; a CPU translation unit that is compiled once per Highway target defines its own first.

#if !defined(__CUDACC_RTC__)
#include <math.h>
#endif

#ifndef LUGE_DIALECT
#define LUGE_DIALECT scalar
#define LUGE_BEFORE_DIALECT
#define LUGE_AFTER_DIALECT
#endif

#ifndef LUGE_FN
#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define LUGE_FN __host__ __device__ inline
#else
#define LUGE_FN inline
#endif
#endif
