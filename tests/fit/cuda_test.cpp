// Fits on the GPU find what the CPU finds. A set's bits depend on nothing but its own observations.

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <luge/capture/step.h>
#include <luge/fit/curve_fit.h>
#include <luge/luge.h>

#include "../devices.h"
#include "../expect.h"

namespace luge::test {
namespace {

/// One problem on any device. `y` is made of the model at `truth` (set by set), with noise.
struct Problem {
  std::string formula;
  fit::ModelNames names;
  std::vector<double> truth, start;  ///< (sets, parameters), (parameters)
  std::int64_t points = 40;
  std::vector<std::string> more = {};  ///< formulas of further outputs
  double noise = 0.01, shift = 0;
  fit::FitOptions options = {};
  DType dtype = float64;
};

class FitCudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_status().usable) GTEST_SKIP() << "no usable GPU: " << cuda_status().reason;
  }

  static fit::Model model_of(const Problem& problem) {
    std::vector<std::string> formulas = {problem.formula};
    formulas.insert(formulas.end(), problem.more.begin(), problem.more.end());
    return fit::Model(formulas, problem.names);
  }

  static std::int64_t sets_of(const Problem& problem) {
    return static_cast<std::int64_t>(problem.truth.size() / problem.start.size());
  }

  /// x from 0 to 4, of further predictors in another order.
  static Tensor x_of(const Problem& problem) {
    if (problem.names.predictors.empty()) return {};
    std::vector<double> x;
    const std::int64_t predictors = static_cast<std::int64_t>(problem.names.predictors.size()), points = problem.points;
    for (std::int64_t k = 0; k < predictors; ++k)
      for (std::int64_t i = 0; i < points; ++i) {
        const std::int64_t at = k == 0 ? i : i * 7 % points;
        x.push_back(4.0 * static_cast<double>(at) / static_cast<double>(points));
      }
    return from_host(x, predictors == 1 ? Shape{points} : Shape{predictors, points}).to(problem.dtype);
  }

  static Tensor y_of(const Problem& problem, const Tensor& x) {
    const fit::Model model = model_of(problem);
    const std::int64_t parameters = static_cast<std::int64_t>(problem.start.size()), sets = sets_of(problem);
    const Tensor truth = from_host(problem.truth, {sets, parameters});
    std::vector<Tensor> predictors, values, outputs;
    for (std::int64_t k = 0; k < static_cast<std::int64_t>(problem.names.predictors.size()); ++k)
      predictors.push_back((x.ndim() == 1 ? x : x[k]).to(float64));
    for (std::int64_t p = 0; p < parameters; ++p) values.push_back(truth.slice(1, p, p + 1));
    for (int o = 0; o < model.outputs(); ++o) {
      std::vector<double> noise;
      for (std::int64_t i = 0; i < sets * problem.points; ++i)
        noise.push_back(problem.noise * std::sin(static_cast<double>(i * i + 3 * i + o)) +
                        (i % 17 == 5 ? problem.shift : 0.0));
      outputs.push_back(model(predictors, values, o) + from_host(noise, {sets, problem.points}));
    }
    const Tensor y = outputs.size() == 1 ? outputs[0] : stack(outputs, 1);
    return y.to(problem.dtype);
  }

  static fit::FitResult fit_on(Device device, const Problem& problem, const Tensor& x, const Tensor& y) {
    fit::FitOptions options = problem.options;
    for (Tensor* tensor : {&options.sigma, &options.mask, &options.lower, &options.upper, &options.fixed})
      if (tensor->defined()) *tensor = tensor->to(device);
    const Tensor start = from_host(problem.start, {static_cast<std::int64_t>(problem.start.size())}, device);
    return fit::curve_fit(model_of(problem), x.defined() ? x.to(device) : x, y.to(device), start, options);
  }

  static void expect_near(const Tensor& found, const Tensor& expected, double bound, const char* what) {
    const auto a = found.to(Device::cpu()).to(float64).to_vector<double>();
    const auto b = expected.to(float64).to_vector<double>();
    ASSERT_EQ(a.size(), b.size()) << what;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (std::isnan(b[i])) {
        EXPECT_TRUE(std::isnan(a[i])) << what << " " << i << ": " << a[i];
      } else if (std::isinf(b[i])) {
        EXPECT_EQ(a[i], b[i]) << what << " " << i;
      } else {
        EXPECT_NEAR(a[i], b[i], bound * std::abs(b[i])) << what << " " << i;
      }
    }
  }

  static void expect_same(const fit::FitResult& found, const fit::FitResult& expected, double parameters = 1e-9,
                          double covariance = 1e-7) {
    expect_near(found.status, expected.status, 0, "status");
    expect_near(found.active, expected.active, 0, "active");
    expect_near(found.observations, expected.observations, 0, "observations");
    expect_near(found.parameters, expected.parameters, parameters, "parameter");
    expect_near(found.cost, expected.cost, covariance, "cost");
    expect_near(found.chi2, expected.chi2, covariance, "chi2");
    expect_near(found.condition, expected.condition, covariance, "condition");
    expect_near(found.standard_errors, expected.standard_errors, covariance, "standard error");
    expect_near(diagonal(found.covariance), diagonal(expected.covariance), covariance, "variance");
  }
  static Tensor diagonal(const Tensor& matrices) {
    const std::int64_t n = matrices.shape()[matrices.ndim() - 1];
    return matrices.view({-1, n * n}).slice(1, 0, {}, n + 1);
  }

  static void compare(const Problem& problem, double parameters = 1e-9, double covariance = 1e-7) {
    SCOPED_TRACE(problem.formula + " " + std::string(problem.options.loss));
    const Tensor x = x_of(problem), y = y_of(problem, x);
    const fit::FitResult expected = fit_on(Device::cpu(), problem, x, y);
    expect_same(fit_on(Device::cuda(), problem, x, y), expected, parameters, covariance);
    const auto status = expected.status.to_vector<std::int32_t>();
    for (const std::int32_t one : status)
      EXPECT_TRUE(fit::is_converged(static_cast<FitStatus>(one)) || one == 5)
          << fit::text_of(static_cast<FitStatus>(one));
  }

  static Problem decay() {
    return {"a * exp(-x / t) + c", {{"x"}, {"a", "t", "c"}}, {2, 1.5, 0.5, 3, 0.7, 0.1, 1, 2.5, 1.0}, {1, 1, 0}};
  }
};

