// Joining tensors.

#include <fmt/format.h>

#include <luge/ops/broadcast.h>
#include <luge/ops/stack.h>

#include "both.h"
#include "out.h"

namespace luge::python {

namespace {

/// A sequence of tensors, which a tensor alone is not.
std::vector<Tensor> several(const char* op, nb::handle given) {
  const bool sequence = PySequence_Check(given.ptr()) && !is_tensor(given) && !PyUnicode_Check(given.ptr());
  if (!sequence) throw TypeError(fmt::format("{}: tensors is of type {}; it must be Sequence[Tensor]", op, type_of(given)));
  std::vector<Tensor> result;
  for (const nb::handle one : nb::borrow(given)) {
    if (!is_tensor(one))
      throw TypeError(fmt::format("{}: tensors[{}] is {}; it must be Tensor", op, result.size(),
                                  one.is_none() ? "None" : "of type " + type_of(one)));
    result.push_back(as_tensor(one));
  }
  return result;
}

/// f(tensors, dim, *, out).
template <class Call>
void def_along(nb::module_& m, const char* name, const Call& call, const char* text) {
  m.def(
      name,
      [name, call](nb::handle given, int dim, nb::handle out) {
        const std::vector<Tensor> tensors = several(name, given);
        Tensor result;
        {
          const Unlocked unlocked(kQuick);
          result = call(tensors, dim);
        }
        return written(name, std::move(result), out);
      },
      "tensors"_a, "dim"_a = 0, nb::kw_only(), "out"_a = nb::none(),
      nb::sig(fmt::format("def {}(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor", name).c_str()),
      text);
}

/// f(tensors, *, out).
void def_all(nb::module_& m, const char* name, Tensor (*call)(const std::vector<Tensor>&), const char* does, const char* example) {
  m.def(
      name,
      [name, call](nb::handle given, nb::handle out) {
        const std::vector<Tensor> tensors = several(name, given);
        Tensor result;
        {
          const Unlocked unlocked(kQuick);
          result = call(tensors);
        }
        return written(name, std::move(result), out);
      },
      "tensors"_a, nb::kw_only(), "out"_a = nb::none(),
      nb::sig(fmt::format("def {}(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor", name).c_str()),
      fmt::format("{} Dtypes are promoted. Raises ValueError for no tensors, ShapeError where sizes differ.\n\n>>> luge.{}{}", does,
                  name, example)
          .c_str());
}

}  // namespace

void bind_joins(nb::module_& m) {
  const auto cat_of = [](const std::vector<Tensor>& tensors, int dim) { return cat(tensors, dim); };
  for (const char* const name : {"cat", "concat", "concatenate"})
    def_along(m, name, cat_of,
              "Joins along an existing dimension; all other sizes are equal.\n\n"
              ">>> luge.cat([luge.zeros(1), luge.ones(2)])\ntensor([0., 1., 1.])");
  def_along(
      m, "stack", [](const std::vector<Tensor>& tensors, int dim) { return stack(tensors, dim); },
      "Joins along a new dimension; all shapes are equal.\n\n"
      ">>> luge.stack([luge.zeros(2), luge.ones(2)])\ntensor([[0., 0.],\n        [1., 1.]])");
  def_all(m, "hstack", &hstack, "Joins side by side: along dim 1, or dim 0 of 1-d tensors; 0-d ones are taken as 1-d.",
          "([luge.tensor([1]), luge.tensor([2, 3])])\ntensor([1, 2, 3])");
  for (const char* const name : {"vstack", "row_stack"})
    def_all(m, name, &vstack, "Joins on top of each other, along dim 0; 0-d and 1-d tensors are rows.",
            "([luge.tensor([1, 2]), luge.tensor([3, 4])])\ntensor([[1, 2],\n        [3, 4]])");
  def_all(m, "dstack", &dstack, "Joins along dim 2; 1-d and 2-d tensors become (1, n, 1) and (m, n, 1).",
          "([luge.tensor([1, 2]), luge.tensor([3, 4])])\ntensor([[[1, 3],\n         [2, 4]]])");
  def_all(m, "column_stack", &column_stack, "Joins along dim 1; 0-d and 1-d tensors are columns.",
          "([luge.tensor([1, 2]), luge.tensor([3, 4])])\ntensor([[1, 3],\n        [2, 4]])");
  m.def(
      "block_diag", [](const nb::args& tensors) { return block_diag(tensors_of("block_diag", tensors)); },
      "tensors"_a, nb::sig("def block_diag(*tensors: Tensor) -> Tensor"),
      "A matrix with these matrices along its diagonal and zeros elsewhere; 0-d and 1-d tensors are rows. Raises ShapeError for "
      "more than 2 dimensions.\n\n>>> luge.block_diag(luge.tensor([[1, 2]]), luge.tensor(3))\ntensor([[1, 2, 0],\n        [0, 0, 3]])");
  m.def(
      "cartesian_prod", [](const nb::args& tensors) { return cartesian_prod(tensors_of("cartesian_prod", tensors)); }, "tensors"_a,
      nb::sig("def cartesian_prod(*tensors: Tensor | Sequence[Tensor]) -> Tensor"),
      "Every choice of one element of each 1-d tensor, as the rows of a matrix. Raises ShapeError for other tensors.\n\n"
      ">>> luge.cartesian_prod(luge.tensor([1, 2]), luge.tensor([3]))\ntensor([[1, 3],\n        [2, 3]])");
  m.def(
      "combinations",
      [](const Tensor& x, std::int64_t r, bool with_replacement) { return combinations(x, r, with_replacement); }, "input"_a,
      "r"_a = 2, "with_replacement"_a = false,
      "The choices of r elements of a 1-d tensor, in order, as the rows of a matrix. Raises ValueError for r < 0.\n\n"
      ">>> luge.combinations(luge.tensor([1, 2, 3]))\ntensor([[1, 2],\n        [1, 3],\n        [2, 3]])");
}

}  // namespace luge::python
