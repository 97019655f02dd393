#!/usr/bin/env python3
"""What bench/gpu_check.sh left, as a summary; and all summaries, as docs/gpu-verification.md.

    bench/gpu_report.py summary OUT         writes OUT/summary.json, prints a table
    bench/gpu_report.py document [--check]  writes docs/gpu-verification.md from bench/results/gpu-*.json;
                                            with --check, fails if that would change it
"""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs/gpu-verification.md"
KERNEL = re.compile(r"__global__ void\s+(?:__launch_bounds__\(\w+\)\s+)?(\w+)\(")


def sources():
    """kernels/cuda, and what its results depend on: file -> hash of its text."""
    files = [f for folder in ("cuda", "math") for f in sorted((ROOT / "kernels" / folder).rglob("*")) if f.is_file()]
    return {str(f.relative_to(ROOT)): hashlib.sha256(f.read_bytes()).hexdigest()[:16] for f in files}


def kernels():
    """Kernel -> the file it is in."""
    found = {}
    for file in sorted((ROOT / "kernels/cuda").glob("*.cu*")):
        for name in KERNEL.findall(file.read_text()):
            found[name] = str(file.relative_to(ROOT))
    return found


def read_json(path):
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return None


def summarize(out):
    steps = [line.split("\t") for line in (out / "steps.tsv").read_text().splitlines()]
    summary = {
        "date": datetime.date.today().isoformat(),
        "commit": subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True,
                                 text=True).stdout.strip() or "unknown",
        "machine": (out / "machine.txt").read_text().splitlines(),
        "steps": {name: {"result": "ok" if code == "0" else code if code == "skipped" else f"exit code {code}",
                         "seconds": int(seconds)} for name, code, seconds in steps},
        "tests": {}, "kernels": sorted(kernels()), "sources": sources(),
    }
    for path in sorted(out.glob("test_*.json")):
        report = read_json(path)
        if report:
            cases = [case for suite in report["testsuites"] for case in suite["testsuite"]]
            skipped = sum(case.get("result") == "SKIPPED" for case in cases)
            summary["tests"][path.stem] = {"run": len(cases) - skipped, "failed": report["failures"], "skipped": skipped}
    for name in ("bench", "torch", "jax"):
        summary[name] = read_json(out / f"{name}.json")
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def print_summary(summary):
    print("\n" + "\n".join(summary["machine"]))
    print(f"luge {summary['commit']}, {summary['date']}\n")
    for name, step in summary["steps"].items():
        tests = summary["tests"].get(name)
        counts = f"  {tests['run']} run, {tests['failed']} failed, {tests['skipped']} skipped" if tests else ""
        print(f"  {name:20s} {step['result']:14s} {step['seconds']:4d} s{counts}")
    columns = {}
    for name in ("bench", "torch", "jax"):
        result = summary[name] or {}
        for kind, size in (("demo_step", "sets"), ("training_step", "models")):
            for row in result.get(kind, []):
                cells = columns.setdefault((kind, row[size]), {})
                if name == "bench":
                    cells["luge eager"] = row["eager_seconds_per_step"]
                    if "captured_seconds_per_step" in row:
                        cells["luge captured"] = row["captured_seconds_per_step"]
                elif "seconds_per_step" in row:
                    cells[f"{name} {row['way']}"] = row["seconds_per_step"]
    names = sorted({name for row in columns.values() for name in row}, key=lambda n: (not n.startswith("luge"), n))
    if names:
        print("\n  " + f"{'microseconds per step':28s}" + "".join(f"{name:>16s}" for name in names))
    for (kind, size), row in sorted(columns.items()):
        if len(row) > 1 or kind == "demo_step":
            cells = "".join(f"{row[name] * 1e6:16.2f}" if name in row else f"{'-':>16s}" for name in names)
            print(f"  {kind + ', ' + format(size, ','):28s}{cells}")
    if summary["bench"]:
        print(f"\n  copy bandwidth {summary['bench']['copy_bandwidth'] / 1e9:.0f} GB/s")


def passed(summary):
    """Whether the kernels ran on hardware and every test of theirs passed there."""
    suites = summary["tests"].values()
    return bool(suites) and all(s["failed"] == 0 and s["run"] > 0 for s in suites) and all(
        step["result"] == "ok" for name, step in summary["steps"].items() if name.startswith("test_"))


def document():
    runs = [(path.name, read_json(path)) for path in sorted((ROOT / "bench/results").glob("gpu-*.json"))]
    runs = [(name, run) for name, run in runs if run and passed(run)]
    now = sources()
    lines = [
        "# Where the CUDA kernels last ran on a GPU", "",
        "Written by `bench/gpu_report.py document` from the files `bench/results/gpu-*.json` that `bench/gpu_check.sh`",
        "leaves on a machine with a GPU; never by hand. A kernel counts as run where all tests of its commit passed on",
        "the device. On every push all of them run on the host instead: [testing.md](testing.md).", "",
        "| kernel | file | last run | on | changed since |", "| --- | --- | --- | --- | --- |",
    ]
    for kernel, file in sorted(kernels().items()):
        run = next((run for _, run in reversed(runs) if kernel in run["kernels"]), None)
        if run:
            changed = "yes" if run["sources"].get(file) != now[file] else "no"
            lines.append(f"| {kernel} | {file} | {run['date']}, {run['commit']} | {run['machine'][0]} | {changed} |")
        else:
            lines.append(f"| {kernel} | {file} | never | | |")
    return "\n".join(lines) + "\n"


def main(arguments):
    if arguments[:1] == ["summary"] and len(arguments) == 2:
        print_summary(summarize(pathlib.Path(arguments[1])))
        return 0
    if arguments[:1] == ["document"] and arguments[1:] in ([], ["--check"]):
        text = document()
        if not arguments[1:]:
            DOCUMENT.write_text(text)
        elif not DOCUMENT.exists() or DOCUMENT.read_text() != text:
            print("docs/gpu-verification.md is not what bench/gpu_report.py document writes: run it")
            return 1
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
