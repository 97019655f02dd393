// Population-based training: sixty small networks learn one function, the worst take over weights and rates of the
// best.

#include <cmath>
#include <cstdio>
#include <utility>

#include <luge/luge.h>

using namespace luge;

constexpr std::int64_t members = 60, points = 256, batch = 64;

/// The errors in the end, and the learning rates.
std::pair<Tensor, Tensor> trained(const Tensor& x, const Tensor& y, const Tensor& held, const Tensor& held_y,
                                  bool evolves) {
  Parameters params({.sets = members, .seed = 1});
  const nn::Linear hidden(params, "hidden", 1, 24), output(params, "output", 24, 1);
  const auto model = [&](const Tensor& input) { return output(tanh(hidden(input))); };
  const Init spread = init::uniform(std::log(1e-5), std::log(1e-2));  // many rates are too small
  Adam optimizer(params, {.lr = exp(population::resample(zeros({members}), spread, {}, {.seed = 2}))});
  Tensor count = scalar(0, {.dtype = int64});

  auto step = capture([&] {
    const Draw draw{.seed = 3, .step = count};  // each its own order
    const Tensor sample = data::minibatch(points, batch, members, draw).view({members * batch});
    const Tensor own_x = x.index_select(0, sample).view({members, batch, 1});
    const Tensor own_y = y.index_select(0, sample).view({members, batch, 1});
    optimizer.zero_grad();
    mse_loss(model(own_x), own_y, Reduction::PerSet).sum().backward();
    optimizer.step();
    count.add_(1);
  });
  const auto losses = [&] {
    const NoGrad guard;
    return mse_loss(model(held), held_y, Reduction::PerSet);
  };
  auto evolve = capture([&] {
    const Tensor source = population::exploit(optimizer, losses(), {.fraction = 0.2});
    population::explore(optimizer, source, {.factors = {.low = 0.5, .high = 2}});
  });

  for (int round = 0; round < 30; ++round) {
    step.run(20);
    if (evolves) evolve();
  }
  return {sqrt(losses()), optimizer.lr()};
}

int main() {
  manual_seed(1);
  const Tensor x = linspace(-1, 1, points).unsqueeze(1);
  const Tensor y = sin(6 * x) + 0.05 * randn({points, 1});
  const Tensor held = linspace(-0.99, 0.99, 100).unsqueeze(1);
  const Tensor held_y = sin(6 * held);

  const Tensor alone = trained(x, y, held, held_y, false).first;
  const auto [together, rates] = trained(x, y, held, held_y, true);
  const auto place = [](const Tensor& errors, std::int64_t at) {
    return errors[population::best(errors, members)[at].item<std::int64_t>()].item();
  };
  const double median[] = {place(alone, members / 2), place(together, members / 2)};
  const double best[] = {place(alone, 0), place(together, 0)};
  std::printf("error of the median network: %.3f alone, %.3f in the population\n", median[0], median[1]);
  std::printf("error of the best: %.3f and %.3f\n", best[0], best[1]);
  std::printf("rates at the end: %.4f to %.4f\n", rates.min().item(), rates.max().item());
  return median[1] < median[0] / 3 && best[1] < 0.1 ? 0 : 1;
}
