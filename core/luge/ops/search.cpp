#include <luge/ops/search.h>

#include <limits>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/sort.h>
#include <luge/ops/detail/search.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// The type in which two tensors are compared: of tensors without dimensions only the kind counts.
DType compared_dtype(const Tensor& a, const Tensor& b) {
  if ((a.ndim() == 0) == (b.ndim() == 0)) return promote(a.dtype(), b.dtype());
  return a.ndim() == 0 ? promote_weak(b.dtype(), a.dtype()) : promote_weak(a.dtype(), b.dtype());
}

void check_devices(const char* op, const Tensor& a, const Tensor& b) {
  LUGE_CHECK(DeviceError, a.device() == b.device(), "{}: the tensors are on {} and {}; they must be on one device", op,
             to_string(a.device()), to_string(b.device()));
}

/// Checked; both of one dtype.
Tensor searched(const char* op, const Tensor& sequence, const Tensor& values, const SearchOptions& options,
                const Tensor& sorter) {
  const NoGrad guard;
  check_devices(op, sequence, values);
  LUGE_CHECK(ShapeError, sequence.ndim() > 0, "{}: the sorted sequence is 0-d; it needs at least one dimension", op);
  bool fits = sequence.ndim() == 1 || sequence.ndim() == values.ndim();
  for (int d = 0; fits && d + 1 < sequence.ndim(); ++d) fits = sequence.shape()[d] == values.shape()[d];
  LUGE_CHECK(ShapeError, fits,
             "{}: the sorted sequence is {} and the values are {}; the sequence must have one dimension or the values' "
             "sizes in all dimensions but the last",
             op, to_string(sequence.shape()), to_string(values.shape()));
  LUGE_CHECK(ValueError, !options.out_int32 || sequence.shape().back() <= std::numeric_limits<std::int32_t>::max(),
             "{}: the sorted sequence has {} elements in a row; places in it do not fit into int32", op,
             sequence.shape().back());
  Tensor ordered = sequence.detach();
  if (sorter.defined()) {
    check_devices(op, sequence, sorter);
    LUGE_CHECK(DTypeError, sorter.dtype() == DType::Int64, "{}: the sorter is {}; it must be int64", op,
               name(sorter.dtype()));
    LUGE_CHECK(ShapeError, sorter.shape() == sequence.shape(),
               "{}: the sorter is {} and the sorted sequence {}; they must have one shape", op,
               to_string(sorter.shape()), to_string(sequence.shape()));
    const Operation called(op);
    ordered = gather(ordered, -1, sorter);
  }
  const Tensor found = bisect(ordered.contiguous(), values.detach(), options.right);
  return options.out_int32 ? found.to(DType::Int32) : found;
}

/// Both in the type in which a comparison would have them.
Tensor searched(const char* op, const Tensor& sequence, Scalar value, const SearchOptions& options,
                const Tensor& sorter) {
  LUGE_CHECK(ShapeError, sequence.ndim() == 1, "{}: the sorted sequence is {}; for a number it must have one dimension",
             op, to_string(sequence.shape()));
  const DType dtype = promote_weak(sequence.dtype(), scalar(value).dtype());
  return searched(op, sequence.to(dtype), full({}, value, {.dtype = dtype, .device = sequence.device()}), options,
                  sorter);
}

Tensor searched_alike(const char* op, const Tensor& sequence, const Tensor& values, const SearchOptions& options,
                      const Tensor& sorter) {
  const DType dtype = compared_dtype(sequence, values);
  return searched(op, sequence.to(dtype), values.to(dtype), options, sorter);
}

void check_boundaries(const Tensor& boundaries) {
  checked(boundaries, "bucketize", "boundaries");
  LUGE_CHECK(ShapeError, boundaries.ndim() == 1, "bucketize: boundaries is {}; it must have one dimension",
             to_string(boundaries.shape()));
}

}  // namespace

Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, const SearchOptions& options,
                    const Tensor& sorter) {
  checked(sorted_sequence, "searchsorted", "sorted_sequence");
  checked(values, "searchsorted");
  return searched_alike("searchsorted", sorted_sequence, values, options, sorter);
}

Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, const SearchOptions& options, const Tensor& sorter) {
  checked(sorted_sequence, "searchsorted", "sorted_sequence");
  return searched("searchsorted", sorted_sequence, value, options, sorter);
}

Tensor bucketize(const Tensor& input, const Tensor& boundaries, const SearchOptions& options) {
  checked(input, "bucketize");
  check_boundaries(boundaries);
  return searched_alike("bucketize", boundaries, input, options, {});
}

Tensor bucketize(Scalar input, const Tensor& boundaries, const SearchOptions& options) {
  check_boundaries(boundaries);
  return searched("bucketize", boundaries, input, options, {});
}

Tensor isin(const Tensor& elements, const Tensor& test_elements, bool invert) {
  checked(elements, "isin", "elements");
  checked(test_elements, "isin", "test_elements");
  check_devices("isin", elements, test_elements);
  const NoGrad guard;
  const DType dtype = compared_dtype(elements, test_elements);
  const std::int64_t n = test_elements.numel();
  if (n == 0 || elements.numel() == 0) return full(elements.shape(), invert, {.dtype = DType::Bool, .device = elements.device()});
  const Tensor values = elements.to(dtype), sorted = sort(test_elements.to(dtype).reshape({n})).values;
  const Tensor at = bisect(sorted, values, false);
  const Tensor nearest = pick(sorted, minimum(at, n - 1));
  return invert ? values.ne(nearest) : values.eq(nearest);
}

}  // namespace luge
