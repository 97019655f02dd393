#include <luge/ops/scatter.h>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/edit.h>
#include <luge/ops/detail/labels.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

// ---- what is put where, checked

/// `value` repeated over `shape`.
Tensor filled(const char* op, const Tensor& x, Scalar value, const Shape& shape) {
  const Operation called(op);
  return full({}, value, {.dtype = x.dtype(), .device = x.device()}).expand(shape);
}

void check_dtypes(const char* op, const Tensor& x, const Tensor& source) {
  LUGE_CHECK(DTypeError, source.dtype() == x.dtype(), "{}: source is {}; the tensor is {}", op, name(source.dtype()),
             name(x.dtype()));
}

/// Of a scatter. `source` is undefined where a number goes everywhere.
Edit scattering(const char* op, const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  checked(x, op);
  checked(index, op, "index");
  check_same_device(op, x, "index", index);
  const Tensor whole = lifted(x), places = lifted(index);
  const int d = normalize_dim(op, dim, whole.ndim());
  if (source.defined()) {
    check_same_device(op, x, "source", source);
    check_dtypes(op, x, source);
  }
  if (index.numel() == 0) {
    Shape none = whole.shape();
    none[d] = 0;
    const TensorOptions options{.dtype = DType::Int64, .device = x.device()};
    checked_labels(op, index, whole.shape()[d], 0, d);
    return {op, d, zeros(none, options), zeros(none, {.dtype = x.dtype(), .device = x.device()})};
  }
  LUGE_CHECK(ShapeError, places.ndim() == whole.ndim(),
             "{}: the tensor is {} and the index {}; both need the same number of dimensions", op, to_string(x.shape()),
             to_string(index.shape()));
  for (int i = 0; i < whole.ndim(); ++i)
    LUGE_CHECK(ShapeError, i == d || places.shape()[i] <= whole.shape()[i],
               "{}: the index {} is larger than the tensor {} in dimension {}; only dim {} may be", op,
               to_string(index.shape()), to_string(x.shape()), i, d);
  Tensor values;
  if (source.defined()) {
    values = lifted(source);
    LUGE_CHECK(ShapeError, values.ndim() == whole.ndim(),
               "{}: the tensor is {} and the source {}; both need the same number of dimensions", op, to_string(x.shape()),
               to_string(source.shape()));
    for (int i = 0; i < whole.ndim(); ++i) {
      LUGE_CHECK(ShapeError, places.shape()[i] <= values.shape()[i],
                 "{}: the index {} is larger than the source {} in dimension {}", op, to_string(index.shape()),
                 to_string(source.shape()), i);
      if (places.shape()[i] < values.shape()[i]) values = values.slice(i, 0, places.shape()[i]);
    }
  }
  return {op, d, checked_labels(op, places, whole.shape()[d], 0, d), values};
}

Edit scattering(const char* op, const Tensor& x, int dim, const Tensor& index, Scalar value) {
  Edit edit = scattering(op, x, dim, index, Tensor());
  edit.values = filled(op, x, value, edit.labels.shape());
  return edit;
}

enum class Ends : bool { Front, Both };

/// Of slices along `dim`: their labels as a column, and the shape that their values have.
struct Slices {
  int dim;
  Tensor labels;
  Shape shape;
};
Slices slices(const char* op, const Tensor& x, int dim, const Tensor& index, Ends ends) {
  checked(x, op);
  checked(index, op, "index");
  check_same_device(op, x, "index", index);
  LUGE_CHECK(ShapeError, index.ndim() <= 1, "{}: index is {}; it must have one dimension", op, to_string(index.shape()));
  Shape shape = lifted(x).shape();
  const int d = normalize_dim(op, dim, shape.ndim());
  const Tensor labels =
      ends == Ends::Both ? wrapped_labels(op, index, shape[d], d) : checked_labels(op, index, shape[d], 0, d);
  shape[d] = index.numel();
  return {d, labels.reshape(column(shape.ndim(), d, index.numel())), shape};
}

/// A single slice of a vector may come without dimensions where `lifts`.
Edit of_slices(const char* op, const Tensor& x, int dim, const Tensor& index, const Tensor& source, bool lifts = false) {
  checked(source, op, "source");
  const Slices all = slices(op, x, dim, index, Ends::Front);
  check_same_device(op, x, "source", source);
  const Tensor values = (lifts || x.ndim() == 0) && all.shape.ndim() == 1 ? lifted(source) : source;
  LUGE_CHECK(ShapeError, values.shape() == all.shape, "{}: source is {}; a tensor of {} with {} indices along dim {} needs {}",
             op, to_string(source.shape()), to_string(x.shape()), index.numel(), all.dim, to_string(all.shape));
  check_dtypes(op, x, source);
  return {op, all.dim, all.labels, values};
}

// ---- reductions

enum class Reduction { Sum, Prod, Mean, Max, Min };

