// A training loop whose every bit tests/python/test_same_bits.py compares with the same loop in Python.

#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  manual_seed(5);
  const Tensor x = rand({32, 6}) * 2 - 1;
  const Tensor y = sin(x.sum(1, true)) + 0.1 * randn({32, 1});

  Parameters params({.sets = 3, .seed = 9});
  const nn::Sequential model{nn::Linear(params, "hidden", 6, 16), nn::Gelu{}, nn::Linear(params, "output", 16, 1)};
  Adam optimizer(params, {.lr = tensor({0.001, 0.01, 0.1})});
  CosineAnnealingLr schedule(optimizer, {.t_max = 60});
  Monitor monitor({.progress = false});
  auto step = capture([&] {
    optimizer.zero_grad();
    const Tensor loss = mse_loss(model(x), y, Reduction::PerSet);
    loss.sum().backward();
    params.clip_grad_norm_(1.0);
    optimizer.step();
    schedule.step();
    monitor.record(loss);
    return loss;
  });
  step.run(50);
  for (const Tensor& parameter : params.tensors())
    for (const double value : parameter.flatten().to_vector<double>()) std::printf("%a\n", value);
  for (const HistoryRow& row : monitor.history()) std::printf("%a\n", row.mean);
}
