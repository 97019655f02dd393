#pragma once
// What the benchmarks need to know of every row of core/luge/math/op_table.h.

#include <cstdint>
#include <functional>
#include <vector>

#include <luge/seam/op.h>
#include <luge/tensor/tensor.h>

namespace luge::bench {

struct ElementwiseRow {
  Op op;
  int inputs;                    ///< values, not counting a condition
  double low, high;              ///< where the formula's inputs are drawn from
  int saves;
  bool differentiable, gives_bool;
  std::function<Tensor(const std::vector<Tensor>&)> apply;
};

std::vector<ElementwiseRow> elementwise_rows();

/// Random inputs: a condition first, where the row takes one.
std::vector<Tensor> draw(const ElementwiseRow& row, std::int64_t n, Device device = Device::cpu());

/// Bytes per element that each direction reads and writes.
double forward_bytes(const ElementwiseRow& row);
double backward_bytes(const ElementwiseRow& row);

}  // namespace luge::bench
