#include <luge/ops/diagonal.h>

#include <algorithm>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/join.h>
#include <luge/ops/detail/seen.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// Elements on diagonal k of a matrix.
std::int64_t diagonal_length(std::int64_t rows, std::int64_t columns, std::int64_t k) {
  // k may be as large as int64 allows; rows + k only where that cannot overflow.
  if (k >= columns || (k < 0 && k <= -rows)) return 0;
  return std::max<std::int64_t>(0, k >= 0 ? std::min(rows, columns - k) : std::min(rows + k, columns));
}

/// Whether an element is on or below diagonal k, as (rows, columns).
Tensor lower(std::int64_t rows, std::int64_t columns, std::int64_t k, Device device) {
  const TensorOptions index{.dtype = DType::Int64, .device = device};
  k = std::clamp(k, -rows - 1, columns + 1);
  return arange(0, columns, 1, index).unsqueeze(0).le(arange(k, rows + k, 1, index).unsqueeze(1));
}

Tensor triangle(const char* op, const Tensor& x, std::int64_t k, bool below) {
  const Operation called(op);
  const int ndim = checked(x, op).shape.ndim();
  LUGE_CHECK(ShapeError, ndim >= 2, "{}: the tensor has shape {}; it must have 2 or more dimensions", op, to_string(x.shape()));
  const std::int64_t rows = x.shape()[ndim - 2], columns = x.shape()[ndim - 1];
  if (x.numel() == 0) return x.clone();
  if (k < std::numeric_limits<std::int64_t>::max()) k -= below ? 0 : 1;  // triu keeps what tril of the diagonal below drops
  const Tensor mask = lower(rows, columns, k, x.device());
  const Scalar none = x.dtype() == DType::Bool ? Scalar(false) : Scalar(0);
  return below ? where(mask, x, none) : where(mask, none, x);
}

Tensor triangle_indices(const char* op, std::int64_t rows, std::int64_t columns, std::int64_t k, bool below,
                        TensorOptions options) {
  const Operation called(op);
  LUGE_CHECK(ValueError, rows >= 0 && columns >= 0, "{}: the matrix has {} rows and {} columns; both must be 0 or more", op,
             rows, columns);
  LUGE_CHECK(DTypeError, is_index(options.dtype), "{}: dtype is {}; it must be int32 or int64", op, name(options.dtype));
  std::vector<std::int64_t> places;
  std::vector<Tensor> parts;
  const TensorOptions index{.dtype = DType::Int64, .device = options.device};
  for (const bool of_rows : {true, false})
    for (std::int64_t i = 0; i < rows; ++i) {
      // Columns first ... stop - 1 of row i; sums of i and k are taken within the matrix.
      const std::int64_t edge = k >= columns - i ? columns : k < -i ? -1 : i + k;
      const std::int64_t first = below ? 0 : std::clamp<std::int64_t>(edge, 0, columns);
      const std::int64_t stop = below ? std::clamp<std::int64_t>(edge + 1, 0, columns) : columns;
      if (observer)  // a captured step takes no values of the host
        parts.push_back(of_rows ? full({stop - first}, i, index) : arange(first, stop, 1, index));
      else
        for (std::int64_t j = first; j < stop; ++j) places.push_back(of_rows ? i : j);
    }
  if (rows == 0) return zeros({2, 0}, options);
  if (parts.empty()) return from_host(places, {2, static_cast<std::int64_t>(places.size() / 2)}, options.device).to(options.dtype);
  return cat(parts).view({2, -1}).to(options.dtype);
}

}  // namespace

Tensor tril(const Tensor& x, std::int64_t k) { return triangle("tril", x, k, true); }
Tensor triu(const Tensor& x, std::int64_t k) { return triangle("triu", x, k, false); }

Tensor tril_indices(std::int64_t rows, std::int64_t columns, std::int64_t k, TensorOptions options) {
  return triangle_indices("tril_indices", rows, columns, k, true, options);
}
Tensor triu_indices(std::int64_t rows, std::int64_t columns, std::int64_t k, TensorOptions options) {
  return triangle_indices("triu_indices", rows, columns, k, false, options);
}

Tensor diagonal(const Tensor& x, std::int64_t k, int dim1, int dim2) {
  const Operation called("diagonal");
  const int ndim = checked(x, "diagonal").shape.ndim();
  const int a = normalize_dim("diagonal", dim1, ndim), b = normalize_dim("diagonal", dim2, ndim);
  LUGE_CHECK(ValueError, a != b && ndim >= 2, "diagonal: dim1 is {} and dim2 {}; they must be different dimensions of {}",
             dim1, dim2, to_string(x.shape()));
  const std::int64_t length = diagonal_length(x.shape()[a], x.shape()[b], k);
  const auto see = [=](const Tensor& whole) {
    Shape shape = whole.shape();
    Strides strides = whole.strides();
    const std::int64_t step = strides[a] + strides[b];
    std::int64_t offset = whole.storage_offset();
    if (length > 0) offset += k >= 0 ? k * strides[b] : -k * strides[a];
    for (const int gone : {std::max(a, b), std::min(a, b)}) {
      shape.erase(gone);
      strides.erase(gone);
    }
    shape.push_back(length);
    strides.push_back(step);
    return window_tensor(whole, shape, strides, offset);
  };
  return seen_view("diagonal", x, {see, [see](const Tensor& gradient, const Tensor& whole) {
                     copy_values(gradient, see(whole), Store::Accumulate);
                   }});
}

