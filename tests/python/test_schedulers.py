"""Every learning-rate schedule against PyTorch's, step by step, in float64: eager and captured."""

import pytest

import luge

torch = pytest.importorskip("torch")
schedules = luge.optim.lr_scheduler

STEPS = 100


def made(library, options, lr=0.1, kind="SGD"):
    x = library.ones(3, dtype=library.float64, requires_grad=True)
    return x, getattr(library.optim, kind)([x], lr=lr, **options)


def facts(library, optimizer):
    """The learning rate, and the momentum or beta1 if there is one."""
    group = optimizer.param_groups[0]
    return [group["lr"], group["betas"][0] if "betas" in group else group.get("momentum", 0)]


def trajectory(library, make, options, steps=STEPS, captured=False, kind="SGD"):
    x, optimizer = made(library, options, kind=kind)
    own = make(library.optim.lr_scheduler, optimizer)
    own = own if isinstance(own, list) else [own]
    result = [facts(library, optimizer)]

    def step():
        optimizer.zero_grad()
        (x * x).sum().backward()
        optimizer.step()
        for schedule in own:
            schedule.step()

    run = luge.capture(step) if captured else step
    for _ in range(steps):
        run()
        result.append(facts(library, optimizer))
    return result, x.tolist(), [schedule.get_last_lr() for schedule in own]


MOMENTUM = {"momentum": 0.9}
PROGRAMS = {
    "polynomial": (lambda s, o: s.PolynomialLR(o), {}, STEPS),
    "polynomial 40 2.5": (lambda s, o: s.PolynomialLR(o, total_iters=40, power=2.5), {}, STEPS),
    "restarts": (lambda s, o: s.CosineAnnealingWarmRestarts(o, 7), {}, STEPS),
    "restarts double": (lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=1e-3), {}, STEPS),
    "restarts triple": (lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=1, T_mult=3), {}, STEPS),
    "one cycle": (lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS), MOMENTUM, STEPS),
    "one cycle past the end": (lambda s, o: s.OneCycleLR(o, 0.5, total_steps=20), MOMENTUM, 20),
    "one cycle linear": (lambda s, o: s.OneCycleLR(o, 0.5, epochs=5, steps_per_epoch=20, anneal_strategy="linear", pct_start=0.4), MOMENTUM, STEPS),
    "one cycle three phases": (lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS, three_phase=True, div_factor=10, final_div_factor=50.0,
                                                         base_momentum=0.7, max_momentum=0.99), MOMENTUM, STEPS),
    "one cycle linear three phases": (lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS, three_phase=True, anneal_strategy="linear"), MOMENTUM, STEPS),
    "one cycle without momentum": (lambda s, o: s.OneCycleLR(o, [0.5], total_steps=STEPS, cycle_momentum=False), {}, STEPS),
    "one cycle up only": (lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS, pct_start=1.0), MOMENTUM, STEPS - 1),
    "one cycle down only": (lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS, pct_start=0.0), MOMENTUM, STEPS),
    "one cycle that brings momentum": (lambda s, o: s.OneCycleLR(o, 0.5, total_steps=STEPS), {}, STEPS),
    "triangular": (lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=7), MOMENTUM, STEPS),
    "triangular uneven": (lambda s, o: s.CyclicLR(o, [0.01], [0.2], step_size_up=7, step_size_down=13, base_momentum=0.5, max_momentum=0.8), MOMENTUM, STEPS),
    "triangular2": (lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=5, mode="triangular2"), MOMENTUM, STEPS),
    "exp_range": (lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=5, mode="exp_range", gamma=0.97), MOMENTUM, STEPS),
    "cyclic without momentum": (lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=5, cycle_momentum=False), {}, STEPS),
    "plateau never": (lambda s, o: s.StepLR(o, 30), {}, STEPS),
    "chained": (lambda s, o: s.ChainedScheduler([s.PolynomialLR(o, 30, 0.9), s.ExponentialLR(o, 0.97)]), {}, STEPS),
    "two": (lambda s, o: [s.PolynomialLR(o, 30, 0.9), s.StepLR(o, 9, 0.5)], {}, STEPS),
    "warmup": (lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 90)], [10]), {}, STEPS),
    "warmup, restarts": (lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingWarmRestarts(o, 10, 2)], [10]), {}, STEPS),
    "three in a row": (lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.5, 5), s.PolynomialLR(o, 20), s.ExponentialLR(o, 0.9)], [5, 40]), {}, STEPS),
}  # fmt: skip
HOST = {
    "lambda": (lambda s, o: s.LambdaLR(o, lambda n: 0.95**n), {}, STEPS),
    "lambda list": (lambda s, o: s.LambdaLR(o, [lambda n: 1 / (1 + n)]), {}, STEPS),
    "multiplicative": (lambda s, o: s.MultiplicativeLR(o, lambda n: 0.95 if n % 3 else 1.01), {}, STEPS),
    "scale_fn": (lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=5, scale_fn=lambda x: 1 / x), MOMENTUM, STEPS),
    "scale_fn iterations": (lambda s, o: s.CyclicLR(o, 0.01, 0.2, step_size_up=5, scale_fn=lambda x: 0.99**x, scale_mode="iterations"), MOMENTUM, STEPS),
    "chained lambda": (lambda s, o: s.ChainedScheduler([s.LambdaLR(o, lambda n: 0.95**n), s.ExponentialLR(o, 0.9)]), {}, 1),
    "chained multiplicative": (lambda s, o: s.ChainedScheduler([s.MultiplicativeLR(o, lambda n: 0.95), s.ExponentialLR(o, 0.97)]), {}, STEPS),
    "warmup, lambda": (lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=10), s.LambdaLR(o, lambda n: 0.9**n)], [10]), {}, STEPS),
    "lambda, decay": (lambda s, o: s.SequentialLR(o, [s.LambdaLR(o, lambda n: (1 + n) / 10), s.ExponentialLR(o, 0.9)], [9]), {}, STEPS),
}  # fmt: skip


