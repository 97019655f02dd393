// One parameter: minimise f(x) = 3 x^2 - 2 x + 3 by gradient descent from x = -1.
//
// The loop is the one of every training: forget the old gradient, compute the loss, let autograd find
// the gradient, take a step against it, watch. The minimum is at x = 1/3, f = 8/3.

#include <cmath>
#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  Parameters params;
  Tensor x = params.add("x", {}, init::constant(-1));
  Sgd optimizer(params, {.lr = 0.01});
  Monitor monitor({.total = 80});

  for (int epoch = 0; epoch < 80; ++epoch) {
    optimizer.zero_grad();
    Tensor loss = 3 * x * x - 2 * x + 3;
    loss.backward();
    optimizer.step();
    monitor.record(loss);
  }

  // Descent on a parabola has a closed form, so the result can be checked.
  const double expected = 1.0 / 3 + (-1 - 1.0 / 3) * std::pow(1 - 6 * 0.01, 80);
  std::printf("first loss %.7f, last loss %.7f\n", monitor.history().front().mean, monitor.history().back().mean);
  std::printf("x = %.7f after 80 steps, closed form %.7f, minimum at %.7f\n", x.item(), expected, 1.0 / 3);
  return std::abs(x.item() - expected) < 1e-6 ? 0 : 1;
}
