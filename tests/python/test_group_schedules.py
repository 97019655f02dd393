"""Schedules of optimizers with parameter groups, beside PyTorch's, and their checkpoints."""

import pytest

import luge
from group_training import float64, schedules

torch = pytest.importorskip("torch")


def two_groups(library, **options):
    a, b = (library.ones(2, dtype=library.float64, requires_grad=True) for _ in range(2))
    return library.optim.SGD([{"params": [a], "lr": 0.1}, {"params": [b]}], lr=0.2, momentum=0.9, **options)


SCHEDULES = {
    "step": lambda s, o: s.StepLR(o, 3, 0.5),
    "multistep": lambda s, o: s.MultiStepLR(o, [2, 7], 0.5),
    "constant": lambda s, o: s.ConstantLR(o, 0.5, 4),
    "linear": lambda s, o: s.LinearLR(o, 0.1, total_iters=10),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 20, 0.01),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2),
    "lambda": lambda s, o: s.LambdaLR(o, lambda n: 0.9**n),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda n: 0.9**n, lambda n: 1 / (1 + n)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, [lambda n: 0.9, lambda n: 1.05]),
    "one cycle": lambda s, o: s.OneCycleLR(o, [0.5, 0.25], total_steps=40, base_momentum=[0.8, 0.7], max_momentum=[0.9, 0.85]),
    "cyclic": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.1, 0.2], step_size_up=4, mode="triangular2"),
    "chained": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.5, 4), s.ExponentialLR(o, 0.9)]),
    "warmup": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 30)], [5]),
}
BY_PARTS = {
    "lambda, decay": lambda s, o: s.SequentialLR(o, [s.LambdaLR(o, lambda n: (1 + n) / 30), s.ExponentialLR(o, 0.9)], [20]),
    "chained lambda": lambda s, o: s.ChainedScheduler([s.LambdaLR(o, lambda n: 0.95**n), s.StepLR(o, 4, 0.5)]),
}
ON_DEVICE = [name for name in SCHEDULES if name not in ("lambda", "lambdas", "multiplicative")]


def rates_of(optimizer, schedule, steps):
    seen = []
    for _ in range(steps):
        optimizer.step()
        schedule.step()
        own = [float(group[key]) for group in optimizer.param_groups for key in ("lr", "momentum")]
        seen.append(own + [float(rate) for rate in schedule.get_last_lr()])
    return seen


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rate_of_each_group_follows(name):
    theirs, ours = two_groups(torch), two_groups(luge)
    expected = rates_of(theirs, SCHEDULES[name](torch.optim.lr_scheduler, theirs), 30)
    schedule = SCHEDULES[name](schedules, ours)
    assert schedule.base_lrs == pytest.approx([group["initial_lr"] for group in theirs.param_groups], rel=1e-12)
    for n, (row, own) in enumerate(zip(expected, rates_of(ours, schedule, 30))):
        assert own == pytest.approx(row, rel=1e-12, abs=1e-15), n


@pytest.mark.parametrize("name", ON_DEVICE)
def test_the_rate_of_each_group_follows_in_a_captured_step(name):
    eager, captured = two_groups(luge), two_groups(luge)
    expected = rates_of(eager, SCHEDULES[name](schedules, eager), 30)
    schedule = SCHEDULES[name](schedules, captured)
    step = luge.capture(schedule.step)
    for row in expected:
        step()
        own = [float(group[key]) for group in captured.param_groups for key in ("lr", "momentum")]
        assert own + schedule.get_last_lr() == row


def test_a_group_that_came_later_keeps_its_rate():
    """docs/layers.md says so."""
    for make in (SCHEDULES[name] for name in ("step", "lambda", "cosine")):
        a, b = (luge.ones(2, requires_grad=True) for _ in range(2))
        optimizer = luge.optim.SGD([a], lr=1.0)
        schedule = make(schedules, optimizer)
        optimizer.add_param_group({"params": [b], "lr": 0.5})
        for _ in range(8):
            schedule.step()
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates[0] < 1 and rates[1] == 0.5 and schedule.get_last_lr() == rates[:1]


@pytest.mark.parametrize("name", SCHEDULES)
def test_states_of_schedules_of_groups(name):
    whole = two_groups(luge)
    expected = rates_of(whole, SCHEDULES[name](schedules, whole), 25)
    cut = two_groups(luge)
    schedule = SCHEDULES[name](schedules, cut)
    rates_of(cut, schedule, 11)
    other = two_groups(luge)
    again = SCHEDULES[name](schedules, other)
    other.load_state_dict(cut.state_dict())
    again.load_state_dict(schedule.state_dict())
    assert again.last_epoch == 11 and again.get_last_lr() == schedule.get_last_lr() and again.base_lrs == schedule.base_lrs
    assert rates_of(other, again, 14) == [pytest.approx(row, rel=1e-12, abs=1e-15) for row in expected[11:]]


