#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <luge/base/error.h>
#include <luge/seam/op.h>
#include <luge/base/source_location.h>
#include <luge/base/device.h>
#include <luge/base/dtype.h>
#include <luge/tensor/impl.h>
#include <luge/base/scalar.h>
#include <luge/base/shape.h>

namespace luge {

class Tensor;

/// A set of dimensions to reduce over; counted from the end where negative. Written {0, -1}, or 1.
class DimList {
 public:
  DimList(std::initializer_list<int> dims) : dims_(dims) {}
  explicit DimList(std::vector<int> dims) : dims_(std::move(dims)) {}
  DimList(int dim) : dims_{dim} {}  // NOLINT(google-explicit-constructor): x.sum(1) reads as in PyTorch
  const std::vector<int>& values() const { return dims_; }

 private:
  std::vector<int> dims_;
};

/// What a factory makes: `zeros({2, 3}, {.dtype = float64, .device = Device::cuda()})`.
struct TensorOptions {
  DType dtype = DType::Float32;
  Device device = Device::cpu();
  bool requires_grad = false;
};

/// A multi-dimensional array on a device, with its place in the autograd graph. A Tensor is a handle:
/// copies share the data. Names and meanings are PyTorch's wherever PyTorch has them.
class Tensor {
 public:
  /// An undefined tensor: defined() is false and every other use throws.
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}
  Tensor(const Tensor&) = default;
  Tensor(Tensor&&) = default;
  /// A named handle is made to see other data; the data itself stays.
  Tensor& operator=(const Tensor&) & = default;
  Tensor& operator=(Tensor&&) & = default;
  /// A handle without a name, such as x[0] or x.slice(0, 1, 3), is written through: copy_() and fill_().
  void operator=(const Tensor& source) &&;
  void operator=(Scalar value) &&;

  // ---- what it is
  bool defined() const { return static_cast<bool>(impl_); }
  const Shape& shape() const;
  const Strides& strides() const;   ///< in elements
  int ndim() const;
  /// Size along `dim`, which may count from the end. Throws IndexError.
  std::int64_t size(int dim) const;
  std::int64_t numel() const;
  DType dtype() const;
  Device device() const;
  bool is_contiguous() const;
  /// First element; on the device.
  void* data() const;
  const Ref<Storage>& storage() const;
  std::int64_t storage_offset() const;

  // ---- values on the host (these wait for the device)
  /// The value of a tensor of one element, converted to T. Throws ShapeError for any other count and ValueError
  /// for an integer T that cannot hold the value.
  template <class T = double>
  T item(SourceLocation location = SourceLocation::current()) const {
    return item_as_scalar(location).to<T>("item");
  }
  /// All elements in row-major order, converted to T (bool, int32, int64, float or double).
  template <class T>
  std::vector<T> to_vector(SourceLocation location = SourceLocation::current()) const;

  // ---- autograd
  bool requires_grad() const;
  /// Turns recording on or off for a leaf of a floating dtype. Throws AutogradError for a non-leaf.
  Tensor& requires_grad_(bool on = true);
  bool is_leaf() const;
  /// The gradient accumulated in a leaf; undefined before the first backward() of a tensor that no
  /// optimizer owns, zeros after zero_grad().
  Tensor grad() const;
  /// Forgets the gradient of a leaf: the next backward() overwrites it. Touches no memory.
  void zero_grad();
  /// Adds d(this)/d(leaf) to the gradient of every leaf it depends on. `gradient` is d(result)/d(this),
  /// of this tensor's shape and dtype; it may be left out for a tensor of one element. The graph is
  /// freed unless `retain_graph`, which is `create_graph` where it is not given. With `create_graph` the
  /// gradients are results of recorded ops, so that grad() can be differentiated in turn: a leaf then keeps a
  /// graph that leads back to itself, until zero_grad() or the next backward() without create_graph; luge::grad()
  /// has no such cycle. Gradients in an arena are memory that is written in place: AutogradError.
  /// Throws AutogradError, ShapeError, DTypeError. If it throws half way (no
  /// memory, a saved tensor that was changed), leaves without a gradient still have none; a gradient that
  /// was there before may have grown by a part of this pass's, and zero_grad() makes it whole.
  void backward(const Tensor& gradient = {}, std::optional<bool> retain_graph = {}, bool create_graph = false) const;
  /// The same data outside the graph.
  Tensor detach() const;
  /// How often the memory has been written in place.
  std::uint64_t version() const;

  // ---- views: no data moves, writes show on both sides
  /// As `shape`; one size may be -1. view throws ShapeError where the strides do not allow it; reshape
  /// copies then.
  Tensor view(const Shape& shape) const;
  Tensor reshape(const Shape& shape) const;
  Tensor flatten(int first_dim = 0, int last_dim = -1) const;
  Tensor permute(std::initializer_list<int> dims) const;
  Tensor permute(std::span<const int> dims) const;
  Tensor transpose(int dim0, int dim1) const;
  /// The matrix transpose of a 2-d tensor.
  Tensor t() const;
  /// Elements start, start + step, ... before stop along dim; bounds count from the end where negative
  /// and are clipped, as in Python. step must be positive.
  Tensor slice(int dim, std::int64_t start, std::optional<std::int64_t> stop = {}, std::int64_t step = 1) const;
  /// One index along dim; the dimension disappears. Throws IndexError.
  Tensor select(int dim, std::int64_t index) const;
  /// select(0, index).
  Tensor operator[](std::int64_t index) const { return select(0, index); }
  /// Repeats dimensions of size 1 (and new leading ones) without copying; -1 keeps a size.
  Tensor expand(const Shape& shape) const;
  Tensor squeeze() const;
  Tensor squeeze(int dim) const;
  Tensor unsqueeze(int dim) const;

