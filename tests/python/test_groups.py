"""Parameter groups in everything around an optimizer: checkpoints, schedules, the scaler, clipping, live compaction."""

import math

import pytest

import luge

torch = pytest.importorskip("torch")
schedules = luge.optim.lr_scheduler
float64 = luge.float64

KINDS = {
    "SGD": ({"momentum": 0.9, "nesterov": True}, {"momentum": 0.5, "nesterov": False}),
    "Adam": ({"amsgrad": True}, {"betas": (0.5, 0.9), "amsgrad": False}),
    "AdamW": ({"weight_decay": 0.1}, {"weight_decay": 0.0, "eps": 1e-3}),
    "RMSprop": ({"centered": True, "momentum": 0.5}, {"alpha": 0.5, "centered": False}),
    "Adagrad": ({"lr_decay": 0.1}, {"initial_accumulator_value": 0.0}),
    "Adadelta": ({}, {"rho": 0.5}),
    "Adamax": ({}, {"betas": (0.5, 0.9)}),
    "NAdam": ({}, {"momentum_decay": 0.01}),
    "RAdam": ({}, {"weight_decay": 0.1}),
    "ASGD": ({}, {"alpha": 0.5}),
    "Rprop": ({}, {"etas": (0.25, 1.5)}),
    "Lion": ({}, {"weight_decay": 0.1}),
    "Muon": ({}, {"momentum": 0.5}),
}  # fmt: skip
kinds = pytest.mark.parametrize("kind", KINDS)


class Training:
    """A model of two layers, each a parameter group, with a schedule: as it starts, whatever its seed."""

    def __init__(self, kind, sets=None, captured=False, seed=0, schedule=None, homes=1):
        first, second = KINDS[kind]
        luge.manual_seed(seed)
        bias = kind != "Muon"  # which steps matrices
        params = luge.Parameters(sets, dtype=float64)
        self.model = luge.nn.Sequential(
            luge.nn.Linear(3, 4, bias=bias, params=params, name="a"),
            luge.nn.Tanh(),
            luge.nn.Linear(4, 2, bias=bias, params=params if homes == 1 else luge.Parameters(sets, dtype=float64), name="b"),
        )
        rate = 0.02 if sets is None else luge.linspace(0.01, 0.03, sets, dtype=float64)
        groups = [{"params": self.model[0].parameters(), **first}, {"params": self.model[2].parameters(), "lr": 0.05, **second}]
        self.optimizer = getattr(luge.optim, kind)(groups, lr=rate)
        self.schedule = (schedule or (lambda optimizer: schedules.ExponentialLR(optimizer, 0.9)))(self.optimizer)
        self.captured, self.x, self.y = captured, luge.zeros(8, 3, dtype=float64), luge.zeros(8, 2, dtype=float64)
        self._run = luge.capture(self._step) if captured else self._step

    def _step(self):
        self.optimizer.zero_grad()
        loss = ((self.model(self.x) - self.y) ** 2).mean((-2, -1))
        loss.sum().backward()
        self.optimizer.step()
        self.schedule.step()
        return loss

    def train(self, first, last):
        losses = []
        for n in range(first, last):
            draw = luge.Generator().manual_seed(n)
            self.x.copy_(luge.randn(8, 3, dtype=float64, generator=draw))
            self.y.copy_(luge.randn(8, 2, dtype=float64, generator=draw))
            losses.append(self._run().tolist())
        return losses

    @property
    def facts(self):
        """All that a step works on."""
        rates = [group.tensor("lr").tolist() for group in self.optimizer.param_groups]
        return [p.tolist() for p in self.model.parameters()], rates, str(self.optimizer.state_dict()), self.schedule.last_epoch


# ---- checkpoints


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


# ---- schedules


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
