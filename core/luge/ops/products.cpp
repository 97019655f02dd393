#include <luge/ops/products.h>

#include <algorithm>

#include <luge/autograd/detail/autocast.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/einsum.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>
#include <luge/ops/detail/contraction.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

void check_ndim(const char* op, const char* argument, const Tensor& x, int ndim) {
  LUGE_CHECK(ShapeError, checked(x, op, argument).shape.ndim() == ndim, "{}: {} has shape {}; it must be {}-d", op, argument,
             to_string(x.shape()), ndim);
}

/// beta input + alpha product.
Tensor scaled_sum(const char* op, const Tensor& given, const Tensor& product, Scalar beta, Scalar alpha, bool promotes = false) {
  const Tensor input = promotes ? given : autocast_low(given);
  const bool fits = input.ndim() <= product.ndim() && broadcast_shapes(op, input.shape(), product.shape()) == product.shape();
  LUGE_CHECK(ShapeError, fits, "{}: input has shape {}, which does not broadcast to {}", op, to_string(input.shape()),
             to_string(product.shape()));
  LUGE_CHECK(DTypeError, promotes || input.dtype() == product.dtype(), "{}: input is {} and the product {}; both must be of one dtype",
             op, name(input.dtype()), name(product.dtype()));
  const DType dtype = promote(input.dtype(), product.dtype());
  const auto factor = [&](const char* argument, Scalar value) {
    if (is_floating(dtype) || value.kind() != Scalar::Kind::Float) return value;
    LUGE_CHECK(ValueError, std::trunc(value.to_double()) == value.to_double(), "{}: {} is {}; for {} it must be a whole number", op,
               argument, value.to_double(), name(dtype));
    return Scalar(value.to_int64());
  };
  const Scalar of_input = factor("beta", beta), of_product = factor("alpha", alpha);
  const auto is_one = [](Scalar value) { return value.to_double() == 1; };
  const Tensor second = (is_one(of_product) ? product : product * of_product).to(dtype);
  if (of_input.to_double() != 0) return (is_one(of_input) ? input : input * of_input) + second;
  if (!needs_grad(input)) return second;
  // The gradient of the input is zero, not missing.
  const Tensor never = zeros({}, {.dtype = DType::Bool, .device = input.device()});
  return where(never, input, 0) + second;
}

}  // namespace

Tensor tensordot(const Tensor& a, const Tensor& b, int dims) {
  const Operation called("tensordot");
  const int na = checked(a, "tensordot").shape.ndim(), nb = checked(b, "tensordot", "other").shape.ndim();
  LUGE_CHECK(ValueError, dims >= 0 && dims <= na && dims <= nb, "tensordot: dims is {}; the tensors have {} and {} dimensions", dims,
             na, nb);
  std::vector<int> of_a, of_b;
  for (int i = 0; i < dims; ++i) {
    of_a.push_back(na - dims + i);
    of_b.push_back(i);
  }
  return tensordot(a, b, of_a, of_b);
}

Tensor tensordot(const Tensor& given_a, const Tensor& given_b, const std::vector<int>& dims_a, const std::vector<int>& dims_b) {
  const Operation called("tensordot");
  checked(given_a, "tensordot");
  checked(given_b, "tensordot", "other");
  const Tensor a = autocast_factor(given_a), b = autocast_factor(given_b);
  const int na = a.ndim(), nb = b.ndim();
  LUGE_CHECK(ValueError, dims_a.size() == dims_b.size(), "tensordot: {} dims are given of a and {} of b; they must be as many",
             dims_a.size(), dims_b.size());
  LUGE_CHECK(DTypeError, a.dtype() == b.dtype(), "tensordot: a is {} and b is {}; both must be of one dtype", name(a.dtype()),
             name(b.dtype()));
  Labelled left{a, {}}, right{b, {}};
  for (int d = 0; d < na; ++d) left.labels.push_back(static_cast<Label>(d));
  for (int d = 0; d < nb; ++d) right.labels.push_back(static_cast<Label>(kMaxDims + d));
  std::uint64_t kept = left.mask() | right.mask();
  for (std::size_t i = 0; i < dims_a.size(); ++i) {
    const int da = normalize_dim("tensordot", dims_a[i], na), db = normalize_dim("tensordot", dims_b[i], nb);
    LUGE_CHECK(ValueError, na > 0 && nb > 0, "tensordot: a 0-d tensor has no dimension to be summed over");
    Label& shared = right.labels[static_cast<std::size_t>(db)];
    const std::uint64_t bit = std::uint64_t{1} << da;
    LUGE_CHECK(ValueError, shared >= kMaxDims && (kept & bit), "tensordot: dim {} of a or dim {} of b is given twice", dims_a[i],
               dims_b[i]);
    LUGE_CHECK(ShapeError, a.size(da) == b.size(db) || a.size(da) == 1 || b.size(db) == 1,
               "tensordot: a is {} and b is {}; dim {} of a and dim {} of b must be of one size", to_string(a.shape()),
               to_string(b.shape()), dims_a[i], dims_b[i]);
    kept &= ~bit & ~(std::uint64_t{1} << shared);
    shared = static_cast<Label>(da);
  }
  std::vector<Label> order;
  for (const std::vector<Label>* const labels : {&left.labels, &right.labels})
    for (const Label label : *labels)
      if (kept >> label & 1) order.push_back(label);
  LUGE_CHECK(ShapeError, order.size() <= static_cast<std::size_t>(kMaxDims), "tensordot: the result has {} dimensions; at most {} are allowed", order.size(),
             kMaxDims);
  return arranged(contracted(left, right, kept, order), order);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  const Operation called("outer");
  check_ndim("outer", "input", a, 1);
  check_ndim("outer", "vec2", b, 1);
  return a.unsqueeze(1) * b;
}

