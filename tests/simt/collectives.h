#pragma once
// Barriers, votes, shuffles and reductions of the threads of a block or a warp. Each knows the line it is
// called from, so that threads that meet at different ones are reported by line.

#include <cstring>
#include <type_traits>

#include "simt/executor/executor.h"

namespace simt {

template <class T>
std::uint64_t to_bits(const T& value) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t) && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}

template <class T>
T from_bits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

inline std::uint64_t meet_block(Meeting meeting, bool predicate, Location where) {
  return meet({.meeting = meeting, .value = predicate ? 1u : 0u, .where = where});
}

inline unsigned meet_warp(Meeting meeting, unsigned mask, std::uint64_t value, Location where) {
  return static_cast<unsigned>(meet({.meeting = meeting, .mask = mask, .value = value, .where = where}));
}

template <class T>
T shuffle(Meeting meeting, unsigned mask, T value, int parameter, int width, Location where) {
  return from_bits<T>(meet({meeting, mask, to_bits(value), parameter, width, where}));
}

}  // namespace simt

// NOLINTBEGIN(bugprone-reserved-identifier): these are CUDA's names.
#define SIMT_WHERE ::simt::Location where = ::simt::Location::here()

inline void __syncthreads(SIMT_WHERE) { ::simt::meet_block(::simt::Meeting::Barrier, false, where); }
inline int __syncthreads_or(int predicate, SIMT_WHERE) {
  return static_cast<int>(::simt::meet_block(::simt::Meeting::BarrierOr, predicate != 0, where));
}
inline int __syncthreads_and(int predicate, SIMT_WHERE) {
  return static_cast<int>(::simt::meet_block(::simt::Meeting::BarrierAnd, predicate != 0, where));
}
inline int __syncthreads_count(int predicate, SIMT_WHERE) {
  return static_cast<int>(::simt::meet_block(::simt::Meeting::BarrierCount, predicate != 0, where));
}
inline void __syncwarp(unsigned mask = ~0u, SIMT_WHERE) {
  ::simt::meet_warp(::simt::Meeting::WarpBarrier, mask, 0, where);
}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, SIMT_WHERE) {
  return ::simt::shuffle(::simt::Meeting::ShuffleIndex, mask, value, lane, width, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, int distance, int width = 32, SIMT_WHERE) {
  return ::simt::shuffle(::simt::Meeting::ShuffleUp, mask, value, distance, width, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int distance, int width = 32, SIMT_WHERE) {
  return ::simt::shuffle(::simt::Meeting::ShuffleDown, mask, value, distance, width, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, SIMT_WHERE) {
  return ::simt::shuffle(::simt::Meeting::ShuffleXor, mask, value, lane_mask, width, where);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, SIMT_WHERE) {
  return ::simt::meet_warp(::simt::Meeting::Ballot, mask, predicate != 0 ? 1 : 0, where);
}
inline int __any_sync(unsigned mask, int predicate, SIMT_WHERE) {
  return static_cast<int>(::simt::meet_warp(::simt::Meeting::Any, mask, predicate != 0 ? 1 : 0, where));
}
inline int __all_sync(unsigned mask, int predicate, SIMT_WHERE) {
  return static_cast<int>(::simt::meet_warp(::simt::Meeting::All, mask, predicate != 0 ? 1 : 0, where));
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value, SIMT_WHERE) {
  return ::simt::meet_warp(::simt::Meeting::MatchAny, mask, ::simt::to_bits(value), where);
}
inline unsigned __reduce_add_sync(unsigned mask, unsigned value, SIMT_WHERE) {
  return ::simt::meet_warp(::simt::Meeting::ReduceAdd, mask, value, where);
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value, SIMT_WHERE) {
  return ::simt::meet_warp(::simt::Meeting::ReduceMin, mask, value, where);
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value, SIMT_WHERE) {
  return ::simt::meet_warp(::simt::Meeting::ReduceMax, mask, value, where);
}

#undef SIMT_WHERE

// A fence of the block orders nothing that the barriers do not order for a correct kernel, too.
inline void __threadfence_block() {}
inline void __threadfence() { ::simt::fence(); }
inline void __threadfence_system() { ::simt::fence(); }
// NOLINTEND(bugprone-reserved-identifier)
