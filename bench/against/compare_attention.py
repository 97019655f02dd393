#!/usr/bin/env python3
"""Attention, the parts of a transformer's block and recurrent layers beside PyTorch, forward and backward, one thread each.

Usage: compare_attention.py [--runs 7] [--filter gpt]; the luge of the Python that runs it. luge's call is captured, PyTorch's is
eager. Calls alternate; the ratio is the median of PyTorch's time over luge's, pair by pair, of the processor's time.
"""

import argparse
import re
import statistics
import time

import luge
import numpy as np
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--runs", type=int, default=7)
parser.add_argument("--filter", default="")
options = parser.parse_args()
torch.set_num_threads(1)
luge.set_num_threads(1)


def seconds(call):
    start = time.process_time()
    result = call()
    passed = time.process_time() - start
    del result
    return passed


def both(shapes, call):
    """Forward and backward of call(library, *leaves), of the same numbers."""
    random = np.random.default_rng(1)
    values = [random.standard_normal(shape).astype("float32") for shape in shapes]
    theirs = [torch.from_numpy(x).clone().requires_grad_() for x in values]
    ours = [luge.from_numpy(x).clone().requires_grad_() for x in values]

    def pytorch():
        return torch.autograd.grad(call(torch, *theirs).sum(), theirs)

    @luge.capture
    def captured():
        return luge.autograd.grad(call(luge, *ours).sum(), ours)

    return pytorch, captured


def layers(make, shape, call):
    """Forward and backward of a layer of both libraries."""
    value = np.random.default_rng(1).standard_normal(shape).astype("float32")
    theirs, ours = make(torch.nn), make(luge.nn)
    x, y = torch.from_numpy(value), luge.from_numpy(value)

    def pytorch():
        return torch.autograd.grad(call(theirs, x).sum(), list(theirs.parameters()))

    @luge.capture
    def captured():
        return luge.autograd.grad(call(ours, y).sum(), list(ours.parameters()))

    return pytorch, captured


def cases():
    for batch, heads, length, size in ((1, 4, 4096, 64), (8, 8, 256, 64), (16, 4, 64, 32)):
        for causal in (False, True):
            text = f"attention {(batch, heads, length, size)}{' causal' if causal else ''}"
            yield text, lambda shape=(batch, heads, length, size), causal=causal: both(
                3 * [shape], lambda m, q, k, v: m.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal))  # fmt: skip
    yield "attention (8, 8, 256, 64) with a mask", lambda: both(
        [*3 * [(8, 8, 256, 64)], (256, 256)],
        lambda m, q, k, v, mask: m.nn.functional.scaled_dot_product_attention(q, k, v, mask))  # fmt: skip
    yield "gpt: MultiheadAttention 256, 8 heads, (8, 128, 256)", lambda: layers(
        lambda nn: nn.MultiheadAttention(256, 8, batch_first=True), (8, 128, 256), lambda m, x: m(x, x, x, need_weights=False)[0])
    yield "gpt: encoder layer 256, 8 heads, (8, 128, 256)", lambda: layers(
        lambda nn: nn.TransformerEncoderLayer(256, 8, 1024, 0.0, "gelu", batch_first=True, norm_first=True), (8, 128, 256),
        lambda m, x: m(x))  # fmt: skip
    for kind in ("RNN", "GRU", "LSTM"):
        yield f"{kind} 64 to 128, (50, 32, 64)", lambda kind=kind: layers(
            lambda nn: getattr(nn, kind)(64, 128), (50, 32, 64), lambda m, x: m(x)[0])  # fmt: skip


print(f"{'':56}{'PyTorch':>10}{'luge':>10}{'ratio':>8}")
for text, make in cases():
    if not re.search(options.filter, text):
        continue
    calls = make()
    runs = [(seconds(calls[0]), seconds(calls[1])) for _ in range(options.runs + 2)][2:]
    medians = [statistics.median(run[i] for run in runs) * 1e3 for i in (0, 1)]
    ratio = statistics.median(a / b for a, b in runs)
    print(f"{text:56}{medians[0]:7.2f} ms{medians[1]:7.2f} ms{ratio:8.2f}", flush=True)
