#pragma once
// Matrix products by cuBLASLt, each kind of them by an algorithm that is chosen once.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>

#include "cublas.h"

namespace luge::cuda {

class Context;
class Memory;

/// A matrix as cuBLAS reads it: column by column, `leading` elements apart; `step` elements to the next of the batch.
/// What a product is added to may have one column for all, 0 apart.
struct BlasMatrix {
  bool transposed = false;
  std::int64_t leading = 1, step = 0;
  std::uint32_t alignment = 0;  ///< bytes, up to 16, that the addresses of all matrices are multiples of

  auto operator<=>(const BlasMatrix&) const = default;
};

/// c (=, +=) a b with c of m x n, in columns.
struct BlasProduct {
  bool wide = false;  ///< float64
  bool allow_tf32 = false;
  std::int64_t m = 0, n = 0, k = 0, count = 1;
  BlasMatrix a, b, c;

  auto operator<=>(const BlasProduct&) const = default;
};

/// cuBLASLt on one GPU, opened on first use.
class Blas {
 public:
  /// Algorithms that need more than the workspace are not used. It is at one address for good, because graphs hold it.
  Blas(Memory& memory, std::size_t workspace_bytes) : memory_(memory), workspace_bytes_(workspace_bytes) {}
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  /// Queues the product on the context's stream. False, and nothing is queued, where cuBLASLt has no algorithm for it.
  /// The algorithm depends on one product alone, not on how many there are.
  bool multiply(const Context& context, const BlasProduct& product, const std::byte* a, const std::byte* b,
                std::byte* c, bool accumulate);

  /// Whether multiply's algorithm for the product also computes c = before + a b, where `before` lies otherwise than c.
  bool takes_before(const Context& context, const BlasProduct& product, const BlasMatrix& before);
  /// Queues c = before + a b; takes_before holds.
  void multiply_onto(const Context& context, const BlasProduct& product, const std::byte* a, const std::byte* b,
                     const BlasMatrix& before, const std::byte* before_data, std::byte* c);

 private:
  struct Choice {
    bool found = false;
    bool at_once = false;  ///< the whole batch in one call, not matrix by matrix
    cublasLtMatmulAlgo_t algorithm{};
  };
  /// What is added to a product before it is stored.
  struct Addend {
    const BlasMatrix& lies;
    const std::byte* data;
    bool counts;  ///< false: nothing is added
  };

  void open(const char* op);
  Choice choice(const Context& context, const BlasProduct& product);
  Choice choice(const Context& context, const BlasProduct& product, const BlasMatrix& before);
  Choice choose(const BlasProduct& product, const char* op) const;
  bool runs(const Choice& choice, const BlasProduct& product, const BlasMatrix& before, std::int64_t count,
            const char* op) const;
  void queue(const Context& context, const Choice& choice, const BlasProduct& product, const std::byte* a,
             const std::byte* b, const Addend& addend, std::byte* c) const;

  Memory& memory_;
  std::mutex mutex_;
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  std::size_t workspace_bytes_;
  std::map<BlasProduct, Choice> choices_;
  std::map<std::pair<BlasProduct, BlasMatrix>, Choice> onto_;  ///< the same algorithms, where they take the addend
};

}  // namespace luge::cuda
