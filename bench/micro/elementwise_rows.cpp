#include "elementwise_rows.h"

#include <utility>

#include <luge/seam/detail/op_traits.h>
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
  const auto add = [&](Op op, std::function<Tensor(const Inputs&)> apply) {
    const OpTraits& of = traits(op);
    const int inputs = op == Op::Where ? 2 : of.inputs;
    rows.push_back({op, inputs, of.low, of.high, of.saves, is_differentiable(op), of.is_mask, std::move(apply)});
  };
#define LUGE_ROW(function, Formula, ...) add(Op::Formula, [](const Inputs& x) { return luge::function(x[0]); });
  LUGE_UNARY_OPS(LUGE_ROW)
  LUGE_TEST_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) add(Op::Formula, [](const Inputs& x) { return luge::function(x[0], x[1]); });
  LUGE_BINARY_OPS(LUGE_ROW)
  LUGE_COMPARE_OPS(LUGE_ROW)
#undef LUGE_ROW
#define LUGE_ROW(function, Formula, ...) \
  add(Op::Formula, [](const Inputs& x) { return luge::function(x[0], x[1], x[2]); });
  LUGE_TERNARY_OPS(LUGE_ROW)
#undef LUGE_ROW
  add(Op::Clamp, [](const Inputs& x) { return clamp(x[0], 0.5, 1.5); });
  add(Op::Where, [](const Inputs& x) { return where(x[0], x[1], x[2]); });
  return rows;
}

}  // namespace luge::bench
