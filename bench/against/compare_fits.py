#!/usr/bin/env python3
"""What a fit costs and how well it ends, beside SciPy, jaxopt and optimistix, on one thread.

    compare_fits.py [--sets 100000] [--runs 5] [--others 500] [--problems 125]

First a * exp(-x / t) + c on 50 points, float64, to convergence with covariance, by processor time (medians of alternating
runs). Then random problems of eight models with noise, poor starts, outliers and bounds: whether luge ends as low as SciPy.
jaxopt and optimistix take part where they are installed. Needs scipy.
"""

import argparse
import os
import statistics
import time
import warnings

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np
import scipy
import scipy.optimize

import luge

parser = argparse.ArgumentParser()
parser.add_argument("--sets", type=int, default=100_000)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--others", type=int, default=500, help="sets that SciPy fits in a run")
parser.add_argument("--problems", type=int, default=125, help="of each of the eight models")
options = parser.parse_args()
luge.set_num_threads(1)
warnings.simplefilter("ignore")


def seconds(work):
    start = time.process_time()
    work()
    return time.process_time() - start


# ---- speed

rng = np.random.default_rng(0)
x = np.linspace(0, 5, 50)
truth = np.stack([rng.uniform(1, 3, options.sets), rng.uniform(0.5, 3, options.sets), rng.uniform(0, 1, options.sets)], 1)
y = truth[:, :1] * np.exp(-x / truth[:, 1:2]) + truth[:, 2:] + 0.02 * rng.standard_normal((options.sets, 50))
start = np.ones(3)
few = y[: options.others]


def decay(x, a, t, c):
    return a * np.exp(-x / t) + c


def decay_jacobian(x, a, t, c):
    e = np.exp(-x / t)
    return np.stack([e, a * e * x / t**2, np.ones_like(x)], 1)


model = luge.model("a * exp(-x / t) + c")
found = {}


def with_luge(data):
    def work():
        found["luge"] = luge.fit.curve_fit(model, x, data, start)

    return work


def with_scipy(**keywords):
    def work():
        for row in few:
            scipy.optimize.curve_fit(decay, x, row, start, **keywords)

    return work


works = {
    f"luge, {options.sets} sets": (with_luge(y), options.sets),
    "luge, 500 sets": (with_luge(y[:500]), 500),
    "SciPy curve_fit": (with_scipy(), options.others),
    "SciPy curve_fit, analytic jac": (with_scipy(jac=decay_jacobian), options.others),
}

try:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    data = jnp.asarray(y[:10_000])

    def residuals(p, row):
        return p[0] * jnp.exp(-x / p[1]) + p[2] - row

    def with_covariance(p, row):
        J = jax.jacfwd(residuals)(p, row)
        r = residuals(p, row)
        return p, jnp.linalg.inv(J.T @ J) * (r @ r) / (50 - 3)
except ImportError:
    jax = None
if jax is not None:
    try:
        import jaxopt

        solver = jaxopt.LevenbergMarquardt(residuals, tol=1e-8, maxiter=200, jit=True)
        one_by_one = jax.jit(lambda rows: jax.lax.map(lambda row: with_covariance(solver.run(jnp.ones(3), row).params, row), rows))
        jax.block_until_ready(one_by_one(data))
        works["jaxopt, lax.map"] = (lambda: jax.block_until_ready(one_by_one(data)), len(data))
    except ImportError:
        print("jaxopt is not installed")
    try:
        import optimistix

        method = optimistix.LevenbergMarquardt(rtol=1e-8, atol=1e-8)

        def solved(row):
            p = optimistix.least_squares(residuals, method, jnp.ones(3), row, max_steps=256, throw=False).value
            return with_covariance(p, row)

        at_once = jax.jit(jax.vmap(solved))
        jax.block_until_ready(at_once(data))
        works["optimistix, vmap"] = (lambda: jax.block_until_ready(at_once(data)), len(data))
    except ImportError:
        print("optimistix is not installed")

taken = {name: [] for name in works}
for work, _ in works.values():
    work()  # memory, compilation
for _ in range(options.runs):
    for name, (work, sets) in works.items():
        taken[name].append(seconds(work) / sets * 1e6)
print(f"luge {luge.__version__}, SciPy {scipy.__version__}, NumPy {np.__version__}; one thread, processor time")
reference = statistics.median(taken[f"luge, {options.sets} sets"])
for name, values in taken.items():
    middle = statistics.median(values)
    print(f"{name:<32} {middle:10.2f} us a fit   {middle / reference:8.2f} x   (least {min(values):.2f}, greatest {max(values):.2f})")
works[f"luge, {options.sets} sets"][0]()
result = found["luge"]
print(f"luge: {result.steps.to(luge.float64).mean().item():.2f} evaluations a fit, {int((result.status < 1).sum().item())} failed")
precise = [scipy.optimize.curve_fit(decay, x, row, p, jac=decay_jacobian, xtol=1e-15, ftol=1e-15, gtol=1e-15)[0]
           for row, p in zip(few, np.asarray(result.parameters))]  # fmt: skip
