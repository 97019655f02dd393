"""Functions made of a library's own, for samples of what has no one result: `sample("made.eigenvectors", ...)`. Each takes the
library's module first.

Eigenvectors and singular vectors have any sign; what is compared is the same for all. Matrices that must be symmetric, or
positive definite, are made of any ones, so that derivatives can be checked, too.
"""


def turned(x):
    return x.transpose(-2, -1)


def definite(m, a):
    """a a^T and something on the diagonal."""
    return a @ turned(a) + 2 * m.eye(a.shape[-2], dtype=a.dtype)


def regular(m, a):
    return a + 7 * m.eye(a.shape[-1], dtype=a.dtype)


def cholesky(m, a, upper=False):
    return m.linalg.cholesky(definite(m, a), upper=upper)


def cholesky_ex(m, a, upper=False):
    return m.linalg.cholesky_ex(definite(m, a), upper=upper)[0]


def cholesky_solve(m, b, a, upper=False):
    return m.cholesky_solve(b, m.linalg.cholesky(definite(m, a), upper=upper), upper)


def cholesky_inverse(m, a, upper=False):
    return m.cholesky_inverse(m.linalg.cholesky(definite(m, a), upper=upper), upper)


def solved(m, a, b, **options):
    return m.linalg.solve(regular(m, a), b, **options)


def lu_solved(m, a, b, **options):
    return m.linalg.lu_solve(*m.linalg.lu_factor(regular(m, a)), b, **options)


def inverted(m, a):
    return m.linalg.inv(regular(m, a))


def triangular(m, a, b, **options):
    return m.linalg.solve_triangular(regular(m, a), b, **options)


def eigh(m, a, uplo="L"):
    """Values, and vectors with one of their elements as a factor."""
    values, vectors = m.linalg.eigh(a + turned(a), uplo)
    return values, vectors * vectors[..., :1, :]


def eigvalsh(m, a, uplo="L"):
    return m.linalg.eigvalsh(a + turned(a), uplo)


def svd(m, a, full_matrices=False):
    """Values, and the products of left and right vectors that belong together."""
    u, s, vh = m.linalg.svd(a, full_matrices=full_matrices)
    k = s.shape[-1]
    return s, turned(u[..., :, :k]).unsqueeze(-1) * vh[..., :k, :].unsqueeze(-2)


def old_svd(m, a, some=True):
    u, s, v = m.svd(a, some)
    k = s.shape[-1]
    return s, turned(u[..., :, :k]).unsqueeze(-1) * turned(v[..., :, :k]).unsqueeze(-2)


def full_svd(m, a):
    """Whether the square factors are orthogonal, and what they project onto."""
    u, s, vh = m.linalg.svd(a)
    k = s.shape[-1]
    return u @ turned(u), vh @ turned(vh), u[..., :, k:] @ turned(u[..., :, k:]), turned(vh[..., k:, :]) @ vh[..., k:, :]
