// What the monitor keeps of a step's losses: one launch, whose last block writes the ring.

#include "kernels.h"
#include "launch.h"
#include "summary.cuh"

namespace luge::cuda {

namespace {

template <class T>
__global__ void __launch_bounds__(kThreads)
    record_kernel(const T* losses, std::int64_t n, const Ring ring, unsigned* finished) {
  const Summarize reducer;
  const std::int64_t step = ring.step(), chunks = divide_up(n, kChunk);
  for (std::int64_t chunk = WarpTeam::first(); chunk < chunks; chunk += WarpTeam::step()) {
    const std::int64_t end = (chunk + 1) * kChunk < n ? (chunk + 1) * kChunk : n;
    Summary summary = reducer.identity();
    for (std::int64_t at = chunk * kChunk + WarpTeam::rank() * kRun; at < end; at += kLap)
      for (std::int64_t i = at; i < end && i < at + kRun; ++i) {
        const auto loss = static_cast<double>(losses[i]);
        summary = reducer.include(summary, loss);
        ring.keep(step, i, loss);
      }
    summary = warp_reduce(summary, reducer);
    if (WarpTeam::rank() == 0) ring.partials[chunk] = summary;
  }
  __threadfence_system();  // the rows are for the host
  if (is_last_block(finished)) ring.finish(step, n);
}

template <class T>
void record(const Context& context, const Record& call) {
  const Scratch partials(context, summary_partials(call.n) * static_cast<std::int64_t>(sizeof(Summary)));
  launch(context, record_kernel<T>, grid_stride(context, divide_up(call.n, kChunk), kWarps),
         static_cast<const T*>(call.losses.data), call.n,
         Ring{call.ring, call.rows, call.kept, call.capacity, call.counter, partials.as<Summary>()},
         context.gpu().finished_blocks());
}

}  // namespace

void run(const Context& context, const Record& call) {
  call.losses.dtype == DType::Float64 ? record<double>(context, call) : record<float>(context, call);
}

}  // namespace luge::cuda
