"""Checkpoints and state_dicts of optimizers with parameter groups."""

import pytest

import luge
from group_training import Training, float64, kinds


@kinds
@pytest.mark.parametrize("sets", [None, 3])
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_a_checkpoint_goes_on_with_the_same_bits(kind, sets, captured, tmp_path):
    whole = Training(kind, sets, captured)
    losses = whole.train(0, 12)
    cut = Training(kind, sets, captured)
    begun = cut.train(0, 5)
    luge.checkpoint.save(tmp_path / "x", params=cut.model, optimizer=cut.optimizer, schedule=cut.schedule)
    other = Training(kind, sets, captured, seed=7)
    for group in other.optimizer.param_groups:
        group["lr"] = 1e3
    if captured:
        other.train(50, 52)  # a step that is captured goes on from what is loaded
    luge.checkpoint.load(tmp_path / "x", params=other.model, optimizer=other.optimizer, schedule=other.schedule)
    assert other.facts == cut.facts
    assert begun + other.train(5, 12) == losses and other.facts == whole.facts


@kinds
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_state_dicts_go_on_with_the_same_bits(kind, captured):
    whole = Training(kind, None, captured)
    losses = whole.train(0, 12)
    cut = Training(kind, None, captured)
    begun = cut.train(0, 5)
    other = Training(kind, None, captured, seed=7)
    other.model.load_state_dict(cut.model.state_dict())
    other.optimizer.load_state_dict(cut.optimizer.state_dict())
    other.schedule.load_state_dict(cut.schedule.state_dict())
    assert begun + other.train(5, 12) == losses and other.facts == whole.facts


@pytest.mark.parametrize("sets", [None, 2])
def test_groups_of_several_arenas_are_kept(sets, tmp_path):
    whole = Training("Adam", sets, homes=2)
    losses = whole.train(0, 8)
    cut = Training("Adam", sets, homes=2)
    begun = cut.train(0, 5)
    luge.checkpoint.save(tmp_path / "x", params=cut.model, optimizer=cut.optimizer, schedule=cut.schedule)
    other = Training("Adam", sets, homes=2, seed=7)
    luge.checkpoint.load(tmp_path / "x", params=other.model, optimizer=other.optimizer, schedule=other.schedule)
    assert begun + other.train(5, 8) == losses and other.facts == whole.facts


def test_a_group_that_came_later_is_kept(tmp_path):
    def made():
        a, b = (luge.ones(2, dtype=float64, requires_grad=True) for _ in range(2))
        optimizer = luge.optim.Adam([a], lr=0.1)

        def train(count):
            for _ in range(count):
                optimizer.zero_grad()
                ((a - 3) ** 2 + (b + 2) ** 2).sum().backward()
                optimizer.step()
            return a.tolist() + b.tolist()

        return {"a": a, "b": b}, optimizer, train

    params, optimizer, train = made()
    train(3)
    optimizer.add_param_group({"params": [params["b"]], "lr": 0.25})
    train(2)
    luge.checkpoint.save(tmp_path / "x", params=params, optimizer=optimizer)
    expected = train(4)
    others, other, go_on = made()
    with pytest.raises(ValueError, match="optimizer/1/"):  # the file has a group more
        luge.checkpoint.load(tmp_path / "x", params=others, optimizer=other)
    assert others["a"].tolist() == [1.0, 1.0]
    other.add_param_group({"params": [others["b"]], "lr": 0.5})
    luge.checkpoint.load(tmp_path / "x", params=others, optimizer=other)
    assert go_on(4) == expected


@pytest.mark.parametrize("group", [0, 1])
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "kind, options, key",
    [
        ("SGD", {}, "maximize"),
        ("SGD", {"momentum": 0.5}, "nesterov"),
        ("Adam", {}, "amsgrad"),
        ("Adam", {}, "decoupled_weight_decay"),
        ("NAdam", {}, "decoupled_weight_decay"),
        ("RMSprop", {}, "centered"),
        ("Adagrad", {}, "maximize"),
        ("Muon", {}, "nesterov"),
        ("Muon", {"nesterov": False}, "nesterov"),
    ],
)
def test_options_of_every_group_must_be_the_same(kind, options, key, strict, group, tmp_path):
    def made(on):
        groups = [{"params": [luge.ones(2, 2, requires_grad=True)]} for _ in range(2)]
        groups[group][key] = on
        return getattr(luge.optim, kind)(groups, lr=0.1, **options)

    on = not options.get(key, kind == "Muon")
    saved, other = made(on), made(not on)
    luge.checkpoint.save(tmp_path / "x", optimizer=saved)
    where = f"optimizer, group {group}: " if kind == "Muon" else "optimizer/" + ("1/" if group else "")
    words = (on, not on) if kind == "Muon" else (str(on).lower(), str(not on).lower())
    with pytest.raises(ValueError, match=f"differs: {where}{key}: the file has {words[0]}, here it is {words[1]}$"):
        luge.checkpoint.load(tmp_path / "x", optimizer=other, strict=strict)
    other.param_groups[group][key] = on
    luge.checkpoint.load(tmp_path / "x", optimizer=other, strict=strict)