@pytest.mark.parametrize("name", [*SCHEDULES, "lambda, decay", "chained lambda"])
def test_checkpoints_of_schedules_of_groups(name, tmp_path):
    whole = two_groups(luge)
    make = {**SCHEDULES, **BY_PARTS}[name]
    expected = rates_of(whole, make(schedules, whole), 25)
    cut = two_groups(luge)
    schedule = make(schedules, cut)
    rates_of(cut, schedule, 11)
    luge.checkpoint.save(tmp_path / "x", optimizer=cut, schedule=schedule)
    for before in (0, 3, 20):
        other = two_groups(luge)
        again = make(schedules, other)
        rates_of(other, again, before)
        luge.checkpoint.load(tmp_path / "x", optimizer=other, schedule=again)
        assert again.get_last_lr() == schedule.get_last_lr() and again.base_lrs == schedule.base_lrs
        assert rates_of(other, again, 14) == expected[11:]


def test_a_checkpoint_goes_on_with_all_schedules_of_an_optimizer(tmp_path):
    """Any of them stands for all; the length of a cycle counts on."""

    def made():
        optimizer = two_groups(luge)
        return optimizer, schedules.LambdaLR(optimizer, lambda n: 1 / (1 + n)), schedules.OneCycleLR(optimizer, 0.5, total_steps=9)

    def take(parts, count):
        for _ in range(count):
            parts[1].step()
            parts[2].step()
        return [group["lr"] for group in parts[0].param_groups]

    first = made()
    take(first, 4)
    luge.checkpoint.save(tmp_path / "x", optimizer=first[0], schedule=first[1])
    second = made()
    luge.checkpoint.load(tmp_path / "x", optimizer=second[0], schedule=second[2])
    assert take(first, 3) == take(second, 3)
    take(second, 1)
    with pytest.raises(ValueError, match="the schedule has 9 steps"):
        take(second, 2)


def test_a_function_that_raises_leaves_the_optimizer_as_it_was(tmp_path):
    def made(fails):
        optimizer = two_groups(luge)
        return optimizer, schedules.LambdaLR(optimizer, lambda n: 1 / (1 + n) if n < 5 or not fails else 1 / 0)

    optimizer, schedule = made(False)
    rates_of(optimizer, schedule, 7)
    luge.checkpoint.save(tmp_path / "x", optimizer=optimizer, schedule=schedule)
    other, again = made(True)
    rates_of(other, again, 2)
    before = [group["lr"] for group in other.param_groups]
    with pytest.raises(ZeroDivisionError):
        luge.checkpoint.load(tmp_path / "x", optimizer=other, schedule=again)
    assert again.steps_taken() == 2 and [group["lr"] for group in other.param_groups] == before
    assert rates_of(other, again, 2) == rates_of(*made(False), 4)[2:]


def test_last_rates_are_those_of_the_checkpoint(tmp_path):
    """Also after load_state_dict, whose rates are told until the next step."""
    optimizer = two_groups(luge)
    schedule, other = (schedules.ExponentialLR(optimizer, gamma) for gamma in (0.5, 0.9))
    rates_of(optimizer, schedule, 3)
    luge.checkpoint.save(tmp_path / "x", optimizer=optimizer, schedule=schedule)
    expected = schedule.get_last_lr(), other.get_last_lr()
    for one in (schedule, other):
        one.load_state_dict({**one.state_dict(), "_last_lr": [7.0, 8.0]})
        assert one.get_last_lr() == [7.0, 8.0]
    luge.checkpoint.load(tmp_path / "x", optimizer=optimizer, schedule=schedule)
    assert (schedule.get_last_lr(), other.get_last_lr()) == expected


@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_a_plateau_lowers_every_group(captured):
    theirs, ours = two_groups(torch), two_groups(luge)
    options = {"patience": 1, "factor": 0.5, "min_lr": [0.03, 0.01]}
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    schedule = schedules.ReduceLROnPlateau(ours, **options)
    step = luge.capture(schedule.step) if captured else schedule.step
    for n in range(20):
        metric = 1 / (1 + n) if n < 4 else 1.0
        reference.step(metric)
        step(luge.tensor(metric, dtype=float64))
        rates = [[float(group["lr"]) for group in optimizer.param_groups] for optimizer in (ours, theirs)]
        assert rates[0] == pytest.approx(rates[1], rel=1e-12), n
    assert rates[0] == pytest.approx([0.03, 0.01], rel=1e-12)
