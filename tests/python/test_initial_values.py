"""Layers and models start differently from each other, and the same after the same seed."""

import itertools

import pytest

import luge
from luge import nn

np = pytest.importorskip("numpy")


def starts(model):
    return [parameter.numpy().ravel() for parameter in model.state_dict().values()]


def correlation(a, b):
    n = min(len(a), len(b))
    return float(np.dot(a[:n], b[:n]) / np.sqrt(np.dot(a[:n], a[:n]) * np.dot(b[:n], b[:n])))


def expect_unrelated(values):
    """n independent values have a correlation of deviation 1/sqrt(n): five of those for some hundred pairs."""
    for a, b in itertools.combinations(values, 2):
        assert abs(correlation(a, b)) < 5 / min(len(a), len(b)) ** 0.5
        assert not np.array_equal(a, b)


def perceptron():
    return nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 32))


class Net(nn.Module):
    def __init__(self, params=None):
        super().__init__()
        self.table = nn.Embedding(40, 30, params=params, name="table")
        self.hidden = nn.Linear(30, 40, params=params, name="hidden")

    def forward(self, x):
        return self.hidden(self.table(x))


@pytest.mark.parametrize("make", [perceptron, Net, lambda: Net(luge.Parameters()), lambda: Net(luge.Parameters(sets=2))])
def test_models_made_in_a_loop_are_unrelated(make):
    expect_unrelated([value for _ in range(5) for value in starts(make())])


def test_layers_of_other_widths_are_no_multiples_of_each_other():
    layers = [nn.Linear(width, width) for width in (64, 64, 32, 65, 96)] + [nn.Embedding(width, 64) for width in (64, 32)]
    expect_unrelated([layer.weight.detach().numpy().ravel() for layer in layers])
    expect_unrelated([layer.bias.detach().numpy() for layer in (nn.Linear(2, n) for n in (200, 200, 300))])


def test_sets_are_unrelated():
    weight = nn.Linear(40, 40, params=luge.Parameters(sets=6)).weight.detach().numpy()
    expect_unrelated([start.ravel() for start in weight])


def test_a_seed_repeats_the_sequence():
    def make():
        luge.manual_seed(7)
        return [*starts(perceptron()), luge.rand(5).numpy(), *starts(Net(luge.Parameters(sets=2))), *starts(Net())]

    for one, other in zip(make(), make()):
        assert one.tobytes() == other.tobytes()
    luge.manual_seed(8)
    assert not np.array_equal(starts(perceptron())[0], make()[0])


def test_an_arena_without_a_seed_starts_as_loose_layers_do():
    luge.manual_seed(3)
    loose = Net()
    luge.manual_seed(3)
    own = Net(luge.Parameters())
    assert all(a.tobytes() == b.tobytes() for a, b in zip(starts(loose), starts(own)))


def test_a_seed_of_the_arena_keeps_its_meaning():
    luge.manual_seed(3)
    expected = luge.rand(4).tolist()
    luge.manual_seed(3)
    one, other = (Net(luge.Parameters(seed=5)) for _ in range(2))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(starts(one), starts(other)))
    assert luge.rand(4).tolist() == expected  # nothing was taken from the global generator


def test_constants_draw_nothing():
    luge.manual_seed(3)
    expected = luge.rand(4).tolist()
    luge.manual_seed(3)
    nn.Linear(3, 2, weight_init=luge.init.zeros(), bias_init=luge.init.ones())
    assert luge.rand(4).tolist() == expected