@pytest.mark.parametrize("dampening", [0.5, [0.25, 0.5]], ids=["one", "each"])
def test_a_checkpoint_keeps_the_dampening_that_was_given(dampening, tmp_path):
    """Also of a set that steps without it, having no momentum yet."""

    def made(value):
        params = luge.Parameters(2, dtype=float64)
        x = params.add("x", (), luge.init.ones())
        momentum = luge.tensor([0.0, 0.5], dtype=float64)
        optimizer = luge.optim.SGD([{"params": [x]}], lr=0.125, momentum=momentum, dampening=value)

        def step():
            optimizer.zero_grad()
            (x * x).sum().backward()
            optimizer.step()

        def go_on():
            step()
            optimizer.param_groups[0]["momentum"] = luge.tensor([0.5, 0.75], dtype=float64)
            for _ in range(3):
                step()
            return x.tolist()

        return params, optimizer, step, go_on

    each = dampening if isinstance(dampening, float) else luge.tensor(dampening, dtype=float64)
    params, optimizer, step, go_on = made(each)
    step()
    luge.checkpoint.save(tmp_path / "x", params=params, optimizer=optimizer)
    expected = go_on()
    others, other, step, go_on = made(0.125 if isinstance(dampening, float) else luge.tensor([0.125, 0.125], dtype=float64))
    captured = luge.capture(step)
    captured()
    luge.checkpoint.load(tmp_path / "x", params=others, optimizer=other)
    kept = other.param_groups[0]["dampening"]
    assert (kept if isinstance(dampening, float) else kept.tolist()) == dampening
    captured()
    luge.checkpoint.load(tmp_path / "x", params=others, optimizer=other)
    assert go_on() == expected


@pytest.mark.parametrize("sets", [None, 2])
def test_a_checkpoint_of_several_arenas_has_the_active_sets_of_each(sets, tmp_path):
    def made():
        homes = [luge.Parameters(sets) for _ in range(2)]
        leaves = {name: home.add("x", (), luge.init.ones()) for name, home in zip("ab", homes)}
        return homes, leaves, luge.optim.SGD([{"params": [leaf]} for leaf in leaves.values()], lr=0.1)

    homes, leaves, optimizer = made()
    masks = [luge.tensor(True), luge.tensor(False)] if sets is None else [luge.tensor([True, False]), luge.tensor([False, True])]
    for home, mask in zip(homes, masks):
        home.set_active(mask)
    luge.checkpoint.save(tmp_path / "x", params=leaves, optimizer=optimizer)
    others, theirs, other = made()
    luge.checkpoint.load(tmp_path / "x", params=theirs, optimizer=other)
    assert [home.active().tolist() for home in others] == [mask.tolist() for mask in masks]
    with pytest.raises(ValueError, match="parameter 'x', that is not among the params given$"):
        luge.checkpoint.save(tmp_path / "x", params=homes[0], optimizer=optimizer)


def test_groups_of_other_sizes_are_refused(tmp_path):
    leaves = [luge.ones(n, requires_grad=True) for n in (2, 3, 4)]

    def made(split, kind=luge.optim.Adam):
        own = [leaf.detach().clone().requires_grad_() for leaf in leaves]
        return dict(zip("abc", own)), kind([{"params": own[:split]}, {"params": own[split:]}], lr=0.1)

    params, optimizer = made(1)
    sum(p.sum() for p in params.values()).backward()
    optimizer.step()
    luge.checkpoint.save(tmp_path / "x", params=params, optimizer=optimizer)
    others, other = made(2)
    with pytest.raises(ValueError, match="differs: optimizer/"):
        luge.checkpoint.load(tmp_path / "x", params=others, optimizer=other)
    assert others["a"].tolist() == [1.0, 1.0] and other.steps_taken() == 0
