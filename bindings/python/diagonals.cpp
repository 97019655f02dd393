// Diagonals and triangles, and tensors of which a part is replaced.

#include <fmt/format.h>

#include <luge/ops/diagonal.h>

#include "both.h"
#include "out.h"

namespace luge::python {

namespace {

using Triangle = Tensor (*)(const Tensor&, std::int64_t);
using TriangleIndices = Tensor (*)(std::int64_t, std::int64_t, std::int64_t, TensorOptions);

/// f(input, diagonal, *, out), and the method without `out`.
void def_of_diagonal(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, Triangle call, const char* text) {
  const auto computed = [call](const Tensor& x, std::int64_t k) {
    const Unlocked unlocked(x);
    return call(x, k);
  };
  m.def(
      name,
      [name, computed](const Tensor& x, std::int64_t diagonal, nb::handle out) { return written(name, computed(x, diagonal), out); },
      "input"_a, "diagonal"_a = 0, nb::kw_only(), "out"_a = nb::none(),
      nb::sig(fmt::format("def {}(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor", name).c_str()), text);
  tensor.def(name, computed, "diagonal"_a = 0, text);
}

void def_triangle(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, Triangle call, TriangleIndices indices,
                  const char* does, const char* example) {
  def_of_diagonal(m, tensor, name, call, fmt::format("{}\n\n{}", does, example).c_str());
  const std::string in_place = std::string(name) + "_", places = std::string(name) + "_indices";
  tensor.def(
      in_place.c_str(),
      [call, in_place](nb::handle self, std::int64_t diagonal) {
        Tensor& x = self_of(self);
        overwrite(in_place.c_str(), x, call(x, diagonal));
        return nb::borrow(self);
      },
      "diagonal"_a = 0, nb::sig(fmt::format("def {}(self, diagonal: int = 0) -> Tensor", in_place).c_str()),
      "In place; returns the tensor itself.");
  m.def(
      places.c_str(),
      [indices](std::int64_t row, std::int64_t col, std::int64_t offset, std::optional<PyDType> dtype,
                std::optional<DeviceArgument> device) {
        const TensorOptions wanted{.dtype = dtype ? dtype->value : DType::Int64, .device = device.value_or(Device::cpu())};
        return indices(row, col, offset, wanted);
      },
      "row"_a, "col"_a, "offset"_a = 0, nb::kw_only(), "dtype"_a = nb::none(), "device"_a = nb::none(),
      fmt::format("Rows and columns, as (2, count), of the elements that {}() keeps of a matrix of `row` rows and `col` columns. "
                  "int64 or int32.\n\n>>> luge.{}(2, 2)\n{}",
                  name, places,
                  name[3] == 'l' ? "tensor([[0, 1, 1],\n        [0, 0, 1]])" : "tensor([[0, 0, 1],\n        [0, 1, 1]])")
          .c_str());
}

}  // namespace

void bind_diagonals(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_triangle(m, tensor, "tril", &tril, &tril_indices,
               "A copy with zeros above the diagonal, which is `diagonal` places above the main one. Raises ShapeError for fewer than "
               "2 dimensions.",
               ">>> luge.tril(luge.ones(2, 2))\ntensor([[1., 0.],\n        [1., 1.]])");
  def_triangle(m, tensor, "triu", &triu, &triu_indices,
               "A copy with zeros below the diagonal, which is `diagonal` places above the main one. Raises ShapeError for fewer than "
               "2 dimensions.",
               ">>> luge.triu(luge.ones(2, 2))\ntensor([[1., 1.],\n        [0., 1.]])");
  def_of_diagonal(m, tensor, "diag", &diag,
                  "The matrix of a vector, or a copy of the diagonal of a matrix, `diagonal` places above the main one. Raises "
                  "ShapeError for other numbers of dimensions.\n\n>>> luge.diag(luge.tensor([1, 2]))\ntensor([[1, 0],\n        [0, 2]])");
  def_both(
      m, tensor, "diagonal",
      [](const Tensor& x, std::int64_t offset, int dim1, int dim2) { return diagonal(x, offset, dim1, dim2); },
      "A view of the diagonal `offset` places above the main one in two dimensions, which becomes the last dimension. Raises "
      "ValueError where they are the same.\n\n>>> luge.diagonal(luge.tensor([[1, 2], [3, 4]]))\ntensor([1, 4])",
      "offset"_a = 0, "dim1"_a = 0, "dim2"_a = 1);
  def_both(
      m, tensor, "diag_embed",
      [](const Tensor& x, std::int64_t offset, int dim1, int dim2) {
        const Unlocked unlocked(x);
        return diag_embed(x, offset, dim1, dim2);
      },
      "A matrix with the last dimension as the diagonal `offset` places above the main one, and zeros elsewhere, in dimensions dim1 "
      "and dim2 of the result.\n\n>>> luge.diag_embed(luge.tensor([1, 2]))\ntensor([[1, 0],\n        [0, 2]])",
      "offset"_a = 0, "dim1"_a = -2, "dim2"_a = -1);
  def_both(
      m, tensor, "diagflat",
      [](const Tensor& x, std::int64_t offset) {
        const Unlocked unlocked(x);
        return diagflat(x, offset);
      },
      "diag_embed() of the flattened tensor.\n\n>>> luge.diagflat(luge.tensor([[1], [2]]))\ntensor([[1, 0],\n        [0, 2]])",
      "offset"_a = 0);
  def_both(
      m, tensor, "trace",
      [](const Tensor& x) {
        if (x.dtype() == DType::Bool) throw DTypeError("trace: the tensor is bool; it must be of numbers");
        return trace(x);
      },
      "The sum of the diagonal of a matrix; of integers as int64. Raises ShapeError, and DTypeError for bool.\n\n"
      ">>> luge.trace(luge.tensor([[1, 2], [3, 4]]))\ntensor(5)");
  tensor.def(
      "fill_diagonal_",
      [](nb::handle self, nb::handle value, bool wrap) {
        Tensor& x = self_of(self);
        fill_diagonal_(x, scalar("fill_diagonal_", "fill_value", value), wrap);
        return nb::borrow(self);
      },
      "fill_value"_a, "wrap"_a = false, nb::sig("def fill_diagonal_(self, fill_value: float, wrap: bool = False) -> Tensor"),
      "Overwrites the main diagonal: of a matrix, with `wrap` again from the row after next once it is through, or of a tensor with all "
      "sizes equal.\n\n>>> luge.zeros(2, 2).fill_diagonal_(1)\ntensor([[1., 0.],\n        [0., 1.]])");
  def_both(
      m, tensor, "select_scatter",
      [](const Tensor& x, const Tensor& src, int dim, std::int64_t index) { return select_scatter(x, src, dim, index); },
      "A copy with `src` in the place of select(dim, index), whose shape it has.\n\n"
      ">>> luge.select_scatter(luge.zeros(2, 2), luge.ones(2), 0, 1)\ntensor([[0., 0.],\n        [1., 1.]])",
      "src"_a, "dim"_a, "index"_a);
  def_both(
      m, tensor, "diagonal_scatter",
      [](const Tensor& x, const Tensor& src, std::int64_t offset, int dim1, int dim2) {
        return diagonal_scatter(x, src, offset, dim1, dim2);
      },
      "A copy with `src` in the place of diagonal(offset, dim1, dim2), whose shape it has.\n\n"
      ">>> luge.diagonal_scatter(luge.zeros(2, 2), luge.ones(2))\ntensor([[1., 0.],\n        [0., 1.]])",
      "src"_a, "offset"_a = 0, "dim1"_a = 0, "dim2"_a = 1);
  def_both(
      m, tensor, "slice_scatter",
      [](const Tensor& x, const Tensor& src, int dim, std::optional<std::int64_t> start, std::optional<std::int64_t> end,
         std::int64_t step) { return slice_scatter(x, src, dim, start.value_or(0), end, step); },
      "A copy with `src` in the place of the slice start:end:step along `dim`, whose shape it has.\n\n"
      ">>> luge.slice_scatter(luge.zeros(3), luge.ones(2), 0, 1)\ntensor([0., 1., 1.])",
      "src"_a, "dim"_a = 0, "start"_a = nb::none(), "end"_a = nb::none(), "step"_a = 1);
}

}  // namespace luge::python
