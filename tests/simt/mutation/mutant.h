#pragma once
// What mutate.py writes into the kernels: every mutation is there, and SIMT_MUTANT chooses one.

#include <cstdlib>

namespace simt {

/// Number of the mutation in force; 0: none.
inline const int kMutant = std::getenv("SIMT_MUTANT") ? std::atoi(std::getenv("SIMT_MUTANT")) : 0;

}  // namespace simt

#define SIMT_MUTATE(number, mutated, original) (::simt::kMutant == (number) ? (mutated) : (original))

/// LUGE_SHARED with one element too few.
#define SIMT_SHRUNK_SHARED(number, T, name, N)                                          \
  static constexpr char name##_declaration = 0;                                         \
  T(&name)[N] = *static_cast<T(*)[N]>(::simt::shared_memory(                            \
      &name##_declaration, sizeof(T[N]) - (::simt::kMutant == (number) ? sizeof(T) : 0), alignof(T)))
