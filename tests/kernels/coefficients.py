#!/usr/bin/env python3
"""Prints the coefficients of kernels/cpu/functions.h, with the error of approximation that each table leaves.

    python3 coefficients.py           needs mpmath

A table is the minimax polynomial or quotient of polynomials on an interval, found by C. L. Lawson's iteration: least
squares whose weights grow where the error is largest. What rounding the coefficients to the type costs is seen by
tests/kernels/vector_math_test.cpp, which counts units in the last place.
"""

import struct

from mpmath import cos, erf, erfc, exp, expm1, log, lu_solve, matrix, mp, mpf, pi, sin, sqrt, tanh

mp.prec = 220

POINTS = 60
ROUNDS = 40


def value(c, x):
    result = mpf(0)
    for k in reversed(c):
        result = result * x + k
    return result


def minimax(f, low, high, top, bottom, weight):
    """P / Q of these degrees with Q(0) = 1, closest to f in |P / Q - f| weight, and that error."""
    low, high = mpf(low), mpf(high)
    bend = 2 if bottom > 0 else 1  # a quotient bends most near 0
    xs = [low + (high - low) * ((1 - cos(pi * (k + mpf(1) / 2) / POINTS)) / 2) ** bend for k in range(POINTS)]
    fs, ws = [f(x) for x in xs], [weight(x) for x in xs]
    shares, q_before, best = [mpf(1) / POINTS] * POINTS, [mpf(1)] * POINTS, None
    unknowns = top + 1 + bottom
    for iteration in range(ROUNDS):
        a, b = matrix(unknowns, unknowns), matrix(unknowns, 1)
        for x, y, w, q, share in zip(xs, fs, ws, q_before, shares):
            w /= q
            row = [w * x**j for j in range(top + 1)] + [-w * y * x**j for j in range(1, bottom + 1)]
            aim = w * y
            for j in range(unknowns):
                b[j] += share * row[j] * aim
                for k in range(j, unknowns):
                    a[j, k] += share * row[j] * row[k]
                    a[k, j] = a[j, k]
        solved = list(lu_solve(a, b))
        p, q = solved[: top + 1], [mpf(1)] + solved[top + 1 :]
        q_before = [value(q, x) for x in xs]
        errors = [abs(value(p, x) / below - y) * w for x, below, y, w in zip(xs, q_before, fs, ws)]
        worst = max(errors)
        if iteration < 7:
            continue
        if best is None or worst < best[2]:
            best = p, q, worst
        gentle = worst / 3 if iteration < 12 else 0
        shares = [max(share * (gentle + error), mpf(10) ** -30) for share, error in zip(shares, errors)]
        total = sum(shares)
        shares = [share / total for share in shares]
    return best


def rounded(x, single):
    return struct.unpack("f", struct.pack("f", float(x)))[0] if single else float(x)


def show(name, c, single):
    digits = "%.9g" if single else "%.17g"
    print(f"  k{name} = {{{', '.join(digits % rounded(x, single) for x in c)}}}")


def table(name, single, f, interval, top, bottom, weight):
    p, q, error = minimax(f, *interval, top, bottom, weight)
    degrees = f"degrees {top} / {bottom}" if bottom else f"degree {top}"
    print(f"{name}, float{32 if single else 64}, {degrees}: 2^{float(log(error, 2)):.1f}")
    if not bottom:
        return show(name, p, single)
    show(name + "Top", p, single)
    show(name + "Bottom", q, single)


def exp_rest(r):
    """e^r = 1 + r + r^2 exp_rest(r)"""
    return (expm1(r) - r) / (r * r)


def log_rest(f):
    """log(1 + f) = f + f^2 log_rest(f)"""
    return (log(1 + f) - f) / (f * f)


def log_odd(z):
    """With s = f / (2 + f) and z = s^2: log(1 + f) = 2 s + s z log_odd(z)"""
    s = sqrt(z)
    return (log((1 + s) / (1 - s)) - 2 * s) / (s * z)


