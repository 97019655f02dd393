#!/usr/bin/env python3
"""What bench/gpu_check.sh left, as a summary; and all summaries, as docs/gpu-verification.md.

    bench/gpu/report.py summary WORK OUT    writes OUT/summary.json from a run's own files, prints a table
    bench/gpu/report.py merge OUT IN...     one summary of several, each of some parts, as OUT/summary.json
    bench/gpu/report.py document [--check]  writes docs/gpu-verification.md from bench/results/gpu-*.json;
                                            with --check, fails if that would change it
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/gpu-verification.md"
KERNEL = re.compile(r"__global__ void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\(")


def sources():
    """kernels/cuda, and what its results depend on: file -> hash of its text."""
    files = [f for folder in ("kernels/cuda", "core/luge/math") for f in sorted((ROOT / folder).rglob("*")) if f.is_file()]
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


def read_lines(path):
    """JSON, line by line; the last line may have been cut off."""
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            pass
    return rows


def commit():
    run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return os.environ.get("LUGE_COMMIT") or run.stdout.strip() or "unknown"


def summarize(work):
    steps = [line.split("\t") for line in (work / "steps.tsv").read_text().splitlines()]
    summary = {
        "date": datetime.date.today().isoformat(), "commit": commit(),
        "machine": (work / "machine.txt").read_text().splitlines(),
        "steps": {name: {"result": result, "seconds": int(seconds)} for name, result, seconds in steps},
        "tests": {}, "kernels": sorted(kernels()), "sources": sources(), "measured": [],
    }
    for path in sorted(work.glob("test_*.json")):
        report = read_json(path)
        if report:
            cases = [case for suite in report["testsuites"] for case in suite["testsuite"]]
            skipped = sum(case.get("result") == "SKIPPED" for case in cases)
            run = sum(case.get("status") == "RUN" for case in cases) - skipped
            summary["tests"][path.stem] = {"run": run, "failed": report["failures"], "skipped": skipped}
            if run == 0 and path.stem in summary["steps"]:
                summary["steps"][path.stem]["result"] = "no test ran"
    for path in sorted(work.glob("*.jsonl")):
        summary["measured"] += read_lines(path)
    return summary


def merge(summaries):
    """One of several, each of some of the parts; the last one says where and when."""
    whole = summaries[-1] | {"steps": {}, "tests": {}, "measured": []}
    for summary in summaries:
        if summary["sources"] != whole["sources"]:
            sys.exit("the summaries are of different sources")
        for key in ("steps", "tests"):
            whole[key] |= summary[key]
        whole["measured"] += summary["measured"]
    return whole


def microseconds(row):
    return "-" if row is None else f"{row['seconds'] * 1e6:,.4g}" if row["seconds"] < 1e-2 else f"{row['seconds'] * 1e6:,.0f}"


def error_text(row):
    return f"{row['error']:.1e}" if row and "error" in row else "-"


def print_measured(rows):
    cases = {}
    for row in rows:
        if "seconds" in row:
            cases.setdefault(row["case"], []).append(row)
    copy = min((row["seconds"] for row in cases.get("ceiling/copy", [])), default=None)
    bytes_copied = max((row["bytes_per_second"] * row["seconds"] for row in cases.get("ceiling/copy", [])), default=0)
    print(f"\n  {'microseconds, fastest way of each':44s}{'luge':>12s}{'of copy':>9s}{'torch':>12s}{'jax':>12s}{'torch/luge':>11s}"
          f"{'error':>9s}{'torch':>9s}")
    for case, found in cases.items():
        fastest = {}
        for row in sorted(found, key=lambda row: row["seconds"]):
            fastest.setdefault(row["library"], row)
        luge, torch, jax = (fastest.get(name) for name in ("luge", "torch", "jax"))
        rate = luge.get("bytes_per_second") if luge else None
        share = f"{rate / (bytes_copied / copy):.0%}" if rate and copy else "-"
        ratio = f"{torch['seconds'] / luge['seconds']:.2f}" if luge and torch else "-"
        print(f"  {case:44s}{microseconds(luge):>12s}{share:>9s}{microseconds(torch):>12s}{microseconds(jax):>12s}{ratio:>11s}"
              f"{error_text(luge):>9s}{error_text(torch):>9s}")
        if len(found) > len(fastest):
            print("      " + ", ".join(f"{row['library']} {row['way']} {microseconds(row)}" for row in found))
    for row in rows:
        if "flops_per_second" in row and row["case"].startswith("ceiling"):
            print(f"  {row['library']} {row['case']}: {row['flops_per_second'] / 1e12:.1f} TFLOP/s")
        elif row.get("case", "").startswith("ceiling") and "bytes_per_second" in row:
            print(f"  {row['library']} {row['case']}: {row['bytes_per_second'] / 1e9:.0f} GB/s")
        elif "failed" in row:
            print(f"  {row['library']} {row['case']}, {row['way']} failed: {row['failed']}")
        elif "missing" in row:
            print(f"  {row['library']} was not measured: {row['missing']}")


def print_summary(summary):
    print("\n".join(summary["machine"]))
    print(f"luge {summary['commit']}, {summary['date']}\n")
    for name, step in summary["steps"].items():
        tests = summary["tests"].get(name)
        counts = f"  {tests['run']} run, {tests['failed']} failed, {tests['skipped']} skipped" if tests else ""
        print(f"  {name:22s}{step['seconds']:4d} s  {step['result']}{counts}")
    if summary["measured"]:
        print_measured(summary["measured"])


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
        "Written by `bench/gpu/report.py document` from the files `bench/results/gpu-*.json` that `bench/gpu_check.sh`",
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


def write(summary, out):
    (pathlib.Path(out) / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    print_summary(summary)
    return 0


def main(arguments):
    if arguments[:1] == ["summary"] and len(arguments) == 3:
        return write(summarize(pathlib.Path(arguments[1])), arguments[2])
    if arguments[:1] == ["merge"] and len(arguments) > 2:
        return write(merge([json.loads(pathlib.Path(name).read_text()) for name in arguments[2:]]), arguments[1])
    if arguments[:1] == ["document"] and arguments[1:] in ([], ["--check"]):
        text = document()
        if not arguments[1:]:
            DOCUMENT.write_text(text)
        elif not DOCUMENT.exists() or DOCUMENT.read_text() != text:
            print("docs/gpu-verification.md is not what bench/gpu/report.py document writes: run it")
            return 1
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
