// Picking along one dimension, and adding back.
//
// The way back has no floating-point atomics: the elements of `index` that name the same place of a
// line are linked in their order, and the first of them adds up all the gradients of the chain. A link
// is found by looking ahead for the next equal label, once per line of `index`, however often
// broadcasting repeats that line (an embedding's is searched once for all columns).

#include <array>
#include <cstring>

#include <luge/base/detail/dispatch.h>

#include "blocks.cuh"
#include "kernels.h"
#include "launch.h"
#include "walk.cuh"

namespace luge::cuda {

namespace {

/// Strides along the picked dimension, apart from the walk over everything.
struct Steps {
  std::int64_t source = 0, source_size = 0;
  std::int64_t out = 0, link = 0;
};

__device__ inline bool exists(std::int64_t label, std::int64_t size) { return label >= 0 && label < size; }

__device__ inline void report(IndexFault* fault, std::int64_t label, std::int64_t size) {
  if (atomicCAS(&fault->reported, 0, 1) != 0) return;
  fault->index = label;
  fault->size = size;
}

/// Words are moved as they are; `missing` is what a label outside the range gives. The walk is over
/// source (not along the dimension), index and out.
template <class Word>
__global__ void __launch_bounds__(kThreads)
    gather_kernel(const Walk<3> walk, const Steps steps, const Word* source, const std::int64_t* index, Word* out,
                  Word missing, IndexFault* fault) {
  for (std::int64_t at = grid_thread(); at < walk.count; at += grid_threads()) {
    std::int64_t offsets[3];
    walk.offsets(at, offsets);
    const std::int64_t label = index[offsets[1]];
    Word word = missing;
    if (exists(label, steps.source_size))
      word = source[offsets[0] + label * steps.source];
    else
      report(fault, label, steps.source_size);
    out[offsets[2]] = word;
  }
}

/// links[i] = how far ahead in its line the next equal label stands, 0 if there is none; followers[i]
/// becomes 1 where an equal one stands before (it starts as 0). The walk is over index and links.
__global__ void __launch_bounds__(kThreads)
    link_kernel(const Walk<2> walk, std::int64_t length, std::int64_t inner, std::int64_t index_step,
                std::int64_t link_step, const std::int64_t* index, std::int64_t* links, unsigned char* followers) {
  for (std::int64_t at = grid_thread(); at < walk.count; at += grid_threads()) {
    std::int64_t offsets[2];
    walk.offsets(at, offsets);
    const std::int64_t line = quick_quotient(at, inner);
    const std::int64_t left = length - 1 - (line - quick_quotient(line, length) * length);
    const std::int64_t label = index[offsets[0]];
    std::int64_t ahead = 1;
    while (ahead <= left && index[offsets[0] + ahead * index_step] != label) ++ahead;
    links[offsets[1]] = ahead <= left ? ahead : 0;
    if (ahead <= left) followers[offsets[1] + ahead * link_step] = 1;
  }
}

/// source[.., index, ..] = what the last of the chain gives: nobody stands ahead of it. Words are moved as they are;
/// the walk is over source (not along the dimension), index, out and links.
template <class Word>
__global__ void __launch_bounds__(kThreads)
    scatter_kernel(const Walk<4> walk, const Steps steps, Word* source, const std::int64_t* index, const Word* out,
                   const std::int64_t* links, IndexFault* fault) {
  for (std::int64_t at = grid_thread(); at < walk.count; at += grid_threads()) {
    std::int64_t offsets[4];
    walk.offsets(at, offsets);
    if (links[offsets[3]] != 0) continue;
    const std::int64_t label = index[offsets[1]];
    if (exists(label, steps.source_size))
      source[offsets[0] + label * steps.source] = out[offsets[2]];
    else
      report(fault, label, steps.source_size);
  }
}

/// source[.., index, ..] += the chain's gradients, in order and in float64. The walk is over source (not
/// along the dimension), index, out and links. Without links every chain has one gradient.
template <class T>
__global__ void __launch_bounds__(kThreads)
    scatter_add_kernel(const Walk<4> walk, const Steps steps, T* source, const std::int64_t* index, const T* out,
                       const std::int64_t* links, const unsigned char* followers, IndexFault* fault) {
  for (std::int64_t at = grid_thread(); at < walk.count; at += grid_threads()) {
    std::int64_t offsets[4];
    walk.offsets(at, offsets);
    std::int64_t link = offsets[3];
    if (links && followers[link]) continue;
    const std::int64_t label = index[offsets[1]];
    if (!exists(label, steps.source_size)) {
      report(fault, label, steps.source_size);
      continue;
    }
    const T* gradient = out + offsets[2];
    double sum = static_cast<double>(*gradient);
    for (std::int64_t ahead = links ? links[link] : 0; ahead != 0; ahead = links[link]) {
      gradient += ahead * steps.out;
      link += ahead * steps.link;
      sum += static_cast<double>(*gradient);
    }
    T& place = source[offsets[0] + label * steps.source];
    place = static_cast<T>(static_cast<double>(place) + sum);
  }
}

// ---- launch -------------------------------------------------------------------------------------

template <class Word>
void gather(const Context& context, const Gather& call, const Walk<3>& walk, const Steps& steps) {
  Word missing = 0;
  if (is_floating(call.source.dtype))
    with_element(call.source.dtype, [&]<class T>() {
      const T nan = quiet_nan<T>();
      if constexpr (sizeof(T) == sizeof(Word)) std::memcpy(&missing, &nan, sizeof(Word));
    });
  launch(context, gather_kernel<Word>, grid_stride(context, walk.count, kThreads), walk, steps,
         static_cast<const Word*>(call.source.data), static_cast<const std::int64_t*>(call.index.data),
         static_cast<Word*>(call.out.data), missing, context.gpu().fault());
}

/// Searches the links and hands them on: launch(steps, walk, index, links, followers).
void with_links(const Context& context, const Gather& call, const std::int64_t* source_strides, Steps steps,
                const auto& use) {
  const auto dim = static_cast<std::size_t>(call.dim), ndim = static_cast<std::size_t>(call.extent.ndim);
  // The links lie contiguously over the dimensions along which the index changes.
  Extent lines = call.extent;
  std::array<std::int64_t, kMaxDims> link_strides{};
  std::int64_t count = 1, inner = 1;
  for (std::size_t d = ndim; d-- > 0;) {
    if (d != dim && call.index.strides[d] == 0) lines.sizes[d] = 1;
    link_strides[d] = lines.sizes[d] == 1 ? 0 : count;
    count *= lines.sizes[d];
    if (d > dim) inner *= lines.sizes[d];
  }
  steps.link = link_strides[dim];
  const Scratch memory(context, count * static_cast<std::int64_t>(sizeof(std::int64_t) + 1));
  auto* const links = memory.as<std::int64_t>();
  auto* const followers = reinterpret_cast<unsigned char*>(links + count);
  check(cudaMemsetAsync(followers, 0, static_cast<std::size_t>(count), context.stream()), context.op(),
        "cudaMemsetAsync");

  const auto* const index = static_cast<const std::int64_t*>(call.index.data);
  const auto search = make_walk<2>(dims(lines), {call.index.strides.data(), link_strides.data()});
  launch(context, link_kernel, grid_stride(context, count, kThreads), search, call.extent.sizes[dim], inner,
         call.index.strides[dim], steps.link, index, links, followers);
  const auto walk = make_walk<4>(
      dims(call.extent), {source_strides, call.index.strides.data(), call.out.strides.data(), link_strides.data()});
  use(steps, walk, index, static_cast<const std::int64_t*>(links), static_cast<const unsigned char*>(followers));
}

template <class T>
void scatter_add(const Context& context, const Gather& call, const std::int64_t* source_strides, const Steps& steps) {
  const auto add = [&](const Steps& own, const Walk<4>& walk, const std::int64_t* index, const std::int64_t* links,
                       const unsigned char* followers) {
    launch(context, scatter_add_kernel<T>, grid_stride(context, walk.count, kThreads), walk, own,
           static_cast<T*>(call.source.data), index, static_cast<const T*>(call.out.data), links, followers,
           context.gpu().fault());
  };
  if (!call.distinct) return with_links(context, call, source_strides, steps, add);
  const auto walk =
      make_walk<4>(dims(call.extent), {source_strides, call.index.strides.data(), call.out.strides.data(), nullptr});
  add(steps, walk, static_cast<const std::int64_t*>(call.index.data), nullptr, nullptr);
}

template <class Word>
void scatter(const Context& context, const Gather& call, const std::int64_t* source_strides, const Steps& steps) {
  with_links(context, call, source_strides, steps,
             [&](const Steps& own, const Walk<4>& walk, const std::int64_t* index, const std::int64_t* links,
                 const unsigned char*) {
               launch(context, scatter_kernel<Word>, grid_stride(context, walk.count, kThreads), walk, own,
                      static_cast<Word*>(call.source.data), index, static_cast<const Word*>(call.out.data), links,
                      context.gpu().fault());
             });
}

}  // namespace

void run(const Context& context, const Gather& call) {
  const auto dim = static_cast<std::size_t>(call.dim);
  std::array<std::int64_t, kMaxDims> source_strides = call.source.strides;
  source_strides[dim] = 0;
  const Steps steps{call.source.strides[dim], call.source_size, call.out.strides[dim], 0};
  if (call.direction == Direction::Backward && call.store == Store::Accumulate)
    return with_floating(call.source.dtype,
                         [&]<class T>() { scatter_add<T>(context, call, source_strides.data(), steps); });
  with_word(size_of(call.source.dtype), [&]<class Word>() {
    if (call.direction == Direction::Backward) return scatter<Word>(context, call, source_strides.data(), steps);
    const auto walk =
        make_walk<3>(dims(call.extent), {source_strides.data(), call.index.strides.data(), call.out.strides.data()});
    gather<Word>(context, call, walk, steps);
  });
}

}  // namespace luge::cuda
