#!/usr/bin/env python3
"""A budget for each hot kernel, read from its machine code.

    budget.py check BUILD      counts, and fails where a kernel is worse than its bar
    budget.py update BUILD     counts, tightens the bars, writes docs/gpu-budget.md
    budget.py document         writes docs/gpu-budget.md from the bars, without machine code; with --check fails if it would change

BUILD is a build folder with CUDA, whose library and luge_budget_kernels are built.
--arch sm_90                   the architecture: sm_90 or sm_100
--accept NAME --because TEXT   update only: this kernel's bar, or with "clip: *" the bars of several, becomes what was counted, for this reason
Exit code 77: there is no cuobjdump, no NVRTC for what is compiled at run time, or no code for the architecture.
"""

import argparse
import fnmatch
import json
import pathlib
import re
import shutil
import subprocess
import sys

import model
import report
import sass
import table

SKIPPED = 77
# Counts are of one compiler; another release of it counts as equal with this much more.
SLACK = {"same": 1.001, "other": 1.10}


def generate(build, architecture):
    """Compiles the generated kernels. None, or why they are not there."""
    program = build / "bench/luge_budget_kernels"
    if not program.exists():
        return f"{program} is not there: build the target luge_budget_kernels"
    folder = table.generated(build, architecture)
    shutil.rmtree(folder, ignore_errors=True)
    finished = subprocess.run([program, folder, architecture], capture_output=True, text=True)
    return None if finished.returncode == 0 else (finished.stdout + finished.stderr).strip()


def compilers(build, architecture):
    """ "nvcc 13.0.88, NVRTC 13.0": of a build folder."""
    found = list((build / "CMakeFiles").glob("*/CMakeCUDACompiler.cmake"))
    version = re.search(r'CMAKE_CUDA_COMPILER_VERSION "([\d.]+)"', found[0].read_text())[1] if found else "unknown"
    nvrtc = table.generated(build, architecture) / "nvrtc.txt"
    return f"nvcc {version}" + (f", NVRTC {nvrtc.read_text().strip()}" if nvrtc.exists() else "")


def as_bar(kernel, counts, gpu):
    seconds, limit = model.predict(counts, kernel.elements, kernel.bytes, gpu) if kernel.elements else (0, "")
    return {
        "registers": counts.registers, "stack": counts.stack, "local": counts.local, "threads": counts.threads,
        "in_flight": counts.in_flight, "instructions": [round(row.instructions, 3) for row in counts.rows],
        "waves": round(counts.waves, 4), "waste": round(model.waste(counts.waves), 4),
        "predicted": float(f"{seconds:.4g}"), "limit": limit, "measured": kernel.measured,
    }


def worse(bar, now, slack):
    """In which ways a kernel is worse than its bar."""
    ways = []
    if now["threads"] < bar["threads"]:
        ways.append(f"{now['registers']} registers, {bar['registers']} before: {now['threads']} threads an SM instead of {bar['threads']}")
    for what in ("stack", "local"):
        if now[what] > bar[what]:
            ways.append(f"{what} {now[what]}, {bar[what]} before")
    if now["in_flight"] * slack < bar["in_flight"]:
        ways.append(f"{now['in_flight'] / 1024:.1f} KB under way in an SM, {bar['in_flight'] / 1024:.1f} before")
    if sum(now["instructions"]) > sum(bar["instructions"]) * slack:
        ways.append(f"{sum(now['instructions']):.4g} instructions an element, {sum(bar['instructions']):.4g} before")
    if now["waste"] > bar["waste"] * slack:
        ways.append(f"{now['waste']:.3g} waves for the work of one, {bar['waste']:.3g} before")
    return ways


def has_code(tools, folder, architecture):
    """Whether the objects of a folder have code for an architecture."""
    one = next(folder.glob("**/copy.cu.o"), None)
    return one is not None and bool(sass.names_in(tools, one, architecture))


def count_all(code, kernels, grids, generated_missing):
    """Kernel -> bar as it is now; problems, one line each; kernels that were not generated."""
    bars, problems, skipped = {}, [], []
    for kernel in kernels:
        if kernel.source.startswith("generated/") and generated_missing:
            skipped.append(kernel.name)
            continue
        try:
            counts = table.measure(code, kernel, grids)
            bars[kernel.name] = as_bar(kernel, counts, code.gpu)
        except (LookupError, RuntimeError) as error:
            problems.append(f"{kernel.name}: {error}")
    return bars, problems, skipped


def check(bars, now, kernels, slack):
    problems = []
    for kernel in kernels:
        if kernel.name not in now:
            continue
        if kernel.name not in bars:
            problems.append(f"{kernel.name} has no bar yet: make gpu-budget")
            continue
        problems += [f"{kernel.name}: {way}" for way in worse(bars[kernel.name], now[kernel.name], slack)]
    return problems


