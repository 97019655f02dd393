"""What the comparisons share: timing a call in this process and a benchmark in a child, one thread each."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path


def time_torch(call, seconds):
    """Processor seconds of one call, over at least `seconds`."""
    call()
    count = 1
    while True:
        start = time.process_time()
        for _ in range(count):
            call()
        passed = time.process_time() - start
        if passed >= seconds:
            return passed / count
        count = max(count + 1, int(count * min(1.4 * seconds / max(passed, 1e-9), 100)))


def time_luge(program, name, seconds):
    """Processor seconds of one iteration, and the fraction of the memory's bandwidth where luge_bench reports one."""
    command = [program, f"--benchmark_filter=^{name}(/real_time)?$", "--benchmark_format=json",
               f"--benchmark_min_time={seconds}"]
    run = subprocess.run(command, env={**os.environ, "LUGE_NUM_THREADS": "1"}, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{program} failed on {name}:\n{run.stderr}")
    found = json.loads(run.stdout).get("benchmarks", []) if run.stdout.strip() else []
    if not found:
        sys.exit(f"{program} has no benchmark {name}")
    unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[found[0]["time_unit"]]
    return found[0]["cpu_time"] * unit, found[0].get("of_copy", found[0].get("of_read"))


def readable(seconds):
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def cpu_model():
    for line in subprocess.run(["lscpu"], env={**os.environ, "LC_ALL": "C"}, stdout=subprocess.PIPE, text=True,
                               check=False).stdout.splitlines():
        if line.startswith("Model name:"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def commit():
    run = subprocess.run(["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return run.stdout.strip() or "unknown"
