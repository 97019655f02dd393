#include <luge/ops/indexing.h>

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/edit.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/detail/places.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/index.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

// ---- lists of indices

/// Where a list of indices leads: to neighbouring dimensions of a view of the tensor.
struct Lists {
  Tensor view;
  int first = 0;                ///< of the indexed dimensions
  std::vector<Tensor> indices;  ///< int64, from the front, of one shape; none: the view is all
  Shape shape;

  int count() const { return static_cast<int>(indices.size()); }
  std::int64_t elements() const { return element_count(shape); }
  /// The view's shape with `by` in place of the indexed dimensions.
  Shape spread(const Shape& by) const {
    Shape result;
    for (int d = 0; d < view.ndim(); ++d) {
      if (d == first)
        for (const std::int64_t size : by) result.push_back(size);
      if (d < first || d >= first + count()) result.push_back(view.shape()[d]);
    }
    return result;
  }
};

bool is_mask(const Tensor& index) { return index.dtype() == DType::Bool || index.dtype() == DType::UInt8; }

/// One index for each dimension of x, undefined for all of it; masks become lists of their places.
std::vector<Tensor> by_dimension(const char* op, const Tensor& x, const std::vector<Tensor>& indices) {
  std::vector<Tensor> result;
  for (const Tensor& index : indices) {
    const int d = static_cast<int>(result.size());
    if (!index.defined()) {
      result.emplace_back();
      continue;
    }
    check_same_device(op, x, "index", index);
    if (is_mask(index)) {
      LUGE_CHECK(IndexError, d + index.ndim() <= x.ndim(), "{}: a mask of shape {} at dim {} has too many dimensions for a tensor of {}",
                 op, to_string(index.shape()), d, to_string(x.shape()));
      for (int i = 0; i < index.ndim(); ++i)
        LUGE_CHECK(IndexError, index.shape()[i] == x.shape()[d + i],
                   "{}: a mask of shape {} does not match the tensor's size {} in dimension {}", op, to_string(index.shape()),
                   x.shape()[d + i], d + i);
      for (Tensor& along : places(op, index)) result.push_back(std::move(along));
      continue;
    }
    LUGE_CHECK(IndexError, is_index(index.dtype()), "{}: an index tensor is {}; it must be bool (a mask), int32 or int64", op,
               name(index.dtype()));
    LUGE_CHECK(IndexError, d < x.ndim(), "{}: {} indices for a tensor of {} dimensions", op, indices.size(), x.ndim());
    result.push_back(wrapped_labels(op, index, x.shape()[d], d));
  }
  LUGE_CHECK(IndexError, static_cast<int>(result.size()) <= x.ndim(), "{}: {} indices for a tensor of {} dimensions", op,
             result.size(), x.ndim());
  result.resize(static_cast<std::size_t>(x.ndim()));
  return result;
}

/// Indexed dimensions become neighbours: at their place, or first where others stand between them. One whose index has
/// no dimensions vanishes, so it stands between none.
Lists lists_of(const char* op, const Tensor& x, const std::vector<Tensor>& indices) {
  const std::vector<Tensor> all = by_dimension(op, x, indices);
  std::vector<int> order, open;
  int first = -1, last = -1;  // how many dimensions without an index stand before the first and the last list
  for (int d = 0; d < x.ndim(); ++d) {
    const Tensor& index = all[static_cast<std::size_t>(d)];
    if (!index.defined()) {
      open.push_back(d);
      continue;
    }
    order.push_back(d);
    if (index.ndim() == 0) continue;
    if (first < 0) first = static_cast<int>(open.size());
    last = static_cast<int>(open.size());
  }
  Lists result{x, 0, {}, {}};
  if (order.empty()) return result;
  if (first < 0) {  // only indices without dimensions
    first = 0;
    while (first < static_cast<int>(open.size()) && open[static_cast<std::size_t>(first)] < order[0]) ++first;
    last = first;
  }
  result.first = last > first ? 0 : first;
  std::vector<int> dims(open.begin(), open.begin() + result.first);
  dims.insert(dims.end(), order.begin(), order.end());
  dims.insert(dims.end(), open.begin() + result.first, open.end());
  if (!std::is_sorted(dims.begin(), dims.end())) result.view = x.permute(dims);
  for (const int d : order) {
    const Tensor& index = all[static_cast<std::size_t>(d)];
    result.shape = broadcast_shapes(op, result.shape, index.shape());
  }
  for (const int d : order) result.indices.push_back(all[static_cast<std::size_t>(d)].expand(result.shape));
  return result;
}

