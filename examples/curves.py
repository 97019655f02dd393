"""A thousand decays, each with its own noise, fitted at once with standard errors; beside curves.cpp."""

import sys

import luge

luge.manual_seed(7)
sets, points = 1000, 50
x = luge.linspace(0, 5, points, dtype=luge.float64)
true_t = luge.linspace(0.5, 3, sets, dtype=luge.float64)
clean = 2 * luge.exp(-x / true_t.unsqueeze(1)) + 0.5
y = clean + 0.02 * luge.randn(sets, points, dtype=luge.float64)

result = luge.fit.curve_fit("a * exp(-x / t) + c", x, y, p0=(1, 1, 1))
off = (result["t"] - true_t).abs() / result.standard_errors[:, 1]
within = (off < 2).to(luge.float64).mean().item()
converged = result.converged.all().item()
steps = result.steps.to(luge.float64).mean().item()
print(
    f"{'all converged' if converged else 'some failed'}; {steps:.2f} steps a fit; "
    f"the true t is within two standard errors in {100 * within:.1f} % of the fits"
)
sys.exit(0 if converged and 0.92 < within < 0.98 else 1)
