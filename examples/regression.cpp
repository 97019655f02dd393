// Linear regression: find w and b so that w x + b is as close as it gets to noisy measurements.
//
// Gradient descent is compared with the answer of the normal equations.

#include <cmath>
#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  manual_seed(42);
  const Tensor x = 10 * rand({500});
  const Tensor y = 1.5 * x - 4 + randn({500});  // the truth, and measurement noise of deviation 1

  Tensor w = zeros({}, {.requires_grad = true});
  Tensor b = zeros({}, {.requires_grad = true});
  Sgd optimizer({w, b}, {.lr = 0.01, .momentum = 0.9});  // loose tensors, as in PyTorch
  for (int epoch = 0; epoch < 500; ++epoch) {
    optimizer.zero_grad();
    const Tensor loss = mse_loss(w * x + b, y);
    loss.backward();
    optimizer.step();
    if (epoch % 100 == 99) std::printf("epoch %d: loss %.6f, w %.5f, b %.5f\n", epoch + 1, loss.item(), w.item(), b.item());
  }

  const Tensor dx = x - x.mean(), dy = y - y.mean();
  const double best_w = ((dx * dy).sum() / (dx * dx).sum()).item();
  const double best_b = y.mean().item() - best_w * x.mean().item();
  std::printf("gradient descent  w = %.5f, b = %.5f\n", w.item(), b.item());
  std::printf("least squares     w = %.5f, b = %.5f\n", best_w, best_b);
  return std::abs(w.item() - best_w) < 1e-4 && std::abs(b.item() - best_b) < 1e-3 ? 0 : 1;
}