Reduction reduction_of(const char* op, std::string_view reduce, bool sums) {
  if (sums && reduce == "sum") return Reduction::Sum;
  if (reduce == "prod") return Reduction::Prod;
  if (reduce == "mean") return Reduction::Mean;
  // PyTorch takes scatter_reduce's extremes by their short names, too.
  if (reduce == "amax" || (sums && reduce == "max")) return Reduction::Max;
  if (reduce == "amin" || (sums && reduce == "min")) return Reduction::Min;
  raise<ValueError>("{}: reduce is \"{}\"; allowed are {}\"prod\", \"mean\", \"amax\" and \"amin\"", op, reduce,
                    sums ? "\"sum\", " : "");
}

Fold arithmetic_of(const char* op, std::string_view reduce) {
  if (reduce == "add") return Fold::Sum;
  if (reduce == "multiply") return Fold::Prod;
  raise<ValueError>("{}: reduce is \"{}\"; allowed are \"add\" and \"multiply\"", op, reduce);
}

Edit folding(Edit edit, Fold fold) {
  edit.fold = fold;
  return edit;
}

/// Sums divided by how many they are of.
Tensor mean_of(const Tensor& x, const Tensor& sums, const Edit& edit, bool include_self) {
  const DType counter = x.dtype() == DType::Float64 ? DType::Float64 : is_floating(x.dtype()) ? DType::Float32 : DType::Int64;
  const TensorOptions options{.dtype = counter, .device = x.device()};
  Edit ones = folding(edit, Fold::Sum);
  ones.values = full({}, 1, options).expand(edit.values.shape());
  const Tensor count = edited(full(x.shape(), include_self ? 1 : 0, options), ones).clamp(1, std::nullopt);
  if (is_floating(x.dtype())) return sums / count.to(x.dtype());
  // The quotient rounded down: what remains of the division by the count has the sign of the sum.
  const Tensor near = (sums.to(DType::Float64) / count.to(DType::Float64)).floor().to(DType::Int64);
  const Tensor rest = sums.to(DType::Int64) - near * count;
  return (near + rest.ge(count).to(DType::Int64) - rest.lt(0).to(DType::Int64)).to(x.dtype());
}

Tensor reduced(const Tensor& x, Edit edit, Reduction reduction, bool include_self) {
  LUGE_CHECK(DTypeError, reduction != Reduction::Mean || x.dtype() != DType::Bool,
             "{}: the tensor is bool; a mean takes numbers", edit.op);
  Tensor start = x;
  const bool sums = reduction == Reduction::Sum || reduction == Reduction::Mean;
  if (!include_self && (sums || reduction == Reduction::Prod)) {
    Edit neutral = edit;
    neutral.values = filled(edit.op, x, sums ? 0 : 1, edit.values.shape());
    start = edited(x, neutral);
  }
  switch (reduction) {
    case Reduction::Prod: return edited(start, folding(edit, Fold::Prod));
    case Reduction::Sum: return edited(start, folding(edit, Fold::Sum));
    case Reduction::Mean: return mean_of(x, edited(start, folding(edit, Fold::Sum)), edit, include_self);
    case Reduction::Min:
    case Reduction::Max: break;
  }
  edit.alone = !include_self;
  return edited(x, folding(edit, reduction == Reduction::Max ? Fold::Max : Fold::Min));
}

// ---- where it goes: to a copy, or to x

Tensor result_of(const Tensor& x, const Edit& edit) {
  return x.ndim() == 0 ? edited(lifted(x), edit).view({}) : edited(x, edit);
}

Tensor& change(Tensor& x, const Edit& edit) {
  if (x.ndim() > 0) {
    edit_in_place(x, edit);
    return x;
  }
  check_writable(x, edit.op);
  Tensor whole = lifted(x);
  edit_in_place(whole, edit);
  return x;
}

Tensor result_of(const Tensor& x, const Edit& edit, Reduction reduction, bool include_self) {
  const Tensor result = reduced(lifted(x), edit, reduction, include_self);
  return x.ndim() == 0 ? result.view({}) : result;
}

Tensor& change(Tensor& x, const Edit& edit, Reduction reduction, bool include_self) {
  if (include_self && reduction == Reduction::Sum) return change(x, folding(edit, Fold::Sum));
  if (include_self && reduction == Reduction::Prod) return change(x, folding(edit, Fold::Prod));
  if (include_self && reduction == Reduction::Max) return change(x, folding(edit, Fold::Max));
  if (include_self && reduction == Reduction::Min) return change(x, folding(edit, Fold::Min));
  check_writable(x, edit.op);
  const Operation called(edit.op);
  return x.copy_(result_of(x, edit, reduction, include_self));
}

