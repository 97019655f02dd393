"""One library in a process of its own: reads a case a line, as JSON, and writes how long it takes.

    python -m limits.worker luge|torch|jax|mlx

A line {"case": "mlp", "arguments": [64], "threads": 1, "seconds": 0.3, "clock": "processor"} is answered by {"seconds": ...,
"value": ...}: the time of one call by the processor's or the wall's clock, and what the first calls computed.
"""

import importlib
import json
import sys
import time


def time_calls(call, least, clock):
    """Seconds of one call, over at least `least` seconds."""
    call()
    count = 1
    while True:
        start = clock()
        for _ in range(count):
            call()
        passed = clock() - start
        if passed >= least:
            return passed / count
        count = max(count + 1, int(count * min(1.4 * least / max(passed, 1e-9), 100)))


def main():
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    cases = importlib.import_module(f".{sys.argv[1]}_cases", __package__)
    prepared = {}
    print(json.dumps({"version": cases.version}), file=answers, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        key = json.dumps([asked["case"], asked["arguments"], asked["threads"]])
        if key not in prepared:
            prepared.clear()  # one case in memory at a time
            cases.set_threads(asked["threads"])
            prepared[key] = getattr(cases, asked["case"])(*asked["arguments"])
        call, value = prepared[key]
        clock = time.process_time if asked["clock"] == "processor" else time.perf_counter
        print(json.dumps({"seconds": time_calls(call, asked["seconds"], clock), "value": value}), file=answers, flush=True)


main()
