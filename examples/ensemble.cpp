// Two hundred small networks at once: each its own rate, weight decay, bootstrap sample and early stop.

#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  manual_seed(3);
  const std::int64_t members = 200, points = 96;
  const Tensor x = linspace(-1, 1, points).unsqueeze(1);
  const Tensor y = sin(4 * x) + 0.1 * randn({points, 1});
  const Tensor held = linspace(-1, 1, 64).unsqueeze(1);
  const Tensor held_y = sin(4 * held) + 0.1 * randn({64, 1});

  Parameters params({.sets = members, .seed = 1});
  nn::Linear(params, "hidden", 1, 16);
  nn::Linear(params, "output", 16, 1);
  const auto model = [](const Parameters& of, const Tensor& input) {
    return nn::Linear::on(of, "output")(tanh(nn::Linear::on(of, "hidden")(input)));
  };
  AdamW optimizer(params, {.lr = linspace(0.002, 0.03, members), .weight_decay = linspace(0, 0.1, members)});
  stop::StopRule rule = stop::when(optimizer, {.plateau = stop::Plateau{60, 1e-5}, .keep_best = true});
  const Tensor sample = randint(0, points, {members * points});  // each member its own bootstrap
  const Tensor own_x = x.index_select(0, sample).view({members, points, 1});
  const Tensor own_y = y.index_select(0, sample).view({members, points, 1});

  const auto step = [&](stop::Live& live) {  // of the members that still go on
    live.optimizer.zero_grad();
    mse_loss(model(live.params, live.data("x")), live.data("y"), Reduction::PerSet).sum().backward();
    {
      const NoGrad no_grad;
      live.rule.check(mse_loss(model(live.params, held), held_y, Reduction::PerSet));
    }
    live.optimizer.step();
  };
  const stop::Training training = stop::train(optimizer, rule, {{"x", own_x}, {"y", own_y}}, step, {.max_steps = 1000});
  std::printf("%s\n", training.text().c_str());

  rule.restore_best();
  const NoGrad no_grad;
  const Tensor prediction = model(params, x).mean({0});
  const double error = (prediction - sin(4 * x)).square().mean().sqrt().item<double>();
  std::printf("the mean of %d networks is off by %.4f\n", static_cast<int>(members), error);
  return error < 0.05 ? 0 : 1;
}
