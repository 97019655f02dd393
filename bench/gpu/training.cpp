// Training steps: Adam alone, the demo, one MLP, thousands of small ones.

#include <functional>
#include <memory>
#include <string>

#include <fmt/format.h>

#include <luge/capture/step.h>
#include <luge/nn/linear.h>
#include <luge/ops/create.h>
#include <luge/ops/elementwise.h>
#include <luge/ops/loss.h>
#include <luge/ops/matmul.h>
#include <luge/train/init.h>
#include <luge/train/optimizer.h>
#include <luge/train/parameters.h>

#include "../micro/inputs.h"
#include "session.h"

namespace luge::bench {
namespace {

constexpr std::int64_t kChecked = std::int64_t{1} << 20;

Tensor exact_head(const Tensor& tensor, std::int64_t count) {
  return exact(tensor.detach().slice(0, 0, std::min(count, tensor.size(0))));
}

// ---- 3 x^2 - 2 x + 3 for every set ----------------------------------------------------------------

struct Demo {
  Demo(std::int64_t sets, Device device)
      : params({.sets = sets, .device = device}), x(params.add("x", {}, init::uniform(-2, 2))), optimizer(params, {.lr = 0.01}) {}

  Tensor operator()() {
    optimizer.zero_grad();
    Tensor loss = (3 * x * x - 2 * x + 3).sum();
    loss.backward();
    optimizer.step();
    return loss;
  }

  Parameters params;
  Tensor x;
  Sgd optimizer;
};

/// The first step against the same in float64. A captured step's first call is eager, so the second is looked at.
double demo_error(const Demo& demo, const std::function<void()>& step, std::int64_t steps) {
  step();
  Tensor x = exact_head(demo.x, kChecked);
  step();
  for (std::int64_t i = 0; i < steps; ++i) x = x - 0.01 * (6 * x - 2);
  return relative_error(exact_head(demo.x, kChecked), x);
}

Work demo_eager(std::int64_t sets, Device device) {
  const auto demo = std::make_shared<Demo>(sets, device);
  const auto step = [demo] { (*demo)(); };
  return {.step = step, .error = [=] { return demo_error(*demo, step, 1); }};
}

Work demo_captured(std::int64_t sets, Device device, bool keep_gradients, std::int64_t steps) {
  const auto demo = std::make_shared<Demo>(sets, device);
  const auto captured = std::make_shared<Step<Tensor>>(capture([demo] { return (*demo)(); }, {.keep_gradients = keep_gradients}));
  const auto step = [=] { captured->run(steps); };
  return {.step = step, .error = [=] { return demo_error(*demo, step, steps); }, .steps = steps};
}

// ---- networks -------------------------------------------------------------------------------------

/// A step of Adam on a network of linear layers.
class Training {
 public:
  virtual ~Training() = default;
  virtual Tensor operator()() = 0;
  /// Of the gradient of the first layer's weights in the step to come.
  virtual double error(const std::function<void()>& step) = 0;
};

/// The gradient of a set's weights depends on no other set.
constexpr std::int64_t kCheckedSets = 4;

class Mlp : public Training {
 public:
  explicit Mlp(const Session& session)
      : params_({.device = session.device()}),
        hidden_(params_, "hidden", 784, 256),
        output_(params_, "output", 256, 10),
        optimizer_(params_, {.lr = 1e-3}),
        images_(uniform({64, 784}, 0, 1, session.device())),
        labels_(randint(0, 10, {64}, {.dtype = int64, .device = session.device()})) {}

  Tensor operator()() override {
    optimizer_.zero_grad();
    Tensor loss = cross_entropy(output_(relu(hidden_(images_))), labels_);
    loss.backward();
    optimizer_.step();
    return loss;
  }

  double error(const std::function<void()>& step) override {
    Tensor weight = exact(hidden_.weight());
    weight.requires_grad_();
    const Tensor logits = linear(relu(linear(exact(images_), weight, exact(hidden_.bias()))), exact(output_.weight()), exact(output_.bias()));
    cross_entropy(logits, labels_.to(Device::cpu())).backward();
    step();
    return relative_error(hidden_.weight().grad(), weight.grad());
  }

 private:
  Parameters params_;
  nn::Linear hidden_, output_;
  Adam optimizer_;
  Tensor images_, labels_;
};

class Ensemble : public Training {
 public:
  Ensemble(const Session& session, std::int64_t sets)
      : params_({.sets = sets, .device = session.device()}),
        first_(params_, "first", 16, 64),
        second_(params_, "second", 64, 64),
        third_(params_, "third", 64, 1),
        optimizer_(params_, {.lr = 1e-3}),
        x_(uniform({256, 16}, -1, 1, session.device())),
        y_(uniform({256, 1}, -1, 1, session.device())) {}

