"""luge.utils.data.DataLoader with sets: orders and bootstrap samples of their own."""

import copy
import pathlib
import pickle
import re

import pytest

import luge
from luge.utils import data
from loader_samples import Numbers, Point, generator_of, labels_of, plain

WAYS = [{"shuffle": True}, {"bootstrap": True}, {"shuffle": True, "bootstrap": True}]
ways = pytest.mark.parametrize("way", WAYS, ids=["orders", "samples", "orders of samples"])


@ways
@pytest.mark.parametrize("workers", [0, 2])
def test_a_set_alone_gets_what_it_gets_among_others(way, workers):
    samples = data.TensorDataset(luge.arange(22.0).reshape(11, 2), luge.arange(11))

    def epochs(sets, first_set):
        loader = data.DataLoader(
            samples, 4, sets=sets, first_set=first_set, num_workers=workers, generator=generator_of(9), **way
        )
        assert len(loader) == 3
        return [list(loader) for _ in range(3)]

    together = epochs(5, 0)
    assert [tuple(x.shape) for x, _ in together[0]] == [(5, 4, 2), (5, 4, 2), (5, 3, 2)]
    for number in range(5):
        for ours, alone in zip(together, epochs(1, number)):
            for (x, y), (own_x, own_y) in zip(ours, alone):
                assert x[number].equal(own_x[0]) and y[number].equal(own_y[0])
                assert x[number, :, 0].tolist() == [2 * label for label in y[number].tolist()]


def test_each_set_has_an_order_of_its_own():
    samples, generator = data.TensorDataset(luge.arange(30)), generator_of(2)
    loader = data.DataLoader(samples, 7, shuffle=True, sets=4, generator=generator)
    first, second = labels_of(loader), labels_of(loader)
    assert all(sorted(order) == list(range(30)) for order in first + second)
    assert len({tuple(order) for order in first + second}) == 8
    alone = data.DataLoader(samples, 7, shuffle=True, generator=generator_of(2))
    for epoch in (first, second):  # set 0 goes as a loader without sets does
        assert [number for (labels,) in alone for number in labels.tolist()] == epoch[0]
    left_out = data.DataLoader(samples, 7, shuffle=True, sets=4, generator=generator_of(2), drop_last=True)
    assert labels_of(left_out) == [order[:28] for order in first] and len(left_out) == 4


def test_a_bootstrap_sample_stays():
    samples = data.TensorDataset(luge.arange(20))
    still = data.DataLoader(samples, 8, bootstrap=True, sets=3, generator=generator_of(7))
    drawn = luge.data.bootstrap(20, 3, seed=7)
    assert labels_of(still) == labels_of(still) == drawn.tolist()
    moving = data.DataLoader(samples, 8, shuffle=True, bootstrap=True, sets=3, generator=generator_of(7))
    first, second = labels_of(moving), labels_of(moving)
    assert first != second and first != drawn.tolist()
    for epoch in (first, second):
        assert [sorted(order) for order in epoch] == [sorted(order) for order in drawn.tolist()]
    orders = luge.data.shuffled(20, 3, 7, step=0)
    assert first == drawn.gather(1, orders).tolist()


@ways
def test_sets_without_a_generator_follow_the_global_seed(way):
    samples = data.TensorDataset(luge.arange(20))

    def epochs(seed):
        luge.manual_seed(seed)
        loader = data.DataLoader(samples, 6, sets=2, **way)
        return [labels_of(loader), labels_of(loader)]

    assert epochs(1) == epochs(1) != epochs(2)


