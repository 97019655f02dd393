"""What is promised by name, docstring and type."""

import doctest
import inspect
import os
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

import luge
from luge._names import Missing

MODULES = ["luge"] + [f"luge.{name}" for name in ("amp", "array_api", "array_api.linalg", "autograd", "checkpoint", "cuda", "data", "fit", "func", "init", "linalg", "nn", "nn.functional", "nn.init", "nn.containers", "nn.fractional", "nn.lazy", "nn.module", "nn._arena", "nn.adaptive", "nn.softmaxes", "nn.distance", "nn.dropout", "nn.margin_losses", "nn.padding", "nn.prelu", "nn.activations", "nn.attention", "nn.convolution", "nn.linear", "nn.losses", "nn.normalization", "nn.pooling", "nn.recurrent", "nn.shapes", "nn.sparse", "nn.transformer", "nn.parameter",
                                                  "nn.utils", "nn.utils.fusion", "nn.utils.rnn", "optim", "optim.lr_scheduler", "optim.swa_utils", "population", "special", "stop", "sweep", "utils", "utils.data", "_capture", "_files", "_monitor")]


def module(name):
    __import__(name)
    return sys.modules[name]


def public(owner):
    """What an owner shows: __all__, or everything that it or a part of this package made."""
    names = getattr(owner, "__all__", None) or [name for name in vars(owner) if not name.startswith("_")]
    names = [name for name in names if not isinstance(vars(owner).get(name), (Missing, type(None)))]
    values = {name: getattr(owner, name) for name in names}
    return {
        name: value
        for name, value in values.items()
        if not inspect.ismodule(value) and (getattr(value, "__module__", None) or "luge").split(".")[0] == "luge"
    }


def test_modules_are_known():
    found = {f"luge.{info.name}" for info in pkgutil.walk_packages(luge.__path__) if not info.name.startswith("_")}
    assert found <= set(MODULES) | {"luge._C"}


def docstrings():
    for name in MODULES:
        for key, value in public(module(name)).items():
            if isinstance(value, type):
                for member, attribute in public(value).items():
                    yield f"{name}.{key}.{member}", inspect.getdoc(attribute) or inspect.getdoc(getattr(value, member))
            yield f"{name}.{key}", inspect.getdoc(value)


EXAMPLES = {text: name for name, text in docstrings() if text and ">>>" in text}


@pytest.mark.parametrize("text", list(EXAMPLES), ids=list(EXAMPLES.values()))
def test_examples(text):
    test = doctest.DocTestParser().get_doctest(text, {"luge": luge}, EXAMPLES[text], None, 0)
    output = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=output.append)
    assert result.failed == 0, "".join(output)


def test_everything_is_documented():
    assert [name for name, text in docstrings() if not text] == []


def sampled():
    """The names that tests/agreement samples, and the in-place forms that follow from them."""
    path = str(pathlib.Path(__file__).parents[1] / "agreement")
    sys.path.insert(0, path)
    try:
        import agreement

        names = {name.rpartition(".")[2] for _, name in agreement.by_name()}
    finally:
        sys.path.remove(path)
    return names | {name + "_" for name in names}


def test_every_name_is_tested():
    """Each public name occurs in some test file, beyond this one, or is sampled."""
    folder = pathlib.Path(__file__).parent
    files = [*folder.glob("test_*.py"), *folder.parent.glob("agreement/samples/*.py")]
    text = "\n".join(path.read_text() for path in files if path.name != pathlib.Path(__file__).name)
    words = set(re.findall(r"\w+", text)) | {name for name, _, _ in luge._C._rows()}  # rows are tested by looping
    words |= sampled()
    names = {name for owner in MODULES if not owner.startswith("luge._") for name in public(module(owner))}
    for kind in (luge.Tensor, luge.Parameters, luge.Step, luge.optim.Optimizer, luge.Monitor, luge.nn.Module, luge.data.Batches,
                 luge.stop.StopRule, luge.stop.Report):
        names |= set(public(kind))
    assert sorted(names - words) == []


def test_types(tmp_path):
    """The stubs are right for the package itself and for a program."""
    pytest.importorskip("mypy")
    folder = pathlib.Path(luge.__file__).parent
    if not (folder / "_C" / "__init__.pyi").exists():
        pytest.skip("the stubs are not built")
    config = pathlib.Path(__file__).parents[2] / "pyproject.toml"
    program = pathlib.Path(__file__).parent / "typed_program.py"
    env = dict(os.environ) if "site-packages" in folder.parts else {**os.environ, "MYPYPATH": str(folder.parent)}

    def mypy(*arguments):
        command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", tmp_path / "cache", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)

    result = mypy("-p", "luge")
    assert result.returncode == 0, result.stdout + result.stderr
    result = mypy(program)
    wrong = [line for line, text in enumerate(program.read_text().splitlines(), 1) if text.endswith("# wrong")]
    found = {int(line) for line in re.findall(r"typed_program\.py:(\d+): error", result.stdout)}
    assert found == set(wrong), result.stdout


def test_marked_as_typed():
    assert (pathlib.Path(luge.__file__).parent / "py.typed").exists()
