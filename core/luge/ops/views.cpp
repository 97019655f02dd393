// Views: another shape, order or part of the same memory. The gradient of a view is the same walk over
// the gradient of its base.

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/sum_to.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge {

namespace {

/// Whether nobody else holds this tensor or its memory.
bool is_sole_owner(const Tensor& x) { return !x.impl()->is_shared() && !x.impl()->storage->is_shared(); }

/// reshape, squeeze, unsqueeze, flatten: the same elements in the same order.
class ReshapeNode final : public Node {
 public:
  ReshapeNode(const char* name, const Tensor& input) : Node(name), shape_(input.shape()) { add_input(input); }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    // A view would keep its base, and with it the memory has two owners.
    if (is_sole_owner(gradient) && gradient.is_contiguous())
      slot->add(window_tensor(gradient, shape_, contiguous_strides(shape_), gradient.storage_offset()), true);
    else
      slot->add(gradient.reshape(shape_), false);
  }
  void differentiable_backward(const Tensor& gradient) override { give(0, gradient.reshape(shape_)); }

 private:
  Shape shape_;
};

class PermuteNode final : public Node {
 public:
  PermuteNode(const Tensor& input, std::span<const int> dims) : Node("permute"), inverse_(dims.size()) {
    add_input(input);
    for (std::size_t d = 0; d < dims.size(); ++d) inverse_[static_cast<std::size_t>(dims[d])] = static_cast<int>(d);
  }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(gradient.permute(inverse_), false);
  }
  void differentiable_backward(const Tensor& gradient) override { give(0, gradient.permute(inverse_)); }

 private:
  std::vector<int> inverse_;
};

class ExpandNode final : public Node {
 public:
  explicit ExpandNode(const Tensor& input) : Node("expand"), shape_(input.shape()) { add_input(input); }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) sum_to(gradient, shape_, *slot, false);
  }
  void differentiable_backward(const Tensor& gradient) override { give(0, sum_to(gradient, shape_)); }

 private:
  Shape shape_;
};

/// What slice and select see of a tensor.
struct Part {
  Shape shape;  ///< of the whole
  int dim;
  std::int64_t start, stop, step;
  bool keeps_dim;

  Tensor of(const Tensor& whole) const {
    const Tensor part = whole.slice(dim, start, stop, step);
    return keeps_dim ? part : part.select(dim, 0);
  }
};

/// A gradient of a part, in a tensor of the whole's shape that is zero otherwise.
class PlacedNode final : public Node {
 public:
  PlacedNode(const char* name, const Tensor& values, const Part& part) : Node(name), part_(part) { add_input(values); }

  void backward(const Tensor& gradient) override {
    if (GradSlot* const slot = target(0)) slot->add(part_.of(gradient), false);
  }
  void differentiable_backward(const Tensor& gradient) override { give(0, part_.of(gradient)); }

 private:
  Part part_;
};

/// slice and select: the gradient goes to a part of the base, the rest of which gets none.
class PartNode final : public Node {
 public:
  PartNode(const char* name, const Tensor& input, const Part& part) : Node(name), part_(part) { add_input(input); }

  void backward(const Tensor& gradient) override {
    GradSlot* const slot = target(0);
    if (!slot) return;
    const GradSlot::Target whole = slot->open(part_.shape, gradient.dtype(), gradient.storage()->backend());
    if (whole.store == Store::Overwrite) fill_values(whole.buffer, 0);
    copy_values(gradient, part_.of(whole.buffer), whole.store);
  }

  void differentiable_backward(const Tensor& gradient) override {
    if (!wants(0)) return;
    Tensor whole = zeros(part_.shape, {.dtype = gradient.dtype(), .device = gradient.device()});
    copy_values(gradient, part_.of(whole), Store::Overwrite);
    if (needs_grad(gradient)) record(whole, Ref<Node>(new PlacedNode(name(), gradient, part_)));
    give(0, whole);
  }

 private:
  Part part_;
};

template <class N, class... Args>
Tensor recorded_view(const Tensor& base, Tensor view, Args&&... args) {
  mark_view(view, base);
  if (grad_enabled() && needs_grad(base)) record(view, Ref<Node>(new N(std::forward<Args>(args)...)));
  return view;
}

