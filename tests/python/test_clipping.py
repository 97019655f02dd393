"""Clipping gradients by their norm, of plain models and of models with sets."""

import pytest

import luge
from luge import nn

np = pytest.importorskip("numpy")


def clipped(parameters, max_norm=1.0):
    return nn.clip_grad_norm_(parameters, max_norm)


@pytest.mark.parametrize("under_an_optimizer", [False, True])
def test_clipping_a_plain_model(under_an_optimizer):
    torch = pytest.importorskip("torch")
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    theirs.load_state_dict({name: torch.from_numpy(value.numpy()) for name, value in net.state_dict().items()})
    kept = luge.optim.SGD(net.parameters(), lr=1.0) if under_an_optimizer else None
    x = luge.randn(6, 3)
    (net(x) * 30).sum().backward()
    (theirs(torch.from_numpy(x.numpy())) * 30).sum().backward()
    norm, expected = nn.utils.clip_grad_norm_(net.parameters(), 1), torch.nn.utils.clip_grad_norm_(theirs.parameters(), 1)
    assert norm.shape == () and norm.item() == pytest.approx(expected.item(), rel=1e-6)
    for ours, other in zip(net.parameters(), theirs.parameters()):
        np.testing.assert_allclose(ours.grad.numpy(), other.grad.numpy(), rtol=1e-5, atol=1e-8)
    del kept


def test_what_can_be_clipped():
    w = nn.Parameter(luge.zeros(2))
    none = nn.Parameter(luge.zeros(2))

    def with_gradient():
        w.zero_grad()
        (w * luge.tensor([3.0, 4.0])).sum().backward()
        return w

    for given in (with_gradient(), [w], (w, w), (p for p in [w, none]), iter([w])):
        with_gradient()
        assert clipped(given).item() == 5
        assert w.grad.tolist() == pytest.approx([0.6, 0.8], rel=1e-6) and none.grad is None
    assert clipped([none]).item() == 0 and clipped([]).item() == 0
    for wrong in (3, None, [w, 1]):
        with pytest.raises(TypeError, match="clip_grad_norm_"):
            clipped(wrong)
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm is -1"):
        clipped([w], -1)
    with pytest.raises(ValueError, match="tensor 0 was made by mul"):
        clipped(w * 2)


def test_clipping_a_model_with_sets():
    params = luge.Parameters(sets=3, seed=1)
    layer = nn.Linear(2, 2, params=params)
    (layer(luge.ones(4, 2)) * 100).sum().backward()
    norms = nn.clip_grad_norm_([layer.weight], luge.tensor([1.0, 2.0, 1e9]))
    assert norms.shape == (3,)
    found = (layer.weight.grad**2).sum((1, 2)).sqrt()
    assert found.tolist() == pytest.approx([1, 2, norms[2].item()], rel=1e-5)
    assert nn.clip_grad_norm_(layer.parameters(), 0.0).shape == (3,) and layer.bias.grad.abs().max().item() == 0