Edit adding(const Tensor& x, int dim, const Tensor& index, const Tensor& source, Scalar alpha) {
  const Edit edit = folding(of_slices("index_add", x, dim, index, source), Fold::Sum);
  if (alpha.kind() != Scalar::Kind::Float && alpha.to_double() == 1) return edit;
  const Operation called("index_add");
  LUGE_CHECK(DTypeError, alpha.kind() != Scalar::Kind::Float || is_floating(x.dtype()),
             "index_add: alpha is {}; with a tensor of {} it must be an integer", alpha.to_double(), name(x.dtype()));
  if (alpha.to_double() == 1) return edit;
  Edit scaled = edit;
  scaled.values = (edit.values * alpha).to(x.dtype());
  return scaled;
}

Edit filling(const Tensor& x, int dim, const Tensor& index, Scalar value) {
  const Slices all = slices("index_fill", x, dim, index, Ends::Both);
  return {"index_fill", all.dim, all.labels, filled("index_fill", x, value, all.shape)};
}
Edit filling(const Tensor& x, int dim, const Tensor& index, const Tensor& value) {
  checked(value, "index_fill", "value");
  LUGE_CHECK(ShapeError, value.ndim() == 0, "index_fill: value is {}; it must have no dimensions", to_string(value.shape()));
  const Slices all = slices("index_fill", x, dim, index, Ends::Both);
  check_same_device("index_fill", x, "value", value);
  return {"index_fill", all.dim, all.labels, value.to(x.dtype()).expand(all.shape)};
}

}  // namespace

Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  checked(source, "scatter", "source");
  return result_of(x, scattering("scatter", x, dim, index, source));
}
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  checked(source, "scatter", "source");
  return change(x, scattering("scatter", x, dim, index, source));
}
Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value) {
  return result_of(x, scattering("scatter", x, dim, index, value));
}
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, Scalar value) {
  return change(x, scattering("scatter", x, dim, index, value));
}

Tensor scatter(const Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce) {
  checked(source, "scatter", "source");
  return result_of(x, folding(scattering("scatter", x, dim, index, source), arithmetic_of("scatter", reduce)));
}
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce) {
  checked(source, "scatter", "source");
  return change(x, folding(scattering("scatter", x, dim, index, source), arithmetic_of("scatter", reduce)));
}
Tensor scatter(const Tensor& x, int dim, const Tensor& index, Scalar value, std::string_view reduce) {
  return result_of(x, folding(scattering("scatter", x, dim, index, value), arithmetic_of("scatter", reduce)));
}
Tensor& scatter_(Tensor& x, int dim, const Tensor& index, Scalar value, std::string_view reduce) {
  return change(x, folding(scattering("scatter", x, dim, index, value), arithmetic_of("scatter", reduce)));
}

Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  checked(source, "scatter_add", "source");
  return result_of(x, folding(scattering("scatter_add", x, dim, index, source), Fold::Sum));
}
Tensor& scatter_add_(Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  checked(source, "scatter_add", "source");
  return change(x, folding(scattering("scatter_add", x, dim, index, source), Fold::Sum));
}

Tensor scatter_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                      bool include_self) {
  checked(source, "scatter_reduce", "source");
  const Reduction reduction = reduction_of("scatter_reduce", reduce, true);
  return result_of(x, scattering("scatter_reduce", x, dim, index, source), reduction, include_self);
}
Tensor& scatter_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                        bool include_self) {
  checked(source, "scatter_reduce", "source");
  const Reduction reduction = reduction_of("scatter_reduce", reduce, true);
  return change(x, scattering("scatter_reduce", x, dim, index, source), reduction, include_self);
}

Tensor index_add(const Tensor& x, int dim, const Tensor& index, const Tensor& source, Scalar alpha) {
  return result_of(x, adding(x, dim, index, source, alpha));
}
Tensor& index_add_(Tensor& x, int dim, const Tensor& index, const Tensor& source, Scalar alpha) {
  return change(x, adding(x, dim, index, source, alpha));
}

Tensor index_copy(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  return result_of(x, of_slices("index_copy", x, dim, index, source, true));
}
Tensor& index_copy_(Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  return change(x, of_slices("index_copy", x, dim, index, source, true));
}

Tensor index_fill(const Tensor& x, int dim, const Tensor& index, Scalar value) {
  return result_of(x, filling(x, dim, index, value));
}
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, Scalar value) {
  return change(x, filling(x, dim, index, value));
}
Tensor index_fill(const Tensor& x, int dim, const Tensor& index, const Tensor& value) {
  return result_of(x, filling(x, dim, index, value));
}
Tensor& index_fill_(Tensor& x, int dim, const Tensor& index, const Tensor& value) {
  return change(x, filling(x, dim, index, value));
}

Tensor index_reduce(const Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                    bool include_self) {
  const Reduction reduction = reduction_of("index_reduce", reduce, false);
  return result_of(x, of_slices("index_reduce", x, dim, index, source), reduction, include_self);
}
Tensor& index_reduce_(Tensor& x, int dim, const Tensor& index, const Tensor& source, std::string_view reduce,
                      bool include_self) {
  const Reduction reduction = reduction_of("index_reduce", reduce, false);
  return change(x, of_slices("index_reduce", x, dim, index, source), reduction, include_self);
}

}  // namespace luge
