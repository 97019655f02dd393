#pragma once
// Internal: a search along a line for a point that fulfils the strong Wolfe conditions.

#include <cstdint>
#include <functional>

#include <luge/tensor/tensor.h>

namespace luge {

/// A point of the line: how far along it, the loss, the gradient and the slope there.
struct LinePoint {
  double t = 0, loss = 0;
  Tensor gradient = {};
  double slope = 0;
};

struct LineSearch {
  LinePoint point;
  std::int64_t count = 0;  ///< points that were looked at
};

/// Nocedal and Wright, "Numerical optimization", algorithms 3.5 and 3.6, with the steps of torch.optim.LBFGS. `length` is the
/// direction's largest element: an interval that moves no parameter by `smallest` ends the search. At most `most` points behind the
/// first are looked at.
LineSearch strong_wolfe_search(const std::function<LinePoint(double t)>& at, const LinePoint& start, double t, double length,
                               double smallest, std::int64_t most);

}  // namespace luge