@pytest.mark.parametrize("workers", [0, 2])
def test_sets_of_samples_of_any_structure(workers):
    options = {"shuffle": True, "sets": 2, "num_workers": workers}
    for batch in data.DataLoader(Numbers(6), 3, generator=generator_of(1), **options):
        labels = batch["label"]
        assert labels.shape == batch["x"].shape == (2, 3) and batch["x"].tolist() == labels.tolist()
        assert isinstance(batch["pair"], Point) and batch["pair"].y.squeeze(-1).equal(labels)
        assert batch["name"] == [[str(label) for label in row] for row in labels.tolist()]
    numbers = data.TensorDataset(luge.arange(10))
    part = data.Subset(numbers, [7, 3, 5, 9])
    orders = luge.data.shuffled(4, 2, 1, step=0)
    expected = luge.tensor([7, 3, 5, 9])[orders].tolist()
    by_hand = data.Subset([(i,) for i in range(10)], [7, 3, 5, 9])
    for samples in (part, by_hand, data.Subset(data.Subset(numbers, list(range(10))), [7, 3, 5, 9])):
        assert labels_of(data.DataLoader(samples, 3, generator=generator_of(1), **options)) == expected
    assert list(data.DataLoader(data.Subset(numbers, []), 3, **options)) == []
    with pytest.raises(TypeError, match="with sets collate_fn must return tensors, .* it returned int"):
        list(data.DataLoader(numbers, 3, collate_fn=len, **options))


def test_a_loader_is_copied():
    samples = data.TensorDataset(luge.arange(12))
    for options in ({}, {"sets": 2, "bootstrap": True}):
        loader = data.DataLoader(samples, 5, shuffle=True, generator=generator_of(3), num_workers=1, **options)
        first = plain(list(loader))
        for copied in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
            assert plain(list(copied)) == plain(list(data.DataLoader(samples, 5, shuffle=True, generator=seen_once(12), **options)))
        assert plain(list(loader)) != first


def seen_once(points):
    """A generator that one epoch was drawn from."""
    generator = generator_of(3)
    luge.randperm(points, generator=generator)
    return generator


def test_an_ensemble_on_bootstraps_trains_as_each_network_alone():
    x = luge.linspace(-1, 1, 24, dtype=luge.float64).unsqueeze(1)
    samples = data.TensorDataset(x, luge.sin(3 * x))

    def trained(sets, first_set):
        params = luge.Parameters(sets, seed=3, first_set=first_set, dtype=luge.float64)
        model = luge.nn.Sequential(
            luge.nn.Linear(1, 8, params=params, name="a"), luge.nn.Tanh(), luge.nn.Linear(8, 1, params=params, name="b")
        )
        optimizer = luge.optim.Adam(params, lr=0.05)
        loader = data.DataLoader(
            samples, 8, shuffle=True, bootstrap=True, sets=sets, first_set=first_set, generator=generator_of(5), num_workers=1
        )

        @luge.capture
        def step(inputs, targets):
            optimizer.zero_grad()
            loss = luge.nn.functional.mse_loss(model(inputs), targets, reduction="per_set")
            loss.sum().backward()
            optimizer.step()
            return loss

        return [step(*batch).tolist() for _ in range(30) for batch in loader]

    together = trained(3, 0)
    assert sum(map(sum, together[-3:])) < 0.1 * sum(map(sum, together[:3]))
    for number in range(3):
        assert [losses[number] for losses in together] == [loss for (loss,) in trained(1, number)]


def test_the_example_of_the_page():
    """What docs/python.md shows runs and learns."""
    page = (pathlib.Path(__file__).parents[2] / "docs/python.md").read_text()
    program = re.search(r"An ensemble on bootstraps:\n\n```python\n(.*?)```", page, re.S).group(1)
    names = {"luge": luge}
    exec(compile(program, "docs/python.md", "exec"), names)
    truth = luge.sin(4 * names["x"])
    assert (names["mean"] - truth).square().mean().sqrt().item() < 0.06
    assert 0 < names["deviation"].mean().item() < 0.1
    seen = luge.cat([targets for _, targets in names["bags"]], 1).squeeze(-1)
    for number in range(20):
        left_out = names["y"].squeeze(-1)[names["out_of_bag"][number]]
        assert 50 < len(left_out) < 100 and not set(left_out.tolist()) & set(seen[number].tolist())