/// Replaces the one -1 in `shape` by what the element count asks for.
Shape resolved(const char* op, const Shape& shape, const TensorImpl& impl) {
  Shape result = shape;
  int open = -1;
  std::int64_t known = 1;
  for (int d = 0; d < shape.ndim(); ++d) {
    if (shape[d] == -1) {
      LUGE_CHECK(ShapeError, open < 0, "{}: shape {} has more than one -1; at most one is allowed", op, to_string(shape));
      open = d;
    } else {
      LUGE_CHECK(ShapeError, shape[d] >= 0, "{}: shape {} has size {} in dimension {}; sizes must be 0 or more, or -1",
                 op, to_string(shape), shape[d], d);
      LUGE_CHECK(ShapeError, !__builtin_mul_overflow(known, shape[d], &known),
                 "{}: shape {} has more than 2^63 - 1 elements", op, to_string(shape));
    }
  }
  if (open >= 0) {
    LUGE_CHECK(ShapeError, known != 0 && impl.numel % known == 0,
               "{}: shape {} does not fit {} elements of a tensor of shape {}: -1 has no whole value", op,
               to_string(shape), impl.numel, to_string(impl.shape));
    result[open] = impl.numel / known;
  } else {
    LUGE_CHECK(ShapeError, known == impl.numel, "{}: shape {} has {} elements; the tensor of shape {} has {}", op,
               to_string(shape), known, to_string(impl.shape), impl.numel);
  }
  return result;
}

Tensor reshaped(const char* op, const Tensor& base, const Shape& shape, const Strides& strides) {
  return recorded_view<ReshapeNode>(base, window_tensor(base, shape, strides, base.storage_offset()), op, base);
}

}  // namespace

Tensor Tensor::view(const Shape& requested) const {
  const TensorImpl& impl = checked(*this, "view");
  const Shape target = resolved("view", requested, impl);
  Strides strides;
  LUGE_CHECK(ShapeError, view_strides(impl.shape, impl.strides, target, strides),
             "view: a tensor of shape {} with strides {} cannot be seen as {} without a copy; use reshape()",
             to_string(impl.shape), to_string(impl.strides), to_string(target));
  return reshaped("view", *this, target, strides);
}

Tensor Tensor::reshape(const Shape& requested) const {
  const TensorImpl& impl = checked(*this, "reshape");
  const Shape target = resolved("reshape", requested, impl);
  Strides strides;
  if (view_strides(impl.shape, impl.strides, target, strides)) return reshaped("reshape", *this, target, strides);
  return contiguous().view(target);
}

Tensor Tensor::flatten(int first_dim, int last_dim) const {
  const TensorImpl& impl = checked(*this, "flatten");
  if (impl.shape.empty()) return reshape({1});
  const int first = normalize_dim("flatten", first_dim, impl.shape.ndim());
  const int last = normalize_dim("flatten", last_dim, impl.shape.ndim());
  LUGE_CHECK(IndexError, first <= last, "flatten: first_dim {} comes after last_dim {}", first_dim, last_dim);
  Shape target;
  std::int64_t flat = 1;
  for (int d = 0; d < impl.shape.ndim(); ++d) {
    if (d < first || d > last) {
      target.push_back(impl.shape[d]);
      continue;
    }
    flat *= impl.shape[d];
    if (d == last) target.push_back(flat);
  }
  return reshape(target);
}

Tensor Tensor::permute(std::initializer_list<int> dims) const { return permute(std::span(dims.begin(), dims.size())); }

Tensor Tensor::permute(std::span<const int> dims) const {
  const TensorImpl& impl = checked(*this, "permute");
  const int ndim = impl.shape.ndim();
  LUGE_CHECK(ShapeError, static_cast<int>(dims.size()) == ndim, "permute: {} dims given; the tensor has {}", dims.size(),
             ndim);
  std::vector<int> order;
  Shape shape;
  Strides strides;
  for (const int dim : dims) {
    const int d = normalize_dim("permute", dim, ndim);
    LUGE_CHECK(IndexError, std::find(order.begin(), order.end(), d) == order.end(),
               "permute: dim {} is given twice; each of the {} dims must appear once", dim, ndim);
    order.push_back(d);
    shape.push_back(impl.shape[d]);
    strides.push_back(impl.strides[d]);
  }
  return recorded_view<PermuteNode>(*this, window_tensor(*this, shape, strides, impl.offset), *this, order);
}

Tensor Tensor::transpose(int dim0, int dim1) const {
  const int n = checked(*this, "transpose").shape.ndim();
  const int a = normalize_dim("transpose", dim0, n), b = normalize_dim("transpose", dim1, n);
  std::vector<int> order;
  for (int d = 0; d < n; ++d) order.push_back(d == a ? b : d == b ? a : d);
  return permute(order);
}

