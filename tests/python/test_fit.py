"""Curve fits: what Python adds to core/luge/fit, and fits against what NumPy computes."""

import math
import pickle

import numpy as np
import pytest

import luge
from luge.fit import FitError, curve_fit

X = np.linspace(0, 5, 40)
Y = 2 * np.exp(-X / 1.5) + 0.5 + 0.02 * np.random.default_rng(0).standard_normal(40)
DECAY = "a * exp(-x / t) + c"


def jacobian(a, t, c):
    e = np.exp(-X / t)
    return np.stack([e, a * e * X / t**2, np.ones_like(X)], 1)


def test_one_fit_unpacks_as_scipys():
    popt, pcov = curve_fit(DECAY, X, Y, p0=(1, 1, 1))
    assert popt.shape == (3,) and pcov.shape == (3, 3) and popt.dtype == luge.float64
    J = jacobian(*popt.tolist())
    residuals = popt[0].item() * np.exp(-X / popt[1].item()) + popt[2].item() - Y
    assert np.abs(J.T @ residuals).max() < 1e-9
    expected = np.linalg.inv(J.T @ J) * (residuals @ residuals) / 37
    np.testing.assert_allclose(np.asarray(pcov), expected, rtol=1e-8)


def test_many_sets_with_starts_bounds_and_names():
    rng = np.random.default_rng(1)
    truth = np.stack([rng.uniform(1, 3, 20), rng.uniform(0.5, 2, 20), rng.uniform(0, 1, 20)], 1)
    y = truth[:, :1] * np.exp(-X / truth[:, 1:2]) + truth[:, 2:]
    result = curve_fit(DECAY, X, y, {"a": 1, "t": np.ones(20), "c": 0.5}, bounds={"t": (0.1, None)})
    assert result.has_sets and result.names == ("a", "t", "c")
    np.testing.assert_allclose(np.asarray(result.parameters), truth, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(np.asarray(result["t"]), truth[:, 1], rtol=1e-7)
    np.testing.assert_allclose(np.asarray(result.predict()), y, atol=1e-9)
    assert result.success.all().item() and result.converged.shape == (20,)
    assert "20 fits of 3 parameters" in result.summary() and "converged" in result.messages(3)
    assert result.raise_for_status() is result
    held = curve_fit(DECAY, X, y, {"a": 1, "t": 1, "c": truth[:, 2]}, fixed=["c"])
    np.testing.assert_array_equal(np.asarray(held["c"]), truth[:, 2])
    assert np.isnan(np.asarray(held.standard_errors)[:, 2]).all()


def test_an_active_bound_is_no_end_of_the_way():
    starts = np.array([[1, 1, 0.2], [1, 1, 0.29], [2, 2, 0.1], [2, 1.5, 0.25]])
    result = curve_fit(DECAY, X, np.broadcast_to(Y, (4, 40)), starts, bounds={"c": (0, 0.3)})
    assert (np.asarray(result.status) > 0).all()
    for a, t, c in np.asarray(result.parameters):
        slopes = jacobian(a, t, c).T @ (a * np.exp(-X / t) + c - Y)
        assert c == 0.3 and slopes[2] < -0.1
        np.testing.assert_allclose(slopes[:2], 0, atol=1e-7)


def test_results_and_models_are_of_their_types():
    result = curve_fit(DECAY, X, Y, (1, 1, 1))
    assert isinstance(result, luge.fit.FitResult) and isinstance(result.model, luge.fit.Model)
    assert "t" in repr(result) and "converged" in result.message


def test_functions_and_models_are_the_same():
    def decay(x, a, t, c):
        return a * luge.exp(-x / t) + c

    model = luge.model(decay)
    assert model.parameters == ("a", "t", "c") and model.predictors == ("x",) and model.formulas == ()
    results = [curve_fit(m, X, Y, (1, 1, 1)) for m in (decay, model, DECAY, luge.model(DECAY))]
    for other in results[1:]:
        assert other.parameters.tolist() == results[0].parameters.tolist()
    x = luge.tensor(X)
    a = luge.tensor(2.0, dtype=luge.float64, requires_grad=True)
    value = model(x, a=a, t=1.5, c=0.5)
    value.sum().backward()
    np.testing.assert_allclose(a.grad.item(), np.exp(-X / 1.5).sum(), rtol=1e-14)


def test_a_model_of_a_formula_is_pickled():
    model = luge.model("a * x1 + b * x2", predictors=["x1", "x2"])
    again = pickle.loads(pickle.dumps(model))
    assert repr(again) == repr(model) and again.predictors == ("x1", "x2")
    with pytest.raises(TypeError, match="a model of a function cannot be pickled"):
        pickle.dumps(luge.model(lambda x, a: a * x))


def test_ragged_data_by_mask_is_each_sets_own_fit():
    lengths = [40, 25, 11]
    y = np.full((3, 40), np.nan)
    for i, n in enumerate(lengths):
        y[i, :n] = Y[:n] * (1 + 0.1 * i)
    result = curve_fit(DECAY, X, y, (1, 1, 1), mask=~np.isnan(y))
    for i, n in enumerate(lengths):
        alone = curve_fit(DECAY, X[:n], y[i, :n], (1, 1, 1))
        np.testing.assert_allclose(np.asarray(result.parameters[i]), np.asarray(alone.parameters), rtol=1e-6)
        np.testing.assert_allclose(np.asarray(result.standard_errors[i]), np.asarray(alone.standard_errors), rtol=1e-6)
    assert result.observations.tolist() == lengths


def test_failed_sets_say_so_and_touch_no_other():
    y = np.stack([Y, Y, Y])
    y[1, 7] = math.nan
    result = curve_fit(DECAY, X, y, (1, 1, 1))
    assert result.status.tolist()[1] == -4 and result.success.tolist() == [True, False, True]
    assert result.parameters[0].tolist() == curve_fit(DECAY, X, Y, (1, 1, 1)).parameters.tolist()
    with pytest.raises(FitError, match="curve_fit: 1 of 3 fits failed: set 1: bad data"):
        result.raise_for_status()
    with pytest.raises(FitError, match="curve_fit: bad data"):
        curve_fit(DECAY, X, y[1], (1, 1, 1)).raise_for_status()


def test_robust_intervals_cover_the_truth():
    """Of 300 fits with outliers, 95 % intervals of the decay time hold it in 90 % or more."""
    rng = np.random.default_rng(5)
    y = 2 * np.exp(-X / 1.5) + 0.5 + 0.05 * rng.standard_normal((300, 40))
    y += np.where(rng.random((300, 40)) < 0.1, rng.normal(0, 1, (300, 40)), 0)
    for loss in ("soft_l1", "huber", "cauchy"):
        result = curve_fit(DECAY, X, y, (1.5, 1, 0.3), loss=loss, f_scale=0.1)
        assert result.success.all().item()
        t, error = np.asarray(result["t"]), np.asarray(result.standard_errors)[:, 1]
        assert (np.abs(t - 1.5) <= 2.03 * error).mean() >= 0.9, loss


def test_float32_stays_single_and_lists_are_double():
    single = curve_fit(DECAY, X.astype(np.float32), Y.astype(np.float32), (1, 1, 1))
    double = curve_fit(DECAY, X.tolist(), Y.tolist(), [1, 1, 1])
    assert double.parameters.tolist() == curve_fit(DECAY, X, Y, (1, 1, 1)).parameters.tolist()
    np.testing.assert_allclose(np.asarray(single.parameters), np.asarray(double.parameters), rtol=1e-4)
    assert (np.asarray(single.standard_errors) > 0).all()


def test_what_float64_cannot_tell_apart_is_not_converged():
    """Seconds since 1970: the minimum is lost in the rounding of the columns' products, and luge says so."""
    y = np.random.default_rng(0).normal(size=30)
    x = np.linspace(0, 5, 30)
    far = curve_fit("a + b * x", x + 1.7e9, y)
    assert far.status.item() < 1 and "take x from its mean" in far.message
    near = curve_fit("a + b * x", x + 1e5, y)
    assert near.converged.item()
    np.testing.assert_allclose(near["b"].item(), np.polyfit(x, y, 1)[0], rtol=1e-6)


def test_arrays_of_any_kind_and_of_their_own():
    expected = curve_fit(DECAY, X, Y, (1, 1, 1)).parameters.tolist()
    for x, y in ((X[::-1], Y[::-1]), (X.astype(">f8"), Y.astype(object)), (list(X), tuple(Y)), (X.astype(np.longdouble), Y)):
        np.testing.assert_allclose(curve_fit(DECAY, x, y, (1, 1, 1)).parameters.tolist(), expected, rtol=1e-9)
    x = X.copy()
    result = curve_fit(DECAY, x, Y, (1, 1, 1))
    before = result.predict().tolist()
    x[:] = 0
    assert result.predict().tolist() == before
    masked = np.ma.array(Y, mask=X > 3)
    with pytest.raises(ValueError, match="curve_fit: y is a masked array; give its mask"):
        curve_fit(DECAY, X, masked, (1, 1, 1))
    counts = np.arange(6, dtype=np.uint16)
    assert curve_fit("a * x", counts, 2 * counts)["a"].item() == pytest.approx(2)
    assert luge.model("a * x")(np.array([2**40]), a=np.array([2**40])).item() == 2.0**80


def test_robust_errors_are_never_zero():
    few = curve_fit(DECAY, X[::13], Y[::13], (2, 1.4, 0.5), loss="huber")
    assert few.observations.item() == 4
    exact = curve_fit(DECAY, X[::19], Y[::19], (2, 1.4, 0.5), loss="cauchy")
    assert all(error == math.inf for error in exact.standard_errors.tolist())


def test_counts_take_no_deviations_and_none_is_negative():
    with pytest.raises(ValueError, match="curve_fit: sigma is given; counts"):
        curve_fit(DECAY, X, Y, (1, 1, 1), loss="poisson", sigma=0.1)
    assert curve_fit(DECAY, X, Y - 1, (1, 1, 1), loss="poisson").status.item() == -4


def test_a_dataframe_does_not_confuse_names():
    pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="the parameter status has the name of another column"):
        curve_fit("status * x + b", X, Y).to_dataframe()


