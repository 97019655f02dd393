"""What the comparisons share: timing a call in this process and a benchmark in a child, one thread each, and the
file with the results."""

import argparse
import datetime
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


def compare_and_write(description, name, torch, compare):
    """Parses the command line, prints compare(arguments)'s table and writes its rows to results/NAME-DATE.json."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bench", required=True, help="the built benchmark program, luge_bench")
    parser.add_argument("--filter", default="", help="only cases whose description matches this regular expression")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="least time of one measurement")
    parser.add_argument("--output", help=f"JSON file; default: results/{name}-DATE.json beside this script")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    now = datetime.datetime.now(datetime.timezone.utc)
    print(f"{cpu_model()}, PyTorch {torch.__version__}, luge {commit()}, {now:%Y-%m-%d}\n")
    rows = compare(arguments)
    output = Path(arguments.output or Path(__file__).parents[1] / "results" / f"{name}-{now:%Y-%m-%d}.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({
        "date": now.isoformat(timespec="seconds"), "cpu": cpu_model(), "threads": 1, "gpu": None,
        "repetitions": arguments.repetitions,
        "versions": {"luge": commit(), "torch": torch.__version__, "python": platform.python_version()},
        "glibc_tunables": os.environ.get("GLIBC_TUNABLES", ""), "cases": rows}, indent=1) + "\n")
    print(f"\nwritten to {output}")
