// Picking elements by their places and by masks.

#include <luge/ops/indexing.h>

#include "out.h"
#include "python.h"

namespace luge::python {

namespace {

nb::tuple tuple_of(std::vector<Tensor>&& tensors) {
  nb::list list;
  for (Tensor& one : tensors) list.append(wrap(std::move(one)));
  return nb::tuple(list);
}

/// The items of a list or tuple of indices; None is all of a dimension.
std::vector<Tensor> indices_of(const char* op, nb::handle given) {
  std::vector<Tensor> result;
  if (is_tensor(given) || !(nb::isinstance<nb::tuple>(given) || nb::isinstance<nb::list>(given)))
    throw TypeError(std::string(op) + ": indices is of type " + type_of(given) + "; it must be a tuple of tensors");
  for (const nb::handle one : nb::borrow(given)) {
    if (!one.is_none() && !is_tensor(one))
      throw TypeError(std::string(op) + ": one of indices is of type " + type_of(one) + "; allowed are tensors and None");
    result.push_back(one.is_none() ? Tensor() : as_tensor(one));
  }
  return result;
}

void bind_along_dim(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const select_text =
      "Slices along `dim` in the order of `index` (1-d, int32 or int64). Raises IndexError for an index outside "
      "[0, size), on a GPU at the next synchronisation.\n\n"
      ">>> luge.index_select(luge.tensor([5, 6, 7]), 0, luge.tensor([2, 0]))\ntensor([7, 5])";
  const auto select = [](const Tensor& x, int dim, const Tensor& index) {
    const Unlocked unlocked(x, index);
    return index_select(x, dim, index);
  };
  m.def(
      "index_select",
      [select](const Tensor& x, int dim, const Tensor& index, nb::handle out) {
        return written("index_select", select(x, dim, index), out);
      },
      "input"_a, "dim"_a, "index"_a, nb::kw_only(), "out"_a.none() = nb::none(), select_text);
  tensor.def("index_select", select, "dim"_a, "index"_a, select_text);

  const char* const pick_text =
      "out[.., i, ..] = input[.., index[.., i, ..], ..] along `dim`.\n\n"
      ">>> luge.gather(luge.tensor([[1, 2], [3, 4]]), 1, luge.tensor([[1], [0]]))\ntensor([[2],\n        [3]])";
  const auto pick = [](const Tensor& x, int dim, const Tensor& index, bool) {
    const Unlocked unlocked(x, index);
    return gather(x, dim, index);
  };
  m.def(
      "gather",
      [pick](const Tensor& x, int dim, const Tensor& index, bool sparse_grad, nb::handle out) {
        return written("gather", pick(x, dim, index, sparse_grad), out);
      },
      "input"_a, "dim"_a, "index"_a, nb::kw_only(), "sparse_grad"_a = false, "out"_a.none() = nb::none(), pick_text);
  tensor.def("gather", pick, "dim"_a, "index"_a, nb::kw_only(), "sparse_grad"_a = false, pick_text);

  const char* const along_text =
      "gather() with the dimensions other than `dim` broadcast; without `dim` the flat input by the flat indices.\n\n"
      ">>> x = luge.tensor([[3, 1, 2]])\n>>> luge.take_along_dim(x, luge.argsort(x, 1), 1)\ntensor([[1, 2, 3]])";
  const auto along = [](const Tensor& x, const Tensor& indices, std::optional<int> dim) {
    const Unlocked unlocked(x, indices);
    return dim ? take_along_dim(x, indices, *dim) : take_along_dim(x, indices);
  };
  m.def(
      "take_along_dim",
      [along](const Tensor& x, const Tensor& indices, std::optional<int> dim, nb::handle out) {
        return written("take_along_dim", along(x, indices, dim), out);
      },
      "input"_a, "indices"_a, "dim"_a = nb::none(), nb::kw_only(), "out"_a.none() = nb::none(), along_text);
  tensor.def("take_along_dim", along, "indices"_a, "dim"_a = nb::none(), along_text);
}

void bind_flat(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const take_text =
      "The elements at flat positions `index`, which may count from the end, in its shape. Raises IndexError.\n\n"
      ">>> luge.take(luge.tensor([[1, 2], [3, 4]]), luge.tensor([0, -1]))\ntensor([1, 4])";
  const auto taken = [](const Tensor& x, const Tensor& index) {
    const Unlocked unlocked(x, index);
    return take(x, index);
  };
  m.def(
      "take", [taken](const Tensor& x, const Tensor& index, nb::handle out) { return written("take", taken(x, index), out); },
      "input"_a, "index"_a, nb::kw_only(), "out"_a.none() = nb::none(), take_text);
  tensor.def("take", taken, "index"_a, take_text);

  const char* const put_text =
      "A copy with the elements of `source`, in order, at flat positions `index`, or added there with `accumulate`. Raises "
      "IndexError, ShapeError unless source and index have equally many elements, DTypeError.\n\n"
      ">>> luge.put(luge.zeros(3), luge.tensor([0, -1]), luge.tensor([5., 6.]))\ntensor([5., 0., 6.])";
  const auto placed = [](const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
    const Unlocked unlocked(x, index);
    return put(x, index, source, accumulate);
  };
  m.def("put", placed, "input"_a, "index"_a, "source"_a, "accumulate"_a = false, put_text);
  tensor.def("put", placed, "index"_a, "source"_a, "accumulate"_a = false, put_text);
  tensor.def(
      "put_",
      [](nb::handle self, const Tensor& index, const Tensor& source, bool accumulate) {
        Tensor& x = self_of(self);
        {
          const Unlocked unlocked(x, index);
          put_(x, index, source, accumulate);
        }
        return nb::borrow(self);
      },
      "index"_a, "source"_a, "accumulate"_a = false, "put() in place.");

  const char* const index_put_text =
      "A copy in which input[indices[0], indices[1], ...] is `values`, which are broadcast, or has them added with "
      "`accumulate`; of several in one place the last one stays. Indices are int32, int64, masks of bools, or None for all "
      "of a dimension. Raises IndexError, ShapeError, and DTypeError unless values are of input's dtype.\n\n"
      ">>> luge.index_put(luge.zeros(3), (luge.tensor([0, 0]),), luge.tensor(1.), accumulate=True)\n"
      "tensor([2., 0., 0.])";
  const auto indexed = [](const Tensor& x, nb::handle indices, const Tensor& values, bool accumulate) {
    const std::vector<Tensor> lists = indices_of("index_put", indices);
    const Unlocked unlocked(x);
    return index_put(x, lists, values, accumulate);
  };
  const auto index_in_place = [](nb::handle self, nb::handle indices, const Tensor& values, bool accumulate) {
    Tensor& x = self_of(self);
    const std::vector<Tensor> lists = indices_of("index_put_", indices);
    {
      const Unlocked unlocked(x, values);
      index_put_(x, lists, values, accumulate);
    }
    return nb::borrow(self);
  };
  m.def("index_put", indexed, "input"_a, "indices"_a, "values"_a, "accumulate"_a = false, index_put_text);
  tensor.def("index_put", indexed, "indices"_a, "values"_a, "accumulate"_a = false, index_put_text);
  tensor.def("index_put_", index_in_place, "indices"_a, "values"_a, "accumulate"_a = false, "index_put() in place.");
  m.def("index_put_", index_in_place, "input"_a, "indices"_a, "values"_a, "accumulate"_a = false, "index_put() in place.");
}

void bind_masks(nb::module_& m, nb::class_<Tensor>& tensor) {
  const char* const select_text =
      "The elements for which `mask` (bool) is true, in order, 1-d; both are broadcast. Reads the mask on the host, so it "
      "cannot be captured: CaptureError.\n\n"
      ">>> x = luge.tensor([1, -2, 3])\n>>> luge.masked_select(x, x > 0)\ntensor([1, 3])";
  const auto selected = [](const Tensor& x, const Tensor& mask) {
    const Unlocked unlocked(x, mask);
    return masked_select(x, mask);
  };
  m.def(
      "masked_select",
      [selected](const Tensor& x, const Tensor& mask, nb::handle out) {
        return written("masked_select", selected(x, mask), out);
      },
      "input"_a, "mask"_a, nb::kw_only(), "out"_a.none() = nb::none(), select_text);
  tensor.def("masked_select", selected, "mask"_a, select_text);

  const char* const scatter_text =
      "A copy with the first elements of `source`, in order, in place of those for which `mask` (bool) is true; input and "
      "mask are broadcast. Raises ShapeError, on the CPU, where source has too few, DTypeError.\n\n"
      ">>> luge.masked_scatter(luge.zeros(3), luge.tensor([True, False, True]), luge.tensor([5., 6.]))\n"
      "tensor([5., 0., 6.])";
  const auto scattered = [](const Tensor& x, const Tensor& mask, const Tensor& source) {
    const Unlocked unlocked(x, mask);
    return masked_scatter(x, mask, source);
  };
  m.def("masked_scatter", scattered, "input"_a, "mask"_a, "source"_a, scatter_text);
  tensor.def("masked_scatter", scattered, "mask"_a, "source"_a, scatter_text);
  tensor.def(
      "masked_scatter_",
      [scattered](nb::handle self, const Tensor& mask, const Tensor& source) {
        Tensor& x = self_of(self);
        overwrite("masked_scatter_", x, scattered(x, mask, source));
        return nb::borrow(self);
      },
      "mask"_a, "source"_a, "masked_scatter() in place.");

  const char* const nonzero_text =
      "Where the input is not 0, in order: int64 of shape (count, input.ndim), or with `as_tuple` one tensor for each "
      "dimension, which can index. Reads the input on the host, so it cannot be captured: CaptureError.\n\n"
      ">>> luge.nonzero(luge.tensor([[0, 1], [2, 0]]))\ntensor([[0, 1],\n        [1, 0]])";
  const auto found = [](const Tensor& x, bool as_tuple) -> nb::object {
    std::vector<Tensor> columns;
    Tensor whole;
    {
      const Unlocked unlocked(x);
      if (as_tuple)
        columns = where(x);
      else
        whole = nonzero(x);
    }
    return as_tuple ? nb::object(tuple_of(std::move(columns))) : wrap(std::move(whole));
  };
  m.def(
      "nonzero",
      [found](const Tensor& x, bool as_tuple, nb::handle out) {
        if (out.is_none()) return found(x, as_tuple);
        if (as_tuple) throw TypeError("nonzero: out is given with as_tuple=True; only a matrix can be written");
        return written("nonzero", nonzero(x), out);
      },
      "input"_a, nb::kw_only(), "as_tuple"_a = false, "out"_a.none() = nb::none(), nonzero_text);
  tensor.def("nonzero", found, nb::kw_only(), "as_tuple"_a = false, nonzero_text);
  const char* const argwhere_text =
      "nonzero() as a matrix.\n\n>>> luge.argwhere(luge.tensor([0, 5]))\ntensor([[1]])";
  const auto matrix = [](const Tensor& x) {
    const Unlocked unlocked(x);
    return argwhere(x);
  };
  m.def("argwhere", matrix, "input"_a, argwhere_text);
  tensor.def("argwhere", matrix, argwhere_text);
  m.def(
      "where",
      [](const Tensor& condition) {
        std::vector<Tensor> columns;
        {
          const Unlocked unlocked(condition);
          columns = where(condition);
        }
        return tuple_of(std::move(columns));
      },
      "condition"_a, "With a condition alone: nonzero(condition, as_tuple=True).");
}

}  // namespace

void bind_picking(nb::module_& m, nb::class_<Tensor>& tensor) {
  bind_along_dim(m, tensor);
  bind_flat(m, tensor);
  bind_masks(m, tensor);
}

}  // namespace luge::python
