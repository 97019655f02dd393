#include <luge/ops/rearrange.h>

#include <algorithm>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// Dimensions from the front, each once.
std::vector<int> distinct_dims(const char* op, const std::vector<int>& dims, int ndim) {
  std::vector<int> result;
  for (const int dim : dims) {
    const int d = normalize_dim(op, dim, ndim);
    LUGE_CHECK(ValueError, std::find(result.begin(), result.end(), d) == result.end(),
               "{}: dim {} is given twice; each may appear once", op, dim);
    result.push_back(d);
  }
  return result;
}

/// One dimension, repeated as a whole or slice by slice.
Tensor repeated(const Tensor& x, int dim, std::int64_t times, bool slices) {
  Shape wide = x.shape(), result = x.shape();
  LUGE_CHECK(ShapeError, !__builtin_mul_overflow(result[dim], times, &result[dim]),
             "repeat: a dimension of size {} repeated {} times is too large", x.shape()[dim], times);
  if (x.shape()[dim] == 1) return x.expand(result);
  if (x.ndim() < kMaxDims) {
    wide.insert(slices ? dim + 1 : dim, times);
    return x.unsqueeze(slices ? dim + 1 : dim).expand(wide).reshape(result);
  }
  std::vector<Tensor> parts(static_cast<std::size_t>(times), x);  // there is no room for a dimension more
  if (!slices) return times == 0 ? x.slice(dim, 0, 0) : cat(parts, dim);
  parts.clear();
  for (std::int64_t i = 0; i < x.shape()[dim]; ++i)
    for (std::int64_t j = 0; j < times; ++j) parts.push_back(x.slice(dim, i, i + 1));
  return parts.empty() ? x.slice(dim, 0, 0) : cat(parts, dim);
}

/// All dimensions at once, where the dimensions in between have room: one copy.
std::optional<Tensor> repeated_at_once(const Tensor& x, const std::vector<std::int64_t>& repeats) {
  Shape narrow, wide, result;
  int dims = 0;
  for (int d = 0; d < x.ndim(); ++d) dims += 1 + (repeats[static_cast<std::size_t>(d)] != 1 && x.shape()[d] != 1);
  if (dims > kMaxDims) return {};
  for (int d = 0; d < x.ndim(); ++d) {
    const std::int64_t times = repeats[static_cast<std::size_t>(d)], size = x.shape()[d];
    if (times != 1 && size != 1) {
      narrow.push_back(1);
      wide.push_back(times);
    }
    narrow.push_back(size);
    wide.push_back(size == 1 ? times : size);
    std::int64_t whole = 0;
    LUGE_CHECK(ShapeError, !__builtin_mul_overflow(size, times, &whole),
               "repeat: a dimension of size {} repeated {} times is too large", size, times);
    result.push_back(whole);
  }
  return x.reshape(narrow).expand(wide).reshape(result);
}

}  // namespace

Tensor repeat(const Tensor& x, const std::vector<std::int64_t>& repeats) {
  const Operation called("repeat");
  const Shape& shape = checked(x, "repeat").shape;
  const int lead = static_cast<int>(repeats.size()) - shape.ndim();
  LUGE_CHECK(ShapeError, lead >= 0, "repeat: {} repeats are given for a tensor of shape {}; there must be {} or more",
             repeats.size(), to_string(shape), shape.ndim());
  for (const std::int64_t times : repeats)
    LUGE_CHECK(ValueError, times >= 0, "repeat: a dimension is to be repeated {} times; it must be 0 or more", times);
  Shape full = Dims::filled(lead, 1);
  for (const std::int64_t size : shape) full.push_back(size);
  const Tensor padded = x.reshape(full);
  if (std::all_of(repeats.begin(), repeats.end(), [](std::int64_t times) { return times == 1; })) return padded.clone();
  std::optional<Tensor> once = repeated_at_once(padded, repeats);
  Tensor result = once ? *once : padded;
  for (int d = 0; !once && d < padded.ndim(); ++d)
    if (repeats[static_cast<std::size_t>(d)] != 1) result = repeated(result, d, repeats[static_cast<std::size_t>(d)], false);
  return result.storage() == x.storage() ? result.clone() : result;  // all sizes were 1: expanded
}

