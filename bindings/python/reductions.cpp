// Reductions.

#include "reductions.h"

namespace luge::python {

namespace {

/// A reduction as a function and as a method. Call: (x, dim, keepdim, dtype).
template <class Call>
void def_total(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const Call& call, const char* does,
               const char* example) {
  const std::string text = std::string(does) + kDTypeAndDim + example;
  const auto signature = [name](const char* self, const char* more) {
    return fmt::format(
        "def {}({}, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: dtype | None = None{}) -> "
        "Tensor",
        name, self, more);
  };
  const auto to_out = [name, call](const Tensor& x, nb::handle dim, bool keepdim, std::optional<PyDType> dtype,
                                   nb::handle out) { return written(name, call(x, dim, keepdim, dtype), out); };
  m.def(name, to_out, "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "dtype"_a = nb::none(),
        "out"_a = nb::none(), text.c_str(), nb::sig(signature("input: Tensor", ", out: Tensor | None = None").c_str()));
  tensor.def(name, call, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "dtype"_a = nb::none(), text.c_str(),
             nb::sig(signature("self", "").c_str()));
}

/// The same without a dtype. Call: (x, dim, keepdim).
template <class Call>
void def_reduction(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const Call& call, const char* does,
                   const char* example) {
  const std::string text = std::string(does) + kDim + example;
  const auto signature = [name](const char* self, const char* more) {
    return fmt::format("def {}({}, dim: int | Sequence[int] | None = None, keepdim: bool = False{}) -> Tensor", name,
                       self, more);
  };
  const auto to_out = [name, call](const Tensor& x, nb::handle dim, bool keepdim, nb::handle out) {
    return written(name, call(x, dim, keepdim), out);
  };
  m.def(name, to_out, "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "out"_a = nb::none(),
        text.c_str(), nb::sig(signature("input: Tensor", ", *, out: Tensor | None = None").c_str()));
  tensor.def(name, call, "dim"_a = nb::none(), "keepdim"_a = false, text.c_str(), nb::sig(signature("self", "").c_str()));
}

#define LUGE_REDUCTION(method)                                                          \
  [](const Tensor& x, nb::handle dim, bool keepdim) {                                   \
    return reduced(                                                                     \
        #method, x, dim, keepdim, [](const Tensor& t) { return t.method(); },           \
        [keepdim](const Tensor& t, const DimList& d) { return t.method(d, keepdim); }); \
  }

/// The elements are converted before, and the result, which is int64 of integers, afterwards.
#define LUGE_TOTAL(method)                                                                                       \
  [](const Tensor& x, nb::handle dim, bool keepdim, std::optional<PyDType> dtype) {                               \
    return reduced(                                                                                              \
        #method, x, dim, keepdim, [&](const Tensor& t) { return cast(cast(t, dtype).method(), dtype); },          \
        [&](const Tensor& t, const DimList& d) { return cast(cast(t, dtype).method(d, keepdim), dtype); });       \
  }

/// max and min mean three things in PyTorch: the extreme of all, the extremes along a dimension with their places, and
/// the larger or smaller of two tensors.
template <bool largest>
nb::object extreme(const Tensor& x, nb::handle dim, bool keepdim, nb::handle other, nb::handle out) {
  const char* const name = largest ? "max" : "min";
  const auto of_all = [&] {
    const Unlocked unlocked(x);
    return largest ? x.max() : x.min();
  };
  const auto of_both = [&](const Tensor& second) {
    const Unlocked unlocked(x, second);
    return largest ? maximum(x, second) : minimum(x, second);
  };
  if (!other.is_none()) {
    if (!dim.is_none()) throw TypeError(fmt::format("{}: dim and other are given; only one may be", name));
    if (!is_tensor(other)) throw TypeError(fmt::format("{}: other is of type {}; it must be a Tensor", name, type_of(other)));
    return written(name, of_both(as_tensor(other)), out);
  }
  if (dim.is_none()) {
    if (keepdim) throw TypeError(fmt::format("{}: keepdim is given without dim", name));
    return written(name, of_all(), out);
  }
  if (is_tensor(dim)) return written(name, of_both(as_tensor(dim)), out);
  const std::vector<int> dims = dimensions(name, dim);
  if (dims.size() != 1) throw TypeError(fmt::format("{}: dim must be one int; amax and amin take several", name));
  Extremes found;
  {
    const Unlocked unlocked(x);
    found = largest ? max_along(x, dims[0], keepdim) : min_along(x, dims[0], keepdim);
  }
  return written_pair(name, "values indices", std::move(found.values), std::move(found.indices), out);
}

}  // namespace

void bind_reductions(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_total(m, tensor, "sum", LUGE_TOTAL(sum), "The sum; int64 for integers and bool.",
            ">>> luge.tensor([[1, 2], [3, 4]]).sum(dim=0)\ntensor([4, 6])");
  def_total(m, tensor, "mean", LUGE_TOTAL(mean), "The mean; floating dtypes.",
            ">>> luge.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(dim=1)\ntensor([1.5000, 3.5000])");
  def_total(m, tensor, "prod", LUGE_TOTAL(prod), "The product; int64 for integers and bool.",
            ">>> luge.prod(luge.tensor([2, 3, 4]))\ntensor(24)");
  def_total(m, tensor, "nansum", LUGE_TOTAL(nansum), "The sum with NaN counted as 0, where the gradient is 0.",
            ">>> luge.nansum(luge.tensor([1.0, float('nan'), 3.0]))\ntensor(4.)");
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
  const auto lse = [](const Tensor& given, nb::handle dim, bool keepdim) {
    const Tensor x = is_floating(given.dtype()) ? given : given.to(DType::Float32);
    return reduced(
        "logsumexp", x, dim, keepdim, [](const Tensor& t) { return t.logsumexp(DimList(all_dims(t))); },
        [keepdim](const Tensor& t, const DimList& d) { return t.logsumexp(d, keepdim); });
  };
  def_reduction(m, tensor, "logsumexp", lse,
                "log(sum(exp(x))), shifted by the maximum so that nothing overflows. Integers become float32.",
                ">>> luge.logsumexp(luge.tensor([1000.0, 1000.0]))\ntensor(1000.6932)");

  using Extreme = nb::object (*)(const Tensor&, nb::handle, bool, nb::handle, nb::handle);
  const std::pair<const char*, Extreme> extremes[] = {{"max", &extreme<true>}, {"min", &extreme<false>}};
  for (const auto& [name, call] : extremes) {
    const bool largest = call == &extreme<true>;
    const std::string text = fmt::format(
        "The {0} value; NaN where there is one; equal ones share the gradient. With `dim` (an int) a pair (values, "
        "indices), where the element at the index gets the whole gradient; with a tensor in its place, or as `other`, the "
        "{1} of both, element by element. `out`: a tensor, or two with `dim`.\n\n>>> luge.{2}(luge.tensor([3, 9, 4]))\n"
        "tensor({3})",
        largest ? "largest" : "smallest", largest ? "larger" : "smaller", name, largest ? 9 : 3);
    m.def(name, call, "input"_a, "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "other"_a = nb::none(),
          "out"_a = nb::none(), text.c_str());
    tensor.def(
        name,
        [call = call](const Tensor& x, nb::handle dim, bool keepdim, nb::handle other) {
          return call(x, dim, keepdim, other, nb::none());
        },
        "dim"_a = nb::none(), "keepdim"_a = false, nb::kw_only(), "other"_a = nb::none(), text.c_str());
  }
  bind_statistics(m, tensor);
  bind_norms(m, tensor);
  bind_scans(m, tensor);
}

}  // namespace luge::python
