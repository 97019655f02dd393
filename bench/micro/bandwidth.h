#pragma once
// What this machine's memory gives, measured beside the benchmarks, because a figure in bytes/s means
// nothing without the ceiling of the same machine in the same minute.

#include <cstdint>

#include <benchmark/benchmark.h>

namespace luge::bench {

enum class Ceiling {
  Copy,  ///< bytes read and bytes written, the better of memcpy and a copy with non-temporal stores
  Read,  ///< bytes read
};

/// Bytes/s of the ceiling with `threads` threads, over buffers far beyond any cache, in huge pages where
/// the system has them: the median of several passes. Measured anew when the last figure is old.
double bandwidth(Ceiling ceiling, int threads);

/// The memory traffic of a benchmark: made right before its loop and asked to report right after it.
/// Like the ceiling, it is timed by the processor time where luge uses one thread, so that whoever else
/// is using the machine cannot stretch it.
class Traffic {
 public:
  Traffic();
  /// Bytes/s for `bytes` moved in each iteration, and as `of_copy` or `of_read` the fraction of the
  /// ceiling with as many threads as luge uses.
  void report(benchmark::State& state, Ceiling ceiling, double bytes) const;

 private:
  int threads_;
  double start_;
};

/// The demo step on n parameters as a hand-written loop would do it, the floor of any engine:
/// x -= lr (6 x - 2), returning the sum of 3 x^2 - 2 x + 3 before the step. 8 bytes per parameter.
float fused_demo_step(float* x, std::int64_t n, float lr);
/// The same with the gradient stored: 12 bytes per parameter.
float fused_demo_step(float* x, float* gradient, std::int64_t n, float lr);

}  // namespace luge::bench
