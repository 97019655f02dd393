// The models that Gpufit (A. Przybylski et al., "Gpufit: an open-source toolkit for GPU-accelerated curve fitting",
// Scientific Reports 7, 2017) has built in: each a formula here, from the starts of its own tests to what those expect.

#include <cmath>

#include <luge/luge.h>

#include "../devices.h"
#include "../expect.h"
#include "fits.h"

namespace luge::test {
namespace {

using fit::curve_fit;
using fit::FitResult;
using fit::Model;

class GpufitModelsTest : public DeviceTest {
 protected:
  Tensor row(const std::vector<double>& values) const {
    return from_host(values, {static_cast<std::int64_t>(values.size())}, device());
  }
  /// Column and line of every pixel of a square picture.
  Tensor pixels(int size) const {
    std::vector<double> at;
    for (int i = 0; i < size * size; ++i) at.push_back(i % size);
    for (int i = 0; i < size * size; ++i) at.push_back(i / size);
    return from_host(at, {2, size * size}, device());
  }
  /// Fits exact values of the model at `truth` from `start`, and finds them.
  void finds(const Model& model, const Tensor& x, const std::vector<double>& truth, const std::vector<double>& start,
             double tolerance = 1e-9) const {
    std::vector<Tensor> predictors, parameters;
    const bool several = model.predictors().size() > 1;
    for (std::int64_t k = 0; k < static_cast<std::int64_t>(model.predictors().size()); ++k)
      predictors.push_back(several ? x[k] : x);
    for (const double value : truth) parameters.push_back(full({}, value, {.dtype = float64, .device = device()}));
    const FitResult result = curve_fit(model, x, model(predictors, parameters), row(start));
    SCOPED_TRACE(model.formulas()[0]);
    EXPECT_TRUE(fit::is_converged(status_of(result))) << fit::text_of(status_of(result));
    EXPECT_TRUE(has_values(result.parameters, {static_cast<std::int64_t>(truth.size())}, float64, truth, tolerance));
  }
};

TEST_P(GpufitModelsTest, Linear) {
  // Two points, two parameters.
  const FitResult result = curve_fit(Model("a + b * x"), row({0, 1}), row({1, 2}), row({1, 0}));
  EXPECT_TRUE(fit::is_converged(status_of(result)));
  EXPECT_TRUE(has_values(result.parameters, {2}, float64, {1, 1}, 1e-12));
}

TEST_P(GpufitModelsTest, Gauss1d) {
  const Model model("a * exp(-(x - x0)**2 / (2 * s**2)) + b");
  finds(model, row({0, 1, 2, 3, 4}), {4, 2, 0.5, 1}, {2, 1.5, 0.3, 0});
  finds(model, row({-1, -0.5, 0, 0.5, 1}), {4, 0, 0.25, 1}, {2, 0.25, 0.15, 0});
  finds(model, row({0, 0.25, 0.5, 0.75, 1}), {6, 0.5, 0.15, 2}, {8, 0.75, 0.2, 3});
}

TEST_P(GpufitModelsTest, Gauss2d) {
  const Model model("a * exp(-((x - x0)**2 + (y - y0)**2) / (2 * s**2)) + b", {.predictors = {"x", "y"}});
  finds(model, pixels(5), {4, 2, 2, 0.5, 1}, {3, 1.8, 2.2, 0.4, 0});
  finds(model, pixels(50), {4, 24.5, 24.5, 5, 1}, {3, 24, 25, 4, 0});
}

TEST_P(GpufitModelsTest, Gauss2dElliptic) {
  finds(Model("a * exp(-(x - x0)**2 / (2 * sx**2) - (y - y0)**2 / (2 * sy**2)) + b", {.predictors = {"x", "y"}}),
        pixels(5), {4, 2, 2, 0.4, 0.6, 1}, {2, 1.8, 2.2, 0.5, 0.5, 0});
}

TEST_P(GpufitModelsTest, Gauss2dRotated) {
  finds(Model("a * exp(-(((x - x0) * cos(r) - (y - y0) * sin(r)) / sx)**2 / 2"
              " - (((x - x0) * sin(r) + (y - y0) * cos(r)) / sy)**2 / 2) + b",
              {.predictors = {"x", "y"}, .parameters = {"a", "x0", "y0", "sx", "sy", "b", "r"}}),
        pixels(8), {10, 3.5, 3.5, 0.4, 0.5, 1, 3.14159265358979 / 16}, {8, 3.4, 3.6, 0.4, 0.5, 2, 0});
}

TEST_P(GpufitModelsTest, Cauchy2dElliptic) {
  finds(Model("a / (((x - x0) / sx)**2 + 1) / (((y - y0) / sy)**2 + 1) + b", {.predictors = {"x", "y"}}), pixels(5),
        {4, 2, 2, 0.4, 0.6, 1}, {2, 1.8, 2.2, 0.5, 0.5, 0});
}

TEST_P(GpufitModelsTest, FletcherPowellHelix) {
  // R. Fletcher and M. J. D. Powell, "A rapidly convergent descent method for minimization", 1963: three residuals.
  const Model model(std::vector<std::string>{"10 * (p3 - 10 * (arctan(p2 / p1) + where(p1 < 0, pi, 0)) / (2 * pi))",
                                             "10 * (hypot(p1, p2) - 1)", "p3"},
                    {.predictors = {}, .parameters = {"p1", "p2", "p3"}});
  for (const double far : {1.0, 10.0, 100.0}) {
    SCOPED_TRACE(far);
    const FitResult result = curve_fit(model, {}, zeros({3, 1}, on(float64)), row({-far, 0, 0}));
    EXPECT_TRUE(fit::is_converged(status_of(result))) << fit::text_of(status_of(result));
    EXPECT_TRUE(has_values(result.parameters, {3}, float64, {1, 0, 0}, 1e-10));
    EXPECT_LT(result.chi2.item<double>(), 1e-20);
  }
}

TEST_P(GpufitModelsTest, BrownDennis) {
  // K. M. Brown and J. E. Dennis, "New computational algorithms for minimizing a sum of squares of nonlinear
  // functions", 1971. The minimum is 85822.2016 at (-11.59, 13.20, -0.4034, 0.2368) for x from 0.2 to 4 (J. J. More, B.
  // S. Garbow, K. E. Hillstrom, "Testing unconstrained optimization software", 1981); Gpufit counts from 0.
  const Model model("(p1 + p2 * x - exp(x))**2 + (p3 + p4 * sin(x) - cos(x))**2",
                    {.predictors = {"x"}, .parameters = {"p1", "p2", "p3", "p4"}});
  const Tensor zero = zeros({20}, on(float64));
  for (const double far : {1.0, 10.0, 100.0}) {
    SCOPED_TRACE(far);
    const Tensor start = row({25 * far, 5 * far, -5 * far, far});
    const FitResult gpufit = curve_fit(model, row(steps_from(0, 3.8, 20)), zero, start);
    EXPECT_TRUE(fit::is_converged(status_of(gpufit))) << fit::text_of(status_of(gpufit));
    EXPECT_LT(gpufit.chi2.item<double>(), 38821.5);
    EXPECT_TRUE(has_values(gpufit.parameters, {4}, float64, {-7.3027296, 10.800486, -0.33427560, 0.13945465}, 1e-2));
    const FitResult more = curve_fit(model, row(steps_from(0.2, 4, 20)), zero, start);
    EXPECT_NEAR(more.chi2.item<double>(), 85822.2016, 1e-3);
    EXPECT_TRUE(has_values(more.parameters, {4}, float64, {-11.5944, 13.2036, -0.403439, 0.236779}, 1e-4));
  }
}

TEST_P(GpufitModelsTest, SplineAsTable) {
  // A peak that was measured: its shape is a cubic spline through a table, whose height, place and ground are fitted.
  // Cubic B-splines of knots 1 apart, by what is positive of cubes (C. de Boor, "A practical guide to splines", 1978).
  const std::vector<double> shape{0, 0.05, 0.3, 0.9, 1.4, 1.1, 0.5, 0.35, 0.1, 0};
  const auto spline = [&](double u) {
    double sum = 0;
    for (std::size_t k = 0; k < shape.size(); ++k) {
      const double t = std::abs(u - static_cast<double>(k));
      sum += shape[k] * (t < 1 ? (4 - 6 * t * t + 3 * t * t * t) / 6 : t < 2 ? (2 - t) * (2 - t) * (2 - t) / 6 : 0);
    }
    return sum;
  };
  const Model model(
      [&](const std::vector<Tensor>& x, const std::vector<Tensor>& p) {
        const Tensor u = x[0] - p[1];
        Tensor sum = 0 * u;
        for (std::size_t k = 0; k < shape.size(); ++k) {
          const Tensor t = (u - static_cast<double>(k)).abs();
          sum = sum + shape[k] * ((2 - t).relu().pow(3) - 4 * (1 - t).relu().pow(3)) / 6;
        }
        return std::vector<Tensor>{p[0] * sum + p[2]};
      },
      {.predictors = {"x"}, .parameters = {"a", "x0", "b"}});
  std::vector<double> x = steps_from(0, 19, 20), y;
  for (const double at : x) y.push_back(100 * spline(at - 4.37) + 12);
  const FitResult result = curve_fit(model, row(x), row(y), row({80, 5, 10}));
  EXPECT_TRUE(fit::is_converged(status_of(result))) << fit::text_of(status_of(result));
  EXPECT_TRUE(has_values(result.parameters, {3}, float64, {100, 4.37, 12}, 1e-9));
}

LUGE_ON_EVERY_DEVICE(GpufitModelsTest);

}  // namespace
}  // namespace luge::test
