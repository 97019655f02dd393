"""PyTorch's names that luge has not: what the errors say, and the tables of docs/python.md.

Run as a program it prints the tables.
"""

import copy
import importlib
import math
import os
import pathlib
import pickle
import pydoc
import subprocess
import sys

import pytest

import luge
from luge import _names

MODULES = {  # with PyTorch's
    "luge": "torch",
    "luge.autograd": "torch.autograd",
    "luge.cuda": "torch.cuda",
    "luge.func": "torch.func",
    "luge.nn": "torch.nn",
    "luge.nn.functional": "torch.nn.functional",
    "luge.nn.utils": "torch.nn.utils",
    "luge.optim": "torch.optim",
    "luge.utils.data": "torch.utils.data",
}
POINTER = '(docs/python.md, "Names")'


def text_of(action):
    with pytest.raises(AttributeError) as error:
        action()
    assert sys.version_info < (3, 10) or error.value.name in str(error.value)
    return str(error.value)


def tables():
    """Both tables: the names with something to write instead, and the others, a row for each namespace."""
    rows = {True: [], False: []}
    for area, names in _names.tables().items():
        where = ", ".join(f"`{namespace}`" for namespace in area.split())
        by_text = {}
        for name, instead in names.items():
            by_text.setdefault(instead, []).append(f"`{name}`")
        others = by_text.pop("", [])
        if by_text:
            cell = "; ".join(f"{', '.join(found)}: `{instead}`" for instead, found in by_text.items())
            rows[True].append(f"| {where} | {cell} |")
        rows[False].append(f"| {where} | {', '.join(others)} |")
    head = {True: "| of | not here: what to write instead |\n| --- | --- |\n", False: "| of | not here |\n| --- | --- |\n"}
    return [head[known] + "\n".join(rows[known]) + "\n" for known in (True, False)]


# ---- what is said


@pytest.mark.parametrize("action, text", [
    (lambda: luge.stft, "luge has no 'stft': torch.stft is one of the names that are not here yet"),
    (lambda: luge.compile, "luge has no 'compile': instead of torch.compile write luge.capture"),
    (lambda: luge.autograd.Variable, "luge.autograd has no 'Variable': instead of torch.autograd.Variable write luge.Tensor"),
    (lambda: luge.cuda.memory_stats, "luge.cuda has no 'memory_stats': instead of torch.cuda.memory_stats write luge.memory_stats"),
    (lambda: luge.utils.data.DistributedSampler, "luge.utils.data has no 'DistributedSampler': "
     "torch.utils.data.DistributedSampler is one of the names that are not here yet"),
    (lambda: luge.nn.CTCLoss, "luge.nn has no 'CTCLoss': torch.nn.CTCLoss is one of the names that are not here yet"),
    (lambda: luge.nn.functional.ctc_loss,
     "luge.nn.functional has no 'ctc_loss': torch.nn.functional.ctc_loss is one of the names that are not here yet"),
    (lambda: luge.nn.utils.prune, "luge.nn.utils has no 'prune': torch.nn.utils.prune is one of the names that are not here yet"),
    (lambda: luge.optim.SparseAdam, "luge.optim has no 'SparseAdam': torch.optim.SparseAdam is one of the names that are not here yet"),
    (lambda: luge.Tensor.storage, "luge.Tensor has no 'storage': torch.Tensor.storage is one of the names that are not here yet"),
    (lambda: luge.ones(1).storage(), "luge.Tensor has no 'storage': torch.Tensor.storage is one of the names that are not here yet"),
    (lambda: luge.ones(1).detach_, "luge.Tensor has no 'detach_': instead of torch.Tensor.detach_ write x = x.detach()"),
])  # fmt: skip
def test_names_of_pytorch(action, text):
    assert text_of(action) == f"{text} {POINTER}"


@pytest.mark.parametrize("name, pytorch", MODULES.items())
def test_every_name_is_refused(name, pytorch):
    module = importlib.import_module(name)
    listed = _names.listed(pytorch)
    assert listed
    for missing in listed:
        assert not hasattr(module, missing)
        assert f"{pytorch}.{missing} " in text_of(lambda missing=missing: getattr(module, missing))


def test_every_method_is_refused():
    x = luge.ones(2)
    for missing in _names.listed("torch.Tensor"):
        assert not hasattr(x, missing) and not hasattr(luge.Tensor, missing)
        for owner in (x, luge.Tensor):
            assert f"torch.Tensor.{missing} " in text_of(lambda owner=owner, missing=missing: getattr(owner, missing))


@pytest.mark.parametrize("owner, name, near", [
    (luge, "zeors", "zeros"), (luge.nn, "Linaer", "Linear"), (luge.nn.functional, "cross_entrpy", "cross_entropy"),
    (luge.optim, "Adm", "Adam"), (luge.optim.lr_scheduler, "StepLr", "StepLR"), (luge.cuda, "is_avaliable", "is_available"),
])  # fmt: skip
def test_near_misses(owner, name, near):
    text = text_of(lambda: getattr(owner, name))
    assert text == f"module '{owner.__name__}' has no attribute '{name}'; did you mean '{near}'?"


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("missing", ["qqq", "_stft", "__wrapped__"])
def test_unknown_names(name, missing):
    module = importlib.import_module(name)
    assert text_of(lambda: getattr(module, missing)) == f"module '{name}' has no attribute '{missing}'"