Tensor inner(const Tensor& a, const Tensor& b) {
  const Operation called("inner");
  if (checked(a, "inner").shape.empty() || checked(b, "inner", "other").shape.empty()) return a * b;
  LUGE_CHECK(ShapeError, a.shape().back() == b.shape().back(), "inner: the tensors are {} and {}; their last sizes must be equal",
             to_string(a.shape()), to_string(b.shape()));
  return tensordot(a, b, {-1}, {-1});
}

Tensor dot(const Tensor& a, const Tensor& b) {
  const Operation called("dot");
  check_ndim("dot", "input", a, 1);
  check_ndim("dot", "tensor", b, 1);
  LUGE_CHECK(ShapeError, a.numel() == b.numel(), "dot: the vectors have {} and {} elements; they must have as many", a.numel(),
             b.numel());
  return matmul(a, b);
}

Tensor mv(const Tensor& matrix, const Tensor& vector) {
  const Operation called("mv");
  check_ndim("mv", "input", matrix, 2);
  check_ndim("mv", "vec", vector, 1);
  return matmul(matrix, vector);
}

Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  const Operation called("addmm");
  checked(input, "addmm");
  check_ndim("addmm", "mat1", a, 2);
  check_ndim("addmm", "mat2", b, 2);
  return scaled_sum("addmm", input, matmul(a, b), beta, alpha);
}

Tensor addmv(const Tensor& input, const Tensor& matrix, const Tensor& vector, Scalar beta, Scalar alpha) {
  const Operation called("addmv");
  checked(input, "addmv");
  check_ndim("addmv", "mat", matrix, 2);
  check_ndim("addmv", "vec", vector, 1);
  return scaled_sum("addmv", input, matmul(matrix, vector), beta, alpha);
}

namespace {

void check_batches(const char* op, const Tensor& a, const Tensor& b) {
  check_ndim(op, "batch1", a, 3);
  check_ndim(op, "batch2", b, 3);
  LUGE_CHECK(ShapeError, a.size(0) == b.size(0), "{}: the batches are {} and {}; they must hold as many matrices", op,
             to_string(a.shape()), to_string(b.shape()));
}

}  // namespace

Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  const Operation called("baddbmm");
  checked(input, "baddbmm");
  check_batches("baddbmm", a, b);
  return scaled_sum("baddbmm", input, matmul(a, b), beta, alpha);
}

Tensor addbmm(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  const Operation called("addbmm");
  checked(input, "addbmm");
  check_batches("addbmm", a, b);
  return scaled_sum("addbmm", input, einsum("bij,bjk->ik", {a, b}), beta, alpha);
}

Tensor addr(const Tensor& input, const Tensor& a, const Tensor& b, Scalar beta, Scalar alpha) {
  const Operation called("addr");
  checked(input, "addr");
  check_ndim("addr", "vec1", a, 1);
  check_ndim("addr", "vec2", b, 1);
  return scaled_sum("addr", input, a.unsqueeze(1) * b, beta, alpha, true);
}

Tensor kron(const Tensor& a, const Tensor& b) {
  const Operation called("kron");
  const int ndim = std::max(checked(a, "kron").shape.ndim(), checked(b, "kron", "other").shape.ndim());
  LUGE_CHECK(ShapeError, 2 * ndim <= kMaxDims, "kron: the tensors are {} and {}; at most {} dimensions are allowed",
             to_string(a.shape()), to_string(b.shape()), kMaxDims / 2);
  Shape of_a, of_b, result;
  for (int d = 0; d < ndim; ++d) {
    const int da = d - ndim + a.ndim(), db = d - ndim + b.ndim();
    const std::int64_t size_a = da < 0 ? 1 : a.shape()[da], size_b = db < 0 ? 1 : b.shape()[db];
    of_a.push_back(size_a);
    of_a.push_back(1);
    of_b.push_back(1);
    of_b.push_back(size_b);
    result.push_back(size_a * size_b);
  }
  return (a.reshape(of_a) * b.reshape(of_b)).reshape(result);
}

