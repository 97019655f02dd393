#!/usr/bin/env python3
"""Draws ensemble.svg beside this file: how the members of an ensemble end, and what is computed meanwhile. Needs luge."""

import math
import pathlib

import luge

nn, mse = luge.nn, luge.nn.functional.mse_loss
MEMBERS, POINTS, EVERY = 200, 96, 10
luge.manual_seed(3)
x = luge.linspace(-1, 1, POINTS).unsqueeze(1)
y = luge.sin(4 * x) + 0.1 * luge.randn(POINTS, 1)
held = luge.linspace(-1, 1, 64).unsqueeze(1)
held_y = luge.sin(4 * held) + 0.1 * luge.randn(64, 1)
params = luge.Parameters(sets=MEMBERS, seed=1)
model = nn.Sequential(nn.Linear(1, 16, params=params, name="hidden"), nn.Tanh(), nn.Linear(16, 1, params=params, name="output"))
optimizer = luge.optim.AdamW(params, lr=luge.linspace(0.002, 0.03, MEMBERS), weight_decay=luge.linspace(0, 0.1, MEMBERS))
rule = luge.stop.when(optimizer, plateau=(30, 1e-4))
sample = luge.randint(0, POINTS, (MEMBERS * POINTS,))
data = {name: values.index_select(0, sample).view(MEMBERS, POINTS, 1) for name, values in (("x", x), ("y", y))}


def step(live):
    network = live.module(model)
    live.optimizer.zero_grad()
    mse(network(live.data["x"]), live.data["y"], reduction="per_set").sum().backward()
    with luge.no_grad():
        loss = mse(network(held), held_y, reduction="per_set")
    live.rule.check(loss)
    live.optimizer.step()
    return loss


training = luge.stop.train(step, optimizer, rule, data=data, every=EVERY)
losses, ends = training.losses.tolist(), [EVERY * (i + 1) for i in range(len(training.rounds))]

# ---- two plots of 380 x 240, side by side

LEFT, TOP, WIDTH, HEIGHT, GAP = 50, 30, 340, 220, 80
last = ends[-1]
top, bottom = max(losses[0]), min(v for row in losses for v in row if v == v)


def across(step, panel):
    return f"{LEFT + panel * (WIDTH + GAP) + WIDTH * step / last:.1f}"


def of_loss(loss):
    return f"{TOP + HEIGHT * math.log(top / loss) / math.log(top / bottom):.1f}"


def of_sets(count):
    return f"{TOP + HEIGHT * (1 - count / MEMBERS):.1f}"


def text(x, y, words, anchor="middle"):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


parts = []
for panel, title in enumerate(("validation loss of every fifth member, until it stops", "members")):
    begin = LEFT + panel * (WIDTH + GAP)
    parts.append(f'<rect x="{begin}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>')
    parts.append(text(begin + WIDTH / 2, TOP - 10, title))
    parts += [text(across(s, panel), TOP + HEIGHT + 16, s) for s in range(0, last + 1, 200)]
    parts.append(text(begin + WIDTH / 2, TOP + HEIGHT + 32, "steps"))
for loss in (0.01, 0.1, 1):
    if bottom <= loss <= top:
        parts.append(text(LEFT - 6, of_loss(loss), f"{loss:g}", "end"))
for count in (0, MEMBERS // 2, MEMBERS):
    parts.append(text(LEFT + WIDTH + GAP - 6, of_sets(count), count, "end"))
for member in range(0, MEMBERS, 5):
    curve = [(s, row[member]) for s, row in zip(ends, losses) if row[member] == row[member]]
    points = " ".join(f"{across(s, 0)},{of_loss(loss)}" for s, loss in curve)
    hue = 220 - 200 * member / MEMBERS  # from slow rates to fast ones
    parts.append(f'<polyline points="{points}" fill="none" stroke="hsl({hue:.0f},60%,50%)" stroke-width="0.8"/>')
    parts.append(f'<circle cx="{across(curve[-1][0], 0)}" cy="{of_loss(curve[-1][1])}" r="2" fill="hsl({hue:.0f},60%,40%)"/>')
begins = [0, *ends[:-1]]
sizes = " ".join(f"{across(s, 1)},{of_sets(r.size)}" for a, b, r in zip(begins, ends, training.rounds) for s in (a, b))
active = " ".join(f"{across(s, 1)},{of_sets(r.active)}" for s, r in zip(begins, training.rounds))
floor = f"{across(last, 1)},{of_sets(0)}"
parts.append(f'<polygon points="{across(0, 1)},{of_sets(0)} {sizes} {floor}" fill="#cde" stroke="#57a"/>')
parts.append(f'<polyline points="{active} {floor}" fill="none" stroke="#c40" stroke-width="1.5"/>')
right = LEFT + WIDTH + GAP + WIDTH - 10
parts.append(text(right, TOP + 20, '<tspan fill="#57a">computed</tspan>, <tspan fill="#c40">active</tspan>', "end"))

width, height = LEFT + 2 * WIDTH + GAP + 20, TOP + HEIGHT + 45
head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
picture = pathlib.Path(__file__).with_suffix(".svg")
picture.write_text("\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>"]) + "\n")
print(training)
