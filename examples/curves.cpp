// A thousand decays, each with its own noise, fitted at once with standard errors.

#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main() {
  manual_seed(7);
  const std::int64_t sets = 1000, points = 50;
  const TensorOptions precise{.dtype = float64};
  const Tensor x = linspace(0, 5, points, precise);
  const Tensor true_t = linspace(0.5, 3, sets, precise);
  const Tensor clean = 2 * exp(-x / true_t.unsqueeze(1)) + 0.5;
  const Tensor y = clean + 0.02 * randn({sets, points}, precise);

  const fit::FitResult result = fit::curve_fit(fit::Model("a * exp(-x / t) + c"), x, y, ones({3}, precise));

  const Tensor t = result.parameters.select(1, 1), error = result.standard_errors.select(1, 1);
  const double within = ((t - true_t).abs() / error < 2).to(float64).mean().item<double>();
  const bool converged = (result.status > 0).all().item<bool>();
  std::printf("%s; %.2f steps a fit; the true t is within two standard errors in %.1f %% of the fits\n",
              converged ? "all converged" : "some failed", result.steps.to(float64).mean().item<double>(),
              100 * within);
  return converged && within > 0.92 && within < 0.98 ? 0 : 1;
}