  // ---- copies
  /// Row-major without gaps; the tensor itself where it already is.
  Tensor contiguous() const;
  /// A copy of its own memory, recorded in the graph.
  Tensor clone() const;
  Tensor to(DType dtype) const;
  Tensor to(Device device, SourceLocation location = SourceLocation::current()) const;

  // ---- in place, recorded as the operations that they stand for: a tensor of the graph gets a new history, and so do the
  // tensor that it is a view of and all other views of that. AutogradError for a leaf that requires a gradient.
  /// Overwrites the values; `source` is broadcast, converted and brought to this device.
  Tensor& copy_(const Tensor& source, SourceLocation location = SourceLocation::current());
  Tensor& fill_(Scalar value);
  Tensor& zero_();
  Tensor& clamp_(std::optional<Scalar> low, std::optional<Scalar> high);
#define LUGE_ROW(function, Formula, dtypes, text, ...) \
  Tensor& function##_(LUGE_PARAMETERS(LUGE_DECLARED, LUGE_MORE_DECLARED, __VA_ARGS__));
  LUGE_UNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...)             \
  Tensor& function##_(const Tensor& other); \
  Tensor& function##_(Scalar other);
  LUGE_BINARY_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...)                          \
  Tensor& function##_(const Tensor& b, const Tensor& c); \
  Tensor& function##_(const Tensor& b, Scalar c);
  LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW

  // ---- elementwise operations, one per row of core/luge/math/op_table.h
#define LUGE_ROW(function, Formula, dtypes, text, ...) \
  Tensor function(LUGE_PARAMETERS(LUGE_DECLARED, LUGE_MORE_DECLARED, __VA_ARGS__)) const;
  LUGE_UNARY_OPS(LUGE_ROW)
  LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...)               \
  Tensor function(const Tensor& other) const; \
  Tensor function(Scalar other) const;
  LUGE_BINARY_OPS(LUGE_ROW)
  LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, ...)                            \
  Tensor function(const Tensor& b, const Tensor& c) const; \
  Tensor function(const Tensor& b, Scalar c) const;
  LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  /// min(max(x, low), high); either bound may be missing. See luge::clamp.
  Tensor clamp(std::optional<Scalar> low, std::optional<Scalar> high) const;
  /// clamp with a bound for each element, broadcast; an undefined tensor is no bound. See luge::clamp.
  Tensor clamp(const Tensor& low, const Tensor& high) const;
  Tensor bitwise_not() const;

  // ---- reductions: over everything, or over a set of dimensions
  Tensor sum() const;
  Tensor sum(const DimList& dims, bool keepdim = false) const;
  Tensor mean() const;
  Tensor mean(const DimList& dims, bool keepdim = false) const;
  /// Divides by (n - correction); correction 1 is Bessel's, PyTorch's default.
  Tensor var() const;
  Tensor var(const DimList& dims, double correction = 1, bool keepdim = false) const;
  /// The root of var; the gradient where all values are equal is 0.
  Tensor std() const;
  Tensor std(const DimList& dims, double correction = 1, bool keepdim = false) const;
  Tensor prod() const;
  Tensor prod(const DimList& dims, bool keepdim = false) const;
  /// Largest / smallest value; NaN if there is one. Equal extremes share the gradient evenly, as in PyTorch's amax and
  /// amin; max_along and min_along (ops/reduce.h) are its max(dim) and min(dim).
  Tensor max() const;
  Tensor max(const DimList& dims, bool keepdim = false) const;
  Tensor min() const;
  Tensor min(const DimList& dims, bool keepdim = false) const;
  /// Position (int64, row-major within the reduced dimensions) of the first extreme.
  Tensor argmax() const;
  Tensor argmax(const DimList& dims, bool keepdim = false) const;
  Tensor argmin() const;
  Tensor argmin(const DimList& dims, bool keepdim = false) const;
  Tensor logsumexp(const DimList& dims, bool keepdim = false) const;
  /// The sum with NaN counted as 0, where the gradient is 0.
  Tensor nansum() const;
  Tensor nansum(const DimList& dims, bool keepdim = false) const;
  /// bool: whether all / any elements are not zero.
  Tensor all() const;
  Tensor any() const;

  Tensor matmul(const Tensor& other) const;
  Tensor softmax(int dim) const;
  Tensor log_softmax(int dim) const;
  /// Rows of `dim` in the order of `index` (1-d, int64 or int32).
  Tensor index_select(int dim, const Tensor& index) const;
  Tensor gather(int dim, const Tensor& index) const;
  /// A copy in which the slices `index` along `dim` are those of `source`.
  Tensor index_copy(int dim, const Tensor& index, const Tensor& source) const;

  TensorImpl* impl() const { return impl_.get(); }

 private:
  Scalar item_as_scalar(SourceLocation location) const;

  Ref<TensorImpl> impl_;
};

/// As PyTorch prints it: nested brackets, four digits, long dimensions abbreviated. Waits for the device.
std::string to_string(const Tensor& tensor, SourceLocation location = SourceLocation::current());
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace luge