def test_messages_ask_for_the_set():
    one, many = curve_fit(DECAY, X, Y, (1, 1, 1)), curve_fit(DECAY, X, np.stack([Y, Y]), (1, 1, 1))
    assert "converged" in one.messages() and "converged" in many.messages(-1)
    for call, error in ((lambda: one.messages(0), ValueError), (many.messages, ValueError), (lambda: many.messages(2), IndexError)):
        with pytest.raises(error, match="FitResult.messages: index is"):
            call()


def test_a_model_without_predictors_and_fixed_parameters():
    result = curve_fit(luge.model("a", predictors=[]), None, np.ones((3, 5)))
    assert result.predict().shape == (3, 5)
    held = curve_fit(DECAY, X[[0, 20]], Y[[0, 20]], (2, 1.4, 0.5), fixed=["c"])
    assert held.success.item() and held["c"].item() == 0.5


def test_summary_of_one_fit():
    text = curve_fit(DECAY, X, Y, (1, 1, 0.45), bounds=([0, 0, 0], [10, 10, 0.45])).summary()
    assert "at its upper bound" in text and "converged" in text and "40 observations" in text


def test_a_dataframe_has_a_row_for_each_set():
    pytest.importorskip("pandas")
    frame = curve_fit(DECAY, X, np.stack([Y, Y]), (1, 1, 1)).to_dataframe()
    assert list(frame.columns[:6]) == ["a", "t", "c", "a_error", "t_error", "c_error"] and len(frame) == 2


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: curve_fit(3, X, Y), TypeError, "curve_fit: model is of type int"),
        (lambda: curve_fit(DECAY, X, Y, {"a": 1, "q": 2}), ValueError, "curve_fit: p0 names 'q'; the parameters are a, t, c"),
        (lambda: curve_fit(DECAY, X, Y, {"a": 1}), ValueError, "curve_fit: p0 says nothing of t"),
        (lambda: curve_fit(DECAY, X, Y, bounds=(0, 1, 2)), ValueError, "curve_fit: bounds must be"),
        (lambda: curve_fit(DECAY, X, Y, bounds={"t": 3}), ValueError, "the bounds of t are 3"),
        (lambda: curve_fit(DECAY, X, Y, fixed=["q"]), ValueError, "curve_fit: fixed names 'q'"),
        (lambda: curve_fit(DECAY, X, Y[:2]), ValueError, "curve_fit: x has 40 points, y has 2"),
        (lambda: curve_fit(DECAY, X[:2], Y[:2]), ValueError, "fewer than the 3 parameters"),
        (lambda: curve_fit(DECAY, X, Y, (1, -1, 1), bounds=(0, 9)), ValueError, "p0 has -1 for t, below its lower bound 0"),
        (lambda: luge.model(7), TypeError, "model: formula is of type int"),
        (lambda: luge.model("a * expp(x)"), ValueError, "model: there is no function expp; alike: exp, exp2\n  a \\* expp\\(x\\)\n      \\^"),
        (lambda: luge.model(lambda x: x), ValueError, "the function takes 1 arguments"),
        (lambda: luge.model(lambda x, *p: x), ValueError, "name the parameters by parameters="),
        (lambda: luge.model(lambda x, a: 3), TypeError, "model: the function returns an object of type int"),
        (lambda: luge.model(lambda x, a: a * x.cumsum(0)), ValueError, "model: the function calls cumsum"),
        (lambda: luge.model(lambda x, a: a * x.sum()), ValueError, "model: the function calls sum"),
        (lambda: luge.model(lambda x, a: a * x.shape[0] + x), ValueError, "model: the function depends on how many points"),
        (lambda: luge.model(lambda x, a: a * x[0]), ValueError, "takes single points of a predictor"),
        (lambda: luge.model(lambda x, a: a * x[-1] + 0 * x), ValueError, "takes single points of a predictor"),
        (lambda: luge.model(lambda x, a: a * x.to(luge.int32)), ValueError, "model: the function converts to int32"),
        (lambda: curve_fit(lambda X, a, b: a * X[0] + b * X[1], np.stack([X, X]), Y), ValueError, "name each by predictors="),
        (lambda: luge.model("a*"), ValueError, "ends where a number should be"),
        (lambda: luge.model("True * x"), ValueError, "True has no meaning in a formula"),
        (lambda: luge.model("a * x", predictors=3), TypeError, "model: predictors is 3; it must be names"),
        (lambda: curve_fit(DECAY, X, Y, (1, 1, 1)).plot(4), IndexError, "FitResult.plot: index is 4; there is one set"),
        (lambda: curve_fit(DECAY, X, ["a", "b"]), TypeError, "curve_fit: y is of type list; it must be numbers"),
        (lambda: luge.model("a * x")(1.0, b=2), TypeError, "model: b is no parameter"),
        (lambda: luge.model("a * x")(1.0), TypeError, "model: the parameter a is missing"),
        (lambda: luge.model("a * x")(a=1), TypeError, "model: 0 predictors are given"),
        (lambda: curve_fit(DECAY, X, np.stack([Y, Y]), (1, 1, 1)).message, ValueError, "there are many fits"),
        (lambda: curve_fit(DECAY, X, Y, (1, 1, 1))["q"], KeyError, "'q' is no parameter"),
    ],
)
def test_errors_say_what_was_given_and_what_is_allowed(call, error, message):
    with pytest.raises(error, match=message):
        call()
