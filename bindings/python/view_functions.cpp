// Views under their names as functions and methods.

#include <fmt/format.h>

#include <luge/ops/broadcast.h>
#include <luge/ops/rearrange.h>

#include "both.h"

namespace luge::python {

namespace {

Tensor last_two_swapped(const char* op, const Tensor& x) {
  if (x.ndim() == 0) return x;
  if (x.ndim() == 1)
    throw ShapeError(fmt::format("{}: the tensor has shape {}; it must be a matrix or a batch of them", op, to_string(x.shape())));
  return x.transpose(-2, -1);
}

Tensor transposed(const Tensor& x) {
  if (x.ndim() > 2)
    throw ShapeError(fmt::format("t: the tensor has shape {}; it must have 2 dimensions or fewer", to_string(x.shape())));
  return x.ndim() < 2 ? x : x.t();
}

Tensor squeezed(const Tensor& x, nb::handle dim) {
  return dim.is_none() ? x.squeeze() : squeeze(x, dimensions("squeeze", dim));
}

/// `start` may be a tensor of one integer, which is read.
Tensor narrowed(const Tensor& x, int dim, nb::handle start, std::int64_t length) {
  if (!is_tensor(start)) return narrow(x, dim, integer("narrow", "start", start), length);
  const Tensor& from = as_tensor(start);
  if (from.ndim() != 0 || !is_integral(from.dtype()))
    throw TypeError(fmt::format("narrow: start is a tensor of shape {} and dtype {}; it must be 0-d and of integers",
                                to_string(from.shape()), name(from.dtype())));
  return narrow(x, dim, from.item<std::int64_t>(location()), length);
}

void bind_transpositions(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def(
      "permute", [](const Tensor& x, nb::handle dims) { return x.permute(dimensions("permute", dims)); }, "input"_a,
      "dims"_a, nb::sig("def permute(input: Tensor, dims: Sequence[int]) -> Tensor"),
      "A view with the dimensions in another order.\n\n>>> luge.permute(luge.zeros(2, 3, 4), (2, 0, 1)).shape\n(4, 2, 3)");
  const auto swap = [](const Tensor& x, int a, int b) { return x.transpose(a, b); };
  def_both(m, tensor, "transpose", swap,
           "A view with two dimensions swapped.\n\n>>> luge.transpose(luge.zeros(2, 3, 4), 0, 2).shape\n(4, 3, 2)", "dim0"_a,
           "dim1"_a);
  def_both(m, tensor, "swapdims", swap, "transpose().\n\n>>> luge.swapdims(luge.zeros(2, 3), 0, 1).shape\n(3, 2)", "dim0"_a,
           "dim1"_a);
  def_both(m, tensor, "swapaxes", swap, "transpose().\n\n>>> luge.swapaxes(luge.zeros(2, 3), 0, 1).shape\n(3, 2)", "axis0"_a,
           "axis1"_a);
  def_both(m, tensor, "t", &transposed,
           "The transpose of a matrix, a view; vectors and 0-d tensors are their own. Raises ShapeError for more "
           "dimensions.\n\n>>> luge.t(luge.tensor([[1, 2]]))\ntensor([[1],\n        [2]])");
  def_both(
      m, tensor, "adjoint", [](const Tensor& x) { return last_two_swapped("adjoint", x); },
      "A view with the last two dimensions swapped; numbers are real. Raises ShapeError for a vector.\n\n"
      ">>> luge.adjoint(luge.zeros(4, 2, 3)).shape\n(4, 3, 2)");
  for (const char* const name : {"mT", "mH"})
    tensor.def_prop_ro(
        name, [name](const Tensor& x) { return last_two_swapped(name, x); },
        "A view with the last two dimensions swapped.");
  tensor.def_prop_ro(
      "H",
      [](const Tensor& x) {
        if (x.ndim() != 2 && x.ndim() != 0)
          throw ShapeError(fmt::format("H: the tensor has shape {}; it must be a matrix", to_string(x.shape())));
        return last_two_swapped("H", x);
      },
      "The transpose of a matrix, a view.");
  for (const char* const name : {"movedim", "moveaxis"})
    def_both(
        m, tensor, name,
        [name](const Tensor& x, nb::handle source, nb::handle destination) {
          return movedim(x, dimensions(name, source), dimensions(name, destination));
        },
        fmt::format("A view with dimensions `source` at the places `destination`, ints or tuples of them; the others stay "
                    "in order.\n\n>>> luge.{}(luge.zeros(2, 3, 4), 0, -1).shape\n(3, 4, 2)",
                    name)
            .c_str(),
        "source"_a, "destination"_a);
}

void bind_shapes(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def(
      "reshape", [](const Tensor& x, nb::handle shape) { return x.reshape(sizes("reshape", shape)); }, "input"_a, "shape"_a,
      nb::sig("def reshape(input: Tensor, shape: Sequence[int]) -> Tensor"),
      "A view as `shape` where the strides allow it, else a copy; one size may be -1.\n\n"
      ">>> luge.reshape(luge.arange(4), (2, -1))\ntensor([[0, 1],\n        [2, 3]])");
  def_both(
      m, tensor, "flatten", [](const Tensor& x, int first, int last) { return x.flatten(first, last); },
      "Dimensions start_dim to end_dim as one; a copy where the strides ask for it. A 0-d tensor becomes 1-d.\n\n"
      ">>> luge.flatten(luge.zeros(2, 3, 4), 1).shape\n(2, 12)",
      "start_dim"_a = 0, "end_dim"_a = -1);
  def_both(
      m, tensor, "ravel", [](const Tensor& x) { return x.reshape({x.numel()}); },
      "All dimensions as one.\n\n>>> luge.ravel(luge.tensor([[1, 2], [3, 4]]))\ntensor([1, 2, 3, 4])");
  def_both(
      m, tensor, "unflatten",
      [](const Tensor& x, int dim, nb::handle wanted) { return unflatten(x, dim, sizes("unflatten", wanted)); },
      "A view with several dimensions, of `sizes`, in place of `dim`; one may be -1. Raises ShapeError where they do not make "
      "it up.\n\n>>> luge.unflatten(luge.zeros(2, 12), 1, (3, -1)).shape\n(2, 3, 4)",
      "dim"_a, "sizes"_a);
  def_both(m, tensor, "squeeze", &squeezed,
           "A view without the dimensions of size 1, or without those of `dim`, an int or a tuple, that are.\n\n"
           ">>> luge.squeeze(luge.zeros(1, 2, 1)).shape\n(2,)\n>>> luge.squeeze(luge.zeros(1, 2, 1), 0).shape\n(2, 1)",
           "dim"_a = nb::none());
  def_both(
      m, tensor, "unsqueeze", [](const Tensor& x, int dim) { return x.unsqueeze(dim); },
      "A view with a dimension of size 1 more.\n\n>>> luge.unsqueeze(luge.zeros(2), 1).shape\n(2, 1)", "dim"_a);
  tensor
      .def(
          "expand_as", [](const Tensor& x, const Tensor& other) { return x.expand(other.shape()); }, "other"_a,
          "Expanded to the shape of `other`.\n\n>>> luge.zeros(1).expand_as(luge.zeros(2, 3)).shape\n(2, 3)")
      .def(
          "view_as", [](const Tensor& x, const Tensor& other) { return x.view(other.shape()); }, "other"_a,
          "A view of the shape of `other`.\n\n>>> luge.zeros(6).view_as(luge.zeros(2, 3)).shape\n(2, 3)")
      .def(
          "reshape_as", [](const Tensor& x, const Tensor& other) { return x.reshape(other.shape()); }, "other"_a,
          "Reshaped to the shape of `other`.\n\n>>> luge.zeros(6).reshape_as(luge.zeros(2, 3)).shape\n(2, 3)");
}

void bind_parts(nb::module_& m, nb::class_<Tensor>& tensor) {
  def_both(
      m, tensor, "select", [](const Tensor& x, int dim, std::int64_t index) { return x.select(dim, index); },
      "A view of one index along `dim`, which disappears. Raises IndexError.\n\n"
      ">>> luge.select(luge.tensor([[1, 2], [3, 4]]), 0, 1)\ntensor([3, 4])",
      "dim"_a, "index"_a);
  def_both(m, tensor, "narrow", &narrowed,
           "A view of `length` indices from `start` on along `dim`. Raises IndexError where they are not there.\n\n"
           ">>> luge.narrow(luge.arange(5), 0, 1, 3)\ntensor([1, 2, 3])",
           "dim"_a, "start"_a, "length"_a);
}

}  // namespace

void bind_view_functions(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_transpositions(m, tensor);
  bind_shapes(m, tensor);
  bind_parts(m, tensor);
  def_both(
      m, tensor, "broadcast_to", [](const Tensor& x, nb::handle size) { return broadcast_to(x, sizes("broadcast_to", size)); },
      "A view of this shape: dimensions of size 1 are repeated, and leading ones added. Raises ShapeError.\n\n"
      ">>> luge.broadcast_to(luge.tensor([1, 2]), (2, 2))\ntensor([[1, 2],\n        [1, 2]])",
      "size"_a);
  m.def(
      "broadcast_tensors",
      [](const nb::args& tensors) { return tuple_of(broadcast_tensors(tensors_of("broadcast_tensors", tensors))); }, "tensors"_a,
      nb::sig("def broadcast_tensors(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]"),
      "Views of all tensors, of the shape that they broadcast to. Raises ShapeError.\n\n"
      ">>> [x.shape for x in luge.broadcast_tensors(luge.zeros(2), luge.zeros(3, 1))]\n[(3, 2), (3, 2)]");
  m.def(
      "broadcast_shapes",
      [](const nb::args& shapes) {
        std::vector<Shape> all;
        for (const nb::handle shape : shapes) all.push_back(sizes("broadcast_shapes", shape));
        const Shape result = broadcast_shapes(all);
        nb::list numbers;
        for (const std::int64_t size : result) numbers.append(size);
        return nb::tuple(numbers);
      },
      "shapes"_a, nb::sig("def broadcast_shapes(*shapes: int | Sequence[int]) -> tuple[int, ...]"),
      "The shape that all of these broadcast to. Raises ShapeError, and ValueError for a negative size.\n\n"
      ">>> luge.broadcast_shapes((2,), (3, 1))\n(3, 2)");
  m.def(
      "meshgrid",
      [](const nb::args& tensors, std::optional<std::string> indexing) {
        if (indexing && *indexing != "ij" && *indexing != "xy")
          throw ValueError(fmt::format("meshgrid: indexing is '{}'; it must be 'ij' or 'xy'", *indexing));
        return tuple_of(meshgrid(tensors_of("meshgrid", tensors),
                                 indexing == "xy" ? Indexing::CartesianStyle : Indexing::MatrixStyle));
      },
      "tensors"_a, "indexing"_a = nb::none(),
      nb::sig("def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str | None = None) -> tuple[Tensor, ...]"),
      "Views of one shape, one for each 1-d or 0-d tensor, which varies along its own dimension; with indexing='xy' the first "
      "two dimensions are swapped. Raises ValueError for none, DTypeError for different dtypes.\n\n"
      ">>> luge.meshgrid(luge.tensor([1, 2]), luge.tensor([3, 4]))[0]\ntensor([[1, 1],\n        [2, 2]])");
  for (int ndim = 1; ndim <= 3; ++ndim) {
    const std::string name = fmt::format("atleast_{}d", ndim);
    m.def(
        name.c_str(),
        [ndim](const nb::args& tensors) -> nb::object {
          static constexpr const char* kNames[] = {"atleast_1d", "atleast_2d", "atleast_3d"};
          const char* const op = kNames[ndim - 1];
          if (tensors.size() == 1 && is_tensor(tensors[0])) return wrap(atleast(op, as_tensor(tensors[0]), ndim));
          std::vector<Tensor> result;
          for (const Tensor& x : tensors_of(op, tensors)) result.push_back(atleast(op, x, ndim));
          return tuple_of(result);
        },
        "tensors"_a, nb::sig(fmt::format("def {}(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]", name).c_str()),
        fmt::format("A view with {} or more dimensions; a tuple of views for several tensors.\n\n"
                    ">>> luge.{}(luge.tensor(1)).ndim\n{}",
                    ndim, name, ndim)
            .c_str());
  }
}

}  // namespace luge::python