TEST_F(FitCudaTest, ModelsOfEveryKind) {
  compare(decay());
  Problem many = decay();
  many.points = 129;  // a warp for each set
  compare(many);
  compare({"where(x < s, a * x, a * s + b * (x - s))",
           {{"x"}, {"a", "b", "s"}},
           {2, 0.5, 1.55, 1, 3, 2.05},
           {1.5, 1, 1.9}});
  compare({"a * x ** b", {{"x"}, {"a", "b"}}, {2, 0.5, 1, 1.7}, {1, 1}});
  compare({"a * exp(-b * x) * cos(c * z)", {{"x", "z"}, {"a", "b", "c"}}, {2, 0.5, 1.2, 1, 0.3, 0.8}, {1.5, 0.4, 1}});
  compare({"m", {{}, {"m"}}, {2, 5, -3}, {0}});
}

TEST_F(FitCudaTest, TwoOutputsShareParameters) {
  compare({.formula = "a * cos(w * x)",
           .names = {{"x"}, {"a", "w", "d"}},
           .truth = {2, 1.1, 0.2, 1, 0.9, 0.4},
           .start = {1.5, 1, 0.3},
           .more = {"a * sin(w * x) * exp(-d * x)"}});
}

TEST_F(FitCudaTest, ManyParametersAndManyPoints) {
  const std::string peaks = "a1 * exp(-((x - m1) / s1)**2) + a2 * exp(-((x - m2) / s2)**2)";
  const std::vector<std::string> six = {"a1", "m1", "s1", "a2", "m2", "s2"};
  compare({peaks, {{"x"}, six}, {2, 1, 0.5, 1, 3, 0.4}, {1.8, 1.1, 0.6, 0.9, 2.9, 0.5}, 700});
  std::vector<std::string> nine = six;
  nine.insert(nine.end(), {"b0", "b1", "b2"});
  Problem problem{peaks + " + b0 + b1 * x + b2 * x * x",
                  {{"x"}, nine},
                  {2, 1, 0.5, 1, 3, 0.4, 0.1, 0.2, -0.1},
                  {1.8, 1.1, 0.6, 0.9, 2.9, 0.5, 0, 0, 0},
                  90};
  compare(problem, 1e-8);
  problem.more = {"a1 * x + a2"};
  problem.options.mask = (arange(90) != 3);
  compare(problem, 1e-8);
}

TEST_F(FitCudaTest, EveryLoss) {
  for (const char* const loss : {"linear", "soft_l1", "huber", "cauchy", "tukey"}) {
    Problem problem = decay();
    problem.shift = 0.5;
    problem.options.loss = loss;
    problem.options.f_scale =
        std::string_view(loss) == "tukey" ? 3 : 0.1;  // it forgets what is farther off at the start
    compare(problem);
  }
  Problem counts{"exp(a + b * x)", {{"x"}, {"a", "b"}}, {1, 0.5, 2, -0.3}, {0.5, 0}};
  counts.options.loss = "poisson";
  compare(counts);
}

