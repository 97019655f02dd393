#pragma once
// One matrix product, as the CPU's kernels are given it.

#include <cstdint>

namespace luge::cpu {

/// A matrix in memory; strides in elements.
template <class T>
struct Matrix {
  T* data;
  std::int64_t row, column;

  Matrix transposed() const { return {data, column, row}; }
};

/// What becomes of an element of c before it is stored: nothing, relu(c), or c as the gradient of a relu whose result is y.
enum class Epilogue : std::uint8_t { None, Relu, ReluBackward };

/// c = before + a b with a m x k, b k x n. `before` is c itself, a row or a column that repeats (stride 0), or no memory,
/// which is nothing.
template <class T>
struct Product {
  std::int64_t m, n, k;
  Matrix<const T> a, b;
  Matrix<T> c;
  Matrix<const T> before;
  Epilogue epilogue = Epilogue::None;
  Matrix<const T> y{};  ///< of ReluBackward; contiguous in the same direction as c

  /// c^T = before^T + b^T a^T.
  Product transposed() const {
    return {n, m, k, b.transposed(), a.transposed(), c.transposed(), before.transposed(), epilogue, y.transposed()};
  }
};

}  // namespace luge::cpu