/// Row-major positions in the indexed dimensions, 1-d. `steps` are the distances of neighbours along each.
Tensor positions(const Lists& at, const std::vector<std::int64_t>& steps) {
  Tensor flat;
  for (std::size_t i = 0; i < at.indices.size(); ++i) {
    const Tensor part = steps[i] == 1 ? at.indices[i] : at.indices[i] * steps[i];
    flat = i == 0 ? part : flat + part;
  }
  return flat.reshape({at.elements()});
}

std::vector<std::int64_t> row_major(const Lists& at) {
  std::vector<std::int64_t> steps(at.indices.size());
  std::int64_t step = 1;
  for (std::size_t i = steps.size(); i-- > 0; step *= at.view.shape()[at.first + static_cast<int>(i)]) steps[i] = step;
  return steps;
}

/// The view with its indexed dimensions as one.
Tensor merged(const Lists& at) {
  std::int64_t size = 1;
  for (int i = 0; i < at.count(); ++i) size *= at.view.shape()[at.first + i];
  return at.count() == 1 ? at.view : at.view.reshape(at.spread({size}));
}

/// Values without leading dimensions of size 1 that the places have no room for, broadcast over them.
Tensor fitted(const char* op, Tensor values, const Shape& shape) {
  while (values.ndim() > shape.ndim() && values.shape()[0] == 1) values = values.select(0, 0);
  bool fits = values.ndim() <= shape.ndim();
  for (int d = 1; fits && d <= values.ndim(); ++d) {
    const std::int64_t size = values.shape()[values.ndim() - d];
    fits = size == 1 || size == shape[shape.ndim() - d];
  }
  LUGE_CHECK(ShapeError, fits, "{}: values of shape {} do not broadcast to the indexed shape {}", op,
             to_string(values.shape()), to_string(shape));
  return values.expand(shape);
}

Edit edit_of(const char* op, const Lists& at, int ndim, const Tensor& flat, const Tensor& values, bool accumulate) {
  return {op, at.first, flat.view(column(ndim, at.first, flat.numel())), values,
          accumulate ? std::optional(Fold::Sum) : std::nullopt};
}

/// Whether the indexed dimensions are one of some stride.
bool merges(const Lists& at) {
  for (int d = at.first; d + 1 < at.first + at.count(); ++d)
    if (at.view.strides()[d] != at.view.strides()[d + 1] * at.view.shape()[d + 1]) return false;
  return true;
}

/// Without a graph, whatever the strides are: indexed dimensions that are not one already are seen as one of stride 1,
/// and labels count the elements of memory that lie between places.
void put_directly(const char* op, const Lists& at, const Tensor& values, bool accumulate) {
  const int last = at.first + at.count() - 1;
  const std::int64_t stride = merges(at) ? at.view.strides()[last] : 1;
  std::vector<std::int64_t> steps = row_major(at);
  Shape shape;
  Strides strides;
  std::int64_t size = 1;
  for (int i = 0; i < at.count(); ++i) {
    std::int64_t& step = steps[static_cast<std::size_t>(i)];
    if (!merges(at)) step = at.view.strides()[at.first + i];
    size += (at.view.shape()[at.first + i] - 1) * step;
  }
  for (int d = 0; d < at.view.ndim(); ++d) {
    if (d == at.first) {
      shape.push_back(size);
      strides.push_back(stride);
    }
    if (d >= at.first && d <= last) continue;
    shape.push_back(at.view.shape()[d]);
    strides.push_back(at.view.strides()[d]);
  }
  const Tensor window = window_tensor(at.view, shape, strides, at.view.storage_offset());
  write_in_place(window, edit_of(op, at, window.ndim(), positions(at, steps), values, accumulate));
}

