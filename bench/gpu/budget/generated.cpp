// The kernels that luge writes while it runs, for the table of budgets: steps are recorded on the CPU, their plans turned
// into the texts that a GPU's backend would compile, and these compiled by NVRTC, which needs no GPU.
//
//     luge_budget_kernels FOLDER [ARCHITECTURE]     FOLDER/NAME.cu and FOLDER/NAME.cubin, and each step's plan as
//                                                   FOLDER/NAME.plan; exit code 77: there is no NVRTC

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include <luge/capture/detail/describe.h>
#include <luge/capture/detail/recordings.h>
#include <luge/fit/curve_fit.h>
#include <luge/luge.h>
#include <luge/seam/observer.h>

#include "kernels/cuda/fit/source.h"
#include "kernels/cuda/fused/nvrtc.h"
#include "kernels/cuda/fused/segment_source.h"
#include "kernels/cuda/fused/source.h"

namespace luge {
namespace {

namespace fs = std::filesystem;

/// Texts depend on what a step does, and on its sizes only as far as rows are short or long.
constexpr std::int64_t kSets = 100'000, kCurves = 1000, kPoints = 50;

class Kernels {
 public:
  Kernels(fs::path folder, std::string architecture) : folder_(std::move(folder)), architecture_(std::move(architecture)) {
    fs::create_directories(folder_);
  }

  void compile(const std::string& name, const std::string& source) const {
    std::ofstream(folder_ / (name + ".cu")) << source;
    const cuda::Compiled compiled = cuda::nvrtc_compile(name, source, architecture_);
    if (compiled.code.empty()) throw DeviceError(fmt::format("{}: {}", name, compiled.error));
    std::ofstream(folder_ / (name + ".cubin"), std::ios::binary) << compiled.code;
    fmt::print("{}: {} bytes\n", name, compiled.code.size());
  }

  /// The chains of a step: NAME, or NAME_0, NAME_1, ... where there are several; of many steps at once NAME_many.
  /// What the step returns is its loss, which somebody reads.
  void record(const std::string& name, const std::function<Tensor()>& body, CaptureOptions options = {}, bool many = false) {
    Recordings recordings([&] { return StepResults{{body()}, nullptr}; }, options, SourceLocation::current());
    recordings.run(2);
    const StepVersion& version = *recordings.current();
    const Plan& plan = version.plan;
    std::ofstream(folder_ / (name + ".plan")) << describe(plan, version.figures, *version.recording.backend);
    std::vector<const Chain*> chains;
    for (const Plan::Item& item : plan.items)
      if (const auto* const chain = std::get_if<Chain>(&item)) chains.push_back(chain);
    for (std::size_t i = 0; i < chains.size(); ++i)
      compile(chains.size() == 1 ? name : fmt::format("{}_{}", name, i), source(*chains[i], cuda::Steps::One));
    if (!many) return;
    if (plan.items.size() == 1)
      compile(name + "_many", source(*chains.front(), cuda::Steps::Many));
    else
      compile(name + "_many", cuda::generate(plan.sets.value(), nullptr, allocate_).source);
  }

  /// The one kernel of a step that goes set by set as a whole.
  void record_segment(const std::string& name, const std::function<Tensor()>& body) {
    Recordings recordings([&] { return StepResults{{body()}, nullptr}; }, {}, SourceLocation::current());
    recordings.run(2);
    const cuda::SegmentMachine h200{132, 232448, 233472, 1024};
    compile(name, cuda::generate(recordings.current()->plan.segments.at(0), h200, nullptr).value().source);
  }

 private:
  std::string source(const Chain& chain, cuda::Steps steps) const {
    return cuda::generate(chain, steps, nullptr, allocate_).source;
  }

