"""luge's exceptions are Python's, with the message of the C++ one."""

import pytest

import luge
from luge import nn


@pytest.mark.parametrize("kind, base", [
    (luge.ShapeError, ValueError), (luge.DTypeError, TypeError), (luge.DeviceError, RuntimeError), (luge.AutogradError, RuntimeError),
    (luge.CaptureError, RuntimeError), (luge.OutOfMemoryError, MemoryError), (luge.IoError, OSError), (luge.CudaError, RuntimeError),
])  # fmt: skip
def test_kinds(kind, base):
    assert issubclass(kind, base) and kind.__module__ == "luge" and kind.__doc__
    with pytest.raises(base):
        raise kind("text")


@pytest.mark.parametrize("action, kind, words", [
    (lambda: luge.ones(2, 3) @ luge.ones(2, 3), luge.ShapeError, ["matmul", "(2, 3)"]),
    (lambda: luge.ones(2) + luge.ones(3), luge.ShapeError, ["add", "(2,)", "(3,)"]),
    (lambda: luge.ones(2).view(3), luge.ShapeError, ["view", "(3,)"]),
    (lambda: luge.tensor([1]).mean(), luge.DTypeError, ["mean", "int64"]),
    (lambda: luge.ones(2)[2], IndexError, ["indexing", "2"]),
    (lambda: luge.ones(2).sum(5), IndexError, ["sum", "5"]),
    (lambda: luge.arange(0, 1, 0), ValueError, ["arange", "step"]),
    (lambda: luge.ones(2).backward(), luge.AutogradError, ["backward"]),
    (lambda: luge.nn.Linear(0, 1), ValueError, ["Linear", "in_features"]),
    (lambda: luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=-1), ValueError, ["SGD", "lr", "-1"]),
    (lambda: luge.device("tpu"), ValueError, ["tpu"]),
    (lambda: luge.empty(2**48), luge.OutOfMemoryError, ["bytes"]),
    (lambda: luge.ones("a"), TypeError, ["ones", "str"]),
    (lambda: luge.full((2,), "a"), TypeError, ["full", "fill_value", "str"]),
    (lambda: luge.clamp(luge.ones(2)), ValueError, ["clamp", "min", "max"]),
    (lambda: luge.ones(2).item(), luge.ShapeError, ["item", "2"]),
    (lambda: luge.nn.functional.cross_entropy(luge.zeros(1, 2), luge.tensor([0.5])), luge.DTypeError, ["cross_entropy", "float32"]),
    (lambda: luge.data.read_idx("/none"), luge.IoError, ["/none"]),
])  # fmt: skip
def test_messages(action, kind, words):
    with pytest.raises(kind) as error:
        action()
    for word in words:
        assert word in str(error.value)


def test_results_have_types():
    step = luge.capture(lambda: luge.ones(1) * 2)
    step()
    assert isinstance(step, luge.Step) and isinstance(step.figures, luge.StepFigures) and isinstance(step.stats, luge.StepStats)
    assert isinstance(luge.memory_stats(), luge.MemoryStats) and isinstance(luge.init.ones(), luge.Init)
    assert luge.bool_ is luge.bool and isinstance(luge.autograd.FunctionContext((True,)), luge.autograd.FunctionContext)
    assert luge.nn.Module().extra_repr() == ""


@pytest.mark.parametrize(("make", "argument", "kind"), [
    (lambda n: nn.Linear(n, 3), "in_features", "Linear"), (lambda n: nn.Bilinear(2, n, 3), "in2_features", "Bilinear"),
    (lambda n: nn.Embedding(3, n), "embedding_dim", "Embedding"), (lambda n: nn.Conv2d(n, 2, 3), "in_channels", "Conv2d"),
    (lambda n: nn.Conv2d(1, 2, n), "kernel_size", "Conv2d"), (lambda n: nn.Conv1d(2, 2, 3, stride=n), "stride", "Conv1d"),
    (lambda n: nn.BatchNorm2d(n), "num_features", "BatchNorm2d"), (lambda n: nn.LayerNorm(n), "normalized_shape", "LayerNorm"),
    (lambda n: nn.GroupNorm(n, 4), "num_groups", "GroupNorm"), (lambda n: nn.PReLU(n), "num_parameters", "PReLU"),
    (lambda n: nn.LSTM(3, n), "hidden_size", "LSTM"), (lambda n: nn.GRUCell(n, 3), "input_size", "GRUCell"),
    (lambda n: nn.MultiheadAttention(n, 2), "embed_dim", "MultiheadAttention"),
])  # fmt: skip
@pytest.mark.parametrize("given", [None, 2.5, [2.5]])
def test_sizes_of_layers_are_integers(make, argument, kind, given):
    with pytest.raises(TypeError, match=rf"{kind}: {argument} is of type (NoneType|float|list); it must be an int"):
        make(given)


@pytest.mark.parametrize("make", [nn.Dropout, nn.Dropout2d, lambda p: nn.MultiheadAttention(4, 2, dropout=p), lambda p: nn.LSTM(3, 4, 2, dropout=p)])
def test_probabilities_of_layers_are_numbers(make):
    with pytest.raises(TypeError, match="is of type NoneType; it must be a number from 0 to 1"):
        make(None)
    with pytest.raises(ValueError, match="is 1.5; it must be from 0 to 1"):
        make(1.5)
