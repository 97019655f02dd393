#include <luge/base/shape.h>

#include <algorithm>

#include <luge/base/detail/check.h>

namespace luge {

Dims::Dims(std::span<const std::int64_t> values) {
  LUGE_CHECK(ShapeError, values.size() <= static_cast<std::size_t>(kMaxDims),
             "shape: {} dimensions given; at most {} are supported", values.size(), kMaxDims);
  std::copy(values.begin(), values.end(), values_.begin());
  ndim_ = static_cast<int>(values.size());
}

Dims Dims::filled(int ndim, std::int64_t value) {
  Dims dims;
  for (int d = 0; d < ndim; ++d) dims.push_back(value);
  return dims;
}

void Dims::push_back(std::int64_t value) { insert(ndim_, value); }

void Dims::insert(int dim, std::int64_t value) {
  LUGE_CHECK(ShapeError, ndim_ < kMaxDims, "shape: the shape {} with one more dimension has too many; at most {} are supported",
             to_string(*this), kMaxDims);
  for (int d = ndim_; d > dim; --d) (*this)[d] = (*this)[d - 1];
  ++ndim_;
  (*this)[dim] = value;
}

void Dims::erase(int dim) {
  for (int d = dim; d + 1 < ndim_; ++d) (*this)[d] = (*this)[d + 1];
  --ndim_;
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    LUGE_CHECK(ShapeError, size >= 0, "shape: the shape {} has a negative size; sizes must be 0 or more", to_string(shape));
    empty |= size == 0;
  }
  if (empty) return 0;
  for (const std::int64_t size : shape)
    LUGE_CHECK(ShapeError, !__builtin_mul_overflow(count, size, &count),
               "shape: the shape {} has more than 2^63 - 1 elements", to_string(shape));
  return count;
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = Strides::filled(shape.ndim(), 1);
  for (int d = shape.ndim() - 2; d >= 0; --d)
    LUGE_CHECK(ShapeError,
               !__builtin_mul_overflow(strides[d + 1], std::max<std::int64_t>(shape[d + 1], 1), &strides[d]),
               "shape: the shape {} has strides beyond 2^63 - 1", to_string(shape));
  return strides;
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  std::int64_t step = 1;
  for (int d = shape.ndim() - 1; d >= 0; --d) {
    if (shape[d] == 0) return true;
    if (shape[d] == 1) continue;
    if (strides[d] != step) return false;
    step *= shape[d];
  }
  return true;
}

std::string to_string(const Dims& dims) {
  if (dims.ndim() == 1) return fmt::format("({},)", dims[0]);
  return fmt::format("({})", fmt::join(dims, ", "));
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.ndim() >= b.ndim() ? a : b;
  const Shape& shorter = a.ndim() >= b.ndim() ? b : a;
  Shape result = longer;
  const int lead = longer.ndim() - shorter.ndim();
  for (int d = 0; d < shorter.ndim(); ++d) {
    const std::int64_t x = longer[lead + d], y = shorter[d];
    LUGE_CHECK(ShapeError, x == y || x == 1 || y == 1,
               "{}: shapes {} and {} do not broadcast: size {} meets {} in dimension {}; sizes must be equal or 1", op,
               to_string(a), to_string(b), a.ndim() >= b.ndim() ? x : y, a.ndim() >= b.ndim() ? y : x,
               d - shorter.ndim());
    result[lead + d] = x == 1 ? y : x;
  }
  return result;
}

Strides broadcast_strides(const char* op, const Shape& shape, const Strides& strides, const Shape& target) {
  const int lead = target.ndim() - shape.ndim();
  LUGE_CHECK(ShapeError, lead >= 0, "{}: shape {} has more dimensions than {}", op, to_string(shape),
             to_string(target));
  Strides result = Dims::filled(target.ndim(), 0);
  for (int d = 0; d < shape.ndim(); ++d) {
    LUGE_CHECK(ShapeError, shape[d] == target[lead + d] || shape[d] == 1,
               "{}: shape {} does not broadcast to {}: size {} in dimension {} must be {} or 1", op, to_string(shape),
               to_string(target), shape[d], d, target[lead + d]);
    result[lead + d] = shape[d] == 1 ? 0 : strides[d];
  }
  return result;
}

int normalize_dim(const char* op, std::int64_t dim, int ndim) {
  const int range = std::max(ndim, 1);  // a 0-d tensor accepts 0 and -1, as in PyTorch
  LUGE_CHECK(IndexError, dim >= -range && dim < range, "{}: dim {} is out of range; a {}-d tensor allows {} to {}", op,
             dim, ndim, -range, range - 1);
  return static_cast<int>(dim < 0 ? dim + range : dim);
}

bool view_strides(const Shape& shape, const Strides& strides, const Shape& target, Strides& result) {
  if (element_count(shape) == 0 || is_contiguous(shape, strides)) {
    result = contiguous_strides(target);
    return true;
  }
  // Walk both shapes from the end; each run of source dimensions that is one even walk in memory may be
  // cut up anew, as long as the cuts of the target fall within it.
  result = Dims::filled(target.ndim(), 1);
  int t = target.ndim() - 1;
  for (int d = shape.ndim() - 1; d >= 0;) {
    if (shape[d] == 1) {
      --d;
      continue;
    }
    const std::int64_t step = strides[d];
    std::int64_t run = shape[d];
    for (--d; d >= 0 && (shape[d] == 1 || strides[d] == step * run); --d) run *= shape[d];
    std::int64_t taken = 1;
    while (taken < run || (t >= 0 && target[t] == 1)) {
      if (t < 0) return false;
      result[t] = step * taken;
      taken *= target[t];
      if (taken > run) return false;
      --t;
    }
  }
  for (; t >= 0; --t) {
    if (target[t] != 1) return false;
    result[t] = 1;
  }
  return true;
}

}  // namespace luge
