// A million parameter sets: the loop of parabola.cpp, run from a million starts with a million learning
// rates at once. Only two lines differ: the arena has sets, and the learning rate is a tensor.

#include <chrono>
#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  constexpr std::int64_t kSets = 1'000'000;
  constexpr int kEpochs = 80;

  Parameters params({.sets = kSets, .device = Device::best(), .seed = 1});
  Tensor x = params.add("x", {}, init::uniform(-2, 2));  // shape (sets): one x for every set
  Tensor lr = linspace(0.01, 0.29, kSets, {.device = params.device()});
  const Tensor start = x.detach().clone();

  Sgd optimizer(params, {.lr = lr});
  const auto begin = std::chrono::steady_clock::now();
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    optimizer.zero_grad();
    Tensor loss = 3 * x * x - 2 * x + 3;  // (sets): one loss per set
    loss.sum().backward();                // sets do not meet, so each gets its own gradient
    optimizer.step();
  }

  const double mean = x.detach().mean().item();  // reading a value waits for the device
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  // Every set against its own closed form x_k = 1/3 + (x_0 - 1/3) (1 - 6 lr)^k, in float64.
  const NoGrad no_grad;
  const Tensor shrink = (1 - 6 * lr.to(float64)).pow(kEpochs);
  const Tensor expected = 1.0 / 3 + (start.to(float64) - 1.0 / 3) * shrink;
  const double worst = (x.detach().to(float64) - expected).abs().max().item();
  std::printf("%lld sets, %d steps in %.2f s\n", static_cast<long long>(kSets), kEpochs, seconds);
  std::printf("mean x = %.6f, largest distance to the closed form %.2g\n", mean, worst);
  return worst < 1e-5 ? 0 : 1;
}