def assert_same(name, table, captured, kind="SGD", options=None):
    make, own, steps = table[name]
    options = own if options is None else options
    theirs, values, last = trajectory(torch, make, options, steps, kind=kind)
    ours, own_values, own_last = trajectory(luge, make, options, steps, captured, kind=kind)
    for n, (a, b) in enumerate(zip(ours, theirs)):
        assert a == pytest.approx(b, rel=1e-12, abs=1e-15), f"after {n} steps"
    assert own_values == pytest.approx(values, rel=1e-11, abs=1e-300)
    for a, b in zip(own_last, last):
        assert a == pytest.approx(b, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_trajectories(name, captured):
    assert_same(name, PROGRAMS, captured)


@pytest.mark.parametrize("name", HOST)
def test_trajectories_by_functions(name):
    assert_same(name, HOST, False)


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("name", ["one cycle", "triangular", "exp_range"])
def test_beta1_goes_the_other_way(name, captured):
    if name != "one cycle" and torch.__version__ < "2":
        pytest.skip("PyTorch 1.13 knows momentum alone")
    assert_same(name, PROGRAMS, captured, "Adam", {})


@pytest.mark.parametrize("options", [
    {}, {"anneal_epochs": 0}, {"anneal_epochs": 3, "anneal_strategy": "linear"}, {"anneal_epochs": 40}, {"swa_lr": [0.3]},
])  # fmt: skip
@pytest.mark.parametrize("captured", [False, True])
def test_swalr(options, captured):
    from torch.optim.swa_utils import SWALR

    options = {"swa_lr": 0.02, **options}
    if torch.__version__ < "2" and options.get("anneal_epochs") == 0:
        pytest.skip("PyTorch 1.13 divides by 0")
    theirs = trajectory(torch, lambda s, o: SWALR(o, **options), {})
    ours = trajectory(luge, lambda s, o: luge.optim.swa_utils.SWALR(o, **options), {}, captured=captured)
    assert [a[0] for a in ours[0]] == pytest.approx([b[0] for b in theirs[0]], rel=1e-12)


def test_restarts_go_to_an_epoch():
    for mult in (1, 2):
        rates = []
        for library in (torch, luge):
            _, optimizer = made(library, {})
            schedule = library.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=4, T_mult=mult)
            rates.append([])
            for epoch in range(20):
                for i in range(4):
                    schedule.step(epoch + i / 4)
                    rates[-1].append(optimizer.param_groups[0]["lr"] if library is torch else optimizer.lr.item())
            for _ in range(10):
                schedule.step()
                rates[-1].append(optimizer.param_groups[0]["lr"] if library is torch else optimizer.lr.item())
        assert rates[1] == pytest.approx(rates[0], rel=1e-12, abs=1e-15)
    with pytest.raises(ValueError, match="epoch is -1"):
        schedule.step(-1)