Tensor diag_embed(const Tensor& x, std::int64_t k, int dim1, int dim2) {
  const Operation called("diag_embed");
  const int ndim = checked(x, "diag_embed").shape.ndim() + 1;
  LUGE_CHECK(ShapeError, ndim >= 2, "diag_embed: the tensor is 0-d; it needs at least one dimension");
  const int a = normalize_dim("diag_embed", dim1, ndim), b = normalize_dim("diag_embed", dim2, ndim);
  LUGE_CHECK(ValueError, a != b, "diag_embed: dim1 and dim2 are both {}; they must be different", dim1);
  const std::int64_t length = x.shape().back();
  std::int64_t size = 0;
  LUGE_CHECK(ShapeError, k > std::numeric_limits<std::int64_t>::min() && !__builtin_add_overflow(length, k < 0 ? -k : k, &size),
             "diag_embed: offset {} is too large", k);
  // The dimensions that stay are in order; the two new ones stand where they are asked for.
  Shape shape;
  for (int d = 0, from = 0; d < ndim; ++d) shape.push_back(d == a || d == b ? size : x.shape()[from++]);
  const Tensor result = zeros(shape, {.dtype = x.dtype(), .device = x.device()});
  diagonal(result, k, a, b).copy_(x);
  return result;
}

Tensor diag(const Tensor& x, std::int64_t k) {
  const Operation called("diag");
  const int ndim = checked(x, "diag").shape.ndim();
  LUGE_CHECK(ShapeError, ndim == 1 || ndim == 2, "diag: the tensor has shape {}; it must be 1-d or 2-d", to_string(x.shape()));
  return ndim == 1 ? diag_embed(x, k) : diagonal(x, k).clone();
}

Tensor diagflat(const Tensor& x, std::int64_t k) {
  const Operation called("diagflat");
  return diag_embed(x.reshape({checked(x, "diagflat").numel}), k);
}

Tensor trace(const Tensor& x) {
  const Operation called("trace");
  LUGE_CHECK(ShapeError, checked(x, "trace").shape.ndim() == 2, "trace: the tensor has shape {}; it must be 2-d",
             to_string(x.shape()));
  return diagonal(x).sum();
}

Tensor& fill_diagonal_(Tensor& x, Scalar value, bool wrap) {
  const Operation called("fill_diagonal_");
  const Shape& shape = checked(x, "fill_diagonal_").shape;
  const int ndim = shape.ndim();
  LUGE_CHECK(ShapeError, ndim >= 2, "fill_diagonal_: the tensor has shape {}; it must have 2 or more dimensions", to_string(shape));
  for (int d = 1; ndim > 2 && d < ndim; ++d)
    LUGE_CHECK(ShapeError, shape[d] == shape[0],
               "fill_diagonal_: the tensor has shape {}; all sizes must be equal where there are more than 2", to_string(shape));
  if (ndim > 2) {
    const auto see = [](const Tensor& whole) {
      std::int64_t step = 0;
      for (const std::int64_t stride : whole.strides()) step += stride;
      return window_tensor(whole, {whole.shape()[0]}, {step}, whole.storage_offset());
    };
    seen_view("fill_diagonal_", x, {see, [see](const Tensor& gradient, const Tensor& whole) {
                copy_values(gradient, see(whole), Store::Accumulate);
              }}).fill_(value);
    return x;
  }
  diagonal(x).fill_(value);
  // Through, it starts again in the first column, a row further down.
  for (std::int64_t row = shape[1] + 1; wrap && shape[1] > 0 && row < shape[0]; row += shape[1] + 1)
    diagonal(x.slice(0, row)).fill_(value);
  return x;
}

namespace {

/// A copy of x; what `part` shows of it becomes `source`.
template <class Part>
Tensor scattered(const char* op, const Tensor& x, const Tensor& source, const Part& part) {
  const Tensor result = x.clone();
  Tensor place = part(result);
  LUGE_CHECK(ShapeError, checked(source, op, "source").shape == place.shape(), "{}: the source has shape {}; the place has {}", op,
             to_string(source.shape()), to_string(place.shape()));
  LUGE_CHECK(DeviceError, source.device() == x.device(), "{}: the tensor is on {} and the source on {}", op,
             to_string(x.device()), to_string(source.device()));
  place.copy_(source);
  return result;
}

}  // namespace

Tensor select_scatter(const Tensor& x, const Tensor& source, int dim, std::int64_t index) {
  const Operation called("select_scatter");
  checked(x, "select_scatter");
  return scattered("select_scatter", x, source, [&](const Tensor& whole) { return whole.select(dim, index); });
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& source, std::int64_t k, int dim1, int dim2) {
  const Operation called("diagonal_scatter");
  checked(x, "diagonal_scatter");
  return scattered("diagonal_scatter", x, source, [&](const Tensor& whole) { return diagonal(whole, k, dim1, dim2); });
}

Tensor slice_scatter(const Tensor& x, const Tensor& source, int dim, std::int64_t start, std::optional<std::int64_t> stop,
                     std::int64_t step) {
  const Operation called("slice_scatter");
  checked(x, "slice_scatter");
  return scattered("slice_scatter", x, source, [&](const Tensor& whole) { return whole.slice(dim, start, stop, step); });
}

}  // namespace luge
