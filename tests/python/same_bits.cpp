// A training loop whose every bit tests/python/test_same_bits.py compares with the same loop in Python.

#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  manual_seed(5);
  const Tensor x = rand({32, 6}) * 2 - 1;
  const Tensor y = sin(x.sum(1, true)) + 0.1 * randn({32, 1});

  Parameters params({.sets = 3, .seed = 9});
  Parameters follows, too({.sets = 2});  // the global generator
  const nn::Linear after(follows, "after", 5, 3), more(too, "more", 3, 4);
  const Tensor between = randn({3});
  const nn::Embedding last(follows, "last", 4, 2);
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
  for (const Parameters& started : {follows, too})
    for (const Tensor& parameter : started.tensors())
      for (const double value : parameter.flatten().to_vector<double>()) std::printf("%a\n", value);
  for (const double value : between.to_vector<double>()) std::printf("%a\n", value);
  for (const Tensor& parameter : params.tensors())
    for (const double value : parameter.flatten().to_vector<double>()) std::printf("%a\n", value);
  for (const HistoryRow& row : monitor.history()) std::printf("%a\n", row.mean);
}
