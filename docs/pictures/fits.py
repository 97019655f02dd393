#!/usr/bin/env python3
"""Draws fits.svg beside this file: a fit of one set with outliers, and the errors of 20,000 fits. Needs luge and NumPy."""

import math
import pathlib

import numpy as np

import luge

MODEL, TRUTH, SETS, NOISE = "a * exp(-x / t) + c", (2.0, 1.5, 0.5), 20_000, 0.05
x = np.linspace(0, 5, 40)
true = TRUTH[0] * np.exp(-x / TRUTH[1]) + TRUTH[2]
y = true + NOISE * np.random.default_rng(0).standard_normal((SETS, x.size))
many = luge.fit.curve_fit(MODEL, x, y, p0=(1, 1, 1))
off = ((np.asarray(many["t"]) - TRUTH[1]) / np.asarray(many.standard_errors)[:, 1]).tolist()

spoiled = y[0].copy()
spoiled[[6, 17, 30]] += 0.9
fits = [("linear", "#c40", luge.fit.curve_fit(MODEL, x, spoiled, p0=(1, 1, 1))),
        ("soft_l1", "#57a", luge.fit.curve_fit(MODEL, x, spoiled, p0=(1, 1, 1), loss="soft_l1", f_scale=NOISE))]  # fmt: skip

# ---- two plots of 340 x 220, side by side

LEFT, TOP, WIDTH, HEIGHT, GAP = 40, 30, 340, 220, 80
TALLEST, WIDEST, BINS = 3.0, 4.0, 40


def place(panel, across, up):
    """Of fractions of a plot."""
    return f"{LEFT + panel * (WIDTH + GAP) + WIDTH * across:.1f},{TOP + HEIGHT * (1 - up):.1f}"


def text(panel, across, below, words, anchor="middle"):
    at = place(panel, across, 0).split(",")
    return f'<text x="{at[0]}" y="{float(at[1]) + below:.1f}" text-anchor="{anchor}">{words}</text>'


parts = []
for panel, title in enumerate(("one set: data with three outliers", f"t of {SETS:,} sets: (found - true) / standard error")):
    corner = place(panel, 0, 1).split(",")
    parts.append(f'<rect x="{corner[0]}" y="{corner[1]}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>')
    parts.append(text(panel, 0.5, -HEIGHT - 10, title))
for value in range(6):
    parts.append(text(0, value / 5, 16, value))
for value in range(4):
    parts.append(text(0, -0.02, 4 - HEIGHT * value / TALLEST, value, "end"))
for px, py in zip(x, spoiled):
    spot = place(0, px / 5, py / TALLEST).split(",")
    parts.append(f'<circle cx="{spot[0]}" cy="{spot[1]}" r="2.2" fill="#555"/>')
for line, (loss, colour, fit) in enumerate(fits):
    a, t, c = fit.parameters.tolist()
    curve = " ".join(place(0, v / 5, (a * math.exp(-v / t) + c) / TALLEST) for v in np.linspace(0, 5, 101))
    parts.append(f'<polyline points="{curve}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    error = fit.standard_errors.tolist()[1]
    parts.append(text(0, 0.97, 20 + 16 * line - HEIGHT, f'<tspan fill="{colour}">{loss}: t = {t:.2f} ± {error:.2f}</tspan>', "end"))
parts.append(text(0, 0.97, 52 - HEIGHT, f"true: t = {TRUTH[1]:.2f}", "end"))

counts, edges = np.histogram(off, bins=BINS, range=(-WIDEST, WIDEST))
density = counts / SETS / (edges[1] - edges[0])
outline = " ".join(place(1, (e + WIDEST) / (2 * WIDEST), d / 0.5) for d, a, b in zip(density, edges, edges[1:]) for e in (a, b))
parts.append(f'<polygon points="{place(1, 0, 0)} {outline} {place(1, 1, 0)}" fill="#cde" stroke="#57a"/>')
normal = [(v, math.exp(-v * v / 2) / math.sqrt(2 * math.pi)) for v in np.linspace(-WIDEST, WIDEST, 161)]
bell = " ".join(place(1, (v + WIDEST) / (2 * WIDEST), d / 0.5) for v, d in normal)
parts.append(f'<polyline points="{bell}" fill="none" stroke="#c40" stroke-width="1.5"/>')
parts.append(text(1, 0.97, 20 - HEIGHT, '<tspan fill="#57a">found</tspan>, <tspan fill="#c40">normal</tspan>', "end"))
for value in range(-4, 5, 2):
    parts.append(text(1, (value + WIDEST) / (2 * WIDEST), 16, value))

width, height = LEFT + 2 * WIDTH + GAP + 20, TOP + HEIGHT + 30
head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
picture = pathlib.Path(__file__).with_suffix(".svg")
picture.write_text("\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>"]) + "\n")
inside = sum(abs(v) < 1 for v in off) / SETS
print(f"{inside:.1%} of the sets are within one standard error; a normal law has 68.3 %")