def better(bars, now):
    """Kernels that have become better than their bar."""
    return [name for name, bar in now.items() if name in bars and not worse(bars[name], bar, 1.0) and worse(bar, bars[name], 1.0)]


def print_counts(now):
    for name, bar in now.items():
        instructions = " + ".join(f"{x:.3g}" for x in bar["instructions"])
        print(f"  {name:42s}{bar['registers']:4d} registers{bar['stack']:5d} stack{bar['threads']:6d} threads{bar['in_flight'] / 1024:6.0f} KB"
              f"  {instructions} instructions, {bar['waves']:.2g} waves, {bar['predicted'] * 1e6:.4g} us by {bar['limit'] or 'nothing'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["check", "update", "document"])
    parser.add_argument("build", nargs="?", type=pathlib.Path)
    parser.add_argument("--arch", default="sm_90", choices=list(model.GPUS))
    parser.add_argument("--tools", default=[], action="append")
    parser.add_argument("--accept", default=[], action="append")
    parser.add_argument("--because", default="")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    kernels, grids = table.load()
    bars = table.load_bars()
    if arguments.command == "document":
        text = report.write(kernels, bars)
        if arguments.check and (not report.DOCUMENT.exists() or report.DOCUMENT.read_text() != text):
            print("docs/gpu-budget.md is not what bench/gpu/budget/budget.py document writes: run it")
            return 1
        if not arguments.check:
            report.DOCUMENT.write_text(text)
        return 0

    build = arguments.build
    if build is None:
        parser.error("BUILD is missing")
    tools = sass.find_tools([*arguments.tools, *build.glob("budget/venv/lib/python*/site-packages/nvidia/cu*/bin")])
    if not tools:
        print("gpu budget: skipped, there is no cuobjdump: neither the toolkit's nor that of bench/gpu/budget/tools.sh")
        return SKIPPED
    # The library has its code, or the target luge_budget_sm_100, which is not there where nvcc does not know the architecture.
    folders = [table.compiled_alone(build, arguments.arch), build / "CMakeFiles/luge.dir"]
    if not any(has_code(tools, folder, arguments.arch) for folder in folders):
        print(f"gpu budget: skipped, nothing in {build} is compiled for {arguments.arch}: nvcc 12.8 knows sm_100")
        return SKIPPED
    missing = generate(build, arguments.arch)
    now, problems, skipped = count_all(table.Code(tools, build, arguments.arch), kernels, grids, missing)
    problems += table.stale_grids(grids)
    own = bars.get(arguments.arch, {})
    versions = compilers(build, arguments.arch)
    print(f"gpu budget of {arguments.arch}, {versions}:")
    print_counts(now)
    if skipped:
        print(f"not counted: {', '.join(skipped)}: {missing}")
    same = bars.get("compilers") == versions
    if arguments.command == "update":
        return update(arguments, kernels, bars, own, now, problems, versions, bool(skipped))

    if not same:
        print(f"bars are of {bars.get('compilers')}: {SLACK['other'] - 1:.0%} more is allowed")
    if arguments.arch in bars:
        problems += check(own, now, kernels, SLACK["same" if same else "other"])
        for name in better(own, now):
            print(f"better than its bar: {name}; make gpu-budget tightens it")
    for problem in problems:
        print(f"FAILED {problem}")
    if problems:
        return 1
    return SKIPPED if skipped and "skipped" in missing else 1 if skipped else 0


def update(arguments, kernels, bars, own, now, problems, versions, partial):
    """Tightens the bars, or says which kernels have become worse."""
    unknown = [pattern for pattern in arguments.accept if not fnmatch.filter(now, pattern)]
    if unknown or arguments.accept and not arguments.because:
        print(f"--accept: there is no kernel {unknown[0]}" if unknown else "--accept needs --because: why is it worse?")
        return 2
    merged = {}
    for kernel in kernels:
        bar, found = own.get(kernel.name), now.get(kernel.name)
        if found is None:
            if bar and kernel.source.startswith("generated/") and partial:
                merged[kernel.name] = bar
            continue
        ways = worse(bar, found, SLACK["same"]) if bar else []
        if ways and not any(fnmatch.fnmatchcase(kernel.name, pattern) for pattern in arguments.accept):
            problems += [f"{kernel.name}: {way}" for way in ways]
            merged[kernel.name] = bar
            continue
        accepted = [*(bar or {}).get("accepted", []), *([f"{'; '.join(ways)}: {arguments.because}"] if ways else [])]
        merged[kernel.name] = found | ({"accepted": accepted} if accepted else {})
    bars = bars | {"compilers": versions, arguments.arch: merged}
    table.BARS.write_text(json.dumps(bars, indent=1) + "\n")
    report.DOCUMENT.write_text(report.write(kernels, bars))
    for problem in problems:
        print(f"FAILED {problem}")
    if problems:
        print('what is worse keeps its bar; to accept it: make gpu-budget ACCEPT="NAME" BECAUSE="..."')
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