# ---- a metric

METRICS = [1.0, 0.9, 0.9, 0.95, 0.9, 0.9, 0.9, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.4999, 0.7, 0.7, float("nan"), 0.7, 0.7, 0.1] * 5
PLATEAUS = [
    {}, {"factor": 0.5, "patience": 1}, {"patience": 0}, {"patience": 2, "cooldown": 3, "factor": 0.3},
    {"mode": "max", "patience": 2}, {"mode": "max", "patience": 1, "threshold_mode": "abs", "threshold": 0.1},
    {"patience": 1, "threshold_mode": "abs", "threshold": 0.01}, {"patience": 1, "threshold": 0.1},
    {"patience": 0, "min_lr": 0.01}, {"patience": 0, "min_lr": [0.02]}, {"patience": 0, "eps": 1e-3},
]  # fmt: skip


@pytest.mark.parametrize("options", PLATEAUS)
@pytest.mark.parametrize("way", ["number", "tensor", "captured"])
def test_plateau(options, way):
    _, theirs = made(torch, {})
    _, ours = made(luge, {})
    reference, schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options), schedules.ReduceLROnPlateau(ours, **options)
    step = luge.capture(schedule.step) if way == "captured" else schedule.step
    for n, metric in enumerate(METRICS):
        reference.step(metric)
        step(metric if way == "number" else luge.tensor(metric, dtype=luge.float64))
        assert ours.lr.item() == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12), n
        assert (schedule.num_bad_epochs, schedule.cooldown_counter, schedule.best) == (
            reference.num_bad_epochs, reference.cooldown_counter, reference.best)  # fmt: skip
    assert schedule.get_last_lr() == pytest.approx([theirs.param_groups[0]["lr"]], rel=1e-12)
    assert schedule.last_epoch == len(METRICS)


def test_each_set_has_its_own_plateau():
    params = luge.Parameters(sets=2, dtype=luge.float64)
    params.add("x", (), luge.init.ones())
    optimizer = luge.optim.SGD(params, lr=luge.tensor([1.0, 2.0], dtype=luge.float64))
    schedule = schedules.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    for metric in ([1.0, 1.0], [0.5, 1.0], [0.25, 1.0]):
        schedule.step(luge.tensor(metric, dtype=luge.float64))
    assert optimizer.lr.tolist() == [1.0, 0.5]
    assert schedule.best.tolist() == [0.25, 1.0]
    with pytest.raises(luge.ShapeError, match=r"metric has shape \(3,\)"):
        schedule.step(luge.ones(3))


def test_schedules_of_sets():
    params = luge.Parameters(sets=3, dtype=luge.float64)
    params.add("x", (), luge.init.ones())
    rates = [0.1, 0.2, 0.4]
    optimizer = luge.optim.SGD(params, lr=luge.tensor(rates, dtype=luge.float64))
    schedule = schedules.PolynomialLR(optimizer, 4, 2.0)
    schedule.step()
    assert optimizer.lr.tolist() == pytest.approx([rate * 0.75**2 for rate in rates], rel=1e-12)
    assert schedule.get_last_lr()[0].tolist() == optimizer.lr.tolist()


# ---- states


CONTINUED = {name: PROGRAMS[name] for name in ("polynomial 40 2.5", "restarts", "restarts double", "one cycle", "triangular2", "warmup", "chained")}
CONTINUED["lambda"] = HOST["lambda"]
CONTINUED["multiplicative"] = HOST["multiplicative"]