TEST_F(FitCudaTest, WeightsAndMasks) {
  Problem problem = decay();
  std::vector<double> sigma;
  for (int i = 0; i < 40; ++i) sigma.push_back(i % 11 == 4 ? kInfinity : 0.01 + 0.002 * (i % 5));
  problem.options.sigma = from_host(sigma, {40});
  compare(problem);
  problem.options.absolute_sigma = true;
  problem.options.mask = arange(40) != 7;
  compare(problem);
  // What was not observed is never looked at.
  const Tensor x = x_of(problem), y = y_of(problem, x);
  const Tensor missing = full({}, kNaN, {.dtype = float64}), there = arange(40) != 7;
  const fit::FitResult whole = fit_on(Device::cuda(), problem, x, y);
  const fit::FitResult holes = fit_on(Device::cuda(), problem, where(there, x, missing), where(there, y, missing));
  expect_same(holes, whole, 0, 0);
}

TEST_F(FitCudaTest, BoundsAndFixedParameters) {
  Problem problem = decay();
  problem.options.lower = tensor({0, 0.9, 0}, {.dtype = float64});
  problem.options.upper = tensor({2.5, 10, 0.7}, {.dtype = float64});
  compare(problem);
  problem.options.fixed = tensor({0, 0, 1}, {.dtype = boolean});
  compare(problem);
}

TEST_F(FitCudaTest, Float32) {
  Problem problem = decay();
  problem.dtype = float32;
  compare(problem, 1e-5, 1e-3);
  problem.points = 1000;
  compare(problem, 1e-5, 1e-3);
}

TEST_F(FitCudaTest, ParametersThatNothingDetermines) {
  Problem problem{"a * b * exp(-x)", {{"x"}, {"a", "b"}}, {2, 1}, {1, 1}};
  const Tensor x = x_of(problem), y = y_of(problem, x);
  const fit::FitResult found = fit_on(Device::cuda(), problem, x, y), expected = fit_on(Device::cpu(), problem, x, y);
  EXPECT_EQ(found.status.item<std::int32_t>(), static_cast<std::int32_t>(FitStatus::Singular));
  EXPECT_EQ(expected.status.item<std::int32_t>(), found.status.item<std::int32_t>());
  expect_near(diagonal(found.covariance), diagonal(expected.covariance), 0, "variance");
}

TEST_F(FitCudaTest, ASetKnowsNothingOfOthers) {
  Problem problem = decay();
  problem.truth.clear();
  for (int set = 0; set < 45; ++set)
    problem.truth.insert(problem.truth.end(), {1 + 0.1 * set, 0.8 + 0.05 * set, 0.02 * set});
  // A thread fits a set of few points, a warp one of many; 128 and 129 are on both sides.
  for (const std::int64_t points : {40, 128, 129}) {
    SCOPED_TRACE(points);
    problem.points = points;
    const Tensor x = x_of(problem);
    Tensor y = y_of(problem, x);
    y[11].fill_(kNaN);
    y[30].fill_(kInfinity);
    const fit::FitResult all = fit_on(Device::cuda(), problem, x, y);
    for (const std::int64_t set : {0, 11, 12, 30, 44}) {
      SCOPED_TRACE(set);
      const fit::FitResult alone = fit_on(Device::cuda(), problem, x, y.slice(0, set, set + 1));
      const auto same = [&](const Tensor& of_all, const Tensor& of_one) {
        const auto a = of_all[set].to(Device::cpu()).contiguous(), b = of_one[0].to(Device::cpu()).contiguous();
        EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.numel()) * size_of(a.dtype())), 0);
      };
      same(all.parameters, alone.parameters);
      same(all.covariance, alone.covariance);
      same(all.cost, alone.cost);
      same(all.steps, alone.steps);
      same(all.status, alone.status);
      const bool is_bad = set == 11 || set == 30;
      EXPECT_EQ(all.status[set].item<std::int32_t>() == static_cast<std::int32_t>(FitStatus::BadData), is_bad);
    }
  }
}

TEST_F(FitCudaTest, CapturedSteps) {
  const Problem problem = decay();
  const Tensor x = x_of(problem).to(Device::cuda()), y = y_of(problem, x_of(problem)).to(Device::cuda());
  const fit::Model model = model_of(problem);
  const Tensor start = from_host(problem.start, {3}, Device::cuda());
  Tensor scale = ones({}, {.dtype = float64, .device = Device::cuda()});
  auto step = capture([&] { return fit::curve_fit(model, x, y * scale, start).parameters; });
  step();
  step();
  scale.fill_(2.0);
  const Tensor replayed = step();
  expect_near(replayed, fit::curve_fit(model, x, y * scale, start).parameters.to(Device::cpu()), 0, "parameter");
}

TEST_F(FitCudaTest, NeedsACompiler) {
  const Problem problem = decay();
  const Tensor x = x_of(problem), y = y_of(problem, x);
  setenv("LUGE_NVRTC", "0", 1);
  expect_errors({LUGE_ERROR(DeviceError, "curve_fit: cuda:0 needs NVRTC, .* LUGE_NVRTC is 0",
                            fit_on(Device::cuda(), problem, x, y))});
  unsetenv("LUGE_NVRTC");
}

}  // namespace
}  // namespace luge::test
