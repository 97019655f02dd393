"""No argument whatsoever may crash the interpreter: every function is called with random ones.

LUGE_FUZZ_SECONDS says for how long; a crash ends the process that does it, which prints each call before it is made.
"""

import os
import pathlib
import subprocess
import sys

import pytest

import luge

PROGRAM = '''
import faulthandler, inspect, random, sys, time, warnings
import luge
faulthandler.enable()
warnings.simplefilter("ignore")
luge.set_memory_limit(256 * 2**20)
seconds, seed, journal = float(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "w")
draw = random.Random(seed)
SKIPPED = {"set_memory_limit", "set_num_threads", "synchronize", "release_cache", "Monitor", "find_dataset", "gradcheck", "gradgradcheck", "set_grad_enabled",
           "write_csv", "write_jsonl", "report", "_report", "write_tensorboard", "log_to", "read_idx", "load_idx_dataset", "plot",
           "save_npy", "save_npz", "save_file", "save", "save_async"}

def tensor():
    shape = tuple(draw.choice([0, 1, 2, 3, 7]) for _ in range(draw.randrange(4)))
    made = luge.rand(shape).to(draw.choice([luge.float32, luge.float64, luge.int32, luge.int64, luge.bool]))
    if made.is_floating_point() and draw.random() < 0.4: made.requires_grad_()
    if draw.random() < 0.2: made = made.T
    return made

def parameters():
    made = luge.Parameters(draw.choice([None, 1, 3]))
    made.add("w", draw.choice([(), 2, (2, 3)]), luge.init.uniform(-1, 1))
    return made

class Odd:
    def __index__(self): raise RuntimeError("no index")
    def __float__(self): raise RuntimeError("no float")
    def __len__(self): return -5
    def __iter__(self): raise RuntimeError("no iteration")
    def __getattr__(self, name): raise RuntimeError("no attribute")

MAKERS = [
    tensor, tensor, tensor, tensor, parameters,
    lambda: draw.randrange(-4, 9), lambda: draw.choice([2**31, -2**31, 2**63 - 1, -2**63, 2**64, 10**30, 0]),
    lambda: draw.choice([0.5, -1.0, float("nan"), float("inf"), -float("inf"), 1e308, 0.0]), lambda: None,
    lambda: draw.choice([True, False]), lambda: draw.choice(["", "cpu", "cuda", "mean", "sum", "x" * 1000, "\\0", "per_set"]),
    lambda: [value() for value in draw.choices(MAKERS, k=draw.randrange(4))],
    lambda: tuple(value() for value in draw.choices(MAKERS, k=draw.randrange(4))),
    lambda: {draw.choice(MAKERS[5:9])(): draw.choice(MAKERS)()}, lambda: luge.float32, lambda: luge.float16, lambda: luge.device("cpu"),
    lambda: luge.init.uniform(0, 1), lambda: slice(draw.choice([None, -3, 2]), draw.choice([None, 1, 99]), draw.choice([None, 1, 2, -1, 0])),
    lambda: ..., lambda: (lambda *args: args[0] if args else None), lambda: luge.optim.SGD([luge.ones(2, requires_grad=True)]),
    lambda: luge.capture(lambda: luge.ones(2) * 2), lambda: Odd(), lambda: object(), lambda: luge.Tensor.__new__(luge.Tensor),
    lambda: luge.Parameters.__new__(luge.Parameters), lambda: b"bytes", lambda: range(3), lambda: int, lambda: luge.Tensor,
]

def functions():
    modules = [luge, luge._C, luge.autograd, luge.cuda, luge.data, luge.func, luge.init, luge.nn, luge.nn.functional, luge.nn.init, luge.nn.utils,
               luge.linalg, luge.special, luge.array_api, luge.utils.data, luge.optim, luge.optim.lr_scheduler]
    modules += [value for value in vars(luge._C).values() if inspect.ismodule(value)]
    for module in modules:
        for name, value in sorted(vars(module).items()):
            if name in SKIPPED or inspect.ismodule(value) or name.startswith("__") or not callable(value): continue
            if getattr(value, "__module__", "luge") in ("typing", "collections.abc", "builtins"): continue
            yield f"{module.__name__}.{name}", value
            if isinstance(value, type) and not issubclass(value, BaseException):
                for member in dir(value):
                    if member in SKIPPED or member in ("__class__", "__del__", "__getattribute__", "__setattr__", "__delattr__", "__init_subclass__",
                                                       "__subclasshook__", "__dict__", "run"): continue
                    attribute = getattr(value, member, None)
                    if callable(attribute): yield f"{module.__name__}.{name}.{member}", attribute

FUNCTIONS = sorted(dict(functions()).items(), key=lambda item: item[0])
end, calls, returned = time.monotonic() + seconds, 0, 0
while time.monotonic() < end:
    for name, function in draw.sample(FUNCTIONS, 50):
        arguments = [draw.choice(MAKERS)() for _ in range(draw.choice([0, 1, 1, 2, 2, 3, 4]))]
        journal.seek(0); journal.truncate()
        journal.write(f"{name} with {[type(a).__name__ for a in arguments]}"); journal.flush()
        calls += 1
        try:
            result = function(*arguments)
            returned += 1
            if draw.random() < 0.2: repr(result)
            if isinstance(result, luge.Tensor) and result.requires_grad and result.numel() == 1 and draw.random() < 0.3: result.backward()
        except (Exception, KeyboardInterrupt):
            pass
    luge.set_grad_enabled(True)
print(len(FUNCTIONS), calls, returned)
'''


def test_no_argument_crashes(tmp_path):
    seconds = float(os.environ.get("LUGE_FUZZ_SECONDS", "5"))
    folder = str(pathlib.Path(luge.__file__).parent.parent)
    journal = tmp_path / "journal"
    command = [sys.executable, "-c", PROGRAM, str(seconds), os.environ.get("LUGE_FUZZ_SEED", "0"), str(journal)]
    try:
        result = subprocess.run(command, env={**os.environ, "PYTHONPATH": folder}, capture_output=True, text=True, timeout=seconds + 120,
                                cwd=tmp_path, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.fail(f"this call did not end: {journal.read_text()}", pytrace=False)
    assert result.returncode == 0, f"the last call: {journal.read_text()}\n{result.stderr[-3000:]}"
    functions, calls, returned = map(int, result.stdout.split()[-3:])
    assert functions > 300 and calls > 100 * seconds and returned > calls / 50