@pytest.mark.parametrize("name", CONTINUED)
def test_states(name):
    make, options, _ = CONTINUED[name]
    whole = trajectory(luge, make, options, 60)[0]
    _, optimizer = made(luge, options)
    schedule = make(schedules, optimizer)
    for _ in range(25):
        schedule.step()
    state = schedule.state_dict()
    assert state["last_epoch"] == 25 and "optimizer" not in state
    _, other = made(luge, options)
    again = make(schedules, other)
    again.load_state_dict(state)
    assert again.last_epoch == 25
    for n in range(26, 60):
        again.step()
        assert facts(luge, other) == pytest.approx(whole[n], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", ["polynomial 40 2.5", "restarts", "restarts double", "one cycle", "triangular2"])
def test_states_of_pytorch(name):
    make, options, _ = PROGRAMS[name]
    whole = trajectory(torch, make, options, 60)[0]
    _, optimizer = made(torch, options)
    schedule = make(torch.optim.lr_scheduler, optimizer)
    for _ in range(25):
        optimizer.step()
        schedule.step()
    _, other = made(luge, options)
    again = make(schedules, other)
    again.load_state_dict(schedule.state_dict())
    for n in range(26, 60):
        again.step()
        assert facts(luge, other) == pytest.approx(whole[n], rel=1e-12, abs=1e-15)


def test_state_of_a_plateau():
    _, optimizer = made(luge, {})
    schedule = schedules.ReduceLROnPlateau(optimizer, patience=3)
    for metric in (1.0, 2.0, 2.0):
        schedule.step(metric)
    _, other = made(luge, {})
    again = schedules.ReduceLROnPlateau(other, patience=3)
    again.load_state_dict(schedule.state_dict())
    assert (again.best, again.num_bad_epochs, again.last_epoch) == (1.0, 2, 3)
    again.step(2.0)
    assert other.lr.item() == 0.1
    again.step(2.0)
    assert other.lr.item() == pytest.approx(0.01)


# ---- what is said


def test_a_schedule_of_ones_own():
    class Halving(schedules.LRScheduler):
        def get_lr(self):
            return [rate * 0.5**self.last_epoch for rate in self.base_lrs]

    _, optimizer = made(luge, {})
    schedule = Halving(optimizer)
    for n in range(4):
        assert schedule.get_last_lr() == [0.1 * 0.5**n] and optimizer.lr.item() == 0.1 * 0.5**n and schedule.last_epoch == n
        schedule.step()


@pytest.mark.parametrize("action, error, text", [
    (lambda s, o: s.PolynomialLR(o, 0), ValueError, "total_iters is 0"), (lambda s, o: s.PolynomialLR(o, 5, -1), ValueError, "power is -1"),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError, "is 0"), (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2.5), ValueError, "T_0 is 2.5"),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0), ValueError, "is 0"), (lambda s, o: s.OneCycleLR(o, 0.1), ValueError, "neither total_steps"),
    (lambda s, o: s.OneCycleLR(o, 0.1, 0), ValueError, "total_steps is 0"), (lambda s, o: s.OneCycleLR(o, 0.1, 10, pct_start=2), ValueError, "pct_start is 2"),
    (lambda s, o: s.OneCycleLR(o, 0.1, 10, anneal_strategy="x"), ValueError, "anneal_strategy is 'x'"),
    (lambda s, o: s.OneCycleLR(o, [0.1, 0.2], 10), ValueError, "max_lr has 2 values"), (lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="x"), ValueError, "mode is 'x'"),
    (lambda s, o: s.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=0), ValueError, "must be 1 or more"),
    (lambda s, o: s.CyclicLR(o, 0.1, 0.2, 0), ValueError, "step_size_up is 0"), (lambda s, o: s.LambdaLR(o, 3), TypeError, "lr_lambda is of type int"),
    (lambda s, o: s.LambdaLR(o, [len, len]), ValueError, "2 functions"), (lambda s, o: s.ReduceLROnPlateau(o, "mid"), ValueError, "mode is 'mid'"),
    (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError, "factor is 1"),
    (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[1, 2]), ValueError, "min_lr has 2 values"),
    (lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold_mode is 'x'"),
    (lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o), s.ExponentialLR(o, 0.9)], [2]), ValueError, "metric"),
    (lambda s, o: s.ChainedScheduler([]), ValueError, "no schedulers"), (lambda s, o: s.ChainedScheduler([3]), TypeError, "int"),
    (lambda s, o: s.StepLR(o, 3, last_epoch=4), KeyError, "initial_lr"), (lambda s, o: s.ExponentialLR(None, 0.9), TypeError, "optimizer"),
    (lambda s, o: luge.optim.swa_utils.SWALR(o, 0.1, -1), ValueError, "anneal_epochs is -1"),
    (lambda s, o: luge.optim.swa_utils.SWALR(o, 0.1, anneal_strategy="x"), ValueError, "anneal_strategy is 'x'"),
])  # fmt: skip
def test_errors(action, error, text):
    _, optimizer = made(luge, {"momentum": 0.9})
    before = facts(luge, optimizer)
    with pytest.raises(error, match=text):
        action(schedules, optimizer)
    assert facts(luge, optimizer) == before


