#!/usr/bin/env python3
"""Gets in the way of saver while it saves: whatever fails, and whenever it is killed, the old or the new checkpoint loads.

Usage: faults.py SAVER SHIM [KILLS]   KILLS: how often it is killed at a random moment (default 60)
"""

import errno
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

saver, shim = sys.argv[1:3]
kills = int(sys.argv[3]) if len(sys.argv) > 3 else 60
CALLS = ["open", "write", "pwrite", "fsync", "rename"]


def run(*arguments: str, fault: str | None = None, mark: pathlib.Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ)
    if fault:
        environment.update(LD_PRELOAD=shim, FAULT=fault, FAULT_MARK=str(mark))
    return subprocess.run([saver, *arguments], env=environment, capture_output=True, text=True, timeout=120)


def check(condition: bool, words: str) -> None:
    if not condition:
        sys.exit(f"faults.py: {words}")


def loaded(path: pathlib.Path, words: str) -> int:
    result = run("check", str(path))
    check(result.returncode == 0, f"{words}: {result.stderr.strip()}")
    return int(result.stdout)


def with_fault(folder: pathlib.Path, call: str, n: int, what: str) -> tuple[bool, subprocess.CompletedProcess[str], int]:
    """Saves step 2 over step 1. Whether there was an n-th call, how the program ended, and the step that loads afterwards."""
    path, mark = folder / "x.safetensors", folder.parent / "mark"
    for entry in folder.iterdir():
        entry.unlink()
    mark.unlink(missing_ok=True)
    check(run("save", str(path), "1").returncode == 0, "cannot save at all")
    result = run("save", str(path), "2", fault=f"{call},{n},{what}", mark=mark)
    return mark.is_symlink(), result, loaded(path, f"after {what} at {call} {n}")


def main() -> None:
    memory = pathlib.Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        folder = pathlib.Path(place) / "checkpoints"
        folder.mkdir()
        path = folder / "x.safetensors"
        tried = 0
        for call in CALLS:
            for code in (errno.ENOSPC, errno.EIO, errno.EACCES):
                for n in range(1, 100):
                    hit, result, step = with_fault(folder, call, n, str(code))
                    if not hit:
                        check(result.returncode == 0 and step == 2, f"no fault at {call} {n}, and it was not saved")
                        break
                    tried += 1
                    where = f"{os.strerror(code)} at {call} {n}"
                    left = [entry.name for entry in folder.iterdir()]
                    check(left == [path.name], f"{where} leaves {left}")
                    if result.returncode == 0:
                        check(step == 2, f"{where}: the save says that it was done, and step {step} loads")
                        check(call == "open", f"{where} goes unnoticed")  # looking for abandoned files may fail
                        continue
                    check(result.returncode == 1, f"{where}: exit code {result.returncode}: {result.stderr}")
                    for word in (str(path), os.strerror(code), "checkpoint.save: cannot"):
                        check(word in result.stderr, f"{where}: no '{word}' in: {result.stderr}")
            check(n > 1, f"there is no {call}")
        for what in ("short", "eintr"):
            for call in ("write", "pwrite") if what == "short" else CALLS[:4]:
                for n in range(1, 100):
                    hit, result, step = with_fault(folder, call, n, what)
                    check(result.returncode == 0 and step == 2, f"{what} at {call} {n}: {result.stderr}, step {step} loads")
                    if not hit:
                        break
                    tried += 1
        for n in range(1, 200):
            hit, result, step = with_fault(folder, "any", n, "kill")
            if not hit:
                break
            tried += 1
            check(result.returncode == -9 and step in (1, 2), f"killed at call {n}: exit code {result.returncode}, step {step}")
            check(run("save", str(path), "3").returncode == 0, f"cannot save after a kill at call {n}")
            left = [entry.name for entry in folder.iterdir()]
            check(left == [path.name], f"a kill at call {n} leaves {left} after the next save")
        for entry in folder.iterdir():
            entry.unlink()
        last, moment = -1, random.Random(1)
        for i in range(kills):
            program = subprocess.Popen([saver, "loop", str(path)])
            while not path.exists():
                time.sleep(0.001)
            time.sleep(moment.uniform(0, 0.03))
            program.kill()
            program.wait()
            last = loaded(path, f"after kill {i}")
        check(last >= 0, "nothing was saved")
        print(f"{tried} faults and {kills} kills: the old or the new checkpoint loads, always")


main()
