#include <luge/ops/detail/edit.h>

#include <luge/autograd/detail/node.h>
#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/overwrite.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

void write(const Tensor& x, const Edit& edit) {
  if (edit.values.numel() == 0) return;
  std::optional<Fold> fold = edit.fold;
  if (fold && x.dtype() == DType::Bool) {
    if (*fold == Fold::Sum) fold = Fold::Max;
    if (*fold == Fold::Prod) fold = Fold::Min;
  }
  run_gather(Direction::Backward, x, edit.dim, edit.labels, edit.values, fold);
}

/// The way back of an edit: what x and the values get.
struct Gradients {
  Tensor x, values;
};

/// An Edit's node; `gradients` is made of recorded ops.
class EditNode : public Node {
 public:
  EditNode(const Tensor& x, const Edit& edit) : Node(edit.op), dim_(edit.dim), shape_(edit.values.shape()) {
    add_input(x);
    add_input(edit.values);
    labels_.save(edit.labels);
  }

  void backward(const Tensor& gradient) override {
    const Gradients result = no_grad([&] { return gradients(gradient, wants(0), wants(1)); });
    if (GradSlot* const slot = target(0)) slot->add(result.x, result.x.impl() != gradient.impl());
    if (GradSlot* const slot = target(1)) slot->add(result.values, true);
  }

  void differentiable_backward(const Tensor& gradient) override {
    const Gradients result = gradients(gradient, wants(0), wants(1));
    if (wants(0)) give(0, result.x);
    if (wants(1)) give(1, result.values);
  }

  void release_saved() override { labels_.clear(); }

 protected:
  virtual Gradients gradients(const Tensor& gradient, bool of_x, bool of_values) = 0;

  Tensor labels() const { return labels_.get(name()); }
  /// What x-shaped `x` has at the labels.
  Tensor at_labels(const Tensor& x) const { return picked(name(), x, dim_, labels(), shape_); }
  Edit same(const Tensor& values, std::optional<Fold> fold) const { return {name(), dim_, labels(), values, fold}; }
  const Shape& shape() const { return shape_; }
  int dim() const { return dim_; }

 private:
  int dim_;
  Shape shape_;
  SavedTensor labels_;
};

class ReplaceNode final : public EditNode {
 public:
  using EditNode::EditNode;

 private:
  /// x gets nothing for what was replaced; a value that a later one has replaced gets nothing.
  Gradients gradients(const Tensor& gradient, bool of_x, bool of_values) override {
    Gradients result;
    if (of_x) {
      const Tensor none = zeros({}, {.dtype = gradient.dtype(), .device = gradient.device()});
      result.x = edited(gradient, same(none.expand(shape()), {}));
    }
    if (of_values) result.values = where(stays(gradient), at_labels(gradient), 0);
    return result;
  }

  /// Whether a value is the last of its label. Labels that repeat along a dimension are looked at once.
  Tensor stays(const Tensor& gradient) const {
    const Tensor own = labels();
    const std::int64_t length = own.shape()[dim()];
    Shape whole = own.shape();
    whole[dim()] = gradient.shape()[dim()];
    const TensorOptions options{.dtype = DType::Int64, .device = gradient.device()};
    const Tensor order = arange(length, options).view(column(own.ndim(), dim(), length)).expand(own.shape());
    const Tensor last = zeros(whole, options);
    if (order.numel() > 0) run_gather(Direction::Backward, last, dim(), own, order, std::nullopt);
    return picked(name(), last, dim(), own, own.shape()).eq(order);
  }
};

class SumNode final : public EditNode {
 public:
  using EditNode::EditNode;

 private:
  Gradients gradients(const Tensor& gradient, bool of_x, bool of_values) override {
    return {of_x ? gradient : Tensor(), of_values ? at_labels(gradient) : Tensor()};
  }
};

class ProductNode final : public EditNode {
 public:
  ProductNode(const Tensor& x, const Edit& edit) : EditNode(x, edit) {
    x_.save(x);
    values_.save(edit.values);
  }

  void release_saved() override {
    EditNode::release_saved();
    x_.clear();
    values_.clear();
  }

 private:
  /// The product of all other factors of the place: the product of the factors that are not 0, divided by the own one;
  /// with one 0 among them, that product for the 0 itself and nothing for the rest.
  Gradients gradients(const Tensor& gradient, bool of_x, bool of_values) override {
    const Tensor x = saved_input(0, x_), values = saved_input(1, values_);
    const DType dtype = gradient.dtype();
    const Tensor x_is_zero = x.eq(0), value_is_zero = values.eq(0);
    const Tensor x_factor = where(x_is_zero, 1, x), value_factor = where(value_is_zero, 1, values);
    const Tensor product = edited(x_factor, same(value_factor, Fold::Prod));
    const Tensor zeros_there = edited(x_is_zero.to(dtype), same(value_is_zero.to(dtype), Fold::Sum));
    const Tensor of_zero = where(zeros_there.eq(1), product, 0) * gradient;
    const Tensor of_rest = where(zeros_there.eq(0), product, 0) * gradient;
    Gradients result;
    if (of_x) result.x = where(x_is_zero, of_zero, of_rest / x_factor);
    if (of_values) result.values = where(value_is_zero, at_labels(of_zero), at_labels(of_rest) / value_factor);
    return result;
  }