  Tensor operator()() override {
    optimizer_.zero_grad();
    Tensor loss = mse_loss(third_(relu(second_(relu(first_(x_))))), y_, Reduction::PerSet);
    loss.sum().backward();
    optimizer_.step();
    return loss;
  }

  double error(const std::function<void()>& step) override {
    const auto part = [](const Tensor& tensor) { return exact_head(tensor, kCheckedSets); };
    Tensor weight = part(first_.weight());
    weight.requires_grad_();
    const Tensor a = relu(linear(exact(x_), weight, part(first_.bias())));
    const Tensor b = relu(linear(a, part(second_.weight()), part(second_.bias())));
    mse_loss(linear(b, part(third_.weight()), part(third_.bias())), exact(y_), Reduction::PerSet).sum().backward();
    step();
    return relative_error(exact_head(first_.weight().grad(), kCheckedSets), weight.grad());
  }

 private:
  Parameters params_;
  nn::Linear first_, second_, third_;
  Adam optimizer_;
  Tensor x_, y_;
};

/// Eager and captured.
void measure_training(const Session& session, const std::string& name, double flops, const std::function<std::shared_ptr<Training>()>& make) {
  session.measure({.name = name, .flops = flops}, [&] {
    const auto training = make();
    const auto step = [training] { (*training)(); };
    return Work{.step = step, .error = [=] { return training->error(step); }};
  });
  session.measure({.name = name, .way = "captured", .flops = flops}, [&] {
    const auto training = make();
    const auto captured = std::make_shared<Step<Tensor>>(capture([training] { return (*training)(); }));
    const auto step = [=] { (*captured)(); };
    step();  // the first call is an eager one
    return Work{.step = step, .error = [=] { return training->error(step); }};
  });
}

}  // namespace

void measure_adam(const Session& session) {
  const std::int64_t n = session.size(100'000'000, 4096);
  session.measure({.name = fmt::format("adam/{}", n), .bytes = 28.0 * static_cast<double>(n)}, [&] {
    const auto params = std::make_shared<Parameters>(ParametersOptions{.device = session.device()});
    const Tensor p = params->add("p", {n}, init::uniform(-1, 1));
    const auto optimizer = std::make_shared<Adam>(*params, AdamOptions{.lr = 0.01});
    square(p).sum().backward();
    return Work{.step = [=] { optimizer->step(); },
                .error = [=] {
                  const Tensor before = exact_head(p, kChecked), gradient = 2 * before;
                  optimizer->step();
                  // After one step both moments, corrected, are those of the first gradient.
                  return relative_error(exact_head(p, kChecked), before - 0.01 * gradient / (abs(gradient) + 1e-8));
                }};
  });
}

void measure_demo(const Session& session) {
  for (const std::int64_t sets : {session.size(1000, 100), session.size(100'000'000, 4096)}) {
    const std::string name = fmt::format("demo/{}", sets);
    const auto count = static_cast<double>(sets);
    session.measure({.name = name}, [&] { return demo_eager(sets, session.device()); });
    session.measure({.name = name, .way = "captured", .bytes = 12 * count}, [&] { return demo_captured(sets, session.device(), true, 1); });
    session.measure({.name = name, .way = "no gradient", .bytes = 8 * count}, [&] { return demo_captured(sets, session.device(), false, 1); });
    session.measure({.name = name, .way = "run(80)"}, [&] { return demo_captured(sets, session.device(), true, 80); });
  }
}

void measure_mlp(const Session& session) {
  const double flops = 64 * 2.0 * (2 * 784 * 256 + 3 * 256 * 10);
  measure_training(session, "mlp/784-256-10/batch_64", flops, [&] { return std::make_shared<Mlp>(session); });
}

void measure_ensemble(const Session& session) {
  const std::int64_t sets = session.size(4096, 4);
  const double flops = static_cast<double>(sets) * 256 * 2.0 * (2 * 16 * 64 + 3 * 64 * 64 + 3 * 64);
  measure_training(session, fmt::format("ensemble/{}x16-64-64-1/batch_256", sets), flops,
                   [&] { return std::make_shared<Ensemble>(session, sets); });
}

}  // namespace luge::bench
