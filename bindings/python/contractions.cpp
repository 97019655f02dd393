// einsum and the products that have names of their own.

#include <fmt/format.h>

#include <luge/ops/einsum.h>
#include <luge/ops/products.h>

#include "both.h"
#include "out.h"

namespace luge::python {

namespace {

/// PyTorch's other way to write an equation: operand, list of numbers, operand, list, ..., list of the output.
struct Written {
  std::string equation;
  std::vector<Tensor> operands;
};

void add_subscripts(std::string& equation, nb::handle list) {
  if (!nb::isinstance<nb::list>(list) && !nb::isinstance<nb::tuple>(list))
    throw TypeError(fmt::format("einsum: a list of subscripts is of type {}; it must be a list of ints from 0 to 51 and '...'", type_of(list)));
  for (const nb::handle one : nb::borrow(list)) {
    if (one.ptr() == Py_Ellipsis) {
      equation += "...";
      continue;
    }
    const std::int64_t label = integer("einsum", "a subscript", one);
    if (label < 0 || label > 51) throw ValueError(fmt::format("einsum: a subscript is {}; it must be from 0 to 51", label));
    equation += static_cast<char>(label < 26 ? 'A' + label : 'a' + (label - 26));
  }
}

Written from_lists(const nb::args& args) {
  Written result;
  const std::size_t operands = args.size() / 2;
  for (std::size_t i = 0; i < operands; ++i) {
    if (!is_tensor(args[2 * i]))
      throw TypeError(fmt::format("einsum: an operand is of type {}; it must be a tensor", type_of(args[2 * i])));
    result.operands.push_back(as_tensor(args[2 * i]));
    if (i > 0) result.equation += ',';
    add_subscripts(result.equation, args[2 * i + 1]);
  }
  if (args.size() % 2 == 1) {
    result.equation += "->";
    add_subscripts(result.equation, args[args.size() - 1]);
  }
  return result;
}

Tensor einsum_of(const nb::args& args) {
  if (args.size() == 0) throw TypeError("einsum: an equation and operands are needed");
  Written given;
  if (nb::isinstance<nb::str>(args[0])) {
    given.equation = text_of("einsum", "the equation", args[0]);
    const bool one_list = args.size() == 2 && !is_tensor(args[1]);
    if (one_list && !nb::isinstance<nb::list>(args[1]) && !nb::isinstance<nb::tuple>(args[1]))
      throw TypeError(fmt::format("einsum: an operand is of type {}; it must be a tensor", type_of(args[1])));
    const nb::object operands = one_list ? nb::object(args[1]) : nb::object(args);
    std::size_t place = 0;
    for (const nb::handle one : operands) {
      if (!one_list && place++ == 0) continue;
      if (!is_tensor(one)) throw TypeError(fmt::format("einsum: an operand is of type {}; it must be a tensor", type_of(one)));
      given.operands.push_back(as_tensor(one));
    }
  } else {
    given = from_lists(args);
  }
  const Unlocked unlocked(kQuick);
  return einsum(given.equation, given.operands);
}

using Two = Tensor (*)(const Tensor&, const Tensor&);

/// f(input, second, *, out), and the method without `out`.
void def_two(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const char* second, Two call, const char* text) {
  const auto computed = [call](const Tensor& a, const Tensor& b) {
    const Unlocked unlocked(Unlocked::product(a, b));
    return call(a, b);
  };
  m.def(
      name, [name, computed](const Tensor& a, const Tensor& b, nb::handle out) { return written(name, computed(a, b), out); }, "input"_a,
      nb::arg(second), nb::kw_only(), "out"_a = nb::none(),
      nb::sig(fmt::format("def {}(input: Tensor, {}: Tensor, *, out: Tensor | None = None) -> Tensor", name, second).c_str()), text);
  tensor.def(name, computed, nb::arg(second), text);
}

using Three = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, Scalar, Scalar);

/// f(input, a, b, *, beta, alpha, out), the method, and the method in place.
void def_added(nb::module_& m, nb::class_<Tensor>& tensor, const char* name, const char* first, const char* second, Three call,
               const char* does, const char* example) {
  const std::string text = fmt::format(
      "beta input + alpha {}, where input broadcasts to the product's shape; with beta=0 it counts for nothing, NaN included. One "
      "dtype; for integers beta and alpha are whole numbers, or ValueError.\n\n{}",
      does, example);
  const auto computed = [name, call](const Tensor& x, const Tensor& a, const Tensor& b, nb::handle beta, nb::handle alpha) {
    const Scalar of_x = scalar(name, "beta", beta), of_product = scalar(name, "alpha", alpha);
    const Unlocked unlocked(Unlocked::product(a, b));
    return call(x, a, b, of_x, of_product);
  };
  const std::string arguments =
      fmt::format("{}: Tensor, {}: Tensor, *, beta: float = 1, alpha: float = 1", first, second);
  m.def(
      name,
      [name, computed](const Tensor& x, const Tensor& a, const Tensor& b, nb::handle beta, nb::handle alpha, nb::handle out) {
        return written(name, computed(x, a, b, beta, alpha), out);
      },
      "input"_a, nb::arg(first), nb::arg(second), nb::kw_only(), "beta"_a = 1, "alpha"_a = 1, "out"_a = nb::none(),
      nb::sig(fmt::format("def {}(input: Tensor, {}, out: Tensor | None = None) -> Tensor", name, arguments).c_str()), text.c_str());
  tensor.def(name, computed, nb::arg(first), nb::arg(second), nb::kw_only(), "beta"_a = 1, "alpha"_a = 1,
             nb::sig(fmt::format("def {}(self, {}) -> Tensor", name, arguments).c_str()), text.c_str());
  const std::string in_place = std::string(name) + "_";
  tensor.def(
      in_place.c_str(),
      [in_place, computed](nb::handle self, const Tensor& a, const Tensor& b, nb::handle beta, nb::handle alpha) {
        Tensor& x = self_of(self);
        overwrite(in_place.c_str(), x, computed(x, a, b, beta, alpha));
        return nb::borrow(self);
      },
      nb::arg(first), nb::arg(second), nb::kw_only(), "beta"_a = 1, "alpha"_a = 1,
      nb::sig(fmt::format("def {}(self, {}) -> Tensor", in_place, arguments).c_str()), "In place; returns the tensor itself.");
}

Tensor tensordot_of(const Tensor& a, const Tensor& b, nb::handle dims) {
  nb::object given = nb::borrow(dims);
  if (is_tensor(given)) given = given.attr("tolist")();
  if (!nb::isinstance<nb::list>(given) && !nb::isinstance<nb::tuple>(given)) {
    const std::int64_t count = integer("tensordot", "dims", given);
    if (count < 0 || count > kMaxDims)
      throw ValueError(fmt::format("tensordot: dims is {}; the tensors have {} and {} dimensions", count, a.ndim(), b.ndim()));
    const Unlocked unlocked(kQuick);
    return tensordot(a, b, static_cast<int>(count));
  }
  if (nb::len(given) != 2) throw ValueError(fmt::format("tensordot: dims has {} lists; it must be an int or two lists", nb::len(given)));
  const auto list = [](nb::handle one) {
    if (!nb::isinstance<nb::list>(one) && !nb::isinstance<nb::tuple>(one))
      throw TypeError(fmt::format("tensordot: dims holds a value of type {}; it must be an int or two lists of ints", type_of(one)));
    return dimensions("tensordot", one);
  };
  const std::vector<int> of_a = list(given[0]), of_b = list(given[1]);
  const Unlocked unlocked(kQuick);
  return tensordot(a, b, of_a, of_b);
}

void bind_named(nb::module_& m, nb::class_<Tensor>& tensor) {
  for (const char* const name : {"outer", "ger"})
    def_two(m, tensor, name, "vec2", &outer,
            "input[i] vec2[j] of two vectors. Raises ShapeError for other tensors.\n\n"
            ">>> luge.outer(luge.tensor([1, 2]), luge.tensor([3, 4]))\ntensor([[3, 4],\n        [6, 8]])");
  def_two(m, tensor, "inner", "other", &inner,
          "The sum of products over the last dimensions; a product of elements where one tensor is 0-d. Raises ShapeError for sizes that "
          "differ.\n\n>>> luge.inner(luge.tensor([1, 2]), luge.tensor([3, 4]))\ntensor(11)");
  def_two(m, tensor, "dot", "tensor", &dot,
          "The sum of products of two vectors of one size and dtype. Raises ShapeError for other tensors.\n\n"
          ">>> luge.dot(luge.tensor([1, 2]), luge.tensor([3, 4]))\ntensor(11)");
  def_two(m, tensor, "vdot", "other", &dot, "dot(), of numbers that are real.\n\n>>> luge.vdot(luge.tensor([1, 2]), luge.tensor([3, 4]))\ntensor(11)");
  def_two(m, tensor, "mv", "vec", &mv,
          "A matrix times a vector: (m, k) x (k) -> (m). Raises ShapeError for other tensors.\n\n"
          ">>> luge.mv(luge.tensor([[1, 2], [3, 4]]), luge.tensor([1, 1]))\ntensor([3, 7])");
  def_two(m, tensor, "kron", "other", &kron,
          "Every element of input times the whole of other, side by side, of up to 4 dimensions.\n\n"
          ">>> luge.kron(luge.tensor([1, 2]), luge.tensor([1, 10]))\ntensor([ 1, 10,  2, 20])");
  def_added(m, tensor, "addmm", "mat1", "mat2", &addmm, "mat1 mat2, of matrices",
            ">>> luge.addmm(luge.tensor([1.0]), luge.ones(1, 2), luge.ones(2, 1), alpha=2)\ntensor([[5.]])");
  def_added(m, tensor, "addmv", "mat", "vec", &addmv, "mat vec, of a matrix and a vector",
            ">>> luge.addmv(luge.tensor([1.0]), luge.ones(1, 2), luge.ones(2))\ntensor([3.])");
  def_added(m, tensor, "addr", "vec1", "vec2", &addr, "the outer product of two vectors",
            ">>> luge.addr(luge.tensor([[1.0]]), luge.tensor([2.0]), luge.tensor([3.0]))\ntensor([[7.]])");
  def_added(m, tensor, "baddbmm", "batch1", "batch2", &baddbmm, "batch1 batch2, of batches of matrices",
            ">>> luge.baddbmm(luge.tensor([1.0]), luge.ones(1, 1, 2), luge.ones(1, 2, 1))\ntensor([[[3.]]])");
  def_added(m, tensor, "addbmm", "batch1", "batch2", &addbmm, "the sum of the products of a batch of matrices",
            ">>> luge.addbmm(luge.tensor([1.0]), luge.ones(2, 1, 2), luge.ones(2, 2, 1))\ntensor([[5.]])");
}

}  // namespace

