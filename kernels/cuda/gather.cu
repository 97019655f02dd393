// Picking along one dimension. Where whole rows are picked, as of an embedding's table, they move in words of up to 16
// bytes.

#include <cstring>

#include "blocks.cuh"
#include "gather.cuh"
#include "kernels.h"
#include "launch.h"

namespace luge::cuda {

namespace {

/// Words are moved as they are; `missing` is what a label outside the range gives. A thread has several in flight.
template <class Word, class Walk>
__global__ void __launch_bounds__(kThreads)
    gather_kernel(const Walk walk, const Steps steps, const Word* source, const std::int64_t* labels, Word* out,
                  const Word missing, IndexFault* fault) {
  using Position = typename Walk::Position;
  constexpr int kWords = 4;
  const auto threads = static_cast<Position>(grid_threads()), count = static_cast<Position>(walk.count);
  for (auto at = static_cast<Position>(grid_thread()); at < count; at += kWords * threads) {
    typename Walk::Index offsets[kWords][3];
    std::int64_t label[kWords];
    Word words[kWords];
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      const Position ahead = at + w * threads;
      walk.offsets(ahead < count ? ahead : at, offsets[w]);
      label[w] = labels[offsets[w][kLabels]];
    }
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      words[w] = missing;
      if (exists(label[w], steps.source_size)) words[w] = source[offsets[w][kSource] + label[w] * steps.source];
    }
#pragma unroll
    for (int w = 0; w < kWords; ++w) {
      if (w > 0 && at + w * threads >= count) break;
      out[offsets[w][kOut]] = words[w];
      if (!exists(label[w], steps.source_size)) report(fault, label[w], steps.source_size);
    }
  }
}

// ---- launch -------------------------------------------------------------------------------------

void gather(const Context& context, const Gather& call, Space<3> windows, Steps steps) {
  const int n = neighbours(windows, steps, call);
  widen(windows, steps, n);
  const std::size_t bytes = size_of(call.source.dtype);
  unsigned char missing[16] = {};
  if (is_floating(call.source.dtype))
    with_element(call.source.dtype, [&]<class T>() {
      const T nan = quiet_nan<T>();
      for (std::size_t i = 0; i < sizeof(missing); i += sizeof(T)) std::memcpy(missing + i, &nan, sizeof(T));
    });
  with_wide_word(bytes * static_cast<std::size_t>(n), [&]<class Word>() {
    Word word;
    std::memcpy(&word, missing, sizeof(Word));
    with_walk(windows, windows.is_narrow(), [&]<class Walk>(const Walk& walk) {
      launch(context, gather_kernel<Word, Walk>, grid_stride(context, windows.count(), 4 * kThreads), walk, steps,
             static_cast<const Word*>(call.source.data), static_cast<const std::int64_t*>(call.index.data),
             static_cast<Word*>(call.out.data), word, context.gpu().fault());
    });
  });
}

}  // namespace

void run(const Context& context, const Gather& call) {
  const auto dim = static_cast<std::size_t>(call.dim);
  Strides source = call.source.strides;
  source[dim] = 0;
  const Steps steps{call.source.strides[dim], call.source_size, 0};
  if (call.direction == Direction::Backward) return put_back(context, call, source, steps);
  gather(context, call, {dims(call.extent), {source.data(), call.out.strides.data(), call.index.strides.data()}}, steps);
}

}  // namespace luge::cuda