Tensor tile(const Tensor& x, const std::vector<std::int64_t>& repeats) {
  const Operation called("tile");
  const auto ndim = static_cast<std::size_t>(checked(x, "tile").shape.ndim());
  std::vector<std::int64_t> all(std::max(ndim, repeats.size()) - repeats.size(), 1);
  all.insert(all.end(), repeats.begin(), repeats.end());
  return repeat(x, all);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<int> dim) {
  const Operation called("repeat_interleave");
  checked(x, "repeat_interleave");
  LUGE_CHECK(ValueError, repeats >= 0, "repeat_interleave: repeats is {}; it must be 0 or more", repeats);
  if (!dim || x.ndim() == 0) {
    if (dim) normalize_dim("repeat_interleave", *dim, 0);
    return repeat_interleave(x.reshape({x.numel()}), repeats, 0);
  }
  const Tensor result = repeated(x, normalize_dim("repeat_interleave", *dim, x.ndim()), repeats, true);
  return result.storage() == x.storage() ? result.clone() : result;
}

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int> dim,
                         std::optional<std::int64_t> output_size, SourceLocation location) {
  const Operation called("repeat_interleave");
  checked(x, "repeat_interleave");
  checked(repeats, "repeat_interleave", "repeats");
  if (!dim || x.ndim() == 0) {
    if (dim) normalize_dim("repeat_interleave", *dim, 0);
    return repeat_interleave(x.reshape({x.numel()}), repeats, 0, output_size, location);
  }
  const int d = normalize_dim("repeat_interleave", *dim, x.ndim());
  LUGE_CHECK(DTypeError, is_index(repeats.dtype()), "repeat_interleave: repeats is {}; it must be int32 or int64",
             name(repeats.dtype()));
  LUGE_CHECK(ShapeError, repeats.ndim() <= 1, "repeat_interleave: repeats has shape {}; it must be 0-d or 1-d",
             to_string(repeats.shape()));
  const std::int64_t size = x.shape()[d];
  LUGE_CHECK(ShapeError, repeats.numel() == size || repeats.numel() == 1,
             "repeat_interleave: repeats has {} elements and dim {} has size {}; they must be equal, or one for all",
             repeats.numel(), d, size);
  refuse_capture("repeat_interleave", kHostRead, location);
  const std::vector<std::int64_t> counts = repeats.to_vector<std::int64_t>(location);
  std::vector<std::int64_t> from;
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t count = counts[counts.size() == 1 ? 0 : static_cast<std::size_t>(i)];
    LUGE_CHECK(ValueError, count >= 0, "repeat_interleave: repeats[{}] is {}; it must be 0 or more", i, count);
    from.insert(from.end(), static_cast<std::size_t>(count), i);
  }
  const auto total = static_cast<std::int64_t>(from.size());
  LUGE_CHECK(ValueError, !output_size || *output_size == total,
             "repeat_interleave: output_size is {} and the repeats add up to {}", output_size.value_or(0), total);
  return index_select(x, d, from_host(from, {total}, x.device(), location));
}

Tensor flip(const Tensor& x, const std::vector<int>& dims) {
  const Operation called("flip");
  Tensor result = x;
  for (const int d : distinct_dims("flip", dims, checked(x, "flip").shape.ndim())) {
    const std::int64_t size = x.ndim() == 0 ? 1 : x.shape()[d];
    if (size <= 1) continue;
    result = index_select(result, d, arange(size - 1, -1, -1, {.dtype = DType::Int64, .device = x.device()}));
  }
  return result.impl() == x.impl() ? x.clone() : result;
}

Tensor roll(const Tensor& x, const std::vector<std::int64_t>& shifts, const std::vector<int>& dims) {
  const Operation called("roll");
  checked(x, "roll");
  LUGE_CHECK(ValueError, !shifts.empty(), "roll: no shifts are given; at least one is needed");
  if (dims.empty()) {
    LUGE_CHECK(ValueError, shifts.size() == 1, "roll: {} shifts are given without dims; there must be 1", shifts.size());
    return roll(x.reshape({x.numel()}), shifts, {0}).reshape(x.shape());
  }
  LUGE_CHECK(ValueError, shifts.size() == dims.size(), "roll: {} shifts and {} dims are given; there must be as many",
             shifts.size(), dims.size());
  LUGE_CHECK(IndexError, x.ndim() > 0, "roll: dims are given for a 0-d tensor, which has none");
  Tensor result = x;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const int d = normalize_dim("roll", dims[i], x.ndim());
    const std::int64_t size = x.shape()[d];
    if (size == 0) continue;
    const std::int64_t first = (size - shifts[i] % size) % size;
    if (first != 0) result = cat({result.slice(d, first), result.slice(d, 0, first)}, d);
  }
  return result.impl() == x.impl() ? x.clone() : result;
}

