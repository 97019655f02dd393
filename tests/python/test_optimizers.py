"""Every optimizer with every option against PyTorch, with parameter groups, eager and captured, and state_dict both ways.

Trajectories of PyTorch 2.15 are in optimizer_records.json; `python test_optimizers.py` writes them anew. Where PyTorch is
there and knows the options, its own trajectory is compared, too.
"""

import copy
import inspect
import json
import math
import pathlib
import pickle
import sys

import pytest

import luge

try:
    import torch
except ImportError:
    torch = None

RECORDS = pathlib.Path(__file__).with_name("optimizer_records.json")
STARTS = [[0.3, -1.2, 2.0], [[1.1, -0.4], [0.05, -2.2]], [0.9]]
STEPS = 100

CASES = [
    ("SGD", {}), ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"momentum": 0.5, "dampening": 0.2, "maximize": True}), ("SGD", {"weight_decay": 0.3, "maximize": True}),
    ("Adam", {}), ("Adam", {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}), ("Adam", {"amsgrad": True}),
    ("Adam", {"amsgrad": True, "maximize": True, "weight_decay": 0.2}),
    ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("Adam", {"decoupled_weight_decay": True, "weight_decay": 0.1, "amsgrad": True}),
    ("AdamW", {}), ("AdamW", {"amsgrad": True}), ("AdamW", {"betas": (0.5, 0.7), "weight_decay": 0.3, "maximize": True}),
    ("RMSprop", {}), ("RMSprop", {"alpha": 0.5, "momentum": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"centered": True, "eps": 0.1}), ("RMSprop", {"centered": True, "momentum": 0.5, "eps": 0.1}),
    ("Adagrad", {}), ("Adagrad", {"lr_decay": 0.2, "weight_decay": 0.1, "maximize": True}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adadelta", {}), ("Adadelta", {"rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}), ("Adadelta", {"maximize": True}),
    ("Adamax", {}), ("Adamax", {"betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}), ("NAdam", {"momentum_decay": 0.2, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True, "eps": 1e-3}),
    ("RAdam", {}), ("RAdam", {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("RAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1, "betas": (0.9, 0.5)}),
    ("ASGD", {}), ("ASGD", {"lambd": 0.1, "alpha": 0.5, "t0": 10, "weight_decay": 0.1}), ("ASGD", {"t0": 0, "maximize": True}),
    ("Rprop", {}), ("Rprop", {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.4), "maximize": True}),
]  # fmt: skip
IDS = [f"{name}({', '.join(f'{k}={v}' for k, v in options.items())})" for name, options in CASES]
RATES = {"SGD": 0.02, "Adadelta": 1.0, "Adagrad": 0.2, "ASGD": 0.02}
cases = pytest.mark.parametrize("name, options", CASES, ids=IDS)


def train(lib, make, captured=False, steps=STEPS, leaves=None, optimizer=None, first=0, change=True):
    """The parameters after the first step and the last; minimises moving valleys, the learning rate changes half way."""
    float64 = lib.float64
    if leaves is None:
        leaves = [lib.tensor(start, dtype=float64, requires_grad=True) for start in STARTS]
    if optimizer is None:
        optimizer = make(leaves)
    t = lib.tensor(float(first), dtype=float64)
    sign = -1 if optimizer.param_groups[0].get("maximize") else 1

    def step():
        optimizer.zero_grad()
        t.add_(1)
        loss = sum((1.5 * (p - 0.7 - 0.5 * lib.sin(t)) ** 2 + lib.cos(p)).sum() for p in leaves) * sign
        loss.backward()
        optimizer.step()
        return loss

    run = luge.capture(step) if captured else step
    seen = []
    for i in range(first, first + steps):
        if i == STEPS // 2 and change:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        run()
        if i in (0, first + steps - 1):
            seen.append([value for p in leaves for value in p.detach().reshape(-1).tolist()])
    return seen, leaves, optimizer


def maker(lib, name, options, groups):
    kind = getattr(lib.optim, name)
    lr = RATES.get(name, 0.05)

    def make(leaves):
        if not groups:
            return kind(leaves, lr=lr, **options)
        given = [{"params": leaves[:1]}, {"params": leaves[1:], "lr": lr / 2}]
        if "betas" in options:
            given[1]["betas"] = (0.6, 0.95)
        if name != "Rprop":
            given[1]["weight_decay"] = 0.05
        return kind(given, lr=lr, **options)

    return make


def key(name, options, groups):
    return IDS[CASES.index((name, options))] + (" in groups" if groups else "")


def same(a, b):
    return all(
        abs(x - y) <= 1e-12 * max(1, abs(y)) for one, other in zip(a, b) for x, y in zip(one, other)
    ) and len(a) == len(b)


def known(name, options):
    return hasattr(torch.optim, name) and set(options) <= set(inspect.signature(getattr(torch.optim, name).__init__).parameters)


@pytest.fixture
def float64():
    """NAdam of PyTorch keeps its product of momenta in the default dtype."""
    if torch is None:
        pytest.skip("PyTorch is not here")
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@cases
@pytest.mark.parametrize("groups", [False, True], ids=["", "groups"])
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_a_trajectory_is_that_of_pytorch(name, options, groups, captured):
    seen, _, optimizer = train(luge, maker(luge, name, options, groups), captured)
    assert same(seen, json.loads(RECORDS.read_text())[key(name, options, groups)])
    assert optimizer.steps_taken() == STEPS


@cases
def test_records_are_those_of_the_pytorch_here(name, options, float64):
    if not known(name, options):
        pytest.skip("this PyTorch does not know it")
    for groups in (False, True):
        seen, _, _ = train(torch, maker(torch, name, options, groups))
        record = json.loads(RECORDS.read_text())[key(name, options, groups)]
        if name in ("ASGD", "NAdam") and torch.__version__.startswith("1."):
            continue  # it computed rates and momenta otherwise
        assert same(seen, record)


def to_luge(value):
    return value


def to_torch(value):
    if isinstance(value, luge.Tensor):
        return torch.from_numpy(value.numpy().copy())
    if isinstance(value, dict):
        return {k: to_torch(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(to_torch(v) for v in value)
    return value


@cases
@pytest.mark.parametrize("groups", [False, True], ids=["", "groups"])
def test_state_dicts_go_both_ways(name, options, groups, float64):
    if not known(name, options):
        pytest.skip("this PyTorch does not know it")
    if torch.__version__.startswith("1."):
        pytest.skip("its state_dict has other entries")
    half = STEPS // 2
    whole, _, _ = train(luge, maker(luge, name, options, groups), change=False)
    _, theirs, their_optimizer = train(torch, maker(torch, name, options, groups), steps=half, change=False)
    ours = [luge.tensor(p.detach().numpy(), dtype=luge.float64, requires_grad=True) for p in theirs]
    optimizer = maker(luge, name, options, groups)(ours)
    optimizer.load_state_dict(their_optimizer.state_dict())
    seen, _, _ = train(luge, None, leaves=ours, optimizer=optimizer, steps=half, first=half, change=False)
    assert same(seen[-1:], whole[-1:])

    _, ours, optimizer = train(luge, maker(luge, name, options, groups), steps=half, change=False)
    theirs = [torch.tensor(p.detach().numpy().copy(), requires_grad=True) for p in ours]
    their_optimizer = maker(torch, name, options, groups)(theirs)
    their_optimizer.load_state_dict(to_torch(optimizer.state_dict()))
    seen, _, _ = train(torch, None, leaves=theirs, optimizer=their_optimizer, steps=half, first=half, change=False)
    assert same(seen[-1:], whole[-1:])


LION = ("Lion", {"weight_decay": 0.1, "betas": (0.8, 0.9)})


def test_lion_follows_its_formula():
    seen, _, _ = train(luge, lambda leaves: luge.optim.Lion(leaves, lr=0.05, weight_decay=0.1, betas=(0.8, 0.9)), change=False)
    values = [value for start in STARTS for value in (luge.tensor(start, dtype=luge.float64).reshape(-1).tolist())]
    moments = [0.0] * len(values)
    for t in range(1, STEPS + 1):
        for i, p in enumerate(values):
            g = 3 * (p - 0.7 - 0.5 * math.sin(t)) - math.sin(p)
            way = 0.8 * moments[i] + (1 - 0.8) * g
            values[i] = p - 0.05 * 0.1 * p - 0.05 * ((way > 0) - (way < 0))
            moments[i] = 0.9 * moments[i] + (1 - 0.9) * g
    assert same(seen[-1:], [values])


@pytest.mark.parametrize("name, options", [*CASES, LION], ids=[*IDS, "Lion"])
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_a_set_has_the_bits_that_it_has_alone(name, options, captured):
    """Three sets with learning rates of their own, in two groups."""
    rates = [0.01, 0.05, 0.02]

    def run(sets, chosen):
        params = luge.Parameters(sets=sets, dtype=luge.float32)
        a, b = params.add("a", (5,), luge.init.zeros()), params.add("b", (), luge.init.zeros())
        with luge.no_grad():
            for i, s in enumerate(chosen):
                a[i].copy_(luge.linspace(-1, 1, 5) + 0.1 * s)
                b[i].fill_(0.3 * s)
        lr = luge.tensor([rates[s] for s in chosen])
        groups = [{"params": [a]}, {"params": [b], "lr": lr * 0.5}]
        optimizer = getattr(luge.optim, name)(groups, lr=lr, **options)
        targets = luge.tensor([0.3 * s for s in chosen])

        def step():
            optimizer.zero_grad()
            loss = ((a - targets.reshape(-1, 1)) ** 2).sum() + (luge.cos(b) * (b - targets) ** 2).sum()
            loss.backward()
            optimizer.step()

        call = luge.capture(step) if captured else step
        for _ in range(20):
            call()
        return a.detach().tolist(), b.detach().tolist()

    together = run(3, [0, 1, 2])
    for s in range(3):
        alone = run(1, [s])
        assert alone[0][0] == together[0][s] and alone[1][0] == together[1][s]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("name, options", [*CASES, LION], ids=[*IDS, "Lion"])
def test_copies_go_on_alike(name, options, copied):
    _, leaves, optimizer = train(luge, maker(luge, name, options, True), steps=5, change=False)
    other_leaves, other = copied((leaves, optimizer))
    train(luge, None, leaves=leaves, optimizer=optimizer, steps=5, first=5, change=False)
    train(luge, None, leaves=other_leaves, optimizer=other, steps=5, first=5, change=False)
    assert [p.tolist() for p in leaves] == [p.tolist() for p in other_leaves]
    assert [dict(g).keys() for g in other.param_groups] == [dict(g).keys() for g in optimizer.param_groups]


# ---- L-BFGS and Muon


def rosenbrock(lib, x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def run_lbfgs(lib, steps=8, **options):
    x = lib.tensor([-1.2, 1.0, 0.5, 2.0], dtype=lib.float64, requires_grad=True)
    optimizer = lib.optim.LBFGS([x], **options)
    sign = -1 if options.get("maximize") else 1

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(lib, x) * sign
        loss.backward()
        return loss

    losses = [float(optimizer.step(closure)) for _ in range(steps)]
    return [losses, x.detach().tolist()], optimizer


LBFGS = [{"lr": 1e-3}, {"line_search_fn": "strong_wolfe"}, {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 3},
         {"line_search_fn": "strong_wolfe", "lr": 0.5, "max_eval": 6}, {"lr": 1e-3, "max_iter": 5, "maximize": True}]  # fmt: skip


@pytest.mark.parametrize("options", LBFGS, ids=map(str, LBFGS))
def test_lbfgs_takes_the_steps_of_pytorch(options):
    seen, optimizer = run_lbfgs(luge, **options)
    record = json.loads(RECORDS.read_text())[f"LBFGS {options}"]
    assert all(abs(x - y) <= 1e-9 * max(1, abs(y)) for one, other in zip(seen, record) for x, y in zip(one, other))
    assert optimizer.state[optimizer.param_groups[0]["params"][0]]["n_iter"] > 0


def test_lbfgs_cannot_be_captured():
    x = luge.ones(2, dtype=luge.float64, requires_grad=True)
    optimizer = luge.optim.LBFGS([x])

    def closure():
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with pytest.raises(luge.CaptureError):
        luge.capture(lambda: optimizer.step(closure))()
    params = luge.Parameters(sets=2)
    params.add("x", 2, luge.init.ones())
    with pytest.raises(ValueError, match="sets"):
        luge.optim.LBFGS(params)


def run_muon(lib, captured=False, steps=10, **options):
    w = lib.tensor([[0.1, 0.2, -0.3], [0.5, -0.1, 0.4]], dtype=lib.float32, requires_grad=True)
    v = lib.tensor([[0.3], [0.2]], dtype=lib.float32, requires_grad=True)
    optimizer = lib.optim.Muon([{"params": [w]}, {"params": [v], "lr": 0.01}], lr=0.05, **options)

    def step():
        optimizer.zero_grad()
        ((w - 1) ** 2).sum().backward()
        ((v + 1) ** 2 * 2).sum().backward()
        optimizer.step()

    run = luge.capture(step) if captured else step
    for _ in range(steps):
        run()
    return [value for p in (w, v) for value in p.detach().reshape(-1).tolist()]


MUON = [{}, {"nesterov": False, "weight_decay": 0.0}, {"momentum": 0.5, "ns_steps": 3}, {"adjust_lr_fn": "match_rms_adamw"},
        {"adjust_lr_fn": "spectral_unclamped", "ns_coefficients": (2.0, -1.5, 0.5)}]  # fmt: skip


@pytest.mark.parametrize("options", MUON, ids=map(str, MUON))
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_muon_follows_pytorch_within_bfloat16(options, captured):
    record = json.loads(RECORDS.read_text())[f"Muon {options}"]
    assert all(abs(x - y) <= 1e-2 for x, y in zip(run_muon(luge, captured, **options), record))
    if captured:
        assert run_muon(luge, True, **options) == run_muon(luge, False, **options)


def test_muon_orthogonalizes_each_set_alone():
    def run(sets, chosen):
        params = luge.Parameters(sets=sets)
        w = params.add("w", (2, 3), luge.init.zeros())
        with luge.no_grad():
            for i, s in enumerate(chosen):
                w[i].copy_(luge.linspace(-1, 1, 6).reshape(2, 3) * (s + 1))
        optimizer = luge.optim.Muon(params, lr=luge.tensor([0.1 * (s + 1) for s in chosen]))
        for _ in range(5):
            optimizer.zero_grad()
            ((w - 0.3) ** 2).sum().backward()
            optimizer.step()
        return w.detach().tolist()

    together = run(3, [0, 1, 2])
    assert all(run(1, [s])[0] == together[s] for s in range(3))


def test_muon_leaves_sets_that_rest():
    params = luge.Parameters(sets=2)
    w = params.add("w", (2, 2), luge.init.constant(0.5))
    optimizer = luge.optim.Muon(params)

    def step():
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()

    step()
    params.set_active(luge.tensor([True, False]))
    before, buffer = w.detach().clone(), optimizer.state[w]["momentum_buffer"].clone()
    step()
    moved = [bool((now != then).any()) for now, then in zip(w.detach(), before)]
    averaged = [bool((now != then).any()) for now, then in zip(optimizer.state[w]["momentum_buffer"], buffer)]
    assert moved == averaged == [True, False]


def record():
    torch.set_default_dtype(torch.float64)
    records = {}
    for name, options in CASES:
        for groups in (False, True):
            records[key(name, options, groups)] = train(torch, maker(torch, name, options, groups))[0]
    for options in LBFGS:
        records[f"LBFGS {options}"] = run_lbfgs(torch, **options)[0]
    torch.set_default_dtype(torch.float32)
    for options in MUON:
        records[f"Muon {options}"] = run_muon(torch, **options)
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in records.items())
    RECORDS.write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    record()
    sys.exit()


@pytest.mark.parametrize("captured", [False, True])
def test_a_parameter_whose_first_gradient_comes_later_begins_with_the_learning_rate(captured):
    torch = pytest.importorskip("torch")
    ends = {}
    for T in (torch, luge):
        a, b = (T.tensor([1.0, 2.0], dtype=T.float64, requires_grad=True) for _ in range(2))
        optimizer = T.optim.Rprop([a, b], lr=0.1)

        def early():
            optimizer.zero_grad()
            a.square().sum().backward()
            optimizer.step()

        def both():
            optimizer.zero_grad()
            (a.square() + b.square()).sum().backward()
            optimizer.step()

        steps = [luge.capture(step) if captured and T is luge else step for step in (early, both)]
        for number in range(12):
            steps[number >= 8]()
        ends[T] = a.tolist() + b.tolist()
    assert ends[luge] == pytest.approx(ends[torch], rel=1e-12)


def test_an_average_whose_first_gradient_comes_later_moves_at_once():
    a, b = (luge.tensor([1.0, 2.0], dtype=luge.float64, requires_grad=True) for _ in range(2))
    optimizer = luge.optim.ASGD([a, b], lr=0.1)
    for late in (False, False, True):
        optimizer.zero_grad()
        (a.square().sum() + (b.square().sum() if late else 0)).backward()
        optimizer.step()
    assert b.tolist() == pytest.approx([1.0 * (1 - 0.1e-4) - 0.1 * 2, 2.0 * (1 - 0.1e-4) - 0.1 * 4], rel=1e-12)
