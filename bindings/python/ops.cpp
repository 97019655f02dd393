// Reductions, products, softmax, losses, joining and picking.

#include <fmt/format.h>

#include "python.h"

namespace luge::python {

namespace {

/// Dimensions as Python gives them; nothing stands for all.
std::optional<DimList> dims_of(const char* op, nb::handle dim) {
  if (dim.is_none()) return std::nullopt;
  std::vector<int> dims = dimensions(op, dim);
  if (dims.empty()) return std::nullopt;
  return DimList(std::move(dims));
}

std::vector<int> all_dims(const Tensor& x) {
  std::vector<int> dims;
  for (int d = 0; d < x.ndim(); ++d) dims.push_back(d);
  return dims;
}

/// A reduction over everything or over some dimensions.
template <class All, class Some>
Tensor reduced(const char* op, const Tensor& x, nb::handle dim, bool keepdim, const All& all, const Some& some) {
  std::optional<DimList> dims = dims_of(op, dim);
  if (!dims && keepdim && x.ndim() > 0) dims = DimList(all_dims(x));
  const Unlocked unlocked(x);
  return dims ? some(x, *dims) : all(x);
}

constexpr const char* kDim =
    "\n\n`dim`: an int or a tuple of ints; None: all. With `keepdim` reduced dimensions stay, of size 1.\n\n";

/// A reduction as a function and as a method.
template <class Call>
void def_reduction(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const Call& call, const char* does,
                   const char* example) {
  const std::string text = std::string(does) + kDim + example;
  const auto signature = [name](const char* self) {
    return fmt::format("def {}({}, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor", name,
                       self);
  };
  m.def(name, call, "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str(),
        nb::sig(signature("input: Tensor").c_str()));
  tensor.def(name, call, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str(), nb::sig(signature("self").c_str()));
}

#define LUGE_REDUCTION(method)                                                          \
  [](const Tensor& x, nb::handle dim, bool keepdim) {                                   \
    return reduced(                                                                     \
        #method, x, dim, keepdim, [](const Tensor& t) { return t.method(); },           \
        [keepdim](const Tensor& t, const DimList& d) { return t.method(d, keepdim); }); \
  }

/// max and min mean three things in PyTorch: the extreme of all, the extremes along a dimension with their places, and
/// the larger or smaller of two tensors.
using Extreme = nb::object (*)(const Tensor&, nb::handle, bool);

template <bool largest>
nb::object extreme(const Tensor& x, nb::handle dim, bool keepdim) {
  const char* const name = largest ? "max" : "min";
  const auto of_all = [&] {
    const Unlocked unlocked(x);
    return largest ? x.max() : x.min();
  };
  const auto of_both = [&](const Tensor& other) {
    const Unlocked unlocked(x, other);
    return largest ? maximum(x, other) : minimum(x, other);
  };
  if (dim.is_none()) return wrap(of_all());
  if (is_tensor(dim)) return wrap(of_both(as_tensor(dim)));
  const std::vector<int> dims = dimensions(name, dim);
  if (dims.size() != 1) throw TypeError(fmt::format("{}: dim must be one int; amax and amin take several", name));
  Extremes found;
  {
    const Unlocked unlocked(x);
    found = largest ? max_along(x, dims[0], keepdim) : min_along(x, dims[0], keepdim);
  }
  static const nb::object& pair =
      *new nb::object(nb::module_::import_("collections").attr("namedtuple")("extremes", "values indices"));
  return pair(wrap(std::move(found.values)), wrap(std::move(found.indices)));
}

void bind_reductions(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_reduction(m, tensor, "sum", LUGE_REDUCTION(sum), "The sum; int64 for integers and bool.",
                ">>> luge.tensor([[1, 2], [3, 4]]).sum(dim=0)\ntensor([4, 6])");
  def_reduction(m, tensor, "mean", LUGE_REDUCTION(mean), "The mean; floating dtypes.",
                ">>> luge.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(dim=1)\ntensor([1.5000, 3.5000])");
  def_reduction(m, tensor, "prod", LUGE_REDUCTION(prod), "The product; int64 for integers and bool.",
                ">>> luge.prod(luge.tensor([2, 3, 4]))\ntensor(24)");
  def_reduction(m, tensor, "amax", LUGE_REDUCTION(max),
                "The largest value; NaN where there is one. Equal ones share the gradient.",
                ">>> luge.amax(luge.tensor([[1, 5], [7, 2]]), dim=1)\ntensor([5, 7])");
  def_reduction(m, tensor, "amin", LUGE_REDUCTION(min),
                "The smallest value; NaN where there is one. Equal ones share the gradient.",
                ">>> luge.amin(luge.tensor([[1, 5], [7, 2]]), dim=1)\ntensor([1, 2])");
  def_reduction(m, tensor, "argmax", LUGE_REDUCTION(argmax),
                "Position (int64) of the first largest value, row-major within the reduced dimensions.",
                ">>> luge.argmax(luge.tensor([3.0, 9.0, 9.0]))\ntensor(1)");
  def_reduction(m, tensor, "argmin", LUGE_REDUCTION(argmin),
                "Position (int64) of the first smallest value, row-major within the reduced dimensions.",
                ">>> luge.argmin(luge.tensor([3.0, 1.0, 1.0]))\ntensor(1)");
  const auto lse = [](const Tensor& x, nb::handle dim, bool keepdim) {
    return reduced(
        "logsumexp", x, dim, keepdim, [](const Tensor& t) { return t.logsumexp(DimList(all_dims(t))); },
        [keepdim](const Tensor& t, const DimList& d) { return t.logsumexp(d, keepdim); });
  };
  def_reduction(m, tensor, "logsumexp", lse, "log(sum(exp(x))), shifted by the maximum so that nothing overflows.",
                ">>> luge.logsumexp(luge.tensor([1000.0, 1000.0]))\ntensor(1000.6932)");

  def_reduction(m, tensor, "nansum", LUGE_REDUCTION(nansum), "The sum with NaN counted as 0, where the gradient is 0.",
                ">>> luge.nansum(luge.tensor([1.0, float('nan'), 3.0]))\ntensor(4.)");

  const auto var = [](const Tensor& x, nb::handle dim, double correction, bool keepdim) {
    return reduced(
        "var", x, dim, keepdim,
        [correction](const Tensor& t) { return correction == 1 ? t.var() : t.var(DimList(all_dims(t)), correction); },
        [=](const Tensor& t, const DimList& d) { return t.var(d, correction, keepdim); });
  };
  const auto deviation = [](const Tensor& x, nb::handle dim, double correction, bool keepdim) {
    return reduced(
        "std", x, dim, keepdim,
        [correction](const Tensor& t) { return correction == 1 ? t.std() : t.std(DimList(all_dims(t)), correction); },
        [=](const Tensor& t, const DimList& d) { return t.std(d, correction, keepdim); });
  };
  const std::string var_text = std::string("The variance: squared distances from the mean over n - `correction`.") +
                               kDim + ">>> luge.var(luge.tensor([1.0, 2.0, 3.0]))\ntensor(1.)";
  const std::string std_text = std::string("The standard deviation, the root of var(); the gradient where all values are equal is 0.") + kDim +
                               ">>> luge.std(luge.tensor([1.0, 3.0, 5.0]))\ntensor(2.)";
  m.def("var", var, "input"_a, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, var_text.c_str());
  m.def("std", deviation, "input"_a, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, std_text.c_str());
  tensor.def("var", var, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, var_text.c_str());
  tensor.def("std", deviation, "dim"_a = nb::none(), "correction"_a = 1.0, "keepdim"_a = false, std_text.c_str());

  const std::pair<const char*, Extreme> extremes[] = {{"max", &extreme<true>}, {"min", &extreme<false>}};
  for (const auto& [name, call] : extremes) {
    const bool largest = call == &extreme<true>;
    const std::string text = fmt::format(
        "The {0} value; NaN where there is one; equal ones share the gradient. With `dim` (an int) a pair (values, "
        "indices), where the element at the index gets the whole gradient; with a tensor in its place the {1} of both, "
        "element by element.\n\n>>> luge.{2}(luge.tensor([3, 9, 4]))\ntensor({3})",
        largest ? "largest" : "smallest", largest ? "larger" : "smaller", name, largest ? 9 : 3);
    m.def(name, call, "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str());
    tensor.def(name, call, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str());
  }
  const auto all = [](const Tensor& x) { return x.all(); };
  const auto any = [](const Tensor& x) { return x.any(); };
  const char* const all_text =
      "Whether all elements are not zero (bool).\n\n>>> luge.all(luge.tensor([1, 0]))\ntensor(False)";
  const char* const any_text =
      "Whether any element is not zero (bool).\n\n>>> luge.any(luge.tensor([1, 0]))\ntensor(True)";
  m.def("all", all, "input"_a, all_text).def("any", any, "input"_a, any_text);
  tensor.def("all", all, all_text).def("any", any, any_text);
}

// ---- products, softmax, picking

void bind_products(nb::module_& m, nb::class_<Tensor>& tensor) {
  const auto product = [](const Tensor& a, const Tensor& b) {
    const Unlocked unlocked(Unlocked::product(a, b));
    return matmul(a, b);
  };
  const char* const text =
      "The matrix product with PyTorch's rules: 1-d operands are a row (left) or a column (right), leading dimensions "
      "broadcast: (..., m, k) x (..., k, n) -> (..., m, n). Floating dtypes; halves are summed in float32.\n\n"
      "Raises ShapeError naming both shapes.\n\n"
      ">>> luge.matmul(luge.tensor([[1.0, 2.0]]), luge.tensor([[3.0], [4.0]]))\ntensor([[11.]])";
  m.def("matmul", product, "input"_a, "other"_a, text);
  tensor.def("matmul", product, "other"_a, text);
  const auto def_ranked = [&](const char* name, int ndim, const char* does) {
    const auto ranked = [=](const Tensor& a, const Tensor& b) {
      if (a.ndim() != ndim || b.ndim() != ndim || (ndim == 3 && a.size(0) != b.size(0)))
        throw ShapeError(fmt::format("{}: the tensors have shapes {} and {}; both must be {}-d{}; matmul takes others",
                                     name, to_string(a.shape()), to_string(b.shape()), ndim,
                                     ndim == 3 ? ", of the same first size" : ""));
      return product(a, b);
    };
    m.def(name, ranked, "input"_a, "other"_a, does);
    tensor.def(name, ranked, "other"_a, does);
  };
  def_ranked("mm", 2,
             "The product of two matrices: (m, k) x (k, n) -> (m, n).\n\n"
             ">>> luge.mm(luge.tensor([[1.0, 2.0]]), luge.tensor([[3.0], [4.0]]))\ntensor([[11.]])");
  def_ranked("bmm", 3,
             "The products of two batches of matrices: (b, m, k) x (b, k, n) -> (b, m, n).\n\n"
             ">>> luge.bmm(luge.ones(2, 1, 3), luge.ones(2, 3, 1)).shape\n(2, 1, 1)");
  m.def(
      "linear",
      [](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
        const Unlocked unlocked(Unlocked::product(x, weight));
        return linear(x, weight, bias.value_or(Tensor()));
      },
      "input"_a, "weight"_a, "bias"_a = nb::none(),
      "input weight^T + bias, with an optional leading axis of sets:\n\n"
      "weight (out, in), bias (out): input (..., in) -> (..., out)\n\n"
      "weight (sets, out, in), bias (sets, out): input (batch, in) or (sets, batch, in) -> (sets, batch, out)\n\n"
      ">>> luge.linear(luge.ones(1, 2), luge.tensor([[1.0, 2.0]]), luge.tensor([0.5]))\ntensor([[3.5000]])");

  const auto soft = [](const Tensor& x, int dim) {
    const Unlocked unlocked(x);
    return softmax(x, dim);
  };
  const auto log_soft = [](const Tensor& x, int dim) {
    const Unlocked unlocked(x);
    return log_softmax(x, dim);
  };
  const char* const soft_text =
      "exp(x) / sum(exp(x)) along `dim`.\n\n>>> luge.softmax(luge.zeros(4), dim=0)\ntensor([0.2500, 0.2500, 0.2500, "
      "0.2500])";
  const char* const log_text =
      "log(softmax(x)) without the rounding of going through it.\n\n"
      ">>> luge.log_softmax(luge.zeros(2), dim=0)\ntensor([-0.6931, -0.6931])";
  m.def("softmax", soft, "input"_a, "dim"_a, soft_text).def("log_softmax", log_soft, "input"_a, "dim"_a, log_text);
  tensor.def("softmax", soft, "dim"_a, soft_text).def("log_softmax", log_soft, "dim"_a, log_text);
}

void bind_picking(nb::module_& m, nb::class_<Tensor>& tensor) {
  const auto select = [](const Tensor& x, int dim, const Tensor& index) {
    const Unlocked unlocked(x);
    return index_select(x, dim, index);
  };
  const auto pick = [](const Tensor& x, int dim, const Tensor& index) {
    const Unlocked unlocked(x);
    return gather(x, dim, index);
  };
  const char* const select_text =
      "Slices along `dim` in the order of `index` (1-d, int32 or int64). Raises IndexError for an index outside "
      "[0, size), on a GPU at the next synchronisation.\n\n"
      ">>> luge.index_select(luge.tensor([5, 6, 7]), 0, luge.tensor([2, 0]))\ntensor([7, 5])";
  const char* const pick_text =
      "out[.., i, ..] = input[.., index[.., i, ..], ..] along `dim`.\n\n"
      ">>> luge.gather(luge.tensor([[1, 2], [3, 4]]), 1, luge.tensor([[1], [0]]))\ntensor([[2],\n        [3]])";
  const auto put = [](const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
    const Unlocked unlocked(x);
    return index_copy(x, dim, index, source);
  };
  const char* const put_text =
      "A copy in which slice index[i] along `dim` is slice i of `source`; of equal indices the last one stays.\n\n"
      ">>> luge.index_copy(luge.zeros(3), 0, luge.tensor([2, 0]), luge.tensor([5., 6.]))\ntensor([6., 0., 5.])";
  m.def("index_copy", put, "input"_a, "dim"_a, "index"_a, "source"_a, put_text);
  tensor.def("index_copy", put, "dim"_a, "index"_a, "source"_a, put_text);
  m.def("index_select", select, "input"_a, "dim"_a, "index"_a, select_text);
  m.def("gather", pick, "input"_a, "dim"_a, "index"_a, pick_text);
  tensor.def("index_select", select, "dim"_a, "index"_a, select_text)
      .def("gather", pick, "dim"_a, "index"_a, pick_text);

  const auto joined = [](const std::vector<Tensor>& tensors, int dim) {
    const Unlocked unlocked(kQuick);
    return cat(tensors, dim);
  };
  const char* const cat_text =
      "Joins along an existing dimension; all other sizes are equal.\n\n"
      ">>> luge.cat([luge.zeros(1), luge.ones(2)])\ntensor([0., 1., 1.])";
  for (const char* const name : {"cat", "concat"}) m.def(name, joined, "tensors"_a, "dim"_a = 0, cat_text);
  m.def(
      "stack",
      [](const std::vector<Tensor>& tensors, int dim) {
        const Unlocked unlocked(kQuick);
        return stack(tensors, dim);
      },
      "tensors"_a, "dim"_a = 0,
      "Joins along a new dimension; all shapes are equal.\n\n"
      ">>> luge.stack([luge.zeros(2), luge.ones(2)])\ntensor([[0., 0.],\n        [1., 1.]])");
}

// ---- losses

Reduction reduction_of(const char* op, const std::string& text) {
  if (text == "mean") return Reduction::Mean;
  if (text == "sum") return Reduction::Sum;
  if (text == "none") return Reduction::None;
  if (text == "per_set") return Reduction::PerSet;
  throw ValueError(fmt::format("{}: reduction is '{}'; it must be 'mean', 'sum', 'none' or 'per_set'", op, text));
}

void bind_losses(nb::module_& m) {
  m.def(
      "mse_loss",
      [](const Tensor& input, const Tensor& target, const std::string& reduction) {
        const Reduction how = reduction_of("mse_loss", reduction);
        const Unlocked unlocked(input, target);
        return mse_loss(input, target, how);
      },
      "input"_a, "target"_a, "reduction"_a = "mean",
      "(input - target)^2, of equal shapes; nothing broadcasts.\n\n`reduction`: 'mean', 'sum', 'none', or 'per_set': one "
      "mean per index of the first dimension, that of the sets; a target without it then serves all sets. A mean over "
      "sets divides every set's step by their number: take 'per_set', then sum().\n\n>>> luge.nn.functional.mse_loss(luge.tensor([1.0, 3.0]), luge.tensor([1.0, "
      "1.0]))\ntensor(2.)");
  m.def(
      "cross_entropy",
      [](const Tensor& input, const Tensor& target, const std::optional<Tensor>& weight,
         std::optional<std::int64_t> ignore_index, const std::string& reduction, double label_smoothing) {
        const CrossEntropyOptions options{.weight = weight.value_or(Tensor()),
                                          .ignore_index = ignore_index,
                                          .label_smoothing = label_smoothing,
                                          .reduction = reduction_of("cross_entropy", reduction)};
        const Unlocked unlocked(input);
        return cross_entropy(input, target, options);
      },
      "input"_a, "target"_a, "weight"_a = nb::none(), nb::kw_only(), "ignore_index"_a = nb::none(),
      "reduction"_a = "mean", "label_smoothing"_a = 0.0,
      "-log(softmax(input)[target]). Classes are dimension 1 of the logits (batch, classes, ...), dimension 0 of logits "
      "(classes).\n\n`target` holds labels, int64 or int32, of the logits' shape without the classes, or probabilities "
      "of the classes, of the logits' shape and dtype; nothing broadcasts. With reduction='per_set' a dimension of sets "
      "comes before all that, (sets, batch, classes, ...), and a target without it serves all sets.\n\n`weight`: one "
      "for each class. `ignore_index`: samples of this label count for nothing; without one, every label outside "
      "[0, classes) raises IndexError on the CPU (on a GPU its loss is NaN). `label_smoothing`: the part of the target "
      "that is spread over all classes. `reduction` as in mse_loss.\n\n"
      ">>> luge.nn.functional.cross_entropy(luge.zeros(1, 2), luge.tensor([1]))\ntensor(0.6931)");
}

}  // namespace

void bind_ops(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_reductions(m, tensor);
  bind_products(m, tensor);
  bind_picking(m, tensor);
  bind_losses(m);
}

}  // namespace luge::python
