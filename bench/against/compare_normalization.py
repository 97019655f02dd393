"""Normalization and pooling, forward and backward: a captured step of luge beside PyTorch's eager one in one process on one
thread: paired medians.

    python bench/against/compare_normalization.py [--rounds 9] [--filter layer]

Each round times both libraries on the same numbers, one directly after the other, in processor seconds; a line gives the
medians and the median of the rounds' ratios (PyTorch's time / luge's time, so that more than 1 is faster than PyTorch). The
gradient of the result is given, so that nothing but the layer and the way back through it is timed.
"""

import argparse
import os
import re
import statistics
import time

os.environ["LUGE_NUM_THREADS"] = "1"

import luge  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from measure import commit, cpu_model, readable  # noqa: E402


def cases():
    """(what, call of a library's functional module, shapes of what gets gradients)"""
    images, tokens, channels = (64, 32, 28, 28), (4096, 768), (32,)
    return [
        ("layer_norm (4096, 768)", lambda f, x, w, b: f.layer_norm(x, (768,), w, b), [tokens, (768,), (768,)]),
        ("layer_norm (256, 768)", lambda f, x, w, b: f.layer_norm(x, (768,), w, b), [(256, 768), (768,), (768,)]),
        ("layer_norm (64, 128)", lambda f, x, w, b: f.layer_norm(x, (128,), w, b), [(64, 128), (128,), (128,)]),
        ("rms_norm (4096, 768)", lambda f, x, w: f.rms_norm(x, (768,), w), [tokens, (768,)]),
        ("group_norm 8", lambda f, x, w, b: f.group_norm(x, 8, w, b), [images, channels, channels]),
        ("instance_norm", lambda f, x: f.instance_norm(x), [images]),
        ("batch_norm", lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True), [images, channels, channels]),
        ("softmax (4096, 768)", lambda f, x: f.softmax(x, -1), [tokens]),
        ("gelu (4096, 768)", lambda f, x: f.gelu(x), [tokens]),
        ("max_pool2d 2", lambda f, x: f.max_pool2d(x, 2), [images]),
        ("max_pool2d 3, stride 2, padding 1", lambda f, x: f.max_pool2d(x, 3, 2, 1), [images]),
        ("max_pool2d 5, stride 1", lambda f, x: f.max_pool2d(x, 5, 1), [images]),
        ("avg_pool2d 2", lambda f, x: f.avg_pool2d(x, 2), [images]),
        ("avg_pool2d 3, stride 2, padding 1", lambda f, x: f.avg_pool2d(x, 3, 2, 1), [images]),
        ("adaptive_avg_pool2d 1", lambda f, x: f.adaptive_avg_pool2d(x, 1), [images]),
        ("adaptive_avg_pool2d 7", lambda f, x: f.adaptive_avg_pool2d(x, 7), [images]),
        ("adaptive_avg_pool2d 5", lambda f, x: f.adaptive_avg_pool2d(x, 5), [images]),
    ]


def seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--filter", default="", help="only cases that match this regular expression")
    parser.add_argument("--plan", action="store_true", help="show luge's captured steps, too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{cpu_model()}, PyTorch {torch.__version__}, luge {commit()}, one thread\n")
    print(f"{'':36}{'luge':>10}{'PyTorch':>10}{'ratio':>8}{'eager':>10}")
    random = numpy.random.default_rng(0)
    for what, call, shapes in cases():
        if not re.search(arguments.filter, what):
            continue
        arrays = [random.normal(size=shape).astype(numpy.float32) for shape in shapes]
        ours = [luge.tensor(array).requires_grad_() for array in arrays]
        theirs = [torch.from_numpy(array).requires_grad_() for array in arrays]
        shape = call(torch.nn.functional, *theirs).shape
        gradient = random.normal(size=tuple(shape)).astype(numpy.float32)
        our_gradient, their_gradient = luge.tensor(gradient), torch.from_numpy(gradient)

        def our_pass():
            y = call(luge.nn.functional, *ours)
            return y, *luge.autograd.grad(y, ours, our_gradient)

        def their_pass():
            y = call(torch.nn.functional, *theirs)
            return y, torch.autograd.grad(y, theirs, their_gradient)

        step = luge.capture(our_pass)
        for _ in range(3):
            step(), their_pass(), our_pass()
        rounds = [(seconds(step), seconds(their_pass), seconds(our_pass)) for _ in range(arguments.rounds)]
        ratio = statistics.median(their / own for own, their, _ in rounds)
        own, their, eager = (statistics.median(column) for column in zip(*rounds))
        print(f"{what:36}{readable(own):>10}{readable(their):>10}{ratio:7.2f}x{readable(eager):>10}", flush=True)
        if arguments.plan:
            print(step.plan())


if __name__ == "__main__":
    main()