  SavedTensor x_, values_;
};

class ExtremeNode final : public EditNode {
 public:
  ExtremeNode(const Tensor& x, const Edit& edit, const Tensor& result) : EditNode(x, edit), alone_(edit.alone) {
    x_.save(x);
    values_.save(edit.values);
    result_.save_output(result);
  }

  void release_saved() override {
    EditNode::release_saved();
    x_.clear();
    values_.clear();
    result_.clear();
  }

 private:
  /// Those that equal the extreme share its gradient evenly.
  Gradients gradients(const Tensor& gradient, bool of_x, bool of_values) override {
    const DType dtype = gradient.dtype();
    Tensor x_has, values_have;
    no_grad([&] {
      const Tensor result = result_.get(name());
      x_has = x_.get(name()).eq(result).to(dtype);
      values_have = values_.get(name()).eq(at_labels(result)).to(dtype);
      if (alone_) {
        const Tensor none = zeros({}, {.dtype = dtype, .device = gradient.device()});
        x_has = edited(x_has, same(none.expand(shape()), {}));
      }
    });
    const Tensor count = no_grad([&] { return edited(x_has, same(values_have, Fold::Sum)); });
    const Tensor share = gradient / count;
    Gradients result;
    if (of_x) result.x = x_has * share;
    if (of_values) result.values = values_have * at_labels(share);
    return result;
  }

  bool alone_;
  SavedTensor x_, values_, result_;
};

Ref<Node> node_of(const Tensor& x, const Edit& edit, const Tensor& result) {
  if (!edit.fold) return Ref<Node>(new ReplaceNode(x, edit));
  switch (*edit.fold) {
    case Fold::Sum: return Ref<Node>(new SumNode(x, edit));
    case Fold::Prod: return Ref<Node>(new ProductNode(x, edit));
    case Fold::Min:
    case Fold::Max: break;
  }
  return Ref<Node>(new ExtremeNode(x, edit, result));
}

/// Of a dtype, the value that loses against every other one.
Scalar loser(DType dtype, bool maximum) {
  const auto integer = [&]<class T>(T) {
    return Scalar(static_cast<std::int64_t>(maximum ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max()));
  };
  switch (dtype) {
    case DType::Bool: return !maximum;
    case DType::UInt8: return integer(std::uint8_t{});
    case DType::Int8: return integer(std::int8_t{});
    case DType::Int16: return integer(std::int16_t{});
    case DType::Int32: return integer(std::int32_t{});
    case DType::Int64: return integer(std::int64_t{});
    case DType::Float16:
    case DType::BFloat16:
    case DType::Float32:
    case DType::Float64: break;
  }
  const double infinity = std::numeric_limits<double>::infinity();
  return maximum ? -infinity : infinity;
}

}  // namespace

Tensor edited(const Tensor& x, const Edit& edit) {
  Tensor out = no_grad([&] { return x.clone(); });
  if (edit.alone && edit.values.numel() > 0) {
    const TensorOptions options{.dtype = x.dtype(), .device = x.device()};
    const Tensor least = full({}, loser(x.dtype(), edit.fold == Fold::Max), options).expand(edit.values.shape());
    run_gather(Direction::Backward, out, edit.dim, edit.labels, least, std::nullopt);
  }
  write(out, edit);
  if (grad_enabled() && is_floating(x.dtype()) && (needs_grad(x) || needs_grad(edit.values)))
    record(out, node_of(x, edit, out));
  return out;
}

void edit_in_place(Tensor& x, const Edit& edit) {
  check_writable(x, edit.op);
  const bool recorded = records_change(x, edit.op, needs_grad(edit.values) && is_floating(x.dtype()));
  if (recorded || edit.alone) {
    const Operation called(edit.op);
    x.copy_(edited(x, edit));
    return;
  }
  write_in_place(x, edit);
}

void write_in_place(const Tensor& x, const Edit& edit) {
  no_grad([&] {
    Edit apart = edit;
    if (apart.values.storage() == x.storage()) apart.values = apart.values.clone();
    if (apart.labels.storage() == x.storage()) apart.labels = apart.labels.clone();
    write(x, apart);
  });
  x.storage()->bump_version();
}

void overwrite_slices(const Tensor& x, int dim, const Tensor& index, const Tensor& values) {
  write(x, {"overwrite", dim, index.view(column(x.ndim(), dim, index.numel())), values});
  x.storage()->bump_version();
}

Shape column(int ndim, int dim, std::int64_t size) {
  Shape shape = Dims::filled(ndim, 1);
  shape[dim] = size;
  return shape;
}

void check_same_device(const char* op, const Tensor& x, const char* argument, const Tensor& other) {
  LUGE_CHECK(DeviceError, x.device() == other.device(), "{}: the tensor is on {} and the {} on {}", op,
             to_string(x.device()), argument, to_string(other.device()));
}

}  // namespace luge