def tanh_rest(z):
    """tanh(x) = x + x z tanh_rest(z) with z = x^2"""
    x = sqrt(z)
    return (tanh(x) - x) / (x * z)


def erf_rest(z):
    """erf(x) = x + x erf_rest(z) with z = x^2"""
    return erf(sqrt(z)) / sqrt(z) - 1


def sin_rest(z):
    """sin(x) = x + x z sin_rest(z) with z = x^2"""
    x = sqrt(z)
    return (sin(x) - x) / (x * z)


def cos_rest(z):
    """cos(x) = 1 - z / 2 + z^2 cos_rest(z) with z = x^2"""
    return (cos(sqrt(z)) - 1 + z / 2) / (z * z)


def log_erfc(a):
    return log(erfc(a))


def scaled_erfc(a):
    """erfc(a) = e^(-a^2) scaled_erfc(a)"""
    return erfc(a) * exp(a * a)


def normal_tail(t):
    """Phi(-x) = e^(-x^2 / 2) normal_tail(t) / (2 + x / 2) with t = 1.25 x / (2 + x / 2) - 1; its first two are kNormal."""
    u = (t + 1) / mpf("1.25")
    x = 2 * u / (1 - u / 2)
    return scaled_erfc(x / sqrt(mpf(2))) / 2 * (2 + x / 2)


def erfc_tail(t):
    """The same for erfc(x) = 2 e^(-x^2) erfc_tail(t) / (0.8 x + sqrt(5.12)) with t = 2 x / (0.8 x + sqrt(5.12)) - 1."""
    return normal_tail(t) * sqrt(mpf("1.28"))


HALF_LN2 = log(mpf(2)) / 2 * (1 + mpf(2) ** -12)
NEAR_ONE = (mpf(-1) / 4, mpf(1) / 2)
TANH_SPLIT = mpf("0.55")
EIGHTH = (0, (pi / 4 * (1 + mpf(2) ** -7)) ** 2)
ERF_SPLIT = {True: mpf("0.9"), False: mpf(1)}


def main():
    for single, degree in ((True, 4), (False, 9)):
        table("Exp", single, exp_rest, (-HALF_LN2, HALF_LN2), degree, 0, lambda r: r * r / exp(r))
    table("Log", True, log_rest, NEAR_ONE, 8, 0, lambda f: f * f / abs(log(1 + f)))
    table("Log", False, log_odd, (0, mpf(1) / 25), 6, 0, lambda z: z / 2)
    for single, degree in ((True, 4), (False, 9)):
        table("Tanh", single, tanh_rest, (0, TANH_SPLIT**2), degree, 0, lambda z: z * sqrt(z) / tanh(sqrt(z)))
    for single, degree in ((True, 2), (False, 5)):
        table("Sin", single, sin_rest, EIGHTH, degree, 0, lambda z: z * sqrt(z) / sin(sqrt(z)))
        table("Cos", single, cos_rest, EIGHTH, degree, 0, lambda z: z * z / cos(sqrt(z)))
    table("ErfNear", True, erf_rest, (0, ERF_SPLIT[True] ** 2), 5, 0, lambda z: sqrt(z) / erf(sqrt(z)))
    table("ErfNear", False, erf_rest, (0, ERF_SPLIT[False] ** 2), 11, 0, lambda z: sqrt(z) / erf(sqrt(z)))
    table("ErfFar", True, log_erfc, (ERF_SPLIT[True], mpf("3.95")), 5, 0, lambda a: erfc(a) / erf(a))
    table("ErfFar", False, scaled_erfc, (ERF_SPLIT[False], 6), 5, 6, lambda a: exp(-a * a) / erf(a))
    far = mpf("1.25") * 15 / mpf("9.5") - 1
    table("NormalRest", True, normal_tail, (-1, far), 10, 0, lambda t: 1 / normal_tail(t))
    table("ErfcRest", True, erfc_tail, (-1, far), 10, 0, lambda t: 1 / erfc_tail(t))


if __name__ == "__main__":
    main()
