"""docs/gpu-budget.md, from what machine code says (bars.json) and what a GPU has measured (bench/results/gpu-*.json)."""

import json

import model
import table

DOCUMENT = table.ROOT / "docs/gpu-budget.md"

HEAD = """# What the GPU kernels cost, read from their machine code

Written by `make gpu-budget` (bench/gpu/budget); never by hand. **Nothing here ran on a GPU**: registers, instructions and loads
are counted in the machine code that nvcc and NVRTC make for {architectures}; times are predicted from them for {gpus}. The columns
of what was measured fill when `bench/gpu_check.sh` has run on one. How the figures come about is [below](#how-it-is-counted).

`make test-cuda-build` counts anew, and fails where a kernel is worse than this table: more registers than its resident threads
allow, a larger stack, more accesses to local memory, fewer bytes under way, more instructions for an element, more waste by
waves. Bars only tighten; one is loosened by `make gpu-budget ACCEPT="NAME" BECAUSE="..."`, and the reason stands here.

Compiled by {compilers}.
"""

COUNTING = """
## How it is counted

- **Fast path**: of all ways through a loop that move whole elements (as many bytes loaded and stored as the operation needs, and
  with the instructions that it cannot do without, an exponential for instance), the one with the fewest instructions for each.
  So the count is a lower bound. A kernel with two passes over its elements has two such loops.
- **KB under way**: a load opens one of six barriers, and an instruction names those it waits for (bits 110 to 121 of its 128, for
  both architectures). Followed along the path, that gives the most bytes a thread has asked for and not waited for; times the
  resident threads. {enough}
- **Waves**: blocks that the host starts, over those that are resident. **Waste**: whole waves over waves.
- **Stack** and **local**: bytes of stack, and instructions that access a thread's local memory. Both should be 0.
- **Predicted**: the longest of memory traffic at the rate of a copy joined with the time that loads under way allow, of
  instructions, and of units that are scarce (float64, conversions, MUFU); a launch ({start:.0f} µs) and what one block does alone
  at the end are added. **Limit** names what it is. Two works of memory that are equally long take 1.19 times as long as one.
- **Share**: of the rate of a copy, by the bytes that the operation has to move.

| | multiprocessors | copy, TB/s | instructions of a lane a second | KB under way that reach a copy's rate | to memory, µs | to L2, µs |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
{rates}

Of the H200 the copy's rate is known from other projects' runs; of the B200 it is an estimate: 7/8 of the datasheet's 8 TB/s.
KB under way are CUB's tuning for each. The latencies are estimates.

`bench/gpu/budget/show.py FILE` counts any object or cubin; `kernels.toml` beside it lists what is counted. The library is not
compiled for sm_100 in these tests: what is counted of it is (target luge_budget_sm_100).
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


def share(kernel, seconds, gpu):
    return f"{kernel.elements * kernel.bytes / gpu.copy / seconds:.0%}" if seconds and kernel.bytes else ""


def row(cells):
    return "|" + "|".join(f" {cell} " if cell != "" else " " for cell in cells) + "|"


def line(kernel, bar, gpu, measured):
    """Of the table of an architecture; `measured` is None where that has no such columns."""
    predicted = bar["predicted"]
    cells = [
        kernel.name, bar["registers"], bar["stack"] or "", bar["local"] or "", bar["threads"],
        f"{bar['in_flight'] / 1024:.0f}" if bar["in_flight"] else "", " + ".join(f"{x:.3g}" for x in bar["instructions"]),
        f"{bar['waves']:.2g}" if bar["waves"] else "", f"{kernel.bytes:g}" if kernel.bytes else "",
        seconds_text(kernel.elements * kernel.bytes / gpu.copy), seconds_text(predicted), bar["limit"], share(kernel, predicted, gpu),
    ]
    if measured is not None:
        found = measured.get(tuple(kernel.measured))
        ran = found["seconds"] if found else 0
        cells += [seconds_text(ran), share(kernel, ran, gpu)]
    return row(cells)


def section(kernels, found, architecture, gpu, measured):
    heads = ["kernel", "registers", "stack", "local", "threads an SM", "KB under way", "instructions an element", "waves",
             "bytes an element", "floor µs", "predicted µs", "limit", "share"]
    lines = [f"## {gpu.name}, {architecture}", "", row(heads + (["measured µs", "share"] if measured is not None else [])),
             "| --- |" + " ---: |" * 10 + " --- |" + " ---: |" * (3 if measured is not None else 1)]
    lines += [line(kernel, found[kernel.name], gpu, measured) for kernel in kernels if kernel.name in found]
    if measured is not None and not measured:
        lines += ["", "Not run on a GPU: the last two columns are empty."]
    lines += ["", "What misses, and why:", ""]
    for kernel in kernels:
        bar = found.get(kernel.name)
        faults = shortcomings(kernel, bar, gpu) if bar else []
        if faults:
            lines.append(f"- **{kernel.name}**: {', '.join(faults)}" + (f": {kernel.reason}" if kernel.reason else "") +
                         "".join(f" (accepted: {reason})" for reason in bar.get("accepted", [])))
    return [*lines, ""]


def write(kernels, bars):
    gpus = {name: gpu for name, gpu in model.GPUS.items() if name in bars}
    lines = [HEAD.format(architectures=" and ".join(gpus), gpus=" and ".join(f"a {gpu.name}" if not gpu.name.startswith("H") else
                                                                             f"an {gpu.name}" for gpu in gpus.values()),
                         compilers=bars["compilers"])]
    for name, gpu in gpus.items():
        lines += section(kernels, bars[name], name, gpu, measured_rows() if name == "sm_90" else None)
    lines += not_counted()
    enough = " ".join(f"{gpu.enough / 1024:.0f} KB in an SM reach the bandwidth of {'an' if gpu.name.startswith('H') else 'a'} {gpu.name}."
                      for gpu in gpus.values())
    rates = "\n".join(row([gpu.name, gpu.sms, f"{gpu.copy / 1e12:.1f}", f"{gpu.issue / 1e12:.1f}e12", f"{gpu.enough / 1024:.0f}",
                           f"{gpu.latency['memory'] * 1e6:.1f}", f"{gpu.latency['L2'] * 1e6:.2f}"]) for gpu in gpus.values())
    lines.append(COUNTING.format(enough=enough, start=model.START * 1e6, rates=rates))
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def not_counted():
    """The kernels of kernels/cuda without a row."""
    lines = ["## What is not counted", ""]
    return [*lines, *(f"- **{', '.join(f'`{name}`' for name in entry['kernels'])}** ({entry['source']}): {entry['reason']}"
                      for entry in table.load_not_counted()), ""]


def shortcomings(kernel, bar, gpu):
    """What the issue's bar asks for, and this kernel has not."""
    faults = []
    if bar["stack"] or bar["local"]:
        faults.append(f"{bar['stack']} bytes of stack, {bar['local']} accesses to local memory")
    if bar["in_flight"] and bar["in_flight"] < gpu.enough and kernel.bytes:
        faults.append(f"{bar['in_flight'] / 1024:.0f} KB under way")
    if bar["predicted"] and kernel.bytes and kernel.elements * kernel.bytes / gpu.copy / bar["predicted"] < 0.9:
        faults.append(f"{share(kernel, bar['predicted'], gpu)} of bandwidth, by its {bar['limit']}")
    if bar["waste"] > 1.2:
        faults.append(f"{bar['waste']:.2f} waves for the work of one")
    return faults