@pytest.mark.parametrize("expression, end", [
    ("luge.compile", f"write luge.capture {POINTER}"), ("luge.ones(1).detach_", f"write x = x.detach() {POINTER}"),
    ("luge.zeors", "has no attribute 'zeors'; did you mean 'zeros'?"),
])  # fmt: skip
def test_python_adds_no_other_name(expression, end):
    """Not a similar one of its own."""
    run = subprocess.run([sys.executable, "-c", f"import luge; {expression}"],
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                         capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert run.returncode == 1 and run.stderr.strip().endswith(end)


def test_imports_fail_as_usual():
    with pytest.raises(ImportError, match="cannot import name 'stft' from 'luge'"):
        from luge import stft  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("luge.stft")
    assert getattr(luge, "stft", None) is None


# ---- what stays as it was


def test_modules_can_be_looked_into():
    for name in MODULES:
        module = importlib.import_module(name)
        assert not hasattr(module, "__path__") or name in ("luge", "luge.nn", "luge.nn.utils", "luge.optim", "luge.utils.data")
        assert name in pydoc.render_doc(module)
        assert {"stft", "CTCLoss"}.isdisjoint(dir(module))
    shown = {}
    exec("from luge import *", shown)
    assert "ones" in shown and not {"missing", "refuse", "typing", "TYPE_CHECKING"} & set(shown)


def test_tensors_can_be_looked_into():
    x = luge.ones(2)
    assert "detach" in dir(x) and set(_names.listed("torch.Tensor")).isdisjoint(dir(x))
    assert "Tensor" in pydoc.render_doc(luge.Tensor)
    assert copy.copy(x).tolist() == copy.deepcopy(x).tolist() == pickle.loads(pickle.dumps(x)).tolist() == [1, 1]
    text = text_of(lambda: x.qqq)
    assert text == "'Tensor' object has no attribute 'qqq'"
    with pytest.raises(AttributeError):
        x.detach_ = 1


def test_subclasses_may_have_these_names():
    class Named(luge.Tensor):
        values = 3

    assert Named.values == 3 and not hasattr(luge.Tensor, "values")


# ---- the lists


def test_lists_are_sorted():
    for names in _names._MISSING.values():
        assert names.split() == sorted(set(names.split()))
    for lines in _names._INSTEAD.values():
        names = [line.split(":")[0].split() for line in lines.strip().splitlines()]
        assert names == sorted(names) and all(line == sorted(line) for line in names)
    assert not [name for area, names in _names._INSTEAD.items() for line in names.strip().splitlines()
                for name in line.split(":")[0].split() if name in _names._MISSING[area].split()]  # fmt: skip


INSTEAD = sorted({instead for names in _names.tables().values() for instead in names.values() if instead})


@pytest.mark.parametrize("instead", INSTEAD)
def test_what_to_write_instead_works(instead):
    x = luge.rand(2, 2)
    w = luge.rand(2, requires_grad=True)
    values = {
        "a": x, "b": x, "classes": 2, "data": [1, 0], "dim": 1, "dim0": 0, "dim1": 1, "dtype": luge.float64, "end": 1, "high": 3,
        "index": luge.tensor([0, 1]), "labels": luge.tensor([0, 1]), "logits": x, "low": 0, "luge": luge, "mask": x > 0.5,
        "math": math, "mean": 0, "optimizer": luge.optim.SGD([w], lr=1), "pickle": pickle, "size": (2, 2), "std": 1,
        "target": luge.tensor([0, 1]) if "logits" in instead else luge.rand(2, 2), "tolerance": 0.1, "value": 0.5, "weight": 0.5,
        "x": x.sum() if instead == "bool(x)" else x, "y": luge.rand(2, 2),
    }  # fmt: skip
    exec(instead, values)


@pytest.mark.parametrize("number", range(2))
def test_tables_of_the_documentation(number):
    """Where they differ, `python tests/python/test_names.py` prints those that belong there."""
    text = (pathlib.Path(__file__).parents[2] / "docs/python.md").read_text()
    section = text.split("\n## Names\n")[1].split("\n## ")[0]
    assert tables()[number] in section


@pytest.mark.parametrize("name, pytorch", [*MODULES.items(), ("luge.Tensor", "torch.Tensor")])
def test_names_are_of_pytorch(name, pytorch):
    """All but those that are younger than the PyTorch at hand."""
    pytest.importorskip("torch")
    owner = pydoc.locate(pytorch)
    if owner is None:
        pytest.skip(f"{pytorch} is younger than the PyTorch at hand")
    listed = _names.listed(pytorch)
    assert sum(hasattr(owner, missing) for missing in listed) >= min(0.8 * len(listed), len(listed) - 1)


if __name__ == "__main__":
    print("\n".join(tables()))
