// What the monitor keeps of a step's losses: one launch, whose last block writes the ring.

#include "blocks.cuh"
#include "kernels.h"

namespace luge::cuda {

namespace {

/// Of some losses.
struct Summary {
  double sum, min, max;
  std::int64_t finite;
};

struct Summarize {
  __device__ Summary identity() const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return {0, infinity, -infinity, 0};
  }
  __device__ Summary include(const Summary& s, double loss) const {
    if (!(loss - loss == 0)) return s;
    return {s.sum + loss, loss < s.min ? loss : s.min, loss > s.max ? loss : s.max, s.finite + 1};
  }
  __device__ Summary merge(const Summary& a, const Summary& b) const {
    return {a.sum + b.sum, a.min < b.min ? a.min : b.min, a.max > b.max ? a.max : b.max, a.finite + b.finite};
  }
};

/// Where the summary goes.
struct Ring {
  LossSummary* summaries;
  double* rows;
  std::int64_t kept, capacity;
  std::int64_t* counter;
};

/// The number of blocks depends on n alone, and so does the order of additions.
constexpr std::int64_t kMostBlocks = 1024;
constexpr std::int64_t kLossesPerBlock = 16 * kThreads;

template <class T>
__global__ void __launch_bounds__(kThreads)
    record_kernel(const T* losses, std::int64_t n, Summary* partials, const Ring ring, unsigned* finished) {
  const Summarize reducer;
  const std::int64_t step = *ring.counter, slot = step % ring.capacity;
  Summary summary = reducer.identity();
  for (std::int64_t i = grid_thread(); i < n; i += grid_threads())
    summary = reducer.include(summary, static_cast<double>(losses[i]));
  summary = block_reduce(summary, reducer);
  if (threadIdx.x == 0) partials[blockIdx.x] = summary;
  if (ring.rows)
    for (std::int64_t i = grid_thread(); i < ring.kept && i < n; i += grid_threads())
      ring.rows[slot * ring.kept + i] = static_cast<double>(losses[i]);
  __threadfence_system();  // the rows are for the host
  if (!is_last_block(finished)) return;

  summary = reducer.identity();
  for (unsigned b = threadIdx.x; b < gridDim.x; b += kThreads) summary = reducer.merge(summary, partials[b]);
  summary = block_reduce(summary, reducer);
  if (threadIdx.x != 0) return;
  constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
  const bool any = summary.finite > 0;
  LossSummary& row = ring.summaries[slot];
  row.mean = any ? summary.sum / static_cast<double>(summary.finite) : nothing;
  row.min = any ? summary.min : nothing;
  row.max = any ? summary.max : nothing;
  row.not_finite = n - summary.finite;
  __threadfence_system();
  *const_cast<volatile std::int64_t*>(&row.sequence) = step + 1;
  *ring.counter = step + 1;
}

template <class T>
void record(const Context& context, const Record& call) {
  const std::int64_t blocks = std::min(divide_up(call.n, kLossesPerBlock), kMostBlocks);
  const Scratch partials(context, blocks * static_cast<std::int64_t>(sizeof(Summary)));
  launch(context, record_kernel<T>, Grid{blocks}, static_cast<const T*>(call.losses.data), call.n,
         partials.as<Summary>(), Ring{call.ring, call.rows, call.kept, call.capacity, call.counter},
         context.gpu().finished_blocks());
}

}  // namespace

void run(const Context& context, const Record& call) {
  call.losses.dtype == DType::Float64 ? record<double>(context, call) : record<float>(context, call);
}

}  // namespace luge::cuda
