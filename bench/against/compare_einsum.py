"""einsum of luge and of PyTorch on one thread: paired medians of forms and sizes that training code has.

    PYTHONPATH=build/python python bench/against/compare_einsum.py [--seconds 0.2]
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("LUGE_NUM_THREADS", "1")

import torch

import luge

FORMS = (
    ("ij,jk->ik", (256, 256), (256, 256)),
    ("ij,kj->ik", (512, 256), (128, 256)),
    ("bij,bjk->bik", (64, 32, 64), (64, 64, 32)),
    ("i,j->ij", (2048,), (2048,)),
    ("bi,bj->bij", (256, 64), (256, 64)),
    ("bij->b", (256, 64, 64)),
    ("bij,bij->b", (256, 32, 32), (256, 32, 32)),
    ("ii->i", (1024, 1024)),
    ("bhqd,bhkd->bhqk", (4, 8, 128, 64), (4, 8, 128, 64)),
    ("bhqk,bhkd->bqhd", (4, 8, 128, 128), (4, 8, 128, 64)),
    ("bqhd,bkhd->bhqk", (4, 128, 8, 64), (4, 128, 8, 64)),
    ("bti,oi->bto", (16, 128, 256), (256, 256)),
    ("bn,anm,bm->ba", (128, 32), (16, 32, 32), (128, 32)),
    ("ij,jk,kl->il", (128, 128), (128, 128), (128, 128)),
)


def timed(call, count):
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def compared(equation, shapes, seconds):
    """Median seconds of both and of their ratio, from pairs measured one after the other."""
    theirs = [torch.randn(shape) for shape in shapes]
    ours = [luge.from_dlpack(x) for x in theirs]
    calls = (lambda: luge.einsum(equation, *ours), lambda: torch.einsum(equation, *theirs))
    wrong = (torch.from_dlpack(calls[0]()) - calls[1]()).abs().max() / calls[1]().abs().max()
    assert wrong < 1e-5, (equation, wrong)
    count = max(1, int(seconds / 20 / max(timed(calls[1], 3), 1e-7)))
    pairs = [(timed(calls[0], count), timed(calls[1], count)) for _ in range(11)]
    return (*map(statistics.median, zip(*pairs)), statistics.median(torch_s / luge_s for luge_s, torch_s in pairs))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.2)
    seconds = parser.parse_args().seconds
    torch.set_num_threads(1)
    luge.set_num_threads(1)
    print(f"luge {luge.__version__}, PyTorch {torch.__version__}, one thread\n| form | luge | PyTorch | times as fast |\n| --- | --- | --- | --- |")
    for equation, *shapes in FORMS:
        ours, theirs, ratio = compared(equation, shapes, seconds)
        print(f"| `{equation}` | {ours * 1e6:.1f} us | {theirs * 1e6:.1f} us | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
