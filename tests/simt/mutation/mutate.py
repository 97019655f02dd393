#!/usr/bin/env python3
"""Proof that the tests of the CUDA kernels would notice: removes each barrier and fence, each guard and each
element of shared memory in turn, and expects the tests to fail every time.

The kernels are copied to a scratch tree with all mutations in them, switched by an environment variable, so
that one build under each sanitizer serves all mutants. Run it from the root of the repository:

    tests/simt/mutation/mutate.py [--list] [--only NUMBER ...] [--jobs N]

It prints one line per mutant and exits with 1 if one survives that survivors.txt does not explain.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCRATCH = ROOT / "build-mutation"
SURVIVORS = pathlib.Path(__file__).with_name("survivors.txt")
# Reductions' arithmetic, formulas and the walk's division compare values, not bounds.
NO_BOUNDS = {"reducers.cuh", "formulas.cuh", "device.h"}
LIMIT = 200  # seconds for a suite: a mutant that never ends has been noticed, too
# The tests that are tried first; all of them come behind.
NEAREST = {
    "arena": "Update ClipNorm", "blocks": "Reduce Record Update", "clip_norm": "ClipNorm", "copy": "Copy",
    "cross_entropy": "CrossEntropy", "elementwise": "Elementwise Copy", "gather": "Gather", "iota": "Iota",
    "matmul": "MatMul", "normalization": "Normalization", "random": "Random", "record": "Record", "reduce": "Reduce",
    "rows": "Softmax CrossEntropy", "scan": "Scan", "softmax": "Softmax", "sort": "Sort", "update": "Update", "walk": "Copy Elementwise Gather",
}
BARRIER = re.compile(r"__(syncthreads|threadfence|threadfence_system|syncwarp)\(\);")
SHARED = re.compile(r"LUGE_SHARED\((.*), (\w+), (.+)\);")


class Mutant:
    def __init__(self, number, path, line, kind, text):
        self.number, self.path, self.line, self.kind, self.text = number, path, line, kind, text

    def __str__(self):
        return f"{self.number:3d} {self.kind:7s} {self.path.name}:{self.line}: {self.text}"

    def key(self):
        """Stays the same when other lines change."""
        return f"{self.path.name}: {self.kind}: {self.text}"


def device_lines(lines):
    """Numbers of the lines inside functions of the device."""
    inside, depth, result, begun = False, 0, set(), False
    for number, line in enumerate(lines):
        if not inside and re.search(r"__(device|global)__", line) and "#define" not in line:
            inside, depth, begun = True, 0, False
        if inside:
            result.add(number)
            depth += line.count("{") - line.count("}")
            begun = begun or "{" in line
            if (begun and depth <= 0) or (not begun and line.rstrip().endswith(";")):
                inside = False
    return result


def operand_bounds(line, at, width):
    """The comparison whose operator stands at `at`: begin and end of its two operands."""
    depth, begin = 0, at
    while begin > 0:
        c = line[begin - 1]
        depth += (c in ")]") - (c in "([")
        if depth < 0 or (depth == 0 and (c in ";?," or line[begin - 2:begin] in ("&&", "||", "= ", ": ")
                                         or line[:begin].endswith("return "))):
            break
        begin -= 1
    depth, end = 0, at + width
    while end < len(line):
        c = line[end]
        depth += (c in "([") - (c in ")]")
        if depth < 0 or (depth == 0 and (c in ";?," or line[end:end + 2] in ("&&", "||"))):
            break
        end += 1
    return begin, end


def mutate(path, first):
    """The text of a source with its mutations in it, and the mutants."""
    lines, mutants = path.read_text().split("\n"), []
    inside = device_lines(lines)

    def add(index, kind, text):
        mutants.append(Mutant(first + len(mutants), path, index + 1, kind, text.strip()))
        return mutants[-1].number

    for index in sorted(inside):
        line = lines[index]
        code = line.split("//")[0]
        if "static_assert" in code or "constexpr" in code or "#pragma" in code:
            continue
        if BARRIER.search(code):
            number = add(index, "barrier", f"without {BARRIER.search(code).group(0)}")
            lines[index] = BARRIER.sub(lambda m: f"if (::simt::kMutant != {number}) {m.group(0)}", line)
            continue
        shared = SHARED.search(code)
        if shared:
            number = add(index, "shared", f"{shared.group(2)} one element shorter")
            lines[index] = SHARED.sub(lambda m: f"SIMT_SHRUNK_SHARED({number}, {m.group(1)}, {m.group(2)}, {m.group(3)});", line)
            continue
        if path.name in NO_BOUNDS:
            continue
        # From the right, so that positions further left stay valid.
        for match in reversed(list(re.finditer(r" < | == n(?=[ )])| >= 0", code))):
            begin, end = operand_bounds(code, match.start(), len(match.group(0)))
            original = code[begin:end].strip()
            mutated = "true"
            if match.group(0) == " < ":
                at = match.start() - begin
                whole = code[begin:end]
                mutated = (whole[:at] + " <= " + whole[at + 3:]).strip()
            number = add(index, "guard", f"{original}  ->  {mutated}")
            lead = code[begin:end][:len(code[begin:end]) - len(code[begin:end].lstrip())]
            code = code[:begin] + lead + f"SIMT_MUTATE({number}, {mutated}, {original})" + code[end:]
            lines[index] = code
    return "\n".join(lines), mutants


def all_mutants():
    texts, mutants = {}, []
    for path in sorted((ROOT / "kernels/cuda").glob("*.cu*")):
        text, own = mutate(path, len(mutants) + 1)
        texts[path.name] = '#include "simt/mutation/mutant.h"\n' + text
        mutants += own
    return texts, mutants


def build(texts, jobs):
    tree = SCRATCH / "tree"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    for name in files:
        source, target = ROOT / name, tree / name
        text = texts.get(source.name) if source.parent == ROOT / "kernels/cuda" else None
        target.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            if not target.exists() or target.read_text() != text:
                target.write_text(text)
        elif not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copy(source, target)  # with a new time, for ninja
    for preset in ("asan", "tsan"):
        subprocess.run(["cmake", "-G", "Ninja", "--preset", preset, "-DLUGE_WERROR=OFF"], cwd=tree, check=True,
                       stdout=subprocess.DEVNULL)
        targets = ["test_kernels"] + (["test_ops", "test_train"] if preset == "asan" else [])
        subprocess.run(["cmake", "--build", str(tree / f"build-{preset}"), "--parallel", str(jobs), "--target", *targets],
                       check=True, stdout=subprocess.DEVNULL)
    return tree


def run(tree, preset, suite, mutant, order="ascending", tests=""):
    """Why the tests fail with this mutant; empty if they pass."""
    supp = tree / "tests/sanitizers"
    environment = dict(os.environ, SIMT_MUTANT=str(mutant), SIMT_ORDER=order,
                       ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1",
                       TSAN_OPTIONS=f"suppressions={supp}/tsan.supp:halt_on_error=1")
    tests = ":".join(f"*{test}Test.*/cuda" for test in tests.split()) or "*/cuda"
    command = [str(tree / f"build-{preset}/tests/test_{suite}"), f"--gtest_filter={tests}", "--gtest_fail_fast",
               "--gtest_brief=1"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "it never ends"
    if done.returncode == 0:
        return ""
    text = done.stdout + done.stderr
    for pattern in (r"SUMMARY: (\w+: [\w-]+(?: [\w-]+)?)", r"(runtime error: [^\n]{0,60})",
                    r"a kernel was stopped: (\w+ \w+)", r"FAILED  \] (\S+)"):
        found = re.search(pattern, text)
        if found:
            return found.group(1).strip()
    return f"exit code {done.returncode}"


def judge(tree, mutant):
    nearest = NEAREST[mutant.path.stem]
    ways = [("asan", "kernels", "ascending", nearest)]
    if mutant.kind == "barrier":
        ways = [("tsan", "kernels", "ascending", nearest), ("tsan", "kernels", "ascending", "")]
    ways += [("asan", "train", "ascending", ""), ("asan", "kernels", "ascending", ""),
             ("asan", "ops", "ascending", ""), ("asan", "kernels", "priority:1", nearest)]
    for preset, suite, order, tests in ways:
        why = run(tree, preset, suite, mutant.number, order, tests)
        if why:
            return f"{preset} {suite}: {why}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--only", type=int, nargs="+", default=[], help="numbers of the mutants to try")
    parser.add_argument("--trust", action="store_true", help="skip the runs without a mutation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    texts, mutants = all_mutants()
    if options.list:
        print(*mutants, sep="\n")
        return 0
    known = {line.split("  #")[0].strip() for line in SURVIVORS.read_text().splitlines() if line[:1] not in ("", "#")}
    tree = build(texts, options.jobs)
    for preset, suite in (("asan", "kernels"), ("asan", "train"), ("asan", "ops"), ("tsan", "kernels")):
        why = "" if options.trust else run(tree, preset, suite, 0)
        if why:
            sys.exit(f"without a mutation, {preset} {suite} fails: {why}")
    chosen = [m for m in mutants if not options.only or m.number in options.only]
    survivors = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for mutant, why in zip(chosen, pool.map(lambda m: judge(tree, m), chosen)):
            explained = mutant.key() in known
            print(f"{mutant}\n      {'killed by ' + why if why else 'SURVIVED' + (', as explained' if explained else '')}",
                  flush=True)
            if not why and not explained:
                survivors.append(mutant)
            if why and explained:
                print("      (survivors.txt explains why it would survive: remove it there)")
    print(f"{len(chosen)} mutants, {len(survivors)} unexplained survivors")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
