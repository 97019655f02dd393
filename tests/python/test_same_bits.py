"""The same loops in C++ and Python: the same bits, and the same printed digits."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

import luge
from luge import nn

FOLDER = os.environ.get("LUGE_CPP_BUILD", "")  # where the C++ programs are
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def built(name):
    path = pathlib.Path(FOLDER) / name
    if not FOLDER or not path.exists():
        pytest.skip(f"LUGE_CPP_BUILD does not name a folder with {name}")
    return path


def run(*command):
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(luge.__file__).parent.parent)}
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_bits():
    expected = [float.fromhex(line) for line in run(built("tests/same_bits")).split()]
    luge.manual_seed(5)
    x = luge.rand(32, 6) * 2 - 1
    y = luge.sin(x.sum(1, keepdim=True)) + 0.1 * luge.randn(32, 1)

    params = luge.Parameters(sets=3, seed=9)
    after, too = nn.Linear(5, 3), luge.Parameters(sets=2)  # the global generator
    nn.Linear(3, 4, params=too, name="more")
    between = luge.randn(3)
    last = nn.Embedding(4, 2)
    hidden = nn.Linear(6, 16, params=params, name="hidden")
    model = nn.Sequential(hidden, nn.GELU(), nn.Linear(16, 1, params=params, name="output"))
    optimizer = luge.optim.Adam(params, lr=luge.tensor([0.001, 0.01, 0.1]))
    schedule = luge.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=60)
    monitor = luge.Monitor(progress=False)

    @luge.capture
    def step():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y, reduction="per_set")
        loss.sum().backward()
        params.clip_grad_norm_(1.0)
        optimizer.step()
        schedule.step()
        monitor.record(loss)
        return loss

    step.run(50)
    tensors = [after.weight, after.bias, last.weight, *too, between, *params]
    found = [value for tensor in tensors for value in tensor.flatten().double().tolist()] + list(monitor.history.mean)
    assert len(found) > 400 and found == expected


@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py") if path.with_suffix(".cpp").exists()))
def test_examples(name):
    """To the last printed digit, but for the time that was taken."""
    python = run(sys.executable, EXAMPLES / f"{name}.py")
    cpp = run(built(f"examples/{name}"))
    assert re.sub(r"in \d+\.\d+ s", "", python) == re.sub(r"in \d+\.\d+ s", "", cpp)


def test_every_example_is_in_both_languages():
    pytorchs = {"coming_from_pytorch", "cnn", "gpt"}
    assert {path.stem for path in EXAMPLES.glob("*.cpp")} == {path.stem for path in EXAMPLES.glob("*.py")} - pytorchs


def test_coming_from_pytorch():
    assert "luge" in run(sys.executable, EXAMPLES / "coming_from_pytorch.py", "luge")
