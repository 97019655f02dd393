// A search for learning rate, weight decay and first moment: 192 networks at once, with successive halving.

#include <algorithm>
#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main(int count, char** arguments) {
  manual_seed(4);
  const Tensor x = linspace(-1, 1, 64).unsqueeze(1);
  const Tensor y = sin(4 * x) + 0.2 * randn({64, 1});
  const Tensor held = linspace(-0.98, 0.98, 100).unsqueeze(1);
  const Tensor held_y = sin(4 * held);

  const sweep::Settings settings =
      sweep::space({{"lr", sweep::log_uniform(1e-4, 1)},
                    {"weight_decay", sweep::log_uniform(1e-3, 10)},
                    {"beta1", sweep::choice({0.5, 0.9, 0.99})}},
                   {.sets = 192, .seed = 1, .seeds = 3});  // 64 settings, each from three starts
  Parameters params({.sets = settings.sets(), .seed = 0});
  nn::Linear(params, "hidden", 1, 16);
  nn::Linear(params, "output", 16, 1);
  const auto model = [](const Parameters& of, const Tensor& input) {
    return nn::Linear::on(of, "output")(tanh(nn::Linear::on(of, "hidden")(input)));
  };
  AdamW optimizer(params, {.lr = settings["lr"], .beta1 = settings["beta1"], .weight_decay = settings["weight_decay"]});
  stop::StopRule rule = stop::when(optimizer);  // a set that diverges is left alone

  const sweep::LiveSteps steps(optimizer, rule, {}, [&](stop::Live& live) {  // of the sets that still go on
    live.optimizer.zero_grad();
    const Tensor loss = mse_loss(model(live.params, x), y, Reduction::PerSet);
    loss.sum().backward();
    live.rule.check(loss);
    live.optimizer.step();
    return loss;
  });
  const sweep::Result result =
      sweep::run(steps, optimizer, settings,
                 {.steps = 1000,
                  .halving = sweep::Halving{.eta = 4},
                  .validate = [&] { return mse_loss(model(params, held), held_y, Reduction::PerSet); },
                  .rule = &rule});
  std::printf("%s\n", result.table(5).text().c_str());
  const std::vector<sweep::SettingScores> ranking = result.by_setting();
  for (std::size_t place = 0; place < 3; ++place)
    std::printf("setting %d: mean %.6g, deviation %.3g\n", static_cast<int>(ranking[place].setting), ranking[place].mean,
                ranking[place].deviation);
  for (const sweep::Association& one : result.associations())
    std::printf("%s: rank correlation %.2f, explained %.2f\n", one.name.c_str(), one.rank_correlation, one.explained);
  if (count > 1) std::printf("%s\n", result.report(arguments[1], {.title = "A sweep"}).page.c_str());
  const double best = result.scores[static_cast<std::size_t>(result.best().front())];
  return best < 0.02 && result.total_steps() < 192 * 1000 / 4 ? 0 : 1;
}
