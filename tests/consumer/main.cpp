// What another project would write first: the demo, checked against its closed form.

#include <cmath>
#include <cstdio>

#include <luge/luge.h>

int main() {
  luge::Parameters params;
  luge::Tensor x = params.add("x", {}, luge::init::constant(-1));
  luge::Sgd optimizer(params, {.lr = 0.01});
  for (int epoch = 0; epoch < 80; ++epoch) {
    optimizer.zero_grad();
    luge::Tensor loss = 3 * x * x - 2 * x + 3;
    loss.backward();
    optimizer.step();
  }
  const double closed_form = 1.0 / 3 - 4.0 / 3 * std::pow(1 - 6 * 0.01, 80);
  std::printf("x = %.7f, closed form %.7f\n", x.item(), closed_form);
  return std::abs(x.item() - closed_form) < 1e-6 ? 0 : 1;
}
