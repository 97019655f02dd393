#pragma once
// Which instruction sets the vector code is compiled for, chosen at run time: AVX-512, AVX2, and plain
// C++ for anything older on x86 (few targets keep compile time low). Also makes each pass of Highway's
// foreach_target a dialect of the formula headers. Included before any Highway header.

#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
// The fallback is Highway's one-lane target with every compiler, not emulated 128-bit vectors.
#ifndef HWY_BROKEN_EMU128
#define HWY_BROKEN_EMU128 1
#endif

// Formulas are always inlined: g++ -O0 passes wide vectors between functions of a target wrongly.
#define LUGE_FN inline __attribute__((always_inline))
#define LUGE_DIALECT HWY_NAMESPACE
#define LUGE_BEFORE_DIALECT HWY_BEFORE_NAMESPACE();
#define LUGE_AFTER_DIALECT HWY_AFTER_NAMESPACE();

/// What HWY_TARGET_INCLUDE must be for a source file of this folder.
#define LUGE_CPU_SOURCE(file) <kernels/cpu/file>
