"""Fits of many sets: several starts, chunks, plans, receipts, progress and Ctrl-C, and results set by set."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import luge
from luge.fit import FitPlan, FitReceipt, curve_fit, plan

X = np.linspace(0, 4, 60)
RNG = np.random.default_rng(2)
#: Waves of frequencies that a search from 1 does not find, and their noise.
FREQUENCIES = 2.5 + 0.8 * np.arange(9)
WAVES = 1.5 * np.sin(FREQUENCIES[:, None] * X + 0.4) + 0.05 * RNG.standard_normal((9, 60))
WAVE, BOUNDS = "a * sin(w * x + p)", {"a": (0.1, 5), "w": (0.5, 12), "p": (-3.2, 3.2)}
START = {"a": 1, "w": 1, "p": 0}
DECAY = "a * exp(-x / t) + c"
DECAYS = 2 * np.exp(-X / np.linspace(0.5, 2, 23)[:, None]) + 0.5 + 0.02 * RNG.standard_normal((23, 60))
FIELDS = [
    "parameters", "covariance", "standard_errors", "status", "steps", "cost", "optimality", "chi2", "reduced_chi2", "r2", "aic",
    "condition", "active", "observations", "start", "agreement",
]  # fmt: skip


def expect_same(one, other):
    for field in FIELDS:
        np.testing.assert_array_equal(np.asarray(getattr(one, field)), np.asarray(getattr(other, field)), err_msg=field)


def test_several_starts_find_the_least_minimum():
    result = curve_fit(WAVE, X, WAVES, START, bounds=BOUNDS, starts=64, seed=1)
    # The power of all frequencies, independently of any search: the best is where the wave is.
    grid = np.linspace(0.5, 12, 2000)
    power = np.abs(WAVES @ np.exp(1j * grid * X[:, None])) ** 2
    np.testing.assert_allclose(np.asarray(result["w"]), grid[power.argmax(1)], atol=0.1)
    np.testing.assert_allclose(np.asarray(result["w"]), FREQUENCIES, atol=0.02)
    assert (np.asarray(result.reduced_chi2) < 2 * 0.05**2).all()
    assert result.start.shape == (9,) and (np.asarray(result.start) > 0).sum() > 4
    assert ((1 <= np.asarray(result.agreement)) & (np.asarray(result.agreement) < 64)).all()
    alone = curve_fit(WAVE, X, WAVES[5], START, bounds=BOUNDS, starts=64, seed=1)
    expect_same(alone, result[5])
    assert f"start {alone.start.item()} of 64 is the best; {alone.agreement.item()} ended there" in alone.summary()
    receipt = result.receipt()
    assert receipt.starts == 64 and receipt.evaluations > 64 * 9 * 3
    expect_same(curve_fit(WAVE, X, WAVES, START, bounds=BOUNDS, starts=64, seed=1, chunk=4), result)


def test_a_dataframe_says_which_start_counts():
    pytest.importorskip("pandas")
    result = curve_fit(WAVE, X, WAVES, START, bounds=BOUNDS, starts=4)
    assert list(result.to_dataframe().columns[-2:]) == ["start", "agreement"]
    assert "start" not in curve_fit(WAVE, X, WAVES, START).to_dataframe().columns


def test_one_start_is_the_first():
    result = curve_fit(DECAY, X, DECAYS, (1, 1, 1))
    assert result.start.tolist() == [0] * 23 and result.agreement.tolist() == [1] * 23
    assert "start" not in result[3].summary()


@pytest.mark.parametrize("chunk", [1, 7, 23, 100])
def test_chunks_change_no_bit(chunk):
    y = DECAYS.copy()
    y[4, 3] = np.nan
    options = {"sigma": np.linspace(0.01, 0.03, 23)[:, None], "bounds": {"c": (0, 0.49)}, "loss": "soft_l1"}
    whole = curve_fit(DECAY, X, y, (1, 1, 0.4), chunk=23, **options)
    assert whole.status.tolist()[4] == -4
    parts = curve_fit(DECAY, X, y, (1, 1, 0.4), chunk=chunk, **options)
    expect_same(parts, whole)
    receipt = parts.receipt()
    assert receipt.chunks == -(-23 // min(chunk, 23)) and receipt.chunk == min(chunk, 23)
    assert receipt.evaluations == sum(parts.steps.tolist()) and receipt.sets == 23
    assert receipt.fits_per_second * receipt.seconds == pytest.approx(23)
    assert f"{receipt.evaluations} evaluations" in str(receipt) and isinstance(receipt, FitReceipt)


def test_plans_say_what_a_fit_takes():
    y = np.tile(DECAYS, (50, 1))
    found = plan(DECAY, X, y, (1, 1, 1))
    assert isinstance(found, FitPlan) and found.sets == 1150 and found.chunk == 1150 and found.chunks == 1 and found.calls == 2
    assert found.result_bytes < found.bytes < found.free_bytes <= luge.memory_limit()
    assert curve_fit(DECAY, X, y, (1, 1, 1), chunk=1150).receipt().bytes == found.bytes
    small = plan(DECAY, X, y, (1, 1, 1), memory=found.bytes // 2)
    assert small.bytes <= found.bytes // 2 and 1 <= small.chunk < 1150 and small.calls == 2 * small.chunks
    assert plan(DECAY, X, y, (1, 1, 1), chunk=100).chunks == 12
    bounds = {"a": (0, 9), "t": (0.01, 9), "c": (0, 9)}
    several = plan(DECAY, X, y, (1, 1, 1), bounds=bounds, starts=8)
    assert several.starts == 8 and several.bytes > 4 * found.bytes
    assert "1150 sets from 8 starts each, 1150 at a time in 1 chunk of two calls" in str(several)


def test_progress_is_told_and_may_end_a_fit():
    told = []
    result = curve_fit(DECAY, X, DECAYS, (1, 1, 1), chunk=10, progress=lambda done, sets: told.append((done, sets)))
    assert told == [(10, 23), (20, 23), (23, 23)] and len(result) == 23

    class Enough(Exception):
        pass

    def stop(done, sets):
        if done == 20:
            raise Enough(f"{done} of {sets}")

    with pytest.raises(Enough, match="20 of 23"):
        curve_fit(DECAY, X, DECAYS, (1, 1, 1), chunk=10, progress=stop)
    # A line is drawn on a terminal alone.
    expect_same(curve_fit(DECAY, X, DECAYS, (1, 1, 1), progress=True), result)
    expect_same(curve_fit(DECAY, X, DECAYS, (1, 1, 1), progress=False), result)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals")
def test_progress_is_a_line_on_a_terminal():
    code = (
        "import luge; x = luge.linspace(0, 5, 50, dtype=luge.float64); y = luge.exp(-x).expand(3000, 50);"
        "luge.fit.curve_fit('a * exp(-x / t)', x, y, (1, 2), chunk=1000, progress=True)"
    )
    terminal, end = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", code], stderr=end, check=True)
        os.close(end)
        text = os.read(terminal, 100_000).decode()
    finally:
        os.close(terminal)
    assert "1000/3000" in text and "3000/3000" in text and "sets/s" in text


def test_signals_are_heard_while_a_fit_goes_on(hears_interrupts):
    class Enough(Exception):
        pass

    heard = []

    def hear(*_):
        heard.append(None)
        if len(heard) == 3:
            raise Enough

    y = np.broadcast_to(DECAYS[0], (100_000, 60)).copy()
    before = signal.signal(signal.SIGALRM, hear)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        # Heard after the call alone, signals would be one.
        with pytest.raises(Enough):
            curve_fit(DECAY, X, y, (1, 1, 1), chunk=20)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(heard) == 3
    np.testing.assert_array_equal(y, np.broadcast_to(DECAYS[0], y.shape))
    with pytest.raises(KeyboardInterrupt):
        curve_fit(DECAY, X, DECAYS, (1, 1, 1), chunk=1, progress=lambda done, _: done == 5 and signal.raise_signal(signal.SIGINT))
    assert curve_fit(DECAY, X, DECAYS, (1, 1, 1)).success.all().item()


def test_a_result_is_read_set_by_set():
    sigma = np.full(60, 0.02)
    own_x = X * np.linspace(1, 1.1, 23)[:, None]
    result = curve_fit(DECAY, own_x, DECAYS, (1, 1, 1), sigma=sigma)
    assert len(result) == 23 and bool(result)
    for index in (0, 7, -1, np.int64(4)):
        one = result[index]
        assert not one.has_sets and one.names == ("a", "t", "c")
        expect_same(one, curve_fit(DECAY, own_x[index], DECAYS[index], (1, 1, 1), sigma=sigma))
        np.testing.assert_array_equal(np.asarray(one.predict()), np.asarray(result.predict())[index])
        popt, pcov = one
        assert popt.shape == (3,) and pcov.shape == (3, 3) and "+-" in one.summary() and one.receipt() == result.receipt()
    each = list(result.iter_sets())
    assert len(each) == 23 and each[22]["t"].item() == result["t"].tolist()[22]
    # A result unpacks as SciPy's, be it of many sets.
    parameters, covariance = result
    assert parameters.shape == (23, 3) and covariance.shape == (23, 3, 3)


def test_sets_of_several_outputs_and_predictors():
    model = luge.model(["a * x + b * z", "a * x - b * z"], predictors=["x", "z"])
    z = X**2 / 8
    y = np.stack([np.stack([a * X + 0.5 * z, a * X - 0.5 * z]) for a in (1.0, 2.0, 3.0)])
    for x in (np.stack([X, z]), np.stack([np.tile(X, (3, 1)), np.tile(z, (3, 1))])):
        result = curve_fit(model, x, y, (1, 1), mask=np.ones((3, 1, 1), dtype=bool), sigma=np.full(60, 0.1))
        one = result[2]
        np.testing.assert_allclose(np.asarray(one.parameters), [3, 0.5], rtol=1e-9)
        np.testing.assert_allclose(np.asarray(one.predict()), y[2], rtol=1e-9, atol=1e-9)
    constant = curve_fit(luge.model("a", predictors=[]), None, np.ones((3, 5)))
    assert constant[1].predict().shape == (5,)


def test_plots_of_a_set_are_those_of_the_whole():
    pytest.importorskip("matplotlib").use("Agg")
    result = curve_fit(DECAY, X, DECAYS, (1, 1, 1), mask=X < 3.5)
    one, whole = result[5].plot(), result.plot(5)
    for a, b in zip(one.lines, whole.lines):
        np.testing.assert_array_equal(a.get_ydata(), b.get_ydata())


def test_functions_of_formulas_are_numpys():
    x = np.linspace(0.05, 0.95, 19)
    for formula, value in {
        "arcsin(a * x)": np.arcsin(x), "asin(a * x)": np.arcsin(x), "arccos(a * x)": np.arccos(x), "arctan2(a * x, x - 0.5)": np.arctan2(x, x - 0.5),
        "atan2(-a * x, x - 0.5)": np.arctan2(-x, x - 0.5), "sinc(a * x)": np.sinc(x), "arcsinh(a * x)": np.arcsinh(x),
        "arccosh(a + x)": np.arccosh(1 + x), "arctanh(a * x)": np.arctanh(x), "expm1(a * x)": np.expm1(x), "log1p(a * x)": np.log1p(x),
        "hypot(a, x)": np.hypot(1, x), "heaviside(x - 0.5, a)": np.heaviside(x - 0.5, 1), "clip(x, 0.3, 0.7 * a)": np.clip(x, 0.3, 0.7),
        "cbrt(a * x - 0.5)": np.cbrt(x - 0.5), "ceil(x) * a": np.ceil(x), "exp2(a * x)": np.exp2(x), "degrees(a * x)": np.degrees(x),
    }.items():  # fmt: skip
        np.testing.assert_allclose(np.asarray(luge.model(formula)(x, a=1.0)), value, rtol=2e-15, atol=2e-16, err_msg=formula)
    with pytest.raises(ValueError, match="there is no function sinhc; alike: sinh, sinc"):
        luge.model("sinhc(a * x)")
    with pytest.raises(ValueError, match="functions are written without a module"):
        luge.model("np.exp(a * x)")


def test_numbers_of_python_in_a_function():
    knots = np.array([0.5, 1.5, 2.5])
    three, half = np.float64(3), np.float32(0.5)

    def model(x, a, b):
        total = 0
        for knot in knots:
            total = total + (x - knot) ** 2 / three
        return a * total * half + b * 2**-1 + 1

    y = 0.5 * 2 * ((X[:, None] - knots) ** 2).sum(1) / 3 + 0.5 * 4 + 1
    result = curve_fit(model, X, y, (1, 1))
    np.testing.assert_allclose(np.asarray(result.parameters), [2, 4], rtol=1e-9)
    # On either side, as NumPy's own numbers stand there, too.
    left = luge.model(lambda x, a: three * x * a + half - x / half)
    np.testing.assert_allclose(np.asarray(left(X, a=2.0)), 6 * X + 0.5 - 2 * X, rtol=1e-15)
    # A parameter that is read as a number would stay what it was when the function was looked at.
    for function in (
        lambda x, a: x * float(a),
        lambda x, a: x * a.item(),
        lambda x, a: x * int(a),
        lambda x, a: x if a > 0 else -x * a,
        lambda x, a: x * a * np.asarray(a),
        lambda x, a: a * x + luge.tensor(x.tolist(), dtype=luge.float64),
    ):
        with pytest.raises((ValueError, TypeError, RuntimeError), match="model: "):
            luge.model(function)


def test_a_parameter_of_conditions_is_fixed():
    y = np.where(X < 2, 1.0, 3.0)
    result = curve_fit("where(x < x0, a, b)", X, y, {"x0": 2.0, "a": 0, "b": 0}, fixed=["x0"])
    assert result.parameters.tolist() == pytest.approx([2, 1, 3]) and result.success.item()
    with pytest.raises(ValueError, match="curve_fit: the parameter x0 decides conditions and nothing else"):
        curve_fit("where(x < x0, a, b)", X, y, {"x0": 2.0, "a": 0, "b": 0})


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: curve_fit(WAVE, X, WAVES, START, starts=4), ValueError, "curve_fit: starts is 4; they are drawn between bounds"),
        (lambda: curve_fit(WAVE, X, WAVES, START, starts=4, bounds={"a": (0, 1)}), ValueError,
         "curve_fit: set 0: starts are drawn between finite bounds, and the lower one is -inf of w"),
        (lambda: curve_fit(WAVE, X, WAVES, START, starts=0), ValueError, "curve_fit: starts is 0; it must be at least 1"),
        (lambda: curve_fit(WAVE, X, WAVES, START, starts=2.5), TypeError, "curve_fit: starts is of type float; it must be an int"),
        (lambda: curve_fit(WAVE, X, WAVES, START, seed=-1), ValueError, "curve_fit: seed is -1; it must be from 0"),
        (lambda: curve_fit(WAVE, X, WAVES, START, chunk=-1), ValueError, "curve_fit: chunk is -1; it must be at least 0"),
        (lambda: curve_fit(WAVE, X, WAVES, START, loss=3), TypeError, "curve_fit: loss is of type int; it must be a str"),
        (lambda: curve_fit(WAVE, X, WAVES, START, ftol="a"), TypeError, "curve_fit: ftol is of type str; it must be a number"),
        (lambda: curve_fit(WAVE, X, WAVES, START, progress=3), TypeError, "curve_fit: progress is of type int"),
        (lambda: plan(WAVE, X, WAVES, START, memory=-1), ValueError, "plan: memory is -1; it must be at least 0"),
        (lambda: plan(WAVE, X, WAVES, START, chunk=2**70), ValueError, "it must be from 0 to 9223372036854775807"),
        (lambda: plan(WAVE, X, WAVES, {"a": 1}), ValueError, "plan: p0 says nothing of w"),
        (lambda: plan(WAVE, X[:5], WAVES, START), ValueError, "plan: x has 5 points, y has 60"),
        (lambda: curve_fit(DECAY, X, DECAYS[0], (1, 1, 1), sigma=np.eye(60)), ValueError, "curve_fit: sigma has shape .*, a matrix of covariances"),
        (lambda: curve_fit(DECAY, X, DECAYS, (1, 1, 1))[23], IndexError, "FitResult: index is 23; there are 23 sets"),
        (lambda: curve_fit(DECAY, X, DECAYS, (1, 1, 1))[-24], IndexError, "FitResult: index is -24; there are 23 sets"),
        (lambda: curve_fit(DECAY, X, DECAYS, (1, 1, 1))[1.5], TypeError, "FitResult: the key is of type float"),
        (lambda: curve_fit(DECAY, X, DECAYS[0], (1, 1, 1))[0], IndexError, "FitResult: there is one fit, without sets"),
        (lambda: len(curve_fit(DECAY, X, DECAYS[0], (1, 1, 1))), TypeError, "FitResult: there is one fit, which has no length"),
    ],
)  # fmt: skip
def test_errors_say_what_was_given_and_what_is_allowed(call, error, message):
    with pytest.raises(error, match=message):
        call()
