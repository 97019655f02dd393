#!/usr/bin/env python3
"""What luge_device_bench measures, in PyTorch or JAX on the same machine, under the same names.

    bench/against/compare_gpu.py torch|jax OUTPUT.jsonl [--groups a,b,...] [--device cuda|cpu] [--small] [--seconds S]

Medians of groups of steps, a synchronisation after each group, nothing read in between; random data; errors against
float64. Every case is a line, written as soon as it is known, a case that fails too. Where the library is not installed
or has no such device, the only line says so, and the exit code is 77.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time

GROUPS = 9
SHORTEST = 2e-3  # seconds of a group; less would measure the clock and the waiting


class Session:
    """As bench/gpu/session.h: sizes, timing, a line of JSON for each case."""

    def __init__(self, library, options, output):
        self.library, self.small, self.seconds, self.output = library, options.small, options.seconds, output

    def size(self, real, small):
        return small if self.small else real

    def write(self, row):
        self.output.write(json.dumps(row) + "\n")
        self.output.flush()

    def time_groups(self, step, wait):
        def run(count):
            begin = time.perf_counter()
            for _ in range(count):
                step()
            wait()
            return (time.perf_counter() - begin) / count

        for _ in range(2):  # compilation, memory
            run(1)
        begin = time.perf_counter()
        once = run(1)
        while time.perf_counter() - begin < self.seconds / 2:  # a GPU that waited has slow clocks
            once = run(1)
        count = 2
        while once * count < SHORTEST:
            once, count = run(count), 2 * count
        count = max(1, math.ceil(max(self.seconds / GROUPS, SHORTEST) / max(once, 1e-9)))
        groups, begin = [], time.perf_counter()
        while len(groups) < GROUPS and (not groups or time.perf_counter() - begin < 2 * self.seconds):
            groups.append(run(count))
        return sorted(groups)

    def measure(self, name, prepare, wait, way="eager", bytes=0, flops=0, steps=1):
        """prepare() gives the function that queues a step (or `steps` of them), and one that gives its error, or None."""
        row = {"library": self.library, "case": name, "way": way}
        try:
            step, error = prepare()
            if error is not None:
                row["error"] = error()
                if not math.isfinite(row["error"]):
                    del row["error"]
                    row["failed"] = "the error against float64 is not finite"
            groups = [seconds / steps for seconds in self.time_groups(step, wait)]
            row.update(seconds=statistics.median(groups), fastest=groups[0], slowest=groups[-1])
            if bytes:
                row["bytes_per_second"] = bytes / row["seconds"]
            if flops:
                row["flops_per_second"] = flops / row["seconds"]
        except Exception as error:  # one case that fails is a line, not the end
            row["failed"] = f"{type(error).__name__}: {error}"[:300]
        self.write(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", choices=["torch", "jax"])
    parser.add_argument("output")
    parser.add_argument("--groups", default="", help="separated by commas; all by default")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--seconds", type=float, default=0.2, help="for one case")
    parser.add_argument("--small", action="store_true", help="sizes for a rehearsal")
    options = parser.parse_args()
    # JAX takes most of the GPU's memory at once otherwise.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with open(options.output, "w") as output:
        session = Session(options.library, options, output)
        try:
            if options.library == "torch":
                from torch_cases import groups
            else:
                from jax_cases import groups
            version, known = groups(session, options.device)
        except Exception as error:  # not installed, or without this device
            session.write({"library": options.library, "missing": f"{type(error).__name__}: {error}"[:300]})
            print(f"{options.library}: {error}")
            return 77  # skipped
        session.write({"library": options.library, "version": version})
        wanted = options.groups.split(",") if options.groups else list(known)
        for name in wanted:
            if name in known:
                known[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
