"""Methods of curve fits, against the minimum that least squares have in closed form or by "lm"."""

import numpy as np
import pytest

import luge
from luge.fit import curve_fit

METHODS = ["lbfgs", "nelder-mead", "adam"]
X = np.linspace(0, 5, 40)
DECAY = "a * exp(-x / t) + c"


def decays(sets: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    a, t, c = rng.uniform(1, 3, (sets, 1)), rng.uniform(0.5, 2, (sets, 1)), rng.uniform(0, 1, (sets, 1))
    return a * np.exp(-X / t) + c + 0.02 * rng.standard_normal((sets, 40))


@pytest.mark.parametrize("method", METHODS)
def test_many_sets_end_where_lm_ends(method):
    y = decays(30)
    expected, found = (curve_fit(DECAY, X, y, (1, 1, 1), method=name) for name in ("lm", method))
    errors = np.asarray(expected.standard_errors)
    assert (np.abs(np.asarray(found.parameters) - np.asarray(expected.parameters)) < 1e-3 * errors).all()
    np.testing.assert_allclose(np.asarray(found.standard_errors), errors, rtol=1e-3)
    assert (np.asarray(found.status) > 0).all()
    assert (np.asarray(found.steps) > np.asarray(expected.steps)).any()


@pytest.mark.parametrize("method", METHODS)
def test_a_line_has_its_closed_form(method):
    y = 2 * X + 1 + 0.1 * np.random.default_rng(5).standard_normal(40)
    popt, pcov = curve_fit("m * x + b", X, y, (0, 0), method=method)
    expected, covariance = np.polyfit(X, y, 1, cov=True)
    np.testing.assert_allclose(np.asarray(popt), expected, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(pcov), covariance, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_bounds_fixed_parameters_and_losses(method):
    y = decays(4)
    result = curve_fit(DECAY, X, y, (1, 1, 0.1), bounds={"c": (0, 0.2)}, fixed=["t"], loss="soft_l1", method=method)
    expected = curve_fit(DECAY, X, y, (1, 1, 0.1), bounds={"c": (0, 0.2)}, fixed=["t"], loss="soft_l1")
    assert (np.asarray(result["t"]) == 1).all()
    np.testing.assert_array_equal(np.asarray(result.active), np.asarray(expected.active))
    np.testing.assert_allclose(np.asarray(result.cost), np.asarray(expected.cost), rtol=1e-6)


def test_steps_are_as_many_as_a_method_needs():
    result = curve_fit("a * x ** p", X + 1, (X + 1) ** 0.3, (50, 4), method="nelder-mead", max_steps=None)
    assert result.converged and result.steps.item() > 100
    few = curve_fit("a * x ** p", X + 1, (X + 1) ** 0.3, (50, 4), method="nelder-mead", max_steps=100)
    assert few.status.item() == 0 and few.steps.item() == 100


def test_an_unknown_method_lists_those_that_there_are():
    with pytest.raises(ValueError, match="curve_fit: method is 'trf'; allowed are lm, lbfgs, nelder-mead, adam"):
        curve_fit(DECAY, X, decays(1), (1, 1, 1), method="trf")
    with pytest.raises(TypeError):
        curve_fit(DECAY, X, decays(1), (1, 1, 1), method=None)


def test_float32_is_as_near_as_it_can_be():
    y = decays(5)
    expected = curve_fit(DECAY, X, y, (1, 1, 1))
    for method in METHODS:
        x32, y32 = (luge.tensor(values, dtype=luge.float32) for values in (X, y))
        found = curve_fit(DECAY, x32, y32, (1, 1, 1), method=method)
        assert (np.abs(np.asarray(found.parameters) - np.asarray(expected.parameters)) < 1e-3).all(), method
