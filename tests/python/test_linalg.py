"""luge.linalg: what the samples of tests/agreement/samples/linalg.py do not show."""

import numpy as np
import pytest

import luge
from luge import linalg

NAMES = """LinAlgError cholesky cholesky_ex cond cross det eigh eigvalsh householder_product inv inv_ex lstsq lu lu_factor
    lu_factor_ex lu_solve matrix_exp matrix_norm matrix_power matrix_rank norm pinv qr slogdet solve solve_ex solve_triangular svd
    svdvals tensorinv tensorsolve vander vecdot vector_norm""".split()


def definite(*shape, dtype="float32"):
    x = np.random.default_rng(0).uniform(-1, 1, shape).astype(dtype)
    return luge.from_numpy(x @ x.swapaxes(-1, -2) + shape[-1] * np.eye(shape[-1], dtype=dtype))


def test_names():
    assert set(NAMES) <= set(linalg.__all__)
    for name in ("cholesky_inverse cholesky_solve inverse logdet lu_unpack orgqr pinverse triangular_solve").split():
        assert callable(getattr(luge, name))


def test_errors_are_of_one_class():
    assert linalg.LinAlgError is luge.LinAlgError
    assert issubclass(linalg.LinAlgError, RuntimeError)
    with pytest.raises(linalg.LinAlgError, match=r"^cholesky: matrix 1 of the batch \(2,\) is not positive definite: its leading"):
        linalg.cholesky(luge.tensor([[[1.0]], [[-1.0]]]))
    with pytest.raises(linalg.LinAlgError, match=r"^inverse: the matrix is singular: pivot 1 is zero$"):
        luge.zeros(2, 2).inverse()


def test_results_have_names():
    a = definite(3, 3)
    assert linalg.qr(a).Q.shape == (3, 3)
    assert linalg.eigh(a).eigenvalues.shape == (3,)
    assert linalg.svd(a)._fields == ("U", "S", "Vh")
    assert linalg.slogdet(a)._fields == ("sign", "logabsdet")
    assert linalg.lstsq(a, a)._fields == ("solution", "residuals", "rank", "singular_values")
    assert a.svd()._fields == ("U", "S", "V")


def test_out_is_a_tuple_where_there_are_several():
    a = definite(2, 2)
    q, r = luge.empty(2, 2), luge.empty(2, 2)
    found = linalg.qr(a, out=(q, r))
    assert found.Q is not None and np.array_equal((q @ r).numpy(), (found.Q @ found.R).numpy())
    for wrong in (q, (q,), 3, (q, r, q)):
        with pytest.raises((TypeError, ValueError), match="^qr: "):
            linalg.qr(a, out=wrong)


@pytest.mark.parametrize("n", [3, 8, 33])
def test_a_matrix_does_not_see_the_others(n):
    """Law 7, with gradients."""
    def run(a, b):
        a = a.clone().requires_grad_()
        x = luge.cholesky_solve(b, linalg.cholesky(a)) + linalg.solve(a, b)
        (x.sum() + a.logdet().sum()).backward()
        return x.detach().numpy(), a.grad.numpy()

    a, b = definite(19, n, n), luge.ones(19, n, 2)
    whole = run(a, b)
    for i in (0, 7, 18):
        alone = run(a[i : i + 1], b[i : i + 1])
        assert all(np.array_equal(one[0], all_[i]) for one, all_ in zip(alone, whole))


def test_captured_steps_give_nan_for_what_cannot_be_factored():
    a = definite(2, 2)
    step = luge.capture(lambda: linalg.cholesky(a))
    eager = linalg.cholesky(a)
    assert np.array_equal(step().numpy(), eager.numpy())
    a.copy_(luge.tensor([[-1.0, 0.0], [0.0, 1.0]]))
    assert np.isnan(step().numpy()).all()
    with pytest.raises(luge.CaptureError):
        luge.capture(lambda: linalg.matrix_exp(a))()


def test_training_through_a_factor():
    """Gradients of the log-determinant of a covariance are its inverse."""
    factor = linalg.cholesky(definite(4, 4, dtype="float64")).requires_grad_()
    covariance = factor @ factor.mT
    linalg.slogdet(covariance).logabsdet.backward()
    expected = 2 * np.linalg.inv(covariance.detach().numpy()) @ factor.detach().numpy()
    np.testing.assert_allclose(factor.grad.numpy(), expected, rtol=1e-10, atol=1e-14)