void bind_contractions(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def(
      "einsum", &einsum_of, "args"_a, nb::sig("def einsum(*args: object) -> Tensor"),
      "The sum over all letters that the output has not: einsum(\"ij,jk->ik\", a, b), or einsum(a, [0, 1], b, [1, 2], [0, 2]). A letter "
      "that an operand has twice runs along its diagonal, '...' stands for dimensions that broadcast; without '->' the output has the "
      "letters that appear once, in alphabetical order, after those. Pairs of operands are contracted by matmul().\n\n"
      "Raises ValueError for a wrong equation, ShapeError for sizes that differ.\n\n"
      ">>> luge.einsum(\"ij,j->i\", luge.tensor([[1, 2], [3, 4]]), luge.tensor([1, 1]))\ntensor([3, 7])");
  m.def(
      "tensordot",
      [](const Tensor& a, const Tensor& b, nb::handle dims, nb::handle out) {
        return written("tensordot", tensordot_of(a, b, dims), out);
      },
      "a"_a, "b"_a, "dims"_a = 2, "out"_a = nb::none(),
      nb::sig("def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] | Tensor = 2, out: Tensor | None = None) -> Tensor"),
      "The sum of products over the last `dims` dimensions of a and the first of b, or over the pairs in two lists. Raises ShapeError for "
      "sizes that differ, ValueError for dims.\n\n"
      ">>> luge.tensordot(luge.tensor([[1, 2], [3, 4]]), luge.tensor([1, 1]), dims=1)\ntensor([3, 7])");
  bind_named(m, tensor);
  m.def(
      "chain_matmul",
      [](const nb::args& matrices, nb::handle out) {
        const std::vector<Tensor> given = tensors_of("chain_matmul", matrices);
        if (given.empty()) throw ValueError("chain_matmul: no matrices are given; at least one is needed");
        for (const Tensor& x : given)
          if (x.ndim() != 2) throw ShapeError(fmt::format("chain_matmul: a tensor has shape {}; all must be matrices", to_string(x.shape())));
        Tensor result;
        {
          const Unlocked unlocked(kQuick);
          result = given.size() == 1 ? given[0] : multi_dot(given);
        }
        return written("chain_matmul", std::move(result), out);
      },
      "matrices"_a, "out"_a = nb::none(), nb::sig("def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor"),
      "The product of matrices in the order that takes the fewest multiplications. Raises ShapeError.\n\n"
      ">>> luge.chain_matmul(luge.ones(1, 2), luge.ones(2, 3), luge.ones(3, 1))\ntensor([[6.]])");
  m.def(
      "_multi_dot",
      [](const std::vector<Tensor>& tensors) {
        const Unlocked unlocked(kQuick);
        return multi_dot(tensors);
      },
      "tensors"_a);
  m.def(
      "bilinear",
      [](const Tensor& x1, const Tensor& x2, const Tensor& weight, const std::optional<Tensor>& bias) {
        const Unlocked unlocked(kQuick);
        return bilinear(x1, x2, weight, bias.value_or(Tensor()));
      },
      "input1"_a, "input2"_a, "weight"_a, "bias"_a = nb::none(),
      "input1 weight[o] input2 + bias[o]: (..., m), (..., n) and (out, m, n) give (..., out). Raises ShapeError.\n\n"
      ">>> luge.bilinear(luge.ones(1, 2), luge.ones(1, 3), luge.ones(1, 2, 3))\ntensor([[6.]])");
}

}  // namespace luge::python
