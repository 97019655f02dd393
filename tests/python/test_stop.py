"""Stop rules."""

import math
import pathlib
import re

import numpy as np
import pytest

import luge
from luge.stop import Reason


def halving(**criteria):
    """Minimises x^2 with a step that halves x, from x = 8, 4, 1 and 0.25."""
    params = luge.Parameters(sets=4)
    x = params.add("x", (), luge.init.zeros())
    with luge.no_grad():
        x.copy_(luge.tensor([8, 4, 1, 0.25]))
    optimizer = luge.optim.SGD(params, lr=0.25)
    rule = luge.stop.when(optimizer, **criteria)

    def step():
        optimizer.zero_grad()
        loss = x**2
        loss.sum().backward()
        rule.check(loss)
        optimizer.step()
        return loss

    return x, rule, step


CASES = [
    ({"loss_below": 1}, Reason.LOSS, [3, 2, 0, 0]),
    ({"loss_below": luge.tensor([16, 0.25, 4, 1])}, Reason.LOSS, [1, 3, 0, 0]),
    ({"gradient_below": 1}, Reason.GRADIENT, [4, 3, 1, 0]),
    ({"step_below": 0.5}, Reason.STEP, [4, 3, 1, 1]),
    ({"plateau": (2, 1.0)}, Reason.PLATEAU, [5, 4, 2, 2]),
    ({"plateau": (1, luge.tensor([20.0, 1, 1, 1]))}, Reason.PLATEAU, [2, 3, 1, 1]),
    ({"max_steps": 2}, Reason.MAX_STEPS, [2, 2, 2, 2]),
]


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("criteria, reason, steps", CASES)
def test_criteria(criteria, reason, steps, captured):
    x, rule, step = halving(**criteria)
    run = luge.capture(step) if captured else step
    for _ in range(6):
        run()
    assert rule.reason.tolist() == [reason] * 4 and rule.reason.dtype is luge.int32
    assert rule.stopped_at.tolist() == steps and rule.stopped_at.dtype is luge.int64
    assert x.tolist() == [value / 2**n for value, n in zip([8, 4, 1, 0.25], steps)]
    assert rule.all_stopped() and rule.active.tolist() == [False] * 4
    report = rule.report()
    assert report.counts == {reason.name.lower(): 4} and report.steps == {reason.name.lower(): (min(steps), max(steps))}
    assert (report.sets, report.checks, report.active, report.held, report.quarantined) == (4, 6, 0, 0, [])


def test_patience_alone_is_a_plateau():
    x, rule, step = halving(plateau=np.int64(1))
    for _ in range(6):
        step()
    assert rule.report().counts == {"running": 4} and x.tolist()[0] == 0.125


def test_reasons():
    names = ["RUNNING", "NAN_LOSS", "NAN_GRADIENT", "LOSS", "GRADIENT", "STEP", "PLATEAU", "MAX_STEPS"]
    assert [reason.name for reason in Reason] == names and [int(reason) for reason in Reason] == list(range(8))


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("make", [luge.optim.SGD, luge.optim.Adam, luge.optim.RMSprop])
def test_quarantine(make, captured):
    """Not-a-number in 1 % of the sets: the others have the bits of a training without any."""

    def trained(bad, watched):
        params = luge.Parameters(sets=300, seed=1)
        w = params.add("w", (5,), luge.init.normal(0, 1))
        optimizer = make(params, lr=0.01)
        rule = luge.stop.when(optimizer) if watched else None
        factor = luge.ones(300, 1)

        def step():
            optimizer.zero_grad()
            loss = ((w * factor) ** 2).sum(1)
            loss.sum().backward()
            if rule:
                rule.check(loss)
            optimizer.step()
            return loss

        run = luge.capture(step) if captured else step
        history = []
        for i in range(6):
            if i == 2 and bad:
                factor[7::100] = math.nan
            run()
            history.append(w.detach().numpy().copy())
        return history, rule

    with_bad, rule = trained(True, True)
    free, _ = trained(False, False)
    good = np.ones(300, bool)
    good[7::100] = False
    assert (with_bad[-1][good] == free[-1][good]).all()
    assert (with_bad[-1][~good] == free[1][~good]).all()
    report = rule.report()
    assert [(one.set, one.step, one.reason) for one in report.quarantined] == [(s, 2, Reason.NAN_LOSS) for s in (7, 107, 207)]
    assert str(report).startswith("297 of 300 sets active after 6 checks\n")
    assert isinstance(report.quarantined[0], luge.stop.Quarantined) and isinstance(report, luge.stop.Report)


