#include "bandwidth.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <new>
#include <thread>
#include <vector>

#include <luge/base/threads.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define LUGE_BENCH_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LUGE_BENCH_CLONES
#endif

namespace luge::bench {

namespace {

/// Seconds of the clock that fits a measurement with `threads` threads.
double seconds_now(int threads) {
  timespec time{};
  clock_gettime(threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

constexpr std::size_t kBuffer = std::size_t{128} << 20;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr int kPasses = 5;
constexpr double kFresh = 2.0;  // seconds

/// Memory in huge pages, touched once, for the life of the process.
std::byte* buffer() {
  auto* const data = static_cast<std::byte*>(::operator new(kBuffer, std::align_val_t{kHugePage}));
  madvise(data, kBuffer, MADV_HUGEPAGE);
  std::memset(data, 1, kBuffer);
  return data;
}

LUGE_BENCH_CLONES std::uint64_t sum_words(const std::uint64_t* data, std::size_t n) {
  std::uint64_t sums[32] = {};
  for (std::size_t i = 0; i + 32 <= n; i += 32)
    for (std::size_t j = 0; j < 32; ++j) sums[j] += data[i + j];
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  return sum;
}

void read(std::byte*, const std::byte* from, std::size_t bytes) {
  benchmark::DoNotOptimize(sum_words(reinterpret_cast<const std::uint64_t*>(from), bytes / 8));
}

void plain_copy(std::byte* to, const std::byte* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

#if defined(__x86_64__)
__attribute__((target("avx"))) void streaming_copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) {
    const __m256 a = _mm256_loadu_ps(reinterpret_cast<const float*>(from + i));
    const __m256 b = _mm256_loadu_ps(reinterpret_cast<const float*>(from + i + 32));
    _mm256_stream_ps(reinterpret_cast<float*>(to + i), a);
    _mm256_stream_ps(reinterpret_cast<float*>(to + i + 32), b);
  }
  _mm_sfence();
}
bool can_stream() { return __builtin_cpu_supports("avx"); }
#else
void streaming_copy(std::byte* to, const std::byte* from, std::size_t bytes) { plain_copy(to, from, bytes); }
bool can_stream() { return false; }
#endif

using Pass = void (*)(std::byte* to, const std::byte* from, std::size_t bytes);

/// Median seconds of one pass over the buffers, cut evenly among threads.
double seconds(Pass pass, int threads, std::byte* to, const std::byte* from) {
  const std::size_t share = kBuffer / static_cast<std::size_t>(threads) / 4096 * 4096;
  std::array<double, kPasses> times{};
  for (double& time : times) {
    const double start = seconds_now(threads);
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t) {
      const std::size_t offset = share * static_cast<std::size_t>(t);
      others.emplace_back(pass, to + offset, from + offset, share);
    }
    pass(to, from, share);
    for (std::thread& other : others) other.join();
    time = seconds_now(threads) - start;
  }
  std::nth_element(times.begin(), times.begin() + kPasses / 2, times.end());
  const double whole = static_cast<double>(kBuffer) / static_cast<double>(share * static_cast<std::size_t>(threads));
  return times[kPasses / 2] * whole;
}

double measure(Ceiling ceiling, int threads) {
  static std::byte* const from = buffer();
  static std::byte* const to = buffer();
  constexpr double kBytes = kBuffer;
  if (ceiling == Ceiling::Read) return kBytes / seconds(read, threads, to, from);
  double best = seconds(plain_copy, threads, to, from);
  if (can_stream()) best = std::min(best, seconds(streaming_copy, threads, to, from));
  return 2 * kBytes / best;
}

struct Measured {
  Ceiling ceiling;
  int threads;
  double when;  ///< of the wall clock
  double bandwidth;
};

}  // namespace

double bandwidth(Ceiling ceiling, int threads) {
  static std::vector<Measured> known;
  const double now = seconds_now(0);
  const auto found = std::find_if(known.begin(), known.end(), [&](const Measured& m) {
    return m.ceiling == ceiling && m.threads == threads;
  });
  if (found == known.end()) {
    known.push_back({ceiling, threads, now, measure(ceiling, threads)});
    return known.back().bandwidth;
  }
  if (now - found->when > kFresh) *found = {ceiling, threads, now, measure(ceiling, threads)};
  return found->bandwidth;
}

Traffic::Traffic() : threads_(num_threads()), start_(seconds_now(threads_)) {}

void Traffic::report(benchmark::State& state, Ceiling ceiling, double bytes) const {
  const double rate = bytes * static_cast<double>(state.iterations()) / (seconds_now(threads_) - start_);
  state.counters["bytes/s"] = rate;
  state.counters[ceiling == Ceiling::Copy ? "of_copy" : "of_read"] = rate / bandwidth(ceiling, threads_);
}

namespace {

/// `Store` keeps the gradient or drops it. Sixteen sums in turn let the compiler use vectors.
template <class Store>
inline __attribute__((always_inline)) float demo_step(float* x, std::int64_t n, float lr, Store store) {
  constexpr std::int64_t kLanes = 16;
  float sums[kLanes] = {};
  const auto one = [&](std::int64_t i, std::int64_t lane) {
    const float value = x[i], gradient = 6 * value - 2;
    sums[lane] += (3 * value - 2) * value + 3;
    store(i, gradient);
    x[i] = value - lr * gradient;
  };
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) one(i + lane, lane);
  for (; i < n; ++i) one(i, 0);
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

}  // namespace

LUGE_BENCH_CLONES float fused_demo_step(float* x, std::int64_t n, float lr) {
  return demo_step(x, n, lr, [](std::int64_t, float) {});
}

LUGE_BENCH_CLONES float fused_demo_step(float* __restrict x, float* __restrict gradient, std::int64_t n, float lr) {
  return demo_step(x, n, lr, [gradient](std::int64_t i, float value) { gradient[i] = value; });
}

}  // namespace luge::bench