Tensor multi_dot(const std::vector<Tensor>& tensors) {
  const Operation called("multi_dot");
  LUGE_CHECK(ValueError, tensors.size() >= 2, "multi_dot: {} tensors are given; there must be 2 or more", tensors.size());
  std::vector<Tensor> matrices = tensors;
  const std::size_t n = matrices.size();
  const bool row = checked(tensors[0], "multi_dot").shape.ndim() == 1, column = checked(tensors[n - 1], "multi_dot").shape.ndim() == 1;
  if (row) matrices[0] = matrices[0].unsqueeze(0);
  if (column) matrices[n - 1] = matrices[n - 1].unsqueeze(1);
  std::vector<double> sizes;
  for (std::size_t i = 0; i < n; ++i) {
    LUGE_CHECK(ShapeError, checked(matrices[i], "multi_dot").shape.ndim() == 2,
               "multi_dot: tensor {} has shape {}; it must be a matrix, but for the first and the last, which may be vectors", i,
               to_string(tensors[i].shape()));
    LUGE_CHECK(ShapeError, i == 0 || matrices[i].size(0) == matrices[i - 1].size(1),
               "multi_dot: tensors {} and {} are {} and {}; the inner sizes must be equal", i == 0 ? 0 : i - 1, i,
               to_string(tensors[i == 0 ? 0 : i - 1].shape()), to_string(tensors[i].shape()));
    sizes.push_back(static_cast<double>(matrices[i].size(0)));
  }
  sizes.push_back(static_cast<double>(matrices[n - 1].size(1)));
  // The cheapest way to multiply i ... j, and where the last product of it splits (CLRS, 15.2).
  std::vector<std::vector<double>> cost(n, std::vector<double>(n, 0));
  std::vector<std::vector<std::size_t>> split(n, std::vector<std::size_t>(n, 0));
  for (std::size_t length = 1; length < n; ++length)
    for (std::size_t i = 0; i + length < n; ++i) {
      const std::size_t j = i + length;
      for (std::size_t k = i; k < j; ++k) {
        const double total = cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1];
        if (k > i && total >= cost[i][j]) continue;
        cost[i][j] = total;
        split[i][j] = k;
      }
    }
  const auto product = [&](const auto& self, std::size_t i, std::size_t j) -> Tensor {
    return i == j ? matrices[i] : matmul(self(self, i, split[i][j]), self(self, split[i][j] + 1, j));
  };
  Tensor result = product(product, 0, n - 1);
  if (row) result = result.squeeze(0);
  return column ? result.squeeze(-1) : result;
}

Tensor bilinear(const Tensor& given_x1, const Tensor& given_x2, const Tensor& given_weight, const Tensor& given_bias) {
  const Operation called("bilinear");
  const Tensor x1 = autocast_low(given_x1), x2 = autocast_low(given_x2), weight = autocast_low(given_weight),
               bias = autocast_low(given_bias);
  check_ndim("bilinear", "weight", weight, 3);
  checked(x1, "bilinear", "input1");
  checked(x2, "bilinear", "input2");
  Shape lead = x1.shape(), other = x2.shape();
  LUGE_CHECK(ShapeError, lead.ndim() > 0 && lead.ndim() == other.ndim() && lead.back() == weight.size(1) && other.back() == weight.size(2),
             "bilinear: the inputs are {} and {} and weight is {}; they must be (..., m), (..., n) and (out, m, n)",
             to_string(x1.shape()), to_string(x2.shape()), to_string(weight.shape()));
  lead.erase(lead.ndim() - 1);
  other.erase(other.ndim() - 1);
  LUGE_CHECK(ShapeError, lead == other, "bilinear: the inputs are {} and {}; all sizes but the last must be equal",
             to_string(x1.shape()), to_string(x2.shape()));
  const Tensor product = einsum("...i,oij,...j->...o", {x1, weight, x2});
  if (!bias.defined()) return product;
  LUGE_CHECK(ShapeError, bias.shape() == Shape{weight.size(0)}, "bilinear: bias is {} and weight {}; it must have one element for each output",
             to_string(bias.shape()), to_string(weight.shape()));
  LUGE_CHECK(DTypeError, bias.dtype() == product.dtype(), "bilinear: bias is {} and weight {}; both must be of one dtype",
             name(bias.dtype()), name(weight.dtype()));
  return product + bias;
}

}  // namespace luge