def test_gradients_go_into_quarantine():
    params = luge.Parameters(sets=3)
    w = params.add("w", (), luge.init.constant(1))
    with luge.no_grad():
        w[1] = 0
    optimizer = luge.optim.Adam(params, lr=0.1)
    rule = luge.stop.when(optimizer)
    w.sqrt().sum().backward()
    rule.check(w.detach().sqrt())
    optimizer.step()
    assert rule.reason.tolist() == [Reason.RUNNING, Reason.NAN_GRADIENT, Reason.RUNNING]
    assert w.tolist()[1] == 0 and w.isfinite().all()
    assert "set 1 is in quarantine after 0 steps: its gradient (backward) is not finite" in str(rule.report())


@pytest.mark.parametrize("captured", [False, True])
def test_explain(captured):
    params = luge.Parameters(sets=6)
    w = params.add("w", (3,), luge.init.constant(2))
    positive, divisor, exponent, slope, target = (luge.ones(6, 1) for _ in range(5))
    optimizer = luge.optim.Adam(params, lr=0.01)
    rule = luge.stop.when(optimizer)

    def step():
        optimizer.zero_grad()
        terms = (w * positive).log() + 1 / (w * divisor) + (w * exponent).exp() + (w * slope).sqrt() + (w - target) ** 2
        loss = terms.sum(1) + luge.rand(6)
        loss.sum().backward()
        rule.check(loss)
        optimizer.step()

    run = luge.capture(step) if captured else step
    run()
    positive[1] = -1
    divisor[2] = 0
    exponent[3] = 1e4
    slope[4] = 0
    target[5] = math.nan
    run()

    before, kept = w.tolist(), w.grad.tolist()
    found = rule.explain(run)
    assert [(one.set, one.step, one.operation, one.backward, one.from_data) for one in found] == [
        (1, 1, "log", False, False),
        (2, 1, "div", False, False),
        (3, 1, "exp", False, False),
        (4, 1, "sqrt", True, False),
        (5, 1, "sub", False, True),
    ]
    assert "set 2 is in quarantine after 1 step: its loss (forward) is not finite; div (forward) gave" in str(rule.report())
    assert w.tolist() == before and np.array_equal(w.grad.tolist(), kept, equal_nan=True) and optimizer.steps_taken() == 2
    assert [one.operation for one in rule.report().quarantined] == ["log", "div", "exp", "sqrt", "sub"]
    run()
    assert rule.report().checks == 3


