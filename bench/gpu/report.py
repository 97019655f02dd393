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
BUDGET = ROOT / "bench/gpu/budget/bars.json"
DOCUMENT = ROOT / "docs/gpu-verification.md"
KERNEL = re.compile(r"__global__ void\s+(?:__launch_bounds__\([^()]*\)\s+)?(\w+)\(")


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
    """As it was given, or as git knows it, which a machine with binaries need not have."""
    if given := os.environ.get("LUGE_COMMIT"):
        return given
    try:
        run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return run.stdout.strip() or "unknown"


def suite_of(step):
    """ "test_capture" of "test_capture_2", one of its shards."""
    return re.sub(r"_\d+$", "", step)


def run_by_suite(summary):
    """How many tests of each suite ran, in all of its shards."""
    counts = {}
    for name, tests in summary["tests"].items():
        counts[suite_of(name)] = counts.get(suite_of(name), 0) + tests["run"]
    return counts


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
    for name in summary["tests"]:
        if run_by_suite(summary)[suite_of(name)] == 0 and name in summary["steps"]:
            summary["steps"][name]["result"] = "no test ran"
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


def predictions():
    """(case, way) -> seconds of an H200, as the kernels' machine code lets expect (docs/gpu-budget.md)."""
    bars = (read_json(BUDGET) or {}).get("sm_90", {}).values()
    return {tuple(bar["measured"]): bar["predicted"] for bar in bars if bar.get("measured") and bar["predicted"]}


def copy_rate(rows):
    """Bytes a second of the fastest copy: luge's own kernel or the driver's."""
    return max((row["bytes_per_second"] for row in rows
                if row.get("case") in ("ceiling/copy", "ceiling/memcpy") and "bytes_per_second" in row), default=0)


def print_measured(rows, on_gpu=True):
    cases = {}
    for row in rows:
        if "seconds" in row:
            cases.setdefault(row["case"], []).append(row)
    fastest_copy, predicted = copy_rate(rows), predictions() if on_gpu else {}
    print(f"\n  {'microseconds, fastest way of each':44s}{'luge':>12s}{'of copy':>9s}{'predicted':>11s}{'torch':>12s}{'jax':>12s}"
          f"{'torch/luge':>11s}{'error':>9s}{'torch':>9s}")
    for case, found in cases.items():
        fastest = {}
        for row in sorted(found, key=lambda row: row["seconds"]):
            fastest.setdefault(row["library"], row)
        luge, torch, jax = (fastest.get(name) for name in ("luge", "torch", "jax"))
        rate = luge.get("bytes_per_second") if luge else None
        share = f"{rate / fastest_copy:.0%}" if rate and fastest_copy else "-"
        expected = predicted.get((case, luge["way"])) if luge else None
        ratio = f"{torch['seconds'] / luge['seconds']:.2f}" if luge and torch else "-"
        print(f"  {case:44s}{microseconds(luge):>12s}{share:>9s}{f'{expected * 1e6:,.4g}' if expected else '-':>11s}"
              f"{microseconds(torch):>12s}{microseconds(jax):>12s}{ratio:>11s}{error_text(luge):>9s}{error_text(torch):>9s}")
        if len(found) > len(fastest):
            print("      " + ", ".join(f"{row['library']} {row['way']} {microseconds(row)}" for row in found))
    beside_predicted = [(row, predicted[key]) for row in rows if row.get("library") == "luge" and "seconds" in row
                        and (key := (row["case"], row["way"])) in predicted]
    if beside_predicted:
        print("\n  measured beside predicted (docs/gpu-budget.md)")
    for row, seconds in sorted(beside_predicted, key=lambda pair: pair[1] / pair[0]["seconds"]):
        print(f"  {row['case'] + ', ' + row['way']:44s}{row['seconds'] * 1e6:12,.4g}{seconds * 1e6:12,.4g}{row['seconds'] / seconds:8.2f}x")
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
        print_measured(summary["measured"], on_gpu=summary["machine"][0] != "no GPU")


def passed(summary):
    """Whether the kernels ran on hardware and every test of theirs passed there."""
    suites = summary["tests"].values()
    ran = run_by_suite(summary).values()
    return bool(suites) and all(s["failed"] == 0 for s in suites) and all(count > 0 for count in ran) and all(
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
