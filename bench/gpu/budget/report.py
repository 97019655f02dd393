"""docs/gpu-budget.md, from what machine code says (bars.json) and what a GPU has measured (bench/results/gpu-*.json)."""

import json

import model
import table

DOCUMENT = table.ROOT / "docs/gpu-budget.md"

HEAD = """# What the GPU kernels cost, read from their machine code

Written by `make gpu-budget` (bench/gpu/budget); never by hand. **Nothing here ran on a GPU**: registers, instructions and loads
are counted in the machine code that nvcc and NVRTC make for {architecture}; times are predicted from them for an H200. The columns
of what was measured fill when `bench/gpu_check.sh` has run on one. How the figures come about is [below](#how-it-is-counted).

`make test-cuda-build` counts anew, and fails where a kernel is worse than this table: more registers than its resident threads
allow, a larger stack, more accesses to local memory, fewer bytes under way, more instructions for an element, more waste by
waves. Bars only tighten; one is loosened by `make gpu-budget ACCEPT="NAME" BECAUSE="..."`, and the reason stands here.
"""

COUNTING = """
## How it is counted

- **Fast path**: of all ways through a loop that move whole elements (as many bytes loaded and stored as the operation needs, and
  with the instructions that it cannot do without, an exponential for instance), the one with the fewest instructions for each.
  So the count is a lower bound. A kernel with two passes over its elements has two such loops.
- **KB under way**: a load opens one of six barriers, and an instruction names those it waits for (bits 110 to 121 of its 128).
  Followed along the path, that gives the most bytes a thread has asked for and not waited for; times the resident threads.
  {enough:.0f} KB in an SM reach the bandwidth of an H200, by CUB's tuning for it.
- **Waves**: blocks that the host starts, over those that are resident. **Waste**: whole waves over waves.
- **Stack** and **local**: bytes of stack, and instructions that access a thread's local memory. Both should be 0.
- **Predicted**: the longest of memory traffic at {copy:.1f} TB/s joined with the time that loads under way allow, of
  instructions at {issue:.1f}e12 a second (each of a lane), and of units that are scarce (float64, conversions, MUFU); a launch
  ({start:.0f} µs) and what one block does alone at the end are added. **Limit** names what it is. Two works of memory that are
  equally long take 1.19 times as long as one. The latencies ({memory:.1f} µs to memory, {l2:.2f} µs to L2) are estimates.
- **Share**: of {copy:.1f} TB/s, by the bytes that the operation has to move.

`bench/gpu/budget/show.py FILE` counts any object or cubin; `kernels.toml` beside it lists what is counted.
"""


def seconds_text(seconds):
    return "" if not seconds else f"{seconds * 1e6:,.0f}" if seconds >= 1e-4 else f"{seconds * 1e6:.1f}"


def measured_rows():
    """(case, way) -> row, of the last run on a GPU that has it."""
    rows = {}
    for path in sorted((table.ROOT / "bench/results").glob("gpu-*.json")):
        for row in json.loads(path.read_text()).get("measured", []):
            if row.get("library") == "luge" and "seconds" in row:
                rows[row["case"], row.get("way", "eager")] = row
    return rows


def share(kernel, seconds):
    return f"{kernel.elements * kernel.bytes / model.COPY / seconds:.0%}" if seconds and kernel.bytes else ""


def line(kernel, bar, measured):
    row = measured.get(tuple(kernel.measured))
    predicted, ran = bar["predicted"], row["seconds"] if row else 0
    cells = [
        kernel.name, bar["registers"], bar["stack"] or "", bar["local"] or "", bar["threads"],
        f"{bar['in_flight'] / 1024:.0f}" if bar["in_flight"] else "", " + ".join(f"{x:.3g}" for x in bar["instructions"]),
        f"{bar['waves']:.2g}" if bar["waves"] else "", f"{kernel.bytes:g}" if kernel.bytes else "",
        seconds_text(kernel.elements * kernel.bytes / model.COPY), seconds_text(predicted), bar["limit"], share(kernel, predicted),
        seconds_text(ran), share(kernel, ran),
    ]
    return "|" + "|".join(f" {cell} " if cell != "" else " " for cell in cells) + "|"


def write(kernels, bars, architecture):
    found, measured = bars[architecture], measured_rows()
    lines = [HEAD.format(architecture=architecture)]
    lines += [
        f"Compiled by {bars['compilers']}.", "",
        "| kernel | registers | stack | local | threads an SM | KB under way | instructions an element | waves | bytes an element | "
        "floor µs | predicted µs | limit | share | measured µs | share |",
        "| --- |" + " ---: |" * 10 + " --- |" + " ---: |" * 3,
    ]
    lines += [line(kernel, found[kernel.name], measured) for kernel in kernels if kernel.name in found]
    lines += ["", "Not run on a GPU: the last two columns are empty." if not measured else "", "", "## What misses, and why", ""]
    for kernel in kernels:
        bar = found.get(kernel.name)
        faults = shortcomings(kernel, bar) if bar else []
        if faults:
            lines.append(f"- **{kernel.name}**: {', '.join(faults)}" + (f": {kernel.reason}" if kernel.reason else "") +
                         "".join(f" (accepted: {reason})" for reason in bar.get("accepted", [])))
    lines.append(COUNTING.format(enough=model.ENOUGH / 1024, copy=model.COPY / 1e12, issue=model.ISSUE / 1e12, start=model.START * 1e6,
                                 memory=model.LATENCY["memory"] * 1e6, l2=model.LATENCY["L2"] * 1e6))
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def shortcomings(kernel, bar):
    """What the issue's bar asks for, and this kernel has not."""
    faults = []
    if bar["stack"] or bar["local"]:
        faults.append(f"{bar['stack']} bytes of stack, {bar['local']} accesses to local memory")
    if bar["in_flight"] and bar["in_flight"] < model.ENOUGH and kernel.bytes:
        faults.append(f"{bar['in_flight'] / 1024:.0f} KB under way")
    if bar["predicted"] and kernel.bytes and kernel.elements * kernel.bytes / model.COPY / bar["predicted"] < 0.9:
        faults.append(f"{share(kernel, bar['predicted'])} of bandwidth, by its {bar['limit']}")
    if bar["waste"] > 1.2:
        faults.append(f"{bar['waste']:.2f} waves for the work of one")
    return faults
