"""Buffers, hooks, and modules that hold others by name: as in PyTorch, side by side where it is installed."""

import copy
import pickle

import pytest

import luge
from luge import nn

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")


class Running(nn.Module):
    """Counts its calls, and keeps a mean that is saved and a scratch that is not."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(luge.ones(2))
        self.register_buffer("mean", luge.zeros(2))
        self.register_buffer("calls", luge.tensor(0))
        self.register_buffer("scratch", luge.zeros(1), persistent=False)
        self.register_buffer("nothing", None)

    def forward(self, x):
        with luge.no_grad():
            self.calls.add_(1)
            self.mean.copy_(0.9 * self.mean + 0.1 * x.mean(0))
        return x * self.scale - self.mean


def their_running():
    module = torch.nn.Module()
    module.scale = torch.nn.Parameter(torch.ones(2))
    module.register_buffer("mean", torch.zeros(2))
    module.register_buffer("calls", torch.tensor(0))
    module.register_buffer("scratch", torch.zeros(1), persistent=False)
    module.register_buffer("nothing", None)
    return module


# ---- buffers


def test_buffers_are_state_and_not_trained():
    ours, theirs = Running(), their_running()
    net, their_net = nn.Sequential(ours, nn.Linear(2, 1)), torch.nn.Sequential(theirs, torch.nn.Linear(2, 1))
    assert [name for name, _ in net.named_buffers()] == [name for name, _ in their_net.named_buffers()]
    assert len(list(net.buffers())) == 3 and len(list(net.buffers(recurse=False))) == 0
    assert list(net.state_dict()) == list(their_net.state_dict())
    assert list(net.state_dict(prefix="net.")) == list(their_net.state_dict(prefix="net."))
    assert [name for name, _ in net.named_parameters()] == ["0.scale", "1.weight", "1.bias"]
    assert net.state_dict(keep_vars=True)["0.mean"] is ours.mean
    net(luge.ones(3, 2))
    assert ours.calls.item() == 1 and ours.mean.tolist() == pytest.approx([0.1, 0.1])
    other = nn.Sequential(Running(), nn.Linear(2, 1))
    other.load_state_dict(net.state_dict())
    assert other[0].calls.item() == 1 and other[0].mean.equal(ours.mean) and other[0].calls.dtype == luge.int64
    with pytest.raises(ValueError, match=r"load_state_dict: missing are \['calls'\]"):
        Running().load_state_dict({"scale": np.ones(2), "mean": np.ones(2)})


def test_buffers_are_seen_by_captured_steps():
    net = Running()
    step = luge.capture(lambda: net(luge.ones(3, 2)))
    step.run(4)
    assert net.calls.item() == 4
    net.load_state_dict({"scale": np.ones(2), "mean": np.zeros(2), "calls": 7})
    step.run(1)
    assert net.calls.item() == 8 and net.mean.tolist() == pytest.approx([0.1, 0.1])


def test_buffers_are_replaced_converted_and_copied():
    net = Running()
    net.mean = luge.full((2,), 5.0)
    assert net.state_dict()["mean"].tolist() == [5, 5] and "mean" not in vars(net)
    net.scratch = None
    assert [name for name, _ in net.named_buffers()] == ["mean", "calls"]
    for made in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        made.mean.add_(1)
        assert made.mean.tolist() == [6, 6] and net.mean.tolist() == [5, 5] and list(made.state_dict()) == list(net.state_dict())
    before = net.mean
    net.double()
    assert net.mean is before and net.mean.dtype == luge.float64 and net.calls.dtype == luge.int64
    net.mean = nn.Parameter(luge.ones(2))
    assert "mean" in dict(net.named_parameters()) and "mean" not in dict(net.named_buffers())
    del net.calls
    assert list(net.state_dict()) == ["scale", "mean"]


def test_buffers_are_part_of_a_checkpoint(tmp_path):
    net, path = nn.Sequential(Running(), Running()), tmp_path / "net.safetensors"
    net[1].calls = net[0].calls  # one tensor under two names
    net(luge.ones(3, 2))
    luge.checkpoint.save(path, params=net)
    other = nn.Sequential(Running(), Running())
    other[1].calls = other[0].calls
    luge.checkpoint.load(path, params=other)
    assert other[0].calls.item() == 2 and other[1].mean.equal(net[1].mean)


@pytest.mark.parametrize("call, kind, text", [
    (lambda net: net.register_buffer("mean.x", luge.ones(1)), KeyError, "Running: 'mean.x' cannot be a name"),
    (lambda net: net.register_buffer("x", 1.0), TypeError, "Running: 'x' can become a buffer if it is a Tensor or None, not of"),
    (lambda net: net.register_buffer("scale", luge.ones(1)), KeyError, "Running: 'scale' is in use"),
    (lambda net: net.register_buffer("forward", luge.ones(1)), KeyError, "Running: 'forward' is in use"),
    (lambda net: setattr(net, "mean", 1.0), TypeError, "Running: 'mean' is a buffer; it can become a Tensor or None"),
    (lambda net: net.get_submodule("a.b"), AttributeError, "get_submodule: Running has no module 'a', and target is 'a.b'"),
    (lambda net: net.get_parameter("mean"), AttributeError, "get_parameter: Running has no parameter 'mean'"),
    (lambda net: net.get_buffer("scale"), AttributeError, "get_buffer: Running has no buffer 'scale'"),
])  # fmt: skip
def test_errors(call, kind, text):
    net = Running()
    before = list(net.state_dict())
    with pytest.raises(kind, match=text):
        call(net)
    assert list(net.state_dict()) == before


def test_parts_by_name():
    net = nn.Sequential(nn.Sequential(Running()))
    assert net.get_submodule("") is net and net.get_submodule("0.0") is net[0][0]
    assert net.get_parameter("0.0.scale") is net[0][0].scale and net.get_buffer("0.0.mean") is net[0][0].mean


# ---- hooks


def test_hooks_are_called_in_pytorchs_order():
    def run(package, ones):
        seen, net = [], package.nn.Sequential(package.nn.Linear(2, 2, bias=False))
        with package.no_grad():
            net[0].weight.copy_(2 * package.eye(2))

        def before(name, factor):
            return lambda module, args: (seen.append((name, args[0].tolist())), (args[0] * factor,))[1]

        def after(name, term):
            return lambda module, args, result: (seen.append((name, result.tolist())), result + term)[1]

        handles = [net[0].register_forward_pre_hook(before("a", 2)), net[0].register_forward_pre_hook(before("b", 3), prepend=True),
                   net[0].register_forward_hook(after("c", 1)), net[0].register_forward_hook(after("d", 10), prepend=True),
                   net.register_forward_hook(lambda module, args, result: seen.append("net"))]  # fmt: skip
        results = [net(ones(2)).tolist()]
        handles[0].remove()
        handles[0].remove()
        assert package is torch or isinstance(handles[0], nn.module.RemovableHandle)
        with handles[3]:
            results.append(net(ones(2)).tolist())
        results.append(net(ones(2)).tolist())
        return seen, results

    newer = hasattr(torch.nn.Module, "register_full_backward_pre_hook")  # 2.0, where prepend= came
    ours = run(luge, luge.ones)
    assert ours[1] == [[23, 23], [17, 17], [7, 7]] and len(ours[0]) == 12
    if newer:
        assert ours == run(torch, torch.ones)


def test_hooks_with_keywords():
    class Scaled(nn.Module):
        def forward(self, x, factor=1):
            return x * factor

    net, seen = Scaled(), []
    net.register_forward_pre_hook(lambda module, args, kwargs: (args, {"factor": kwargs["factor"] + 1}), with_kwargs=True)
    net.register_forward_hook(lambda module, args, kwargs, result: seen.append(kwargs), with_kwargs=True)
    net.register_forward_pre_hook(lambda module, args: args[0] + 1)
    assert net(luge.ones(1), factor=2).tolist() == [6] and seen == [{"factor": 3}]


# ---- modules and parameters by name


def test_module_dict():
    def run(package):
        heads = package.nn.ModuleDict({"a": package.nn.Linear(2, 1)})
        heads["b"] = package.nn.Linear(2, 3)
        heads.update([("c", package.nn.ReLU())])
        names = [list(heads), list(heads.keys()), [name for name, _ in heads.items()], list(heads.state_dict()), len(heads)]
        names += ["b" in heads, "d" in heads, type(heads.pop("c")).__name__, len(list(heads.values()))]
        del heads["a"]
        names += [list(heads.state_dict())]
        heads.clear()
        return [*names, len(heads)]

    assert run(luge) == run(torch)
    with pytest.raises(TypeError, match="ModuleDict: 'x' can become a Module or None"):
        nn.ModuleDict({"x": luge.ones(1)})


def test_lists_and_dicts_of_parameters():
    def run(package):
        net = package.nn.Module()
        net.list = package.nn.ParameterList([package.ones(2), package.nn.Parameter(package.ones(3))])
        net.list.append(package.zeros(1)).extend([package.zeros(4)])
        net.list[0] = package.nn.Parameter(package.ones(5))
        net.dict = package.nn.ParameterDict({"a": package.ones(2)})
        net.dict["b"] = package.nn.Parameter(package.ones(3))
        net.dict.update({"c": package.nn.Parameter(package.ones(1))})
        shapes = [(name, tuple(value.shape), value.requires_grad) for name, value in net.named_parameters()]
        rest = [len(net.list), len(net.dict), list(net.dict), "a" in net.dict, [tuple(p.shape) for p in net.list[1:3]]]
        rest += [tuple(net.dict.pop("c").shape), list(net.dict.keys()), net.dict.get("x"), [len(v) for v in net.dict.values()]]
        del net.dict["a"]
        rest += [[name for name, _ in net.dict.items()], tuple(net.list[-1].shape), [tuple(p.shape) for p in net.list]]
        net.dict.clear()
        return shapes, rest, len(net.dict)

    assert run(luge) == run(torch)
