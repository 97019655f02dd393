#pragma once
// How OpenBLAS is set up before its first product.

namespace luge::cpu {

/// Holds OpenBLAS at one thread: its threads spin, and how it splits a product would depend on their number. matmul.cpp
/// splits products itself.
///
/// Gives it kernels for the instructions that the processor has. OpenBLAS knows processors by their model, and takes its
/// oldest kernels for a model newer than itself: 0.3.21 (Debian 12) runs an Emerald Rapids Xeon (2023) by those of
/// Prescott (2004), at a quarter of its speed. The environment variable OPENBLAS_CORETYPE goes before.
void set_up_openblas();

}  // namespace luge::cpu
