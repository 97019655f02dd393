#include "elementwise_rows.h"

#include <utility>

#include <luge/math/elementwise.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>

#include "inputs.h"

namespace luge::bench {
namespace {

using Inputs = std::vector<Tensor>;

DType input_dtype(const ElementwiseRow& row) {
  const DTypes dtypes = accepted(row.op);
  return dtypes == DTypes::Logical ? boolean : dtypes == DTypes::Integral ? int32 : float32;
}

double size(DType dtype) { return static_cast<double>(size_of(dtype)); }

template <class F>
ElementwiseRow row_of(Op op, int inputs, bool differentiable, std::function<Tensor(const Inputs&)> apply) {
  const bool gives_bool = op >= Op::Equal && op <= Op::IsFinite;
  return {op, inputs, F::kLow, F::kHigh, F::kSaves, differentiable, gives_bool, std::move(apply)};
}

}  // namespace

std::vector<Tensor> draw(const ElementwiseRow& row, std::int64_t n, Device device) {
  Inputs inputs;
  if (row.op == Op::Where) inputs.push_back(rand({n}, {.device = device}) < 0.5);
  for (int i = 0; i < row.inputs; ++i) inputs.push_back(uniform({n}, row.low, row.high, device).to(input_dtype(row)));
  return inputs;
}

double forward_bytes(const ElementwiseRow& row) {
  const double condition = row.op == Op::Where ? 1 : 0;
  return condition + row.inputs * size(input_dtype(row)) + (row.gives_bool ? 1 : 4);
}

/// Gradient of the output and what was saved are read, a gradient per input is written. add and sub
/// save nothing: they hand the gradient on, and a leaf takes a copy.
double backward_bytes(const ElementwiseRow& row) {
  if (row.op == Op::Add || row.op == Op::Sub) return 16;
  const int saved = (row.saves & math::scalar::kSavesInputs ? row.inputs : 0) + (row.saves & math::scalar::kSavesOutput ? 1 : 0);
  if (row.op == Op::Where) return 4 + 1 + 8;
  return 4 * (1 + saved + row.inputs);
}

std::vector<ElementwiseRow> elementwise_rows() {
  std::vector<ElementwiseRow> rows;
#define LUGE_ROW(function, Formula, ...) \
  rows.push_back(row_of<math::scalar::Formula>(Op::Formula, 1, true, [](const Inputs& x) { return luge::function(x[0]); }));
  LUGE_UNARY_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...)                                                  \
  rows.push_back(row_of<math::scalar::Formula>(Op::Formula, 1, true, [](const Inputs& x) { \
    return unary_with_parameters(Op::Formula, x[0], {0.5, 1.5});                           \
  }));
  LUGE_UNARY_PARAMETER_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...)                                                  \
  rows.push_back(row_of<math::scalar::Formula>(Op::Formula, 2, true, [](const Inputs& x) { \
    return luge::function(x[0], x[1]);                                                     \
  }));
  LUGE_BINARY_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...)                                                   \
  rows.push_back(row_of<math::scalar::Formula>(Op::Formula, 2, false, [](const Inputs& x) { \
    return luge::function(x[0], x[1]);                                                      \
  }));
  LUGE_BITWISE_ROWS(LUGE_ROW)
  LUGE_COMPARE_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  rows.push_back(row_of<math::scalar::Formula>(Op::Formula, 1, false, [](const Inputs& x) { return luge::function(x[0]); }));
  LUGE_TEST_ROWS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...)                                                  \
  rows.push_back(row_of<math::scalar::Formula>(Op::Formula, 2, true, [](const Inputs& x) { \
    return luge::function(x[0], x[1], x[2]);                                               \
  }));
  LUGE_WHERE_ROWS(LUGE_ROW)
#undef LUGE_ROW
  return rows;
}

}  // namespace luge::bench
