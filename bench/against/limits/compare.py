#!/usr/bin/env python3
"""What luge is held against on a CPU: PyTorch, JAX and MLX from PyPI, the loop by hand, the matrix products alone, the copy.

    bench/against/limits/compare.py [--bench build/bench/luge_bench] [--filter REGEX] [--repetitions 5] [--seconds 0.3]
                                    [--output FILE]

All libraries take the same numbers, and after three steps must have the same loss. Each runs in a process of its own; both
sides of a row are timed in turns, and their medians are compared: processor time on one thread, the clock for two. Prints a
table and writes a JSON file. Ends with status 1 where losses differ, with 0 where a bar is missed: the machine's neighbours may
be why. A library that is not installed is left out.
"""

import argparse
import datetime
import json
import math
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from limits import inputs  # noqa: E402
from measure import commit, cpu_model, readable, time_luge  # noqa: E402

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
              "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}


BESIDE = "luge on one thread"


class Library:
    """A library in a child process that stays for all rows."""

    def __init__(self, name):
        self.name = name
        self.child = subprocess.Popen(
            [sys.executable, "-m", "limits.worker", name], cwd=Path(__file__).resolve().parents[1], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE if name != "luge" else None,
            env={**os.environ, **ONE_THREAD})
        answer = self.child.stdout.readline()
        self.version = json.loads(answer)["version"] if answer else None

    def time(self, case, arguments, threads, seconds, clock):
        """Seconds of one call by the processor's or the wall's clock, and what the first calls computed."""
        self.child.stdin.write(json.dumps(
            {"case": case, "arguments": arguments, "threads": threads, "seconds": seconds, "clock": clock}) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer:
            sys.exit(f"{self.name} failed on {case}{tuple(arguments)}")
        answer = json.loads(answer)
        return answer["seconds"], answer["value"]


class Row:
    """One line of the table: luge's case beside another one. `sense` "<=": the ratio is how much of the other's time luge
    takes; otherwise how many times faster it is. `steps`: of one call. `scale`: of the other's seconds."""

    def __init__(self, what, case, arguments, beside, sense, bar, steps=1, threads=1, scale=1.0):
        self.what, self.case, self.arguments, self.beside = what, case, arguments, beside
        self.sense, self.bar, self.steps, self.threads, self.scale = sense, bar, steps, threads, scale

    def measure(self, libraries, options):
        ours, theirs, values, clock = [], [], set(), "processor" if self.threads == 1 else "wall"
        for _ in range(options.repetitions):
            name, case, arguments = self.other()
            if name == "luge_bench":
                theirs.append(time_luge(options.bench, case, options.seconds)[0])
            else:
                seconds, value = libraries[name].time(case, arguments, 1, options.seconds, clock)
                theirs.append(seconds / self.steps)
                values.add(value)
            seconds, value = libraries["luge"].time(self.case, self.arguments, self.threads, options.seconds, clock)
            ours.append(seconds / self.steps)
            values.add(value)
        known = [value for value in values if value is not None]
        if name in ("torch", "jax", "mlx") and len(known) > 1 and not math.isclose(min(known), max(known), rel_tol=1e-4):
            sys.exit(f"{self.what}: the losses differ: {sorted(known)}")
        return ours, theirs

    def other(self):
        """Library, case and arguments of what stands beside."""
        name, *rest = self.beside
        return name, rest[0] if rest else self.case, rest[1] if len(rest) > 1 else self.arguments

    def available(self, libraries, options):
        name = self.beside[0]
        return options.bench is not None if name == "luge_bench" else name in libraries


def rows():
    table = []

    def add(what, case, arguments, beside, sense, bar, **more):
        table.append(Row(what, case, arguments, beside, sense, bar, **more))

    fits = f"{inputs.FITS} curve fits, {inputs.POINTS} points, Adam"
    add(f"{fits} / torch.compile", "curve_fit", [], ("torch",), ">=", 3)
    add(f"{fits} / JAX", "curve_fit", [], ("jax",), ">=", 10)
    demo = 10_000_000
    add("demo 1e7, gradient not kept / JAX", "demo", [demo], ("jax",), ">=", 1.8)
    add("demo 1e7, gradient not kept / JAX without the loss", "demo", [demo], ("jax", "demo", [demo, 1, False]), ">=", 1.8)
    add("demo 1e7, gradient not kept / MLX", "demo", [demo], ("mlx",), None, None)
    add("demo 1e7, gradient not kept / by hand", "demo", [demo], ("luge_bench", f"demo/by_hand/8_bytes/{demo}"), "<=", 1.1)
    add("demo, run(80), 1e6 sets, losses recorded / JAX's loop, no loss", "demo", [1_000_000, 80], ("jax",), ">=", 1, steps=80)
    add("the same without losses / JAX's loop", "demo", [1_000_000, 80, False], ("jax",), ">=", 1.5, steps=80)
    members = f"{inputs.MEMBERS} MLPs {'-'.join(map(str, inputs.WIDTHS))}, batch {inputs.BATCH}, Adam"
    add(f"{members} / torch.compile", "ensemble", [], ("torch",), ">=", 2)
    add(f"{members} / JAX", "ensemble", [], ("jax",), None, None)
    # So many times the seconds of a large SGEMM are those of as many multiplications.
    add(f"{members} / SGEMM's rate", "ensemble", [], (BESIDE, "sgemm", [1024]), "<=", 1 / 0.8,
        scale=inputs.ensemble_flops() / (2 * 1024**3))
    add(f"{inputs.REGRESSIONS} logistic regressions, {inputs.FEATURES} x {inputs.ROWS} / JAX", "regressions", [], ("jax",),
        ">=", 2)
    add(f"{inputs.REGRESSIONS} logistic regressions, {inputs.FEATURES} x {inputs.ROWS} / torch.compile", "regressions", [],
        ("torch",), None, None)
    for batch in (64, 512):
        name = f"MLP 784-256-10, batch {batch}, Adam"
        add(f"{name} / JAX", "mlp", [batch], ("jax",), ">=", 1)
        add(f"{name} / torch.compile", "mlp", [batch], ("torch",), None, None)
        add(f"{name} / its five products", "mlp", [batch], (BESIDE, "products", [batch]), "<=", 1.05)
    adam = 10_000_000
    add("Adam 1e7 / JAX", "adam", [adam], ("jax",), None, None)
    # 28 bytes a parameter at the rate of the copy, which moves 8 an element.
    add("Adam 1e7 / 28 bytes at copy's rate", "adam", [adam], (BESIDE, "copy", []), "<=", 1 / 0.95,
        scale=28 * adam / (8 * inputs.ELEMENTS))
    for name in inputs.FUNCTIONS:
        for peer in ("torch", "jax", "mlx"):
            add(f"{name}, 64 MB / {peer}", "function", [name], (peer,), None, None)
        add(f"{name}, 64 MB / copy", "function", [name], (BESIDE, "copy", []), None, None)
    shape = "x".join(map(str, inputs.MATRIX))
    for name in ("softmax", "cross_entropy"):
        for peer in ("torch", "jax", "mlx"):
            add(f"{name} {shape} / {peer}", name, [], (peer,), None, None)
        add(f"{name} {shape} / exp alone", name, [], (BESIDE, "exp_matrix", []), "<=", 1.25)
    if len(os.sched_getaffinity(0)) > 1:
        for what, case, arguments in (("curve fits", "curve_fit", []), ("demo, run(80), 1e6 sets, losses recorded", "demo", [1_000_000, 80]),
                                      ("demo, run(80), 1e6 sets", "demo", [1_000_000, 80, False]),
                                      ("MLPs", "ensemble", []), ("logistic regressions", "regressions", []),
                                      ("MLP, batch 512", "mlp", [512]), ("tanh", "function", ["tanh"]),
                                      ("softmax", "softmax", []), ("cross_entropy", "cross_entropy", [])):
            add(f"{what}: two threads / one", case, arguments, (BESIDE, case, arguments), ">=", 1.8, threads=2)
    return table


def main():
    parser = argparse.ArgumentParser(description="luge beside its peers and limits on a CPU")
    parser.add_argument("--bench", help="the built benchmark program, luge_bench, for the loops by hand")
    parser.add_argument("--filter", default="", help="only rows whose description matches this regular expression")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="least time of one measurement")
    parser.add_argument("--output", help="a JSON file for the rows")
    options = parser.parse_args()
    chosen = [row for row in rows() if re.search(options.filter, row.what)]
    wanted = {row.beside[0] for row in chosen} & {"torch", "jax", "mlx"} | {"luge"}
    libraries = {name: library for name in sorted(wanted) if (library := Library(name)).version}
    if "luge" not in libraries:
        sys.exit("luge is not installed for this Python")
    versions = {name: library.version for name, library in libraries.items()}
    now = datetime.datetime.now(datetime.timezone.utc)
    print(f"{cpu_model()}, {', '.join(f'{n} {v}' for n, v in versions.items())}, commit {commit()}, {now:%Y-%m-%d}\n")
    width = max(map(len, (row.what for row in chosen)), default=4)
    print(f"| {'captured, one thread unless said; medians':{width}} | {'luge':>9} | {'beside':>9} | ratio | bar     |")
    print(f"| {'---':{width}} | {'---:':>9} | {'---:':>9} | ----: | :------ |")
    results = []
    if any(row.beside[0] == BESIDE for row in chosen):
        libraries[BESIDE] = Library("luge")  # so that both sides keep what they have prepared
    for row in chosen:
        if not row.available(libraries, options):
            print(f"| {row.what:{width}} | {'':>9} | {'':>9} | {'':>5} | without {row.beside[0]} |")
            continue
        ours, theirs = row.measure(libraries, options)
        mine, other = statistics.median(ours), statistics.median(theirs) * row.scale
        faster = row.sense != "<="  # how many times faster, or how much of the time
        ratio = other / mine if faster else mine / other
        met = None if row.sense is None else ratio >= row.bar if faster else ratio <= row.bar
        bar = "" if row.sense is None else f"{row.sense} {row.bar:.3g}{'' if met else ' no'}"
        print(f"| {row.what:{width}} | {readable(mine):>9} | {readable(other):>9} | {ratio:5.3g} | {bar:7} |", flush=True)
        results.append({"case": row.what, "seconds": mine, "beside_seconds": other, "ratio": ratio, "bar": bar or None,
                        "met": met, "all": ours, "beside_all": theirs})
    if options.output:
        Path(options.output).write_text(json.dumps({
            "date": now.isoformat(timespec="seconds"), "cpu": cpu_model(), "gpu": None, "versions": versions,
            "commit": commit(), "repetitions": options.repetitions, "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