Tensor rot90(const Tensor& x, std::int64_t times, const std::vector<int>& dims) {
  const Operation called("rot90");
  const int ndim = checked(x, "rot90").shape.ndim();
  LUGE_CHECK(ValueError, dims.size() == 2, "rot90: {} dims are given; there must be 2", dims.size());
  LUGE_CHECK(ShapeError, ndim >= 2, "rot90: the tensor has shape {}; it must have 2 or more dimensions",
             to_string(x.shape()));
  const int from = normalize_dim("rot90", dims[0], ndim), to = normalize_dim("rot90", dims[1], ndim);
  LUGE_CHECK(ValueError, from != to, "rot90: dims are {} and {}; they must be different", dims[0], dims[1]);
  switch ((times % 4 + 4) % 4) {
    case 1: return flip(x, {to}).transpose(from, to);
    case 2: return flip(x, {from, to});
    case 3: return flip(x, {from}).transpose(from, to);
    default: return x.clone();
  }
}

Tensor movedim(const Tensor& x, const std::vector<int>& source, const std::vector<int>& destination) {
  const Operation called("movedim");
  const int ndim = checked(x, "movedim").shape.ndim();
  LUGE_CHECK(ValueError, source.size() == destination.size(),
             "movedim: source has {} dims and destination {}; they must be as many", source.size(), destination.size());
  const std::vector<int> from = distinct_dims("movedim", source, ndim), to = distinct_dims("movedim", destination, ndim);
  if (ndim == 0) return x.permute(std::vector<int>{});
  std::vector<int> order(static_cast<std::size_t>(ndim), -1);
  for (std::size_t i = 0; i < from.size(); ++i) order[static_cast<std::size_t>(to[i])] = from[i];
  int next = 0;
  for (int& place : order) {
    if (place >= 0) continue;
    while (std::find(from.begin(), from.end(), next) != from.end()) ++next;
    place = next++;
  }
  return x.permute(order);
}

Tensor unflatten(const Tensor& x, int dim, const Shape& sizes) {
  const Operation called("unflatten");
  checked(x, "unflatten");
  LUGE_CHECK(ShapeError, x.ndim() > 0, "unflatten: the tensor is 0-d; it needs at least one dimension");
  LUGE_CHECK(ValueError, !sizes.empty(), "unflatten: no sizes are given; at least one is needed");
  const int d = normalize_dim("unflatten", dim, x.ndim());
  // The -1 is found here, because the other dimensions may be empty.
  Shape inner = sizes;
  std::int64_t known = 1;
  int open = -1;
  for (int i = 0; i < sizes.ndim(); ++i) {
    LUGE_CHECK(ShapeError, sizes[i] >= -1 && (sizes[i] >= 0 || open < 0),
               "unflatten: sizes are {}; each must be 0 or more, and one may be -1", to_string(sizes));
    if (sizes[i] < 0)
      open = i;
    else
      LUGE_CHECK(ShapeError, !__builtin_mul_overflow(known, sizes[i], &known), "unflatten: sizes {} are too large",
                 to_string(sizes));
  }
  const std::int64_t whole = x.shape()[d];
  LUGE_CHECK(ShapeError, open < 0 ? known == whole : known > 0 && whole % known == 0,
             "unflatten: sizes {} do not make up {}, the size of dim {}", to_string(sizes), whole, d);
  if (open >= 0) inner[open] = whole / known;
  Shape shape;
  for (int i = 0; i < d; ++i) shape.push_back(x.shape()[i]);
  for (const std::int64_t size : inner) shape.push_back(size);
  for (int i = d + 1; i < x.ndim(); ++i) shape.push_back(x.shape()[i]);
  return x.view(shape);
}

Tensor squeeze(const Tensor& x, const std::vector<int>& dims) {
  const Operation called("squeeze");
  std::vector<int> gone = distinct_dims("squeeze", dims, checked(x, "squeeze").shape.ndim());
  std::sort(gone.rbegin(), gone.rend());
  Tensor result = x;
  if (x.ndim() > 0)
    for (const int d : gone) result = result.squeeze(d);
  return result;
}

Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length) {
  const Operation called("narrow");
  checked(x, "narrow");
  LUGE_CHECK(IndexError, x.ndim() > 0, "narrow: a 0-d tensor cannot be narrowed");
  const int d = normalize_dim("narrow", dim, x.ndim());
  const std::int64_t size = x.shape()[d], first = start < 0 ? start + size : start;
  LUGE_CHECK(IndexError, first >= 0 && length >= 0 && first <= size - length,
             "narrow: start {} and length {} are outside a dimension of size {}", start, length, size);
  return x.slice(d, first, first + length);
}

}  // namespace luge
