"""Loaders of luge.utils.data that are taken up in the middle of an epoch."""

import copy
import json

import pytest

import luge
from luge.utils import data
from loader_samples import Counting, generator_of, plain


def loaders():
    samples, listed = data.TensorDataset(luge.arange(23)), [(i,) for i in range(23)]
    for workers in (0, 2):
        options = {"batch_size": 4, "num_workers": workers}
        yield lambda o=options: data.DataLoader(samples, shuffle=True, generator=generator_of(1), **o)
        yield lambda o=options: data.DataLoader(listed, shuffle=True, generator=generator_of(1), drop_last=True, **o)
        yield lambda o=options: data.DataLoader(samples, **o)
        yield lambda o=options: data.DataLoader(samples, shuffle=True, sets=3, generator=generator_of(1), **o)
        yield lambda o=options: data.DataLoader(listed, shuffle=True, bootstrap=True, sets=3, **o)
        yield lambda o=options: data.DataLoader(samples, sampler=data.RandomSampler(samples, generator=generator_of(1)), **o)
        batches = data.BatchSampler(data.SubsetRandomSampler([5, 1, 9, 2, 7], generator_of(2)), 2, False)
        yield lambda w=workers, b=batches: data.DataLoader(listed, batch_sampler=copy.deepcopy(b), num_workers=w)


@pytest.mark.parametrize("make", list(loaders()))
def test_a_loader_is_taken_up_in_the_middle_of_an_epoch(make):
    luge.manual_seed(4)
    loader = make()
    whole = [plain(batch) for _ in range(3) for batch in loader]
    drawn = luge.rand(2).tolist()
    each = len(loader)
    for taken in (0, 1, each, each + 2, 2 * each - 1, 3 * each):
        luge.manual_seed(4)
        loader, seen, state = make(), [], None
        for epoch in range(3):
            for batch in loader:
                seen.append(plain(batch))
                if len(seen) == taken and taken % each:
                    state = loader.state_dict()
                    break
            if len(seen) == taken or taken == 0:
                break
        state = state or loader.state_dict()  # between two epochs
        assert state["batches"] == taken % each
        luge.manual_seed(5)
        other = make()
        other.load_state_dict(json.loads(json.dumps(state)))
        assert other.state_dict() == state
        while len(seen) < 3 * each:
            seen.extend(plain(list(other)))
        assert seen == whole
    luge.manual_seed(4)
    loader = make()
    for _ in range(3):
        list(loader)
    assert luge.rand(2).tolist() == drawn


def test_a_training_by_a_loader_goes_on_from_a_checkpoint(tmp_path):
    x = luge.linspace(-1, 1, 40).view(20, 2)

    class Training:
        def __init__(self):
            luge.manual_seed(8)
            self.model = luge.nn.Sequential(luge.nn.Linear(2, 8), luge.nn.Dropout(0.5), luge.nn.Linear(8, 1))
            self.optimizer = luge.optim.Adam(self.model.parameters(), lr=0.01)
            self.loader = data.DataLoader(
                data.TensorDataset(x, x.sum(1, keepdim=True)), 6, shuffle=True, generator=generator_of(1), num_workers=1
            )
            self.parts = {"params": self.model, "optimizer": self.optimizer, "loader": self.loader}
            self.losses = []

        def run(self, steps, path=None):
            while True:
                for inputs, targets in self.loader:
                    self.optimizer.zero_grad()
                    loss = luge.nn.functional.mse_loss(self.model(inputs), targets)
                    loss.backward()
                    self.optimizer.step()
                    self.losses.append(loss.item())
                    if len(self.losses) == steps:
                        if path is not None:
                            luge.checkpoint.save(path, step=steps, **self.parts)
                        return self.losses

    whole = Training().run(11)
    begun = Training().run(5, tmp_path / "x")
    luge.manual_seed(77)
    other = Training()
    assert luge.checkpoint.load(tmp_path / "x", **other.parts).step == 5
    assert begun + other.run(6) == whole


def test_places_that_cannot_be_gone_back_to():
    samples = data.TensorDataset(luge.arange(5))
    for loader, text in [
        (data.DataLoader(Counting(3)), "an IterableDataset cannot be taken up"),
        (data.DataLoader(samples, shuffle=True), "give generator="),
        (data.DataLoader(samples, sampler=data.RandomSampler(samples), generator=generator_of(1)), "give generator="),
        (data.DataLoader(samples, batch_sampler=data.BatchSampler(data.RandomSampler(samples), 2, True)), "give generator="),
    ]:
        with pytest.raises(ValueError, match=f"^DataLoader.state_dict: .*{text}"):
            loader.state_dict()
    with pytest.raises(ValueError, match="^DataLoader.load_state_dict: the state is of a loader with other orders"):
        data.DataLoader(samples).load_state_dict(data.DataLoader(samples, shuffle=True, generator=generator_of(1)).state_dict())
    with pytest.raises(KeyError, match="batches"):
        data.DataLoader(samples).load_state_dict({"epochs": 1})
