#include <luge/ops/detail/factors.h>

#include <algorithm>

#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/formula.h>
#include <luge/ops/diagonal.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/matmul.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/iteration.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/tensor/detail/values.h>

namespace luge::linalg {

using Kind = Factorize::Kind;

// ---- shapes and masks ---------------------------------------------------------------------------

Shape batch_of(const Shape& shape, int matrix) {
  return Shape(std::span(shape.begin(), static_cast<std::size_t>(shape.ndim() - matrix)));
}

Shape with(Shape batch, std::initializer_list<std::int64_t> sizes) {
  for (const std::int64_t size : sizes) batch.push_back(size);
  return batch;
}

void check_matrices(const char* op, const char* argument, const Tensor& x) {
  const TensorImpl& impl = checked(x, op, argument);
  LUGE_CHECK(DTypeError, impl.dtype == DType::Float32 || impl.dtype == DType::Float64,
             "{}: {} is {}; it must be float32 or float64", op, argument, name(impl.dtype));
  LUGE_CHECK(ShapeError, impl.shape.ndim() >= 2, "{}: {} has shape {}; it must have at least 2 dimensions", op, argument,
             to_string(impl.shape));
}

void check_square(const char* op, const char* argument, const Tensor& x) {
  check_matrices(op, argument, x);
  LUGE_CHECK(ShapeError, x.size(-1) == x.size(-2), "{}: {} has shape {}; its last two sizes must be equal", op, argument,
             to_string(x.shape()));
}

void check_alike(const char* op, const char* left, const Tensor& a, const char* right, const Tensor& b) {
  LUGE_CHECK(DTypeError, a.dtype() == b.dtype(), "{}: {} is {} and {} is {}; both must be of one dtype", op, left,
             name(a.dtype()), right, name(b.dtype()));
  LUGE_CHECK(DeviceError, a.device() == b.device(), "{}: {} is on {} and {} on {}; bring them together with to()", op, left,
             to_string(a.device()), right, to_string(b.device()));
}

Tensor turned(const Tensor& x) { return x.transpose(-2, -1); }

Tensor lower_mask(const Tensor& like, std::int64_t rows, std::int64_t columns, std::int64_t diagonal) {
  const TensorOptions options{.dtype = DType::Int64, .device = like.device()};
  const Tensor across = arange(Scalar(std::int64_t{0}), Scalar(columns), Scalar(std::int64_t{1}), options);
  const Tensor down = arange(Scalar(diagonal), Scalar(diagonal + rows), Scalar(std::int64_t{1}), options);
  return le(across, down.unsqueeze(1));
}

Tensor lower_part(const Tensor& x, std::int64_t diagonal) {
  return where(lower_mask(x, x.size(-2), x.size(-1), diagonal), x, 0.0);
}

Tensor upper_part(const Tensor& x, std::int64_t diagonal) {
  return where(lower_mask(x, x.size(-2), x.size(-1), diagonal - 1), Scalar(0.0), x);
}

namespace {

Tensor diagonal_mask(const Tensor& like, std::int64_t rows, std::int64_t columns) {
  const TensorOptions options{.dtype = DType::Int64, .device = like.device()};
  const auto count = [&](std::int64_t n) { return arange(Scalar(std::int64_t{0}), Scalar(n), Scalar(std::int64_t{1}), options); };
  return eq(count(columns), count(rows).unsqueeze(1));
}

}  // namespace

Tensor diagonal_of(const Tensor& x) { return diagonal(x, 0, -2, -1); }

Tensor diagonal_matrix(const Tensor& x) {
  return where(diagonal_mask(x, x.size(-1), x.size(-1)), x.unsqueeze(-2), 0.0);
}

Tensor unit_like(const Tensor& x, std::int64_t n) { return eye(n, {.dtype = x.dtype(), .device = x.device()}); }

Tensor repeated(const Tensor& x, const Shape& batch, int matrix) {
  Shape shape = batch;
  for (int d = x.ndim() - matrix; d < x.ndim(); ++d) shape.push_back(x.shape()[d]);
  return x.shape() == shape ? x : x.expand(shape);
}

// ---- operands -----------------------------------------------------------------------------------

namespace {

std::int64_t matrices_in(const Tensor& x, int matrix = 2) { return element_count(batch_of(x.shape(), matrix)); }

/// Matrices as a call reads them: where they lie, or a copy of them.
struct Readable {
  Tensor memory;
  Operand operand;
  bool turned = false;  ///< they lie column by column, which the reader understands
};

/// The distance of matrices whose batch dimensions are walked evenly.
std::optional<std::int64_t> even_step(const Shape& shape, const Strides& strides) {
  std::int64_t step = 0, count = 1;
  for (int d = shape.ndim() - 3; d >= 0; --d) {
    if (shape[d] == 1) continue;
    if (count == 1)
      step = strides[d];
    else if (strides[d] != step * count)
      return {};
    count *= shape[d];
  }
  return step;
}

Readable readable(const Tensor& x, bool understands_columns = false) {
  const NoGrad guard;
  const int n = x.ndim();
  const auto fits = [&](int row, int column) {
    const std::int64_t rows = x.shape()[row], columns = x.shape()[column];
    return (x.strides()[column] == 1 || columns == 1) && (x.strides()[row] >= columns || rows == 1);
  };
  const std::optional<std::int64_t> step = even_step(x.shape(), x.strides());
  const bool by_rows = step && fits(n - 2, n - 1);
  const bool by_columns = step && !by_rows && understands_columns && fits(n - 1, n - 2);
  Readable result{by_rows || by_columns ? x : x.contiguous(), {}, by_columns};
  const Tensor& memory = result.memory;
  const int row = by_columns ? n - 1 : n - 2, column = by_columns ? n - 2 : n - 1;
  result.operand = operand(memory);
  result.operand.strides[0] = by_rows || by_columns ? *step : memory.shape()[n - 1] * memory.shape()[n - 2];
  // A single row has any distance to the next; LAPACK wants a possible one.
  result.operand.strides[1] = std::max(memory.shape()[row] == 1 ? 0 : memory.strides()[row], memory.shape()[column]);
  result.operand.strides[2] = 1;
  return result;
}

/// What a call writes into memory without gaps: from element `offset` of each matrix's row of `step`.
Operand writable(const Tensor& x, std::int64_t step, std::int64_t row, std::int64_t offset = 0) {
  Operand result = operand(x);
  result.data = static_cast<char*>(result.data) + offset * static_cast<std::int64_t>(size_of(x.dtype()));
  result.strides[0] = step;
  result.strides[1] = row;
  result.strides[2] = 1;
  return result;
}

/// One number for each matrix.
Tensor info_of(const Tensor& a) { return empty_tensor(batch_of(a.shape()), DType::Int32, a.storage()->backend()); }

Factorize call_of(Kind kind, const Tensor& a) {
  Factorize call;
  call.kind = kind;
  call.batch = matrices_in(a);
  call.m = a.size(-2);
  call.n = a.size(-1);
  return call;
}

}  // namespace

// ---- calls --------------------------------------------------------------------------------------

Checked raw_cholesky(const Tensor& a, bool upper) {
  Backend& backend = a.storage()->backend();
  Checked result{empty_tensor(a.shape(), a.dtype(), backend), info_of(a)};
  if (a.numel() == 0) {
    fill_values(result.info, 0);
    return result;
  }
  const Readable in = readable(a);
  Factorize call = call_of(Kind::Cholesky, a);
  call.upper = upper;
  call.in = in.operand;
  call.out = writable(result.result, call.n * call.n, call.n);
  call.info = writable(result.info, 1, 1);
  backend.run(call);
  return result;
}

RawLu raw_lu(const Tensor& a) {
  Backend& backend = a.storage()->backend();
  const Shape batch = batch_of(a.shape());
  const std::int64_t m = a.size(-2), n = a.size(-1), less = std::min(m, n);
  RawLu result{empty_tensor(a.shape(), a.dtype(), backend), empty_tensor(with(batch, {less}), DType::Int32, backend),
               empty_tensor(with(batch, {m}), DType::Int64, backend), info_of(a)};
  if (a.numel() == 0) {
    fill_values(result.info, 0);
    if (result.order.numel() > 0)
      copy_values(arange(Scalar(std::int64_t{0}), Scalar(m), Scalar(std::int64_t{1}),
                         {.dtype = DType::Int64, .device = a.device()}), result.order, Store::Overwrite);
    return result;
  }
  const Readable in = readable(a);
  Factorize call = call_of(Kind::Lu, a);
  call.in = in.operand;
  call.out = writable(result.factors, m * n, n);
  call.pivots = writable(result.pivots, less, 1);
  call.order = writable(result.order, m, 1);
  call.info = writable(result.info, 1, 1);
  backend.run(call);
  return result;
}

Tensor raw_order(const Tensor& pivots, std::int64_t rows) {
  const NoGrad guard;
  const Tensor whole = pivots.contiguous();
  Backend& backend = pivots.storage()->backend();
  const Tensor order = empty_tensor(with(batch_of(pivots.shape(), 1), {rows}), DType::Int64, backend);
  if (order.numel() == 0) return order;
  Factorize call;
  call.kind = Kind::RowOrder;
  call.batch = order.numel() / rows;
  call.m = rows;
  call.k = pivots.size(-1);
  call.n = call.k;
  call.pivots = writable(whole, call.k, 1);
  call.order = writable(order, rows, 1);
  backend.run(call);
  return order;
}

Tensor raw_solve_triangular(const Tensor& a, const Tensor& b, Triangle how) {
  Backend& backend = b.storage()->backend();
  const Tensor x = empty_tensor(b.shape(), b.dtype(), backend);
  if (x.numel() == 0) return x;
  const Readable in = readable(a, true), sides = readable(b);
  Factorize call = call_of(Kind::TriangularSolve, a);
  call.k = how.right ? b.size(-2) : b.size(-1);
  call.upper = how.upper != in.turned;
  call.transposed = how.transposed != in.turned;
  call.unit = how.unit;
  call.right = how.right;
  call.in = in.operand;
  call.b = sides.operand;
  call.out = writable(x, b.size(-2) * b.size(-1), b.size(-1));
  backend.run(call);
  return x;
}

namespace {

/// A call of a whole solution, by both triangles; `more` sets what else it has.
template <class More>
Tensor solved(const Tensor& factors, const Tensor& b, const More& more) {
  Backend& backend = b.storage()->backend();
  const Tensor x = empty_tensor(b.shape(), b.dtype(), backend);
  if (x.numel() == 0) return x;
  const Readable in = readable(factors), sides = readable(b);
  Factorize call = call_of(Kind::TriangularSolve, factors);
  call.complete = true;
  call.k = b.size(-1);
  call.in = in.operand;
  call.b = sides.operand;
  call.out = writable(x, b.size(-2) * b.size(-1), b.size(-1));
  more(call);
  return x;
}

}  // namespace

Tensor raw_lu_solve(const RawLu& lu, const Tensor& b, bool transposed) {
  return solved(lu.factors, b, [&](Factorize& call) {
    call.transposed = transposed;
    call.order = writable(lu.order, call.n, 1);
    b.storage()->backend().run(call);
  });
}

Tensor raw_cholesky_solve(const Tensor& factor, const Tensor& b, bool upper) {
  return solved(factor, b, [&](Factorize& call) {
    call.upper = upper;
    b.storage()->backend().run(call);
  });
}

CholeskySolveGradient raw_cholesky_solve_gradient(const Tensor& factor, const Tensor& x, const Tensor& gradient, bool upper) {
  Backend& backend = factor.storage()->backend();
  CholeskySolveGradient result{{}, empty_tensor(factor.shape(), factor.dtype(), backend)};
  if (x.numel() == 0 && factor.numel() > 0) fill_values(result.of_factor, 0);
  result.of_b = solved(factor, gradient, [&](Factorize& call) {
    const Readable solution = readable(x);
    call.upper = upper;
    call.second = writable(result.of_factor, call.n * call.n, call.n);
    call.third = solution.operand;
    backend.run(call);
  });
  return result;
}

Tensor raw_cholesky_gradient(const Tensor& factor, const Tensor& gradient, bool upper) {
  Backend& backend = factor.storage()->backend();
  const Tensor result = empty_tensor(factor.shape(), factor.dtype(), backend);
  if (result.numel() == 0) return result;
  const Readable in = readable(factor), given = readable(gradient);
  Factorize call = call_of(Kind::Cholesky, factor);
  call.upper = upper;
  call.in = in.operand;
  call.b = given.operand;
  call.out = writable(result, call.n * call.n, call.n);
  backend.run(call);
  return result;
}

namespace {

Tensor packed_rows(const Tensor& a, std::int64_t numbers) {
  return empty_tensor(with(batch_of(a.shape()), {numbers}), a.dtype(), a.storage()->backend());
}

/// What is the unit matrix where there is nothing to factor.
void fill_unit(const Tensor& packed, std::int64_t offset, std::int64_t n) {
  if (n > 0 && packed.numel() > 0)
    copy_values(unit_like(packed, n), unpacked(packed, offset, n, n), Store::Overwrite);
}

}  // namespace

Packed raw_qr(const Tensor& a, bool complete, bool wants_q) {
  const NoGrad guard;
  const std::int64_t m = a.size(-2), n = a.size(-1), c = complete ? m : std::min(m, n);
  const std::int64_t of_q = wants_q ? m * c : 0, step = of_q + c * n;
  const Packed result{packed_rows(a, step), {}};
  if (a.numel() == 0) {
    if (wants_q) fill_unit(result.packed, 0, m == c ? m : 0);
    return result;
  }
  const Readable in = readable(a);
  Factorize call = call_of(Kind::Qr, a);
  call.complete = complete;
  call.in = in.operand;
  if (wants_q) call.out = writable(result.packed, step, c);
  call.second = writable(result.packed, step, n, of_q);
  a.storage()->backend().run(call);
  return result;
}

Packed raw_eigh(const Tensor& a, bool upper, bool wants_vectors) {
  const std::int64_t n = a.size(-1), step = n + (wants_vectors ? n * n : 0);
  const Packed result{packed_rows(a, step), info_of(a)};
  if (a.numel() == 0) {
    fill_values(result.info, 0);
    return result;
  }
  const Readable in = readable(a);
  Factorize call = call_of(Kind::Eigh, a);
  call.upper = upper;
  call.in = in.operand;
  call.out = writable(result.packed, step, 1);
  if (wants_vectors) call.second = writable(result.packed, step, n, n);
  call.info = writable(result.info, 1, 1);
  a.storage()->backend().run(call);
  return result;
}

Packed raw_svd(const Tensor& a, bool complete, bool wants_vectors) {
  const NoGrad guard;
  const std::int64_t m = a.size(-2), n = a.size(-1), less = std::min(m, n), c = complete ? m : less, d = complete ? n : less;
  const std::int64_t of_u = wants_vectors ? m * c : 0, of_v = wants_vectors ? d * n : 0, step = less + of_u + of_v;
  const Packed result{packed_rows(a, step), info_of(a)};
  if (a.numel() == 0) {
    fill_values(result.info, 0);
    if (wants_vectors && complete) {
      fill_unit(result.packed, less, m);
      fill_unit(result.packed, less + of_u, n);
    }
    return result;
  }
  const Readable in = readable(a);
  Factorize call = call_of(Kind::Svd, a);
  call.complete = complete;
  call.in = in.operand;
  call.out = writable(result.packed, step, 1);
  if (wants_vectors) {
    call.second = writable(result.packed, step, c, less);
    call.third = writable(result.packed, step, n, less + of_u);
  }
  call.info = writable(result.info, 1, 1);
  a.storage()->backend().run(call);
  return result;
}

Tensor unpacked(const Tensor& packed, std::int64_t offset, std::int64_t rows, std::optional<std::int64_t> columns) {
  const Tensor part = packed.slice(-1, offset, offset + rows * columns.value_or(1));
  return columns ? part.view(with(batch_of(packed.shape(), 1), {rows, *columns})) : part;
}

void check_info(const char* op, const Tensor& info, const char* why) {
  if (observer || info.numel() == 0) return;
  const std::vector<std::int32_t> all = info.to_vector<std::int32_t>();
  const auto bad = std::find_if(all.begin(), all.end(), [](std::int32_t one) { return one != 0; });
  if (bad == all.end()) return;
  const std::string said = fmt::format(fmt::runtime(why), *bad);
  if (info.ndim() == 0) raise<LinAlgError>("{}: the matrix {}", op, said);
  raise<LinAlgError>("{}: matrix {} of the batch {} {}", op, bad - all.begin(), to_string(info.shape()), said);
}

// ---- recorded -----------------------------------------------------------------------------------

Tensor solve_triangle(const char* op, const Tensor& a, const Tensor& b, Triangle how) {
  Tensor x = raw_solve_triangular(a, b, how);
  record_formula(op, x, {a, b}, true, true, [op, how](const Derivation& d) {
    Triangle back = how;
    back.transposed = !how.transposed;
    const Tensor to_b = solve_triangle(op, d.in[0], d.gradient, back);
    Tensor to_a;
    if (d.wants[0]) {
      // Of op(a): -to_b x^T, from the right -x^T to_b; of its transpose the other way round.
      const Tensor minus = -to_b;  // has fewer elements than the product
      const Tensor& left = how.right == how.transposed ? minus : d.out;
      const Tensor& right = how.right == how.transposed ? d.out : minus;
      const Tensor product = how.right ? matmul(turned(left), right) : matmul(left, turned(right));
      to_a = how.upper ? upper_part(product, how.unit ? 1 : 0) : lower_part(product, how.unit ? -1 : 0);
    }
    return std::vector<Tensor>{to_a, to_b};
  });
  return x;
}

}  // namespace luge::linalg
