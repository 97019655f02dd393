"""Hooks on the way back and around the state, and the rest of Module beside test_modules.py, against PyTorch's."""

import luge
import numpy as np
import pytest
from luge import nn

torch = pytest.importorskip("torch")


NEW = pytest.mark.skipif(not hasattr(torch.nn.Module, "register_full_backward_pre_hook"), reason="PyTorch has no pre hooks")


def both(run, *arrays):
    """What run(library, nn, *tensors) gives in luge and in PyTorch, as lists."""
    ours = run(luge, luge.nn, *(luge.tensor(a.tolist(), dtype=luge.float64, requires_grad=True) for a in arrays))
    theirs = run(torch, torch.nn, *(torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays))
    return ours, theirs


def shown(value):
    if value is None or isinstance(value, (int, str, bool)):
        return value
    if isinstance(value, (tuple, list)):
        return [shown(item) for item in value]
    return np.round(np.asarray(value.detach().numpy()), 10).tolist()


class Two:
    """A module of two inputs and two results, of either library."""

    @staticmethod
    def made(module):
        class Cross(module.Module):
            def forward(self, a, b, c=None):
                return a * b, a + 2 * b

        return Cross()


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 2))


@NEW
def test_backward_hooks_of_one_tensor():
    def run(library, module, x):
        seen = []
        layer = module.Tanh()
        layer.register_full_backward_hook(lambda m, gi, go: seen.append(("hook", shown(gi), shown(go))))
        layer.register_full_backward_pre_hook(lambda m, go: seen.append(("pre", shown(go))))
        (layer(x) * 3).sum().backward()
        return [*seen, shown(x.grad)]

    ours, theirs = both(run, X)
    assert ours == theirs


@NEW
def test_backward_hooks_replace():
    def run(library, module, x):
        layer = module.Tanh()
        first = layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
        layer.register_full_backward_hook(lambda m, gi, go: (gi[0] + 1,), prepend=True)
        pre = layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 2,))
        layer(x).sum().backward()
        one = shown(x.grad)
        first.remove(), pre.remove()
        x.grad = None
        layer(x).sum().backward()
        return [one, shown(x.grad)]

    ours, theirs = both(run, X)
    np.testing.assert_allclose(ours, theirs)


def test_backward_hooks_of_several_tensors():
    def run(library, module, x, y):
        seen = []
        layer = Two.made(module)
        layer.register_full_backward_hook(lambda m, gi, go: seen.append([shown(gi), shown(go)]))
        a, b = layer(x, y, None)
        (a * 3 + b).sum().backward()
        return [*seen, shown(x.grad), shown(y.grad)]

    ours, theirs = both(run, X, Y)
    assert ours == theirs


def test_backward_hook_of_an_input_without_gradient():
    def run(library, module, x):
        seen = []
        layer = module.Linear(2, 1).double()
        layer.register_full_backward_hook(lambda m, gi, go: seen.append([shown(gi), shown(go)]))
        layer(x.detach()).sum().backward()
        return seen

    ours, theirs = both(run, X)
    assert ours == theirs


def test_backward_hook_with_a_mistake():
    layer, x = nn.Tanh(), luge.ones(2, requires_grad=True)
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    with pytest.raises(ValueError, match="Tanh: a backward hook returned 2 gradients; there are 1"):
        layer(x).sum().backward()


def test_forward_hook_that_is_always_called():
    seen = []

    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("broken")

    layer = Broken()
    layer.register_forward_hook(lambda m, args, result: seen.append(result), always_call=True)
    layer.register_forward_hook(lambda m, args, result: seen.append("never"))
    with pytest.raises(ValueError, match="broken"):
        layer(1)
    assert seen == [None]


def test_state_hooks():
    model, seen = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)), []
    model[1].register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(("pre", prefix, keep)))
    model.register_state_dict_post_hook(lambda m, state, prefix, meta: state.update({prefix + "more": 3}))
    model[0].register_state_dict_post_hook(lambda m, state, prefix, meta: seen.append(("post", prefix)))
    state = model.state_dict(prefix="x.")
    assert state["x.more"] == 3 and seen == [("pre", "x.1.", False), ("post", "x.0.")]

    def rename(module, given, prefix, meta, strict, missing, unexpected, errors):
        given[prefix + "weight"] = given.pop(prefix + "kernel")

    handle = model[0].register_load_state_dict_pre_hook(rename)
    old = {f"0.kernel" if name == "0.weight" else name: value + 1 for name, value in model.state_dict().items() if name != "more"}
    model.load_state_dict(old)
    assert model[0].weight.equal(old["0.kernel"]) and "0.kernel" in old
    handle.remove()
    model[0].register_load_state_dict_post_hook(lambda m, keys: (keys.missing_keys.clear(), keys.unexpected_keys.clear(), None)[-1])
    model.load_state_dict(old)
    with pytest.raises(ValueError, match="assign"):
        model.load_state_dict(old, assign=True)


def test_set_submodule():
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    model.set_submodule("1.0", nn.Tanh())
    assert isinstance(model[1][0], nn.Tanh)
    with pytest.raises(AttributeError, match="no module '7'"):
        model.set_submodule("1.7", nn.Tanh(), strict=True)
    with pytest.raises(ValueError, match="target is ''"):
        model.set_submodule("", nn.Tanh())


def test_type():
    layer = nn.Linear(2, 2).type(luge.float64)
    assert layer.weight.dtype is luge.float64
    with pytest.raises(TypeError, match=r"^Linear\.type: dst_type"):
        layer.type("float64")


@pytest.mark.parametrize("norm_type", [1, 2, 2.0, 3.5, float("inf")])
def test_clip_grad_norm(norm_type):
    values = [RNG.normal(size=(3, 2)), RNG.normal(size=4)]

    def run(library, module, *leaves):
        for leaf, value in zip(leaves, values):
            (leaf * library.tensor(value.tolist(), dtype=library.float64)).sum().backward()
        total = module.utils.clip_grad_norm_([*leaves, leaves[0]] if library is luge else leaves, 0.5, norm_type, False)
        return [total.item(), *(leaf.grad.flatten().tolist() for leaf in leaves)]

    ours, theirs = both(run, np.ones((3, 2)), np.ones(4))
    for x, y in zip(ours, theirs):
        np.testing.assert_allclose(x, y, rtol=1e-9)


def test_clip_grad_norm_of_what_is_not_finite():
    leaf = nn.Parameter(luge.ones(2))
    (leaf * luge.tensor([1.0, float("inf")])).sum().backward()
    with pytest.raises(ValueError, match="^clip_grad_norm_: the norm is inf"):
        nn.utils.clip_grad_norm_([leaf], 1.0, error_if_nonfinite=True, foreach=True)
    assert leaf.grad.tolist() == [1.0, float("inf")]
    with pytest.raises(ValueError, match="parameters with sets have neither"):
        nn.utils.clip_grad_norm_(luge.Parameters(sets=2), 1.0, 1.0)