Tensor Tensor::t() const {
  LUGE_CHECK(ShapeError, checked(*this, "t").shape.ndim() == 2, "t: the tensor has shape {}; a 2-d tensor is needed",
             to_string(shape()));
  return transpose(0, 1);
}

Tensor Tensor::slice(int dim, std::int64_t start, std::optional<std::int64_t> stop, std::int64_t step) const {
  const TensorImpl& impl = checked(*this, "slice");
  LUGE_CHECK(IndexError, !impl.shape.empty(), "slice: a 0-d tensor cannot be sliced");
  const int d = normalize_dim("slice", dim, impl.shape.ndim());
  LUGE_CHECK(ValueError, step > 0, "slice: step is {}; it must be 1 or more", step);
  const std::int64_t size = impl.shape[d];
  const auto clip = [size](std::int64_t bound) {
    return std::clamp<std::int64_t>(bound < 0 ? bound + size : bound, 0, size);
  };
  const std::int64_t first = clip(start), last = std::max(first, stop ? clip(*stop) : size);
  Shape shape = impl.shape;
  Strides strides = impl.strides;
  shape[d] = (last - first) / step + ((last - first) % step != 0);
  strides[d] *= step;
  return recorded_view<PartNode>(*this, window_tensor(*this, shape, strides, impl.offset + first * impl.strides[d]),
                                 "slice", *this, Part{impl.shape, d, first, last, step, true});
}

Tensor Tensor::select(int dim, std::int64_t index) const {
  const TensorImpl& impl = checked(*this, "select");
  LUGE_CHECK(IndexError, !impl.shape.empty(), "select: a 0-d tensor cannot be indexed");
  const int d = normalize_dim("select", dim, impl.shape.ndim());
  const std::int64_t size = impl.shape[d];
  LUGE_CHECK(IndexError, index >= -size && index < size,
             "select: index {} is out of range for dimension {} of size {}; allowed are {} to {}", index, d, size, -size,
             size - 1);
  const std::int64_t at = index < 0 ? index + size : index;
  Shape shape = impl.shape;
  Strides strides = impl.strides;
  shape.erase(d);
  strides.erase(d);
  return recorded_view<PartNode>(*this, window_tensor(*this, shape, strides, impl.offset + at * impl.strides[d]),
                                 "select", *this, Part{impl.shape, d, at, at + 1, 1, false});
}

Tensor Tensor::expand(const Shape& requested) const {
  const TensorImpl& impl = checked(*this, "expand");
  Shape target = requested;
  const int lead = target.ndim() - impl.shape.ndim();
  LUGE_CHECK(ShapeError, lead >= 0, "expand: {} has fewer dimensions than the tensor of shape {}", to_string(requested),
             to_string(impl.shape));
  for (int d = 0; d < target.ndim(); ++d) {
    if (target[d] == -1 && d >= lead) target[d] = impl.shape[d - lead];
    LUGE_CHECK(ShapeError, target[d] >= 0, "expand: shape {} has size {} in dimension {}; a new dimension needs a size",
               to_string(requested), target[d], d);
  }
  const Strides strides = broadcast_strides("expand", impl.shape, impl.strides, target);
  return recorded_view<ExpandNode>(*this, window_tensor(*this, target, strides, impl.offset), *this);
}

Tensor Tensor::squeeze() const {
  const TensorImpl& impl = checked(*this, "squeeze");
  Shape shape;
  Strides strides;
  for (int d = 0; d < impl.shape.ndim(); ++d) {
    if (impl.shape[d] == 1) continue;
    shape.push_back(impl.shape[d]);
    strides.push_back(impl.strides[d]);
  }
  return reshaped("squeeze", *this, shape, strides);
}

Tensor Tensor::squeeze(int dim) const {
  const TensorImpl& impl = checked(*this, "squeeze");
  const int d = normalize_dim("squeeze", dim, impl.shape.ndim());
  if (impl.shape.empty() || impl.shape[d] != 1) return *this;
  Shape shape = impl.shape;
  Strides strides = impl.strides;
  shape.erase(d);
  strides.erase(d);
  return reshaped("squeeze", *this, shape, strides);
}

Tensor Tensor::unsqueeze(int dim) const {
  const Operation called("unsqueeze");
  const TensorImpl& impl = checked(*this, "unsqueeze");
  const int d = normalize_dim("unsqueeze", dim, impl.shape.ndim() + 1);
  Shape shape = impl.shape;
  Strides strides = impl.strides;
  shape.insert(d, 1);
  strides.insert(d, d < impl.shape.ndim() ? impl.shape[d] * impl.strides[d] : 1);
  return reshaped("unsqueeze", *this, shape, strides);
}

}  // namespace luge
