#pragma once
// The device functions that kernels use and <math.h> has not.

// NOLINTBEGIN(bugprone-reserved-identifier): these are CUDA's names.
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
template <class T>
T __ldg(const T* place) {
  return *place;
}
// NOLINTEND(bugprone-reserved-identifier)
