#pragma once
// Atomic operations of the host, relaxed as CUDA's are: ThreadSanitizer then sees that they order nothing
// but themselves. Each is a point at which the schedule may let another thread go first.

#include <type_traits>

#include "simt/executor/executor.h"

namespace simt {

/// Replaces *place by change(*place) and returns what was there.
template <class T, class Change>
T read_modify_write(T* place, const Change& change) {
  yield();
  T old, fresh;
  __atomic_load(place, &old, __ATOMIC_RELAXED);
  do fresh = change(old);
  while (!__atomic_compare_exchange(place, &old, &fresh, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

}  // namespace simt

template <class T>
T atomicAdd(T* place, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicSub(T* place, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T old) { return static_cast<T>(old - value); });
}
template <class T>
T atomicMin(T* place, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T old) { return value < old ? value : old; });
}
template <class T>
T atomicMax(T* place, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T old) { return old < value ? value : old; });
}
template <class T>
T atomicAnd(T* place, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T old) { return static_cast<T>(old & value); });
}
template <class T>
T atomicOr(T* place, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T old) { return static_cast<T>(old | value); });
}
template <class T>
T atomicExch(T* place, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T) { return value; });
}
template <class T>
T atomicCAS(T* place, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return ::simt::read_modify_write(place, [&](T old) { return old == expected ? value : old; });
}
inline unsigned atomicInc(unsigned* place, unsigned limit) {
  return ::simt::read_modify_write(place, [&](unsigned old) { return old >= limit ? 0u : old + 1; });
}
