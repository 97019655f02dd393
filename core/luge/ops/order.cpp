#include <luge/ops/order.h>

#include <limits>

#include <luge/autograd/grad_mode.h>
#include <luge/autograd/detail/node.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/ops/join.h>
#include <luge/ops/detail/search.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

/// A value that stands in the tensor, which was sought among all elements. Equals share its gradient evenly.
class SharedNode final : public Node {
 public:
  SharedNode(const char* op, const Tensor& input, const Tensor& output) : Node(op) {
    add_input(input);
    input_.save(input);
    output_.save_output(output);
  }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(input_gradient(gradient), true);
  }
  void differentiable_backward(const Tensor& gradient) override {
    if (wants(0)) give(0, input_gradient(gradient));
  }
  void release_saved() override {
    input_.clear();
    output_.clear();
  }

 private:
  Tensor input_gradient(const Tensor& gradient) const {
    const Tensor hits = no_grad([&] {
      const Tensor x = input_.get(name()).detach(), y = output_.get(name()).detach();
      return x.eq(y).logical_or(x.isnan().logical_and(y.isnan()));
    });
    const DType wide = arithmetic_dtype(gradient.dtype());
    return where(hits, gradient.to(wide) / hits.sum().to(wide), 0).to(gradient.dtype());
  }

  SavedTensor input_, output_;
};

/// How many numbers stand along the last dimension, which stays.
Tensor count_numbers(const Tensor& x) { return x.isnan().logical_not().sum(DimList(-1), true); }

/// Of so many elements the place of the median, 0 if there are none.
Tensor middle(const Tensor& count) {
  return clamp(((count - 1).to(DType::Float64) * 0.5).floor().to(DType::Int64), Scalar(0), std::nullopt);
}

/// Which elements along the last dimension are wanted, and where they stand: (.., 1), int64. NoGrad.
using Places = Tensor (*)(const Tensor& x, std::int64_t k);

/// The elements of x that `find` names along dim, as the results of an op.
Sorted picked(const char* op, const Tensor& x, int dim, bool keepdim, const Places find, std::int64_t k = 0) {
  const Operation called(op);
  const TensorImpl& impl = checked(x, op);
  const int d = normalize_dim(op, dim, impl.shape.ndim());
  if (impl.shape.empty()) {
    const Sorted row = picked(op, x.reshape({1}), 0, false, find, k);
    return {row.values.reshape({}), row.indices.reshape({})};
  }
  LUGE_CHECK(ShapeError, impl.shape[d] > 0, "{}: the tensor has shape {}; dim {} must not be empty", op,
             to_string(impl.shape), dim);
  LUGE_CHECK(ValueError, k <= impl.shape[d], "{}: k is {}; dim {} of a tensor of shape {} allows 1 to {}", op, k, dim,
             to_string(impl.shape), impl.shape[d]);
  Sorted result;
  result.indices = no_grad([&] {
    if (x.numel() > 0) return find(x.detach().transpose(d, -1), k).transpose(d, -1);
    Shape shape = impl.shape;
    shape[d] = 1;
    return zeros(shape, {.dtype = DType::Int64, .device = x.device()});
  });
  result.values = gather(x, d, result.indices);
  if (!keepdim) return {result.values.squeeze(d), result.indices.squeeze(d)};
  return result;
}

Tensor place_of_kth(const Tensor& x, std::int64_t k) { return topk(x, k, -1, false).indices.slice(-1, k - 1, k); }

Tensor place_of_median(const Tensor& x, std::int64_t) {
  const Tensor middle = place_of_kth(x, (x.size(-1) + 1) / 2);
  if (!is_floating(x.dtype())) return middle;
  const Tensor first = x.argmax(DimList(-1), true);  // of NaN, if there is one
  return where(pick(x, first).isnan(), first, middle);
}

Tensor place_of_nanmedian(const Tensor& x, std::int64_t) {
  if (!is_floating(x.dtype())) return place_of_median(x, 0);
  return pick(argsort(x), middle(count_numbers(x)));
}

Tensor place_of_mode(const Tensor& x, std::int64_t) {
  const Sorted sorted = sort(x);
  const Tensor& s = sorted.values;
  const std::int64_t n = x.size(-1);
  Shape one = x.shape();
  one[x.ndim() - 1] = 1;
  const Tensor differs = s.slice(-1, 0, n - 1).ne(s.slice(-1, 1));
  const Tensor end = ones(one, {.dtype = DType::Bool, .device = x.device()});
  const Tensor is_first = cat({end, differs}, -1), is_last = cat({differs, end}, -1);
  // The place of the latest first element is where the run begins. NaN differs from itself: a run of one.
  const Tensor length = places(n, x) + 1 - places_of_running_maxima(is_first.to(DType::Int64));
  const Tensor longest = where(is_last, length, 0).argmax(DimList(-1), true);
  return pick(sorted.indices, longest);
}

/// Of all elements; `find` finds it in a row of them.
template <class Find>
Tensor found(const char* op, const Tensor& x, const Find& find) {
  const Operation called(op);
  const TensorImpl& impl = checked(x, op);
  if (impl.numel == 0) {
    LUGE_CHECK(ShapeError, is_floating(impl.dtype), "{}: the tensor has shape {}; nothing is the median of no {} elements",
               op, to_string(impl.shape), name(impl.dtype));
    return full({}, std::numeric_limits<double>::quiet_NaN(), {.dtype = impl.dtype, .device = x.device()});
  }
  Tensor result = no_grad([&] { return find(x.detach().reshape({impl.numel})).reshape({}).clone(); });
  if (grad_enabled() && needs_grad(x)) record(result, Ref<Node>(new SharedNode(op, x, result)));
  return result;
}

}  // namespace

Tensor msort(const Tensor& x) {
  const Operation called("msort");
  return sort(x, 0).values;
}

Sorted kthvalue(const Tensor& x, std::int64_t k, int dim, bool keepdim) {
  LUGE_CHECK(ValueError, k >= 1, "kthvalue: k is {}; it must be at least 1", k);
  return picked("kthvalue", x, dim, keepdim, place_of_kth, k);
}

Tensor median(const Tensor& x) {
  return found("median", x, [](const Tensor& row) {
    const std::int64_t k = (row.numel() + 1) / 2;
    const Tensor middle = topk(row, k, 0, false).values.slice(0, k - 1, k);
    if (!is_floating(row.dtype())) return middle;
    const Tensor greatest = row.max();  // NaN, if there is one
    return where(greatest.isnan(), greatest, middle);
  });
}

Sorted median(const Tensor& x, int dim, bool keepdim) { return picked("median", x, dim, keepdim, place_of_median); }

Tensor nanmedian(const Tensor& x) {
  if (!is_floating(checked(x, "nanmedian").dtype)) {
    const Operation called("nanmedian");
    return median(x);
  }
  return found("nanmedian", x, [](const Tensor& row) { return pick(sort(row).values, middle(count_numbers(row))); });
}

Sorted nanmedian(const Tensor& x, int dim, bool keepdim) {
  return picked("nanmedian", x, dim, keepdim, place_of_nanmedian);
}

Sorted mode(const Tensor& x, int dim, bool keepdim) { return picked("mode", x, dim, keepdim, place_of_mode); }

}  // namespace luge
