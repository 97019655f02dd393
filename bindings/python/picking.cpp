// Picking elements by their places.

#include "python.h"

namespace luge::python {

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
}

}  // namespace luge::python