def test_a_step_beyond_the_cycle():
    _, optimizer = made(luge, MOMENTUM)
    schedule = schedules.OneCycleLR(optimizer, 0.5, total_steps=3)
    for _ in range(3):
        schedule.step()
    with pytest.raises(ValueError, match="3 steps, and all are taken"):
        schedule.step()


def test_functions_are_not_captured():
    _, optimizer = made(luge, {})
    schedule = schedules.LambdaLR(optimizer, lambda n: 0.5**n)
    with pytest.raises(luge.CaptureError, match="function"):
        luge.capture(schedule.step)()


RESUMED = {
    "step": lambda s, o, n: s.StepLR(o, 3, 0.5, last_epoch=n),
    "exponential": lambda s, o, n: s.ExponentialLR(o, 0.9, n),
    "polynomial": lambda s, o, n: s.PolynomialLR(o, 40, 2.0, last_epoch=n),
    "cosine": lambda s, o, n: s.CosineAnnealingLR(o, 50, last_epoch=n),
    "lambda": lambda s, o, n: s.LambdaLR(o, lambda k: 0.95**k, n),
    "linear": lambda s, o, n: s.LinearLR(o, 0.1, total_iters=30, last_epoch=n),
}


@pytest.mark.parametrize("name", RESUMED)
def test_going_on_from_an_epoch(name):
    """As after 11 steps: the optimizer has the learning rate of then, and the one that it began with."""
    if not hasattr(getattr(torch.optim.lr_scheduler, "LRScheduler", None), "_is_initial"):
        pytest.skip("older versions of PyTorch change the learning rate once more")
    seen = []
    for library in (torch, luge):
        _, optimizer = made(library, {})
        schedule = RESUMED[name](library.optim.lr_scheduler, optimizer, -1)
        assert optimizer.param_groups[0]["initial_lr"] == 0.1
        for _ in range(11):
            optimizer.step()
            schedule.step()
        _, other = made(library, {})
        other.param_groups[0]["initial_lr"] = 0.1
        other.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"]
        again = RESUMED[name](library.optim.lr_scheduler, other, 10)
        assert again.last_epoch == 11
        seen.append([other.param_groups[0]["lr"]])
        for _ in range(20):
            other.step()
            again.step()
            seen[-1].append(other.param_groups[0]["lr"])
    assert seen[1] == pytest.approx(seen[0], rel=1e-12)


# ---- parameter groups


GROUPED = {
    "polynomial": lambda s, o: s.PolynomialLR(o, 40, 1.5),
    "warmup": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 90)], [10]),
    "lambdas": lambda s, o: s.LambdaLR(o, [lambda n: 0.9**n, lambda n: 1 / (1 + n)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, [lambda n: 0.9, lambda n: 0.95]),
    "one cycle": lambda s, o: s.OneCycleLR(o, [0.5, 0.25], total_steps=STEPS, base_momentum=[0.8, 0.7], max_momentum=[0.9, 0.85]),
    "cyclic": lambda s, o: s.CyclicLR(o, [0.01, 0.02], [0.1, 0.2], step_size_up=7, base_momentum=[0.8, 0.7], max_momentum=0.9),
    "swa": lambda s, o: (torch if s is torch.optim.lr_scheduler else luge).optim.swa_utils.SWALR(o, [0.01, 0.02]),
}


@pytest.mark.parametrize("name", GROUPED)
def test_groups(name):
    seen = []
    for library in (torch, luge):
        a, b = (library.ones(2, dtype=library.float64, requires_grad=True) for _ in range(2))
        optimizer = library.optim.SGD([{"params": [a], "lr": 0.1}, {"params": [b]}], lr=0.2, momentum=0.9)
        schedule = GROUPED[name](library.optim.lr_scheduler, optimizer)
        seen.append([])
        for _ in range(STEPS):
            optimizer.zero_grad()
            ((a * a).sum() + (b * b).sum()).backward()
            optimizer.step()
            schedule.step()
            seen[-1].append([float(group[key]) for group in optimizer.param_groups for key in ("lr", "momentum")])
        seen[-1].append([float(rate) for rate in schedule.get_last_lr()] + a.tolist() + b.tolist())
    for n, (ours, theirs) in enumerate(zip(*reversed(seen))):
        assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-15), n