def test_explain_refuses():
    x, rule, step = halving()
    with luge.no_grad():
        x[1] = math.inf
    step()
    assert rule.explain(step)[0].set == 1
    with pytest.raises(TypeError, match="StopRule.explain: step is of type int; it must be a function without arguments"):
        rule.explain(3)
    with pytest.raises(luge.CaptureError, match=r"StopRule.explain: item \(test_stop.py:\d+\) reads a value on the host"):
        rule.explain(lambda: step().sum().item())
    with pytest.raises(ZeroDivisionError):
        rule.explain(lambda: (step(), 1 // 0))
    assert rule.report().checks == 1
    with pytest.raises(luge.CaptureError, match="StopRule.explain .*runs a step of its own"):
        luge.capture(lambda: (rule.explain(step), None)[1])()


def test_early_stopping_keeps_the_best():
    params = luge.Parameters()
    model = params.add("x", (2,), luge.init.constant(1))
    optimizer = luge.optim.SGD(params, lr=0.25)
    early = luge.stop.when(optimizer, plateau=2, keep_best=True)
    for validation in (3, 2, 2.5, 2.25, 1):
        optimizer.zero_grad()
        (model**2).sum().backward()
        early.check(luge.tensor(float(validation)))
        optimizer.step()
    assert early.reason.item() == Reason.PLATEAU and early.stopped_at.item() == 3 and early.best_loss.item() == 2
    assert model.tolist() == [0.125, 0.125]
    early.restore_best()
    assert model.tolist() == [0.5, 0.5]


def test_modules_and_loose_leaves():
    model = luge.nn.Linear(3, 1)
    optimizer = luge.optim.SGD(model.parameters(), lr=0.1)
    rule = luge.stop.when(optimizer, max_steps=3)
    seen = 0
    while not rule.all_stopped():
        optimizer.zero_grad()
        loss = (model(luge.ones(2, 3)) ** 2).mean()
        loss.backward()
        rule.check(loss)
        optimizer.step()
        seen += 1
    assert seen == 4 and rule.stopped_at.item() == 3


def test_state():
    x, rule, step = halving(plateau=(2, 1.0), step_below=0.0, keep_best=True)
    y, again, other = halving(plateau=(2, 1.0), step_below=0.0, keep_best=True)
    for _ in range(3):
        step()
    state = rule.state()
    assert list(state) == ["checks", "reason", "stopped_at", "plateau.loss", "plateau.waited", "best_loss", "best.x", "before.x"]
    with luge.no_grad():
        y.copy_(x)
    again.restore({name: value.clone() for name, value in state.items()})
    assert again.active.tolist() == rule.active.tolist() == [True, True, False, False]
    for _ in range(3):
        step(), other()
    assert x.equal(y)
    for name, value in rule.state().items():
        assert np.array_equal(value.numpy(), again.state()[name].numpy(), equal_nan=True), name
    assert again.stopped_at.tolist() == [5, 4, 2, 2]


def test_a_checkpoint_holds_the_state_as_extras(tmp_path):
    path = tmp_path / "run.safetensors"

    def training():
        x, rule, step = halving(plateau=(2, 1.0), keep_best=True)
        return {"x": x}, rule, step

    model, rule, step = training()
    for _ in range(3):
        step()
    luge.checkpoint.save(path, params=model, extra={f"rule/{name}": value for name, value in rule.state().items()})
    for _ in range(3):
        step()
    again, other, step = training()
    extra = luge.checkpoint.load(path, params=again).extra
    other.restore({name[len("rule/") :]: value for name, value in extra.items()})
    for _ in range(3):
        step()
    assert again["x"].equal(model["x"]) and other.stopped_at.equal(rule.stopped_at) and other.reason.equal(rule.reason)


@pytest.mark.parametrize("criteria, error, text", [
    ({"loss_below": math.nan}, ValueError, "stop.when: loss_below is nan; it must be a number"),
    ({"loss_below": "a"}, TypeError, "loss_below"), ({"gradient_below": -1}, ValueError, "gradient_below is -1"),
    ({"loss_below": luge.ones(3)}, luge.ShapeError, r"loss_below has shape \(3,\)"), ({"plateau": 0}, ValueError, "patience of plateau is 0"),
    ({"plateau": (1, -1)}, ValueError, "min_delta of plateau is -1"), ({"plateau": 1.5}, TypeError, "plateau is 1.5; it must be an int"),
    ({"plateau": (1, 2, 3)}, TypeError, "it must be an int, the patience, or"), ({"plateau": True}, TypeError, "plateau is True"),
    ({"max_steps": -1}, ValueError, "max_steps is -1; it must be 0 or more"), ({"max_steps": 1.5}, TypeError, "max_steps"),
    ({"nan": False}, ValueError, "there is nothing to watch"), ({"plateau": (1.5, 0)}, TypeError, "plateau is"),
])  # fmt: skip
def test_bad_criteria(criteria, error, text):
    params = luge.Parameters(sets=4)
    params.add("x", (), luge.init.zeros())
    with pytest.raises(error, match=text):
        luge.stop.when(luge.optim.SGD(params), **criteria)


def test_bad_calls():
    x, rule, step = halving(loss_below=1)
    for action, error, text in [
        (lambda: luge.stop.when(rule), TypeError, "stop.when: optimizer is of type StopRule; it must be an optimizer"),
        (lambda: rule.check(luge.ones(3)), luge.ShapeError, r"loss has shape \(3,\); it must be \(4,\), one loss per set"),
        (lambda: rule.check(1.0), TypeError, "check"), (lambda: rule.check(luge.ones(4, dtype=luge.float64)), luge.DTypeError, "float64"),
        (lambda: rule.best_loss, ValueError, "made without keep_best"), (rule.restore_best, ValueError, "made without keep_best"),
        (lambda: rule.restore({}), ValueError, "the state has no 'checks'"), (lambda: rule.restore(3), TypeError, "restore"),
        (lambda: rule.restore({"checks": 1}), TypeError, r"state\['checks'\] is of type int"),
        (lambda: rule.restore({1: x}), TypeError, "key of type int"), (lambda: luge.stop.StopRule(), TypeError, "StopRule"),
        (lambda: luge.capture(lambda: rule.all_stopped())(), luge.CaptureError, "all_stopped"),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            action()
    assert rule.report().checks == 0


def test_the_page(capsys):
    """The example of docs/stop.md prints what stands below it."""
    page = (pathlib.Path(__file__).parents[2] / "docs/stop.md").read_text()
    program = re.search(r"```python\n(import luge\n.*?)```\n", page, re.DOTALL)
    output = re.compile(r"```text\n(.*?)```\n", re.DOTALL).search(page, program.end())
    exec(compile(program[1], "docs/stop.md", "exec"), {})
    shown = capsys.readouterr().out.splitlines()
    expected = output[1].splitlines()
    assert shown[: len(expected) - 2] == expected[:-2] and expected[-2] == "  ..." and shown[-1] == expected[-1]
