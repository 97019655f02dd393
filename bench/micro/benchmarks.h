#pragma once
// The groups of benchmarks; each function registers one. Names read group/what/size, so that
// `luge_bench --benchmark_filter=demo` runs a part.

#include <cstdint>

#include "inputs.h"

namespace luge::bench {

void add_elementwise();
void add_reductions();
void add_rows();        ///< softmax and cross entropy
void add_sort();        ///< sort and topk
void add_matmul();
void add_autograd();
void add_demo();
void add_training();    ///< the MLP step and the optimizers
void add_networks();    ///< small ones, many at once, and larger ones
void add_allocation();

/// Elements of a float32 tensor of 64 MB, beyond the caches of today's desktops.
inline constexpr std::int64_t kLarge = std::int64_t{1} << 24;
inline constexpr std::int64_t kSmall = 1000;

}  // namespace luge::bench
