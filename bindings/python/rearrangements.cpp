// The elements of a tensor repeated or in another order.

#include <fmt/format.h>

#include <luge/ops/rearrange.h>

#include "both.h"

namespace luge::python {

namespace {

/// Ints one by one, or those that a keyword gives.
nb::handle either(const char* op, const char* keyword, const nb::args& given, nb::handle by_name) {
  if (by_name.is_none()) return gathered(given);
  if (given.size() > 0) throw TypeError(fmt::format("{}: {} is given twice", op, keyword));
  return by_name;
}

void bind_repeats(nb::module_& m, nb::class_<Tensor>& tensor) {
  tensor.def(
      "repeat",
      [](const Tensor& x, const nb::args& given, nb::handle by_name) {
        const std::vector<std::int64_t> times = whole_numbers("repeat", "repeats", either("repeat", "repeats", given, by_name));
        const Unlocked unlocked(kQuick);
        return repeat(x, times);
      },
      "sizes"_a, "repeats"_a.none() = nb::none(),
      nb::sig("def repeat(self, *sizes: int | Sequence[int], repeats: Sequence[int] | None = None) -> Tensor"),
      "The whole tensor side by side so many times along each dimension; more repeats add leading dimensions. Raises "
      "ShapeError for fewer, ValueError for a negative one.\n\n"
      ">>> luge.tensor([1, 2]).repeat(2, 2)\ntensor([[1, 2, 1, 2],\n        [1, 2, 1, 2]])");
  const auto tiled = [](const Tensor& x, nb::handle dims) {
    const std::vector<std::int64_t> times = whole_numbers("tile", "dims", dims);
    const Unlocked unlocked(kQuick);
    return tile(x, times);
  };
  const char* const tile_text =
      "repeat() that takes missing leading repeats for 1.\n\n>>> luge.tile(luge.tensor([[1], [2]]), (2,))\n"
      "tensor([[1, 1],\n        [2, 2]])";
  m.def("tile", tiled, "input"_a, "dims"_a, nb::sig("def tile(input: Tensor, dims: Sequence[int]) -> Tensor"), tile_text);
  tensor.def(
      "tile", [tiled](const Tensor& x, const nb::args& dims) { return tiled(x, gathered(dims)); }, "dims"_a,
      nb::sig("def tile(self, *dims: int | Sequence[int]) -> Tensor"), tile_text);
  def_both(
      m, tensor, "repeat_interleave",
      [](const Tensor& x, nb::handle repeats, std::optional<int> dim, std::optional<std::int64_t> output_size) {
        if (repeats.is_none()) {  // of the numbers 0, 1, ...
          const Tensor places = arange(x.numel(), {.dtype = x.dtype(), .device = x.device()});
          if (x.ndim() != 1)
            throw ShapeError(fmt::format("repeat_interleave: repeats has shape {}; it must be 1-d", to_string(x.shape())));
          return repeat_interleave(places, x, 0, output_size, location());
        }
        if (is_tensor(repeats)) return repeat_interleave(x, as_tensor(repeats), dim, output_size, location());
        const std::int64_t times = integer("repeat_interleave", "repeats", repeats);
        const Unlocked unlocked(kQuick);
        Tensor result = repeat_interleave(x, times, dim);
        const std::int64_t size = result.size(dim.value_or(0));
        if (output_size && *output_size != size)
          throw ValueError(fmt::format("repeat_interleave: output_size is {} and the repeats add up to {}", *output_size, size));
        return result;
      },
      "Slice i along `dim`, or of the flattened tensor, repeats[i] times in a row; `repeats` is an int, or int32 or int64 with "
      "one element for each slice or one for all. A tensor is read on the host. Without it, of the numbers 0, 1, ... so many as "
      "`input` says.\n\nRaises ValueError for a negative one, or where they do not add up to a given `output_size`.\n\n"
      ">>> luge.repeat_interleave(luge.tensor([5, 6]), 2)\ntensor([5, 5, 6, 6])\n"
      ">>> luge.repeat_interleave(luge.tensor([5, 6]), luge.tensor([1, 2]), dim=0)\ntensor([5, 6, 6])",
      "repeats"_a = nb::none(), "dim"_a = nb::none(), nb::kw_only(), "output_size"_a = nb::none());
}

}  // namespace

void bind_rearrangements(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_repeats(m, tensor);
  const char* const flip_text =
      "A copy with the order along these dimensions reversed. Raises IndexError, and ValueError for a dimension that is given "
      "twice.\n\n>>> luge.flip(luge.tensor([[1, 2], [3, 4]]), (0,))\ntensor([[3, 4],\n        [1, 2]])";
  const auto flipped = [](const Tensor& x, nb::handle dims) {
    const std::vector<int> along = dimensions("flip", dims);
    const Unlocked unlocked(x);
    return flip(x, along);
  };
  m.def("flip", flipped, "input"_a, "dims"_a, nb::sig("def flip(input: Tensor, dims: Sequence[int]) -> Tensor"), flip_text);
  tensor.def(
      "flip",
      [flipped](const Tensor& x, const nb::args& given, nb::handle by_name) {
        return flipped(x, either("flip", "dims", given, by_name));
      },
      "along"_a, "dims"_a.none() = nb::none(),
      nb::sig("def flip(self, *along: int | Sequence[int], dims: Sequence[int] | None = None) -> Tensor"), flip_text);
  const auto turned = [](const char* name, int dim) {
    return [name, dim](const Tensor& x) {
      if (x.ndim() <= dim)
        throw ShapeError(
            fmt::format("{}: the tensor has shape {}; it must have {} or more dimensions", name, to_string(x.shape()), dim + 1));
      const Unlocked unlocked(x);
      return flip(x, {dim});
    };
  };
  def_both(m, tensor, "fliplr", turned("fliplr", 1),
           "A copy with the order along dim 1 reversed. Raises ShapeError for fewer than 2 dimensions.\n\n"
           ">>> luge.fliplr(luge.tensor([[1, 2]]))\ntensor([[2, 1]])");
  def_both(m, tensor, "flipud", turned("flipud", 0),
           "A copy with the order along dim 0 reversed. Raises ShapeError for a 0-d tensor.\n\n"
           ">>> luge.flipud(luge.tensor([1, 2]))\ntensor([2, 1])");
  def_both(
      m, tensor, "roll",
      [](const Tensor& x, nb::handle shifts, nb::handle dims) {
        const std::vector<std::int64_t> by = whole_numbers("roll", "shifts", shifts);
        const std::vector<int> along = dims.is_none() ? std::vector<int>() : dimensions("roll", dims);
        const Unlocked unlocked(x);
        return roll(x, by, along);
      },
      "A copy moved by `shifts` places along `dims`, ints or tuples of as many; what leaves at an end comes in at the other. "
      "Without dims, of the flattened tensor.\n\n>>> luge.roll(luge.arange(4), 1)\ntensor([3, 0, 1, 2])",
      "shifts"_a, "dims"_a = nb::none());
  def_both(
      m, tensor, "rot90",
      [](const Tensor& x, std::int64_t k, nb::handle dims) {
        const std::vector<int> plane = dims.is_none() ? std::vector<int>{0, 1} : dimensions("rot90", dims);
        const Unlocked unlocked(x);
        return rot90(x, k, plane);
      },
      "A copy turned k times by 90 degrees from dims[0] towards dims[1].\n\n"
      ">>> luge.rot90(luge.tensor([[1, 2], [3, 4]]))\ntensor([[2, 4],\n        [1, 3]])",
      "k"_a = 1, "dims"_a = nb::none());
}

}  // namespace luge::python
