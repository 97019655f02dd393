"""Parameter groups in what is around an optimizer: the scaler, clipping, live compaction."""

import math

import pytest

import luge
from group_training import Training, float64, kinds

torch = pytest.importorskip("torch")


# ---- the scaler, clipping


@kinds
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_a_scaled_training_of_groups_has_the_same_bits(kind, captured):
    """The scale is a power of two, so that nothing is rounded otherwise."""

    class Scaled(Training):
        def _step(self):
            self.optimizer.zero_grad()
            loss = ((self.model(self.x) - self.y) ** 2).mean((-2, -1))
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()
            self.schedule.step()
            return loss

    scaler = luge.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
    plain, scaled = Training(kind, captured=captured), Scaled(kind, captured=captured)
    assert scaled.train(0, 8) == plain.train(0, 8) and scaler.get_scale() == 2.0**12
    assert scaled.facts[0] == plain.facts[0]


def test_an_infinity_in_one_group_skips_all_of_them():
    for bad in (0, 1):
        leaves = [luge.ones(2, requires_grad=True) for _ in range(2)]
        optimizer = luge.optim.SGD([{"params": [leaf]} for leaf in leaves], lr=0.5)
        scaler = luge.amp.GradScaler("cpu", init_scale=8.0)
        for factor in (math.inf, 1.0):
            optimizer.zero_grad()
            scaler.scale(leaves[bad].sum() * factor + leaves[1 - bad].sum()).backward()
            scaler.unscale_(optimizer)
            assert scaler.found_inf(optimizer).item() == (factor == math.inf)
            assert leaves[1 - bad].grad.tolist() == [1.0, 1.0]
            scaler.step(optimizer)
            scaler.update()
        assert [leaf.tolist() for leaf in leaves] == [[0.5, 0.5]] * 2 and scaler.get_scale() == 4.0


def test_an_infinity_in_one_set_of_one_group_skips_that_set():
    params = luge.Parameters(sets=3, dtype=float64)
    a, b = (params.add(name, (2,), luge.init.ones()) for name in "ab")
    optimizer = luge.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.25}], lr=0.5)
    scaler = luge.amp.GradScaler("cpu", init_scale=8.0, sets=3)
    factor = luge.tensor([1.0, math.inf, 1.0], dtype=float64)
    scaler.scale(a.sum(1) + b.sum(1) * factor).sum().backward()
    scaler.step(optimizer)
    scaler.update()
    assert a[:, 0].tolist() == [0.5, 1.0, 0.5] and b[:, 0].tolist() == [0.75, 1.0, 0.75]
    assert scaler.get_scale().tolist() == [8.0, 4.0, 8.0]


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("way", ["norm", "value", "norm of a group"])
def test_clipping_between_groups(way, scaled):
    seen = []
    for library in (torch, luge):
        a, b = (library.tensor(values, dtype=library.float64, requires_grad=True) for values in ([1.0, -2.0], [[3.0], [0.25]]))
        optimizer = library.optim.SGD([{"params": [a], "lr": 0.1}, {"params": [b], "momentum": 0.9}], lr=0.2)
        scaler = luge.amp.GradScaler("cpu", init_scale=16.0, enabled=library is luge and scaled)
        for _ in range(3):
            optimizer.zero_grad()
            loss = (a**2).sum() + (b**4).sum()
            if library is luge and scaled:
                scaler.scale(loss).backward()
                scaler.unscale_(optimizer)
            else:
                loss.backward()
            utils = library.nn.utils
            if way == "value":
                utils.clip_grad_value_([a, b], 0.75)
            else:
                utils.clip_grad_norm_([a, b] if way == "norm" else optimizer.param_groups[1]["params"], 0.5)
            if library is luge and scaled:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
        seen.append(a.tolist() + [value for row in b.tolist() for value in row])
    assert seen[1] == pytest.approx(seen[0], rel=1e-6)  # torch adds 1e-6 to the norm


# ---- live compaction


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("sets", [None, 4])
def test_sets_of_several_groups_stop_as_alone(sets, compact):

    def made():
        params = luge.Parameters(sets, dtype=float64)
        a, b = (params.add(name, (), luge.init.constant(8)) for name in "ab")
        rate = 0.1 if sets is None else luge.tensor([0.3, 0.2, 0.1, 0.05], dtype=float64)
        optimizer = luge.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.2}], lr=rate)
        return params, optimizer, luge.stop.when(optimizer, loss_below=1e-3)

    def step(live):
        live.optimizer.zero_grad()
        loss = live.params["a"] ** 2 + live.params["b"] ** 2
        loss.sum().backward()
        live.rule.check(loss)
        live.optimizer.step()
        return loss

    params, optimizer, rule = made()
    seen = set()

    def watched(live):
        seen.add((live.params.sets or 1, *(len(group["params"]) for group in live.optimizer.param_groups)))
        return step(live)

    training = luge.stop.train(watched, optimizer, rule, every=5, compact=compact)
    assert max(seen) == (sets or 1, 1, 1) and min(seen) == (1 if compact or sets is None else sets, 1, 1)
    assert not params.active().any().item() and training.steps < 100
    for number in range(sets or 1):
        alone, own, judge = made()
        while alone.active().flatten()[number].item():
            own.zero_grad()
            loss = alone["a"] ** 2 + alone["b"] ** 2
            loss.sum().backward()
            judge.check(loss)
            own.step()
        for name in "ab":
            assert params[name].flatten()[number].item() == alone[name].flatten()[number].item()


def test_sets_that_stop_are_of_one_arena():
    """The other arena's would train on."""
    for sets in (None, 2):
        params, other = luge.Parameters(sets), luge.Parameters(sets)
        optimizer = luge.optim.SGD([{"params": [home.add("x", (), luge.init.ones())]} for home in (params, other)], lr=0.1)
        with pytest.raises(ValueError, match="^stop.when: parameter group 1 has tensors of another Parameters than group 0"):
            luge.stop.when(optimizer, loss_below=1)
    loose = [luge.ones(1, requires_grad=True) for _ in range(2)]
    assert luge.stop.when(luge.optim.SGD([{"params": [leaf]} for leaf in loose], lr=0.1), loss_below=1) is not None
