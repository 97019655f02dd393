#!/usr/bin/env python3
"""Fails if a CUDA kernel exists that no test executes. The test executables, run with SIMT_EXECUTED=FOLDER,
leave there the addresses of the kernels they executed.

    executed.py FOLDER_OF_EXECUTABLES FOLDER_OF_RECORDS
"""

import pathlib
import re
import subprocess
import sys

# The function's own name ends in _kernel; its lambdas, and functions that have a kernel's as an argument, are no kernels.
SYMBOL = re.compile(r"^([0-9a-f]+) [tTwW] (?:void )?(luge::cuda::(?:\(anonymous namespace\)::)?\w+_kernel\b(?!.*\{lambda).*)$")


def kernels_of(executable):
    """Address -> name of every instantiation of a kernel."""
    symbols = subprocess.run(["nm", "-C", "--defined-only", executable], check=True, capture_output=True, text=True)
    found = (SYMBOL.match(line) for line in symbols.stdout.splitlines() if "[clone" not in line)
    return {int(match.group(1), 16): match.group(2) for match in found if match}


def main():
    executables, records = map(pathlib.Path, sys.argv[1:3])
    everything, executed = set(), set()
    for record in sorted(records.glob("test_*")):
        kernels = kernels_of(executables / record.name)
        everything |= set(kernels.values())
        executed |= {kernels[int(line, 16)] for line in record.read_text().split() if int(line, 16) in kernels}
        record.unlink()
    if not everything:
        sys.exit("no records: run the tests with SIMT_EXECUTED first")
    for name in sorted(everything - executed):
        print(f"no test executes {name}")
    print(f"{len(executed)} of {len(everything)} kernels were executed")
    return 0 if executed == everything else 1


if __name__ == "__main__":
    sys.exit(main())
