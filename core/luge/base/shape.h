#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace luge {

/// Most dimensions a tensor can have.
inline constexpr int kMaxDims = 8;

/// Up to kMaxDims 64-bit numbers, one per dimension, held inline: a tensor's sizes or its strides.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<std::int64_t> values) : Dims(std::span(values.begin(), values.size())) {}
  explicit Dims(std::span<const std::int64_t> values);
  static Dims filled(int ndim, std::int64_t value);

  int ndim() const { return ndim_; }
  bool empty() const { return ndim_ == 0; }
  std::int64_t operator[](int dim) const { return values_[static_cast<std::size_t>(dim)]; }
  std::int64_t& operator[](int dim) { return values_[static_cast<std::size_t>(dim)]; }
  const std::int64_t* begin() const { return values_.data(); }
  const std::int64_t* end() const { return values_.data() + ndim_; }
  std::int64_t* begin() { return values_.data(); }
  std::int64_t* end() { return values_.data() + ndim_; }
  std::int64_t back() const { return values_[static_cast<std::size_t>(ndim_ - 1)]; }

  /// Appends one dimension. Throws ShapeError beyond kMaxDims.
  void push_back(std::int64_t value);
  void insert(int dim, std::int64_t value);
  void erase(int dim);

  friend bool operator==(const Dims& a, const Dims& b) {
    if (a.ndim_ != b.ndim_) return false;
    for (int d = 0; d < a.ndim_; ++d)
      if (a[d] != b[d]) return false;
    return true;
  }

 private:
  std::array<std::int64_t, kMaxDims> values_;  // only the first ndim_ are ever read
  int ndim_ = 0;
};

/// A tensor's sizes, outermost first.
using Shape = Dims;
/// Steps between neighbours along each dimension, in elements; 0 for a broadcast dimension.
using Strides = Dims;

/// Product of the sizes; 1 for a 0-d shape. Throws ShapeError for a negative size or beyond 2^63 - 1.
std::int64_t element_count(const Shape& shape);

/// Strides of a row-major tensor without gaps. Throws ShapeError beyond 2^63 - 1, which only empty shapes reach.
Strides contiguous_strides(const Shape& shape);

/// True where walking `shape` in row-major order touches consecutive elements.
bool is_contiguous(const Shape& shape, const Strides& strides);

/// "(2, 3, 4)", "()" for 0-d, "(5,)" for 1-d, as NumPy writes it.
std::string to_string(const Dims& dims);

/// NumPy's broadcasting of two shapes. Throws ShapeError naming `op` and both shapes.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

/// Strides that make a tensor of `shape` and `strides` look like `target` (0 where it repeats).
/// `target` must be a valid broadcast of `shape`; throws ShapeError naming `op` otherwise.
Strides broadcast_strides(const char* op, const Shape& shape, const Strides& strides, const Shape& target);

/// Turns a dimension counted from the end (-1 is the last) into one counted from the front.
/// Throws IndexError naming `op`, the dimension and the range allowed.
int normalize_dim(const char* op, std::int64_t dim, int ndim);

/// The strides of a view of `shape` elements as `target`, without moving data; false if impossible.
bool view_strides(const Shape& shape, const Strides& strides, const Shape& target, Strides& result);

}  // namespace luge