/// By way of a copy.
void put_recorded(const char* op, const Lists& at, const Tensor& values, bool accumulate) {
  const Tensor whole = merged(at);
  const Edit edit = edit_of(op, at, whole.ndim(), positions(at, row_major(at)), values, accumulate);
  Tensor target = at.view;
  const Operation called(op);
  target.copy_(edited(whole, edit).reshape(target.shape()));
}

Tensor flat(const Tensor& x) { return x.reshape({x.numel()}); }

/// Labels in a flat tensor.
Tensor flat_labels(const char* op, const Tensor& x, const Tensor& index) {
  checked(x, op);
  checked(index, op, "index");
  check_same_device(op, x, "index", index);
  return flat(wrapped_labels(op, index, x.numel()));
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Tensor>& indices) {
  checked(x, "index");
  const Lists at = lists_of("index", x, indices);
  if (at.indices.empty()) return x.clone();
  const Tensor whole = merged(at), places = positions(at, row_major(at));
  const Tensor labels = places.view(column(whole.ndim(), at.first, places.numel()));
  return picked("index", whole, at.first, labels, at.spread({places.numel()})).reshape(at.spread(at.shape));
}

Tensor& index_put_(Tensor& x, const std::vector<Tensor>& indices, const Tensor& values, bool accumulate) {
  constexpr const char* kOp = "index_put";
  checked(x, kOp);
  checked(values, kOp, "values");
  LUGE_CHECK(DTypeError, values.dtype() == x.dtype(), "{}: values are {}; the tensor is {}", kOp, name(values.dtype()),
             name(x.dtype()));
  check_writable(x, kOp);
  const Lists at = lists_of(kOp, x, indices);
  if (values.ndim() > 0) check_same_device(kOp, x, "values", values);
  const Operation called(kOp);
  const Tensor own = values.to(x.device());
  const Tensor wide = fitted(kOp, own, at.indices.empty() ? x.shape() : at.spread(at.shape));
  if (at.indices.empty()) return accumulate ? x.add_(wide) : x.copy_(wide);
  if (wide.numel() == 0) return x;
  const Tensor listed = wide.reshape(at.spread({at.elements()}));
  // A type that sums are not done in is converted on the way and back, which windows that overlap would not survive.
  const bool converts = accumulate && is_storage_only(x.dtype()) && !merges(at);
  if (records_change(x, kOp, needs_grad(values) && is_floating(x.dtype())) || converts)
    put_recorded(kOp, at, listed, accumulate);
  else
    no_grad([&] { put_directly(kOp, at, listed, accumulate); });
  return x;
}

Tensor index_put(const Tensor& x, const std::vector<Tensor>& indices, const Tensor& values, bool accumulate) {
  checked(x, "index_put");
  Tensor result = x.clone();
  index_put_(result, indices, values, accumulate);
  return result;
}

Tensor take(const Tensor& x, const Tensor& index) {
  const Tensor labels = flat_labels("take", x, index);
  return picked("take", flat(x), 0, labels, labels.shape()).reshape(index.shape());
}

namespace {

Edit putting(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  const Tensor labels = flat_labels("put", x, index);
  checked(source, "put", "source");
  check_same_device("put", x, "source", source);
  LUGE_CHECK(DTypeError, source.dtype() == x.dtype(), "put: source is {}; the tensor is {}", name(source.dtype()),
             name(x.dtype()));
  LUGE_CHECK(ShapeError, source.numel() == index.numel(), "put: source has {} elements and the index {}; both need equally many",
             source.numel(), index.numel());
  return {"put", 0, labels, flat(source), accumulate ? std::optional(Fold::Sum) : std::nullopt};
}

}  // namespace

