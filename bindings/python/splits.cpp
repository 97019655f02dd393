// A tensor in parts.

#include <fmt/format.h>

#include <luge/ops/split.h>

#include "both.h"

namespace luge::python {

namespace {

bool is_one(nb::handle given) {
  return !nb::isinstance<nb::list>(given) && !nb::isinstance<nb::tuple>(given) && !PyRange_Check(given.ptr());
}

nb::tuple split_by(const char* op, const Tensor& x, nb::handle sizes, int dim) {
  if (is_one(sizes)) return tuple_of(split(x, integer(op, "the size of a part", sizes), dim));
  return tuple_of(split(x, whole_numbers(op, "the size of a part", sizes), dim));
}

/// `where` is an int, some ints, or what PyTorch has, too: a tensor of them, which is read.
nb::tuple split_at(const char* op, const Tensor& x, nb::handle where, int dim) {
  if (is_tensor(where)) {
    const Tensor& places = as_tensor(where);
    if (places.dtype() != DType::Int64)
      throw DTypeError(fmt::format("{}: indices_or_sections is {}; it must be int64", op, name(places.dtype())));
    if (places.ndim() > 1)
      throw ShapeError(
          fmt::format("{}: indices_or_sections has shape {}; it must be 0-d or 1-d", op, to_string(places.shape())));
    refuse_capture(op, kHostRead, location());
    const std::vector<std::int64_t> numbers = places.to_vector<std::int64_t>(location());
    return tuple_of(places.ndim() == 0 ? tensor_split(x, numbers[0], dim) : tensor_split(x, numbers, dim));
  }
  if (is_one(where)) return tuple_of(tensor_split(x, integer(op, "indices_or_sections", where), dim));
  return tuple_of(tensor_split(x, whole_numbers(op, "indices_or_sections", where), dim));
}

/// hsplit, vsplit, dsplit: NumPy's, which ask for parts of equal size.
struct Along {
  const char* name;
  int ndim, dim;
  const char* text;
};

constexpr Along kAlong[] = {
    {"hsplit", 1, 1,
     "Parts side by side: tensor_split() along dim 1, or dim 0 of a 1-d tensor; sections must be of equal size.\n\n"
     ">>> luge.hsplit(luge.tensor([1, 2, 3, 4]), 2)\n(tensor([1, 2]), tensor([3, 4]))"},
    {"vsplit", 2, 0,
     "Parts on top of each other: tensor_split() along dim 0 of 2 or more dimensions; sections must be of equal size.\n\n"
     ">>> luge.vsplit(luge.tensor([[1], [2]]), 2)\n(tensor([[1]]), tensor([[2]]))"},
    {"dsplit", 3, 2,
     "Parts behind each other: tensor_split() along dim 2 of 3 or more dimensions; sections must be of equal size.\n\n"
     ">>> [part.shape for part in luge.dsplit(luge.zeros(2, 2, 4), [1])]\n[(2, 2, 1), (2, 2, 3)]"},
};

nb::tuple split_along(const Along& along, const Tensor& x, nb::handle where) {
  if (x.ndim() < along.ndim)
    throw ShapeError(fmt::format("{}: the tensor has shape {}; it must have {} or more dimensions", along.name,
                                 to_string(x.shape()), along.ndim));
  const int dim = x.ndim() == 1 ? 0 : along.dim;
  if (is_one(where) && !is_tensor(where)) {
    const std::int64_t sections = integer(along.name, "indices_or_sections", where);
    if (sections < 1 || x.size(dim) % sections != 0)
      throw ValueError(fmt::format("{}: {} sections are asked for along a dimension of size {}; they must be of equal size",
                                   along.name, sections, x.size(dim)));
  }
  return split_at(along.name, x, where, dim);
}

}  // namespace

void bind_splits(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const split_text =
      "Parts along `dim`, as views: of one size, but for the last, or of the sizes in a list, which add up to the "
      "dimension's. Raises ValueError for other sizes.\n\n"
      ">>> luge.split(luge.arange(5), 2)\n(tensor([0, 1]), tensor([2, 3]), tensor([4]))";
  const auto by = [](const Tensor& x, nb::handle sizes, int dim) { return split_by("split", x, sizes, dim); };
  constexpr const char* kTuple = "dim: int = 0) -> tuple[Tensor, ...]";
  m.def("split", by, "tensor"_a, "split_size_or_sections"_a, "dim"_a = 0, split_text,
        nb::sig(fmt::format("def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], {}", kTuple).c_str()));
  tensor.def("split", by, "split_size"_a, "dim"_a = 0, split_text,
             nb::sig(fmt::format("def split(self, split_size: int | Sequence[int], {}", kTuple).c_str()));
  def_both(
      m, tensor, "split_with_sizes",
      [](const Tensor& x, const std::vector<std::int64_t>& sizes, int dim) { return tuple_of(split(x, sizes, dim)); },
      "Parts of these sizes along `dim`, as views; they add up to the dimension's, or ValueError.\n\n"
      ">>> luge.split_with_sizes(luge.arange(3), [1, 2])\n(tensor([0]), tensor([1, 2]))",
      "split_sizes"_a, "dim"_a = 0);
  def_both(
      m, tensor, "chunk", [](const Tensor& x, std::int64_t chunks, int dim) { return tuple_of(chunk(x, chunks, dim)); },
      "At most `chunks` parts of equal size along `dim`, but for the last, as views. Raises ValueError for fewer than 1.\n\n"
      ">>> luge.chunk(luge.arange(5), 2)\n(tensor([0, 1, 2]), tensor([3, 4]))",
      "chunks"_a, "dim"_a = 0);
  def_both(
      m, tensor, "tensor_split",
      [](const Tensor& x, nb::handle where, int dim, nb::handle indices, nb::handle sections) {
        if (where.is_none() + indices.is_none() + sections.is_none() != 2)
          throw TypeError("tensor_split: one of indices_or_sections, indices and sections must be given");
        return split_at("tensor_split", x, where.is_none() ? indices.is_none() ? sections : indices : where, dim);
      },
      "Parts along `dim`, as views: so many, the first of which are larger by 1 where they cannot be equal, or those "
      "between the positions in a list. A tensor of either is read on the host. Raises ValueError for fewer than 1.\n\n"
      ">>> luge.tensor_split(luge.arange(5), 2)\n(tensor([0, 1, 2]), tensor([3, 4]))\n"
      ">>> luge.tensor_split(luge.arange(5), (1, 3))\n(tensor([0]), tensor([1, 2]), tensor([3, 4]))",
      "indices_or_sections"_a = nb::none(), "dim"_a = 0, nb::kw_only(), "indices"_a = nb::none(), "sections"_a = nb::none());
  for (const Along& along : kAlong) {
    const auto call = [&along](const Tensor& x, nb::handle where) { return split_along(along, x, where); };
    const auto method = [&along](const Tensor& x, const nb::args& where) { return split_along(along, x, gathered(where)); };
    m.def(along.name, call, "input"_a, "indices_or_sections"_a, along.text);
    tensor.def(along.name, method, "indices_or_sections"_a, along.text,
               nb::sig(fmt::format("def {}(self, *indices_or_sections: int | Sequence[int] | Tensor) -> tuple[Tensor, ...]",
                                   along.name)
                           .c_str()));
  }
  def_both(
      m, tensor, "unbind", [](const Tensor& x, int dim) { return tuple_of(unbind(x, dim)); },
      "Every index along `dim`, which disappears, as views. Raises ShapeError for a 0-d tensor.\n\n"
      ">>> luge.unbind(luge.tensor([[1, 2], [3, 4]]))\n(tensor([1, 2]), tensor([3, 4]))",
      "dim"_a = 0);
}

}  // namespace luge::python