  const fs::path folder_;
  const std::string architecture_;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  // Addresses become arguments of kernels that nobody starts.
  const cuda::Allocate allocate_ = [this](std::size_t bytes) {
    blocks_.push_back(std::make_unique<std::byte[]>(bytes));
    return blocks_.back().get();
  };
};

/// 3 x^2 - 2 x + 3 for every set.
Tensor parabola(const Tensor& x) { return 3 * x * x - 2 * x + 3; }

void add_demo(Kernels& kernels) {
  Parameters params({.sets = kSets});
  const Tensor x = params.add("x", {}, init::uniform(-2, 2));
  const auto step = [&](Optimizer& optimizer) {
    optimizer.zero_grad();
    const Tensor loss = parabola(x).sum();
    loss.backward();
    optimizer.step();
    return loss;
  };
  Sgd sgd(params, {.lr = 0.01});
  kernels.record("demo", [&] { return step(sgd); }, {}, true);
  kernels.record("demo_no_gradient", [&] { return step(sgd); }, {.keep_gradients = false});
  Sgd of_sets(params, {.lr = linspace(0.01, 0.02, kSets)});
  kernels.record("demo_lr_per_set", [&] { return step(of_sets); });
  Monitor monitor({.progress = false});
  Adam adam(params, {.lr = 0.01});
  kernels.record("adam_monitor", [&] {
    adam.zero_grad();
    const Tensor losses = parabola(x), loss = losses.sum();
    loss.backward();
    adam.step();
    monitor.record(losses);
    return loss;
  });
}

void add_curve_fits(Kernels& kernels) {
  Parameters params({.sets = kCurves});
  const Tensor a = params.add("a", {1}, init::uniform(0.5, 2)), b = params.add("b", {1}, init::uniform(0.1, 1)),
               c = params.add("c", {1}, init::uniform(-1, 1));
  Adam adam(params, {.lr = 0.01});
  const Tensor t = linspace(0, 5, kPoints), y = rand({kCurves, kPoints});
  kernels.record("curve_fit", [&] {
    adam.zero_grad();
    const Tensor loss = square(a * exp(-b * t) + c - y).mean(1).sum();
    loss.backward();
    adam.step();
    return loss;
  }, {}, true);
}

/// What is fused between the products of an ensemble's layers: bias, activation, their derivatives.
void add_mlp(Kernels& kernels) {
  Parameters params({.sets = 64});
  const nn::Linear first(params, "first", 16, 64), second(params, "second", 64, 64), third(params, "third", 64, 1);
  Adam adam(params, {.lr = 1e-3});
  const Tensor x = rand({256, 16}), y = rand({256, 1});
  kernels.record("mlp", [&] {
    adam.zero_grad();
    const Tensor loss = mse_loss(third(relu(second(relu(first(x))))), y, Reduction::PerSet).sum();
    loss.backward();
    adam.step();
    return loss;
  });
}

/// All of a step of such an ensemble as one kernel.
void add_ensemble(Kernels& kernels) {
  Parameters params({.sets = 256});
  const nn::Linear first(params, "first", 16, 64), second(params, "second", 64, 64), third(params, "third", 64, 1);
  Adam adam(params, {.lr = 1e-3});
  const Tensor x = rand({256, 256, 16}), y = rand({256, 256, 1});
  kernels.record_segment("ensemble", [&] {
    adam.zero_grad();
    const Tensor loss = mse_loss(third(relu(second(relu(first(x))))), y, Reduction::PerSet);
    loss.sum().backward();
    adam.step();
    return loss;
  });
}

/// Hands over what a fit is of; the calls run as ever.
class ModelTaker final : public Observer {
 public:
  std::function<void(const Observations& of)> take;

  void run(Backend& backend, const Call& call) override {
    if (const auto* const search = std::get_if<LeastSquares>(&call)) take(search->of);
    std::visit([&](const auto& one) { backend.execute(one); }, call);
  }
  void allocated(const Storage&) override {}
  void freed(const Storage&) noexcept override {}
  void uses(Storage&) override {}
  void uses(void*, std::size_t) override {}
  void bumped(Storage&) override {}
  void uses_gradient(TensorImpl&) override {}
  void forgets_gradient(TensorImpl&) override {}
  void has_effect(HostEffect) override {}
  void seeds(std::uint64_t) override {}
  void has_checked(const char*, const TensorImpl&, const LabelRange&) override {}
  [[noreturn]] void refuse(const char* op, const char* why, SourceLocation) override {
    throw CaptureError(fmt::format("{}: {}", op, why));
  }
};

void add_fits(const Kernels& kernels) {
  ModelTaker taker;
  taker.take = [&](const Observations& of) {
    for (const auto& [name, work] : {std::pair{"fit_search", cuda::FitWork::SearchByThreads},
                                     std::pair{"fit_search_by_warps", cuda::FitWork::SearchByWarps}})
      kernels.compile(name, cuda::fit_source(*of.model, of.loss, work, FitMethod::LevenbergMarquardt));
    kernels.compile("fit_covariance", cuda::fit_source(*of.model, of.loss, cuda::FitWork::Covariance, FitMethod::LevenbergMarquardt));
  };
  const Tensor x = linspace(0, 5, kPoints), y = 2 * exp(-x / 1.5) + 0.5 + 0.02 * randn({kCurves, kPoints}), start = ones({3});
  const fit::Model model("a * exp(-x / t) + c");
  observer = &taker;
  fit::curve_fit(model, x, y, start);
  observer = nullptr;
}

int run(const fs::path& folder, const std::string& architecture) {
  if (!cuda::nvrtc_error().empty()) {
    fmt::print("skipped: {}\n", cuda::nvrtc_error());
    return 77;
  }
  Kernels kernels(folder, architecture);
  add_demo(kernels);
  add_curve_fits(kernels);
  add_mlp(kernels);
  add_ensemble(kernels);
  add_fits(kernels);
  std::ofstream(folder / "nvrtc.txt") << cuda::nvrtc_version() << '\n';
  return 0;
}

}  // namespace
}  // namespace luge

int main(int count, char** arguments) try {
  if (count < 2) {
    fmt::print(stderr, "usage: luge_budget_kernels FOLDER [ARCHITECTURE]\n");
    return 2;
  }
  return luge::run(arguments[1], count > 2 ? arguments[2] : "sm_90");
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