Tensor put(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  return edited(flat(x), putting(x, index, source, accumulate)).view(x.shape());
}

Tensor& put_(Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  const Edit edit = putting(x, index, source, accumulate);
  check_writable(x, "put");
  if (!x.is_contiguous()) {
    const Operation called("put");
    return x.copy_(edited(flat(x), edit).view(x.shape()));
  }
  Tensor whole = x.view({x.numel()});
  edit_in_place(whole, edit);
  return x;
}

Tensor take_along_dim(const Tensor& x, const Tensor& index) {
  checked(x, "take_along_dim");
  checked(index, "take_along_dim", "index");
  check_same_device("take_along_dim", x, "index", index);
  const Tensor labels = flat(wrapped_labels("take_along_dim", index, x.numel()));
  return picked("take_along_dim", flat(x), 0, labels, labels.shape());
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, int dim) {
  constexpr const char* kOp = "take_along_dim";
  checked(x, kOp);
  checked(index, kOp, "index");
  check_same_device(kOp, x, "index", index);
  LUGE_CHECK(ShapeError, x.ndim() == index.ndim(), "{}: the tensor is {} and the index {}; both need the same number of dimensions",
             kOp, to_string(x.shape()), to_string(index.shape()));
  const int d = normalize_dim(kOp, dim, x.ndim());
  Shape rest = x.shape(), own = index.shape();
  rest[d] = own[d] = 1;
  Shape shape = broadcast_shapes(kOp, rest, own), whole = shape;
  shape[d] = index.shape()[d];
  whole[d] = x.shape()[d];
  const Tensor labels = wrapped_labels(kOp, index, x.shape()[d], d);
  return picked(kOp, x.expand(whole), d, labels.expand(shape), shape);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  constexpr const char* kOp = "masked_select";
  checked(x, kOp);
  checked(mask, kOp, "mask");
  check_same_device(kOp, x, "mask", mask);
  LUGE_CHECK(DTypeError, mask.dtype() == DType::Bool, "{}: mask is {}; it must be bool", kOp, name(mask.dtype()));
  const Shape shape = broadcast_shapes(kOp, x.shape(), mask.shape());
  const Tensor labels = flat_places(kOp, mask.expand(shape));
  return picked(kOp, flat(x.expand(shape)), 0, labels, labels.shape(), Repeats::No);
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  constexpr const char* kOp = "masked_scatter";
  checked(x, kOp);
  checked(mask, kOp, "mask");
  checked(source, kOp, "source");
  check_same_device(kOp, x, "mask", mask);
  check_same_device(kOp, x, "source", source);
  LUGE_CHECK(DTypeError, mask.dtype() == DType::Bool, "{}: mask is {}; it must be bool", kOp, name(mask.dtype()));
  LUGE_CHECK(DTypeError, source.dtype() == x.dtype(), "{}: source is {}; the tensor is {}", kOp, name(source.dtype()),
             name(x.dtype()));
  const Shape shape = broadcast_shapes(kOp, x.shape(), mask.shape());
  const Tensor chosen = mask.expand(shape), whole = x.expand(shape);
  const Tensor count = no_grad([&] { return running_count(chosen); });
  if (x.device().is_cpu() && chosen.numel() > 0) {
    const Unobserved apart;
    const auto needed = count.select(0, count.numel() - 1).item<std::int64_t>();
    LUGE_CHECK(ShapeError, source.numel() >= needed, "{}: the mask is true at {} places and source has {} elements", kOp,
               needed, source.numel());
  }
  if (source.numel() == 0 || chosen.numel() == 0) return whole.clone();
  const Tensor labels = where(flat(chosen), count - 1, 0);
  return where(chosen, picked(kOp, flat(source), 0, labels, labels.shape()).view(shape), whole);
}

}  // namespace luge