difference = np.abs(np.asarray(result.parameters)[: options.others] - precise) / np.maximum(np.abs(precise), 1e-3)
print(f"luge against SciPy at 1e-15: greatest relative difference of a parameter {difference.max():.1e}, median {np.median(difference):.1e}")

# ---- quality

MODELS = {  # formula, ranges of the truth, how far starts are away, bounds
    "decay": ("a*exp(-x/t)+c", [(1, 3), (0.5, 3), (0, 1)], 2.0, None),
    "two decays": ("a*exp(-x/t)+b*exp(-x/u)", [(1, 3), (0.3, 0.8), (0.5, 2), (2, 5)], 1.4, None),
    "Gauss": ("a*exp(-((x-m)/s)**2/2)+c", [(1, 4), (1.5, 3.5), (0.3, 1), (0, 1)], 1.3, None),
    "logistic": ("a/(1+exp(-(x-m)*k))", [(1, 4), (1.5, 3.5), (1, 4)], 1.5, None),
    "power": ("a*(x+0.1)**b+c", [(0.5, 2), (0.3, 1.8), (0, 1)], 1.5, None),
    "sine": ("a*sin(w*x+p)+c", [(1, 3), (1.5, 2.5), (0, 1), (0, 1)], 1.1, None),
    "Michaelis-Menten": ("v*x/(k+x)", [(1, 5), (0.3, 3)], 3.0, [(0, None), (0, None)]),
    "Lorentz": ("a*g**2/((x-m)**2+g**2)+c", [(1, 4), (1.5, 3.5), (0.2, 0.8), (0, 1)], 1.3, [(0, None), (0, 5), (0.05, 5), (None, None)]),
}
total = as_low = lower = 0
covariances = []
for name, (formula, ranges, far, bounds) in MODELS.items():
    each = luge.model(formula)
    sets, count = options.problems, len(ranges)
    true = np.stack([rng.uniform(low, high, sets) for low, high in ranges], 1)
    columns = {key: luge.tensor(true[:, i : i + 1].copy()) for i, key in enumerate(each.parameters)}
    clean = np.asarray(each(luge.tensor(x), **columns))
    data = clean + 0.05 * rng.standard_normal(clean.shape)
    data += np.where(rng.random(clean.shape) < 0.02, rng.normal(0, 0.5, clean.shape), 0)
    starts = np.maximum(true, 0.05) * far ** rng.uniform(-1, 1, true.shape)
    pairs = None
    if bounds:
        low = np.array([-np.inf if b[0] is None else b[0] for b in bounds])
        high = np.array([np.inf if b[1] is None else b[1] for b in bounds])
        starts, pairs = np.clip(starts, low, high), (low, high)
    fits = luge.fit.curve_fit(each, x, data, starts, bounds=pairs)
    code = compile(formula, name, "eval")

    def function(x, *p, code=code, keys=each.parameters):
        return eval(code, {"exp": np.exp, "sin": np.sin, "x": x, **dict(zip(keys, p))})

    def exact(x, *p, function=function):
        """The Jacobian by complex steps, to rounding."""
        columns = [function(x, *(value + (1e-30j if k == j else 0) for k, value in enumerate(p))).imag * 1e30 for j in range(len(p))]
        return np.stack(columns, 1)

    better = worse = 0
    for i in range(sets):
        try:
            keywords = {"bounds": pairs} if pairs is not None else {"maxfev": 5000}
            keywords.update(jac=exact, ftol=1e-14, xtol=1e-14, gtol=1e-14)
            popt, pcov = scipy.optimize.curve_fit(function, x, data[i], starts[i], **keywords)
            theirs = float(((function(x, *popt) - data[i]) ** 2).sum())
        except (RuntimeError, ValueError):
            theirs, pcov = np.inf, None
        ours = 2 * fits.cost[i].item()
        total += 1
        if ours <= theirs * (1 + 1e-7):
            as_low += 1
            better += ours < theirs * (1 - 1e-6)
        else:
            worse += 1
        if pcov is not None and abs(ours - theirs) <= 1e-9 * theirs and (fits.active[i] == 0).all().item():
            own = np.asarray(fits.covariance[i])
            if np.isfinite(own).all() and np.isfinite(pcov).all():
                size = np.sqrt(np.diag(pcov))
                covariances.append(np.abs((own - pcov) / np.outer(size, size)).max())
    lower += better
    print(f"{name:<18} {sets} problems: lower than SciPy {better}, higher {worse}, failed {int((fits.status < 1).sum().item())}")
print(f"the same minimum or a lower one in {as_low} of {total} ({100 * as_low / total:.2f} %), lower in {lower}; covariances of the "
      f"same minima, in units of the standard errors: median difference {np.median(covariances):.1e}, 99 % {np.quantile(covariances, 0.99):.1e}")  # fmt: skip
