"""Live compaction: luge.stop.train."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import luge

nn = luge.nn
SETS = 30


class Ensemble:
    """Networks with a rate, a sample and an early stop each."""

    def __init__(self, optimizer=luge.optim.AdamW, dtype=luge.float32, **options):
        generator = np.random.default_rng(5)
        self.params = luge.Parameters(sets=SETS, seed=2, dtype=dtype)
        self.model = nn.Sequential(
            nn.Linear(2, 7, params=self.params, name="hidden"), nn.Tanh(), nn.Linear(7, 1, params=self.params, name="output")
        )
        self.optimizer = optimizer(
            self.params, lr=luge.linspace(0.002, 0.05, SETS), weight_decay=luge.linspace(0, 0.1, SETS), **options
        )
        self.rule = luge.stop.when(
            self.optimizer, plateau=(4, luge.linspace(1e-2, 1e-6, SETS)), gradient_below=3e-2, max_steps=120, keep_best=True
        )
        self.x = luge.tensor(generator.standard_normal((SETS, 12, 2))).to(dtype)
        self.y = luge.sin(2 * self.x.sum(2, keepdim=True))
        self.held = luge.tensor(generator.standard_normal((9, 2))).to(dtype)
        self.held_y = luge.sin(2 * self.held.sum(1, keepdim=True))

    def step(self, live):
        model = live.module(self.model)
        live.optimizer.zero_grad()
        nn.functional.mse_loss(model(live.data["x"]), live.data["y"], reduction="per_set").sum().backward()
        with luge.no_grad():
            loss = nn.functional.mse_loss(model(self.held), self.held_y, reduction="per_set")
        live.rule.check(loss)
        live.optimizer.step()
        return loss

    def train(self, **options):
        return luge.stop.train(self.step, self.optimizer, self.rule, data={"x": self.x, "y": self.y}, **options)

    def loop(self, steps):
        """The same without train(), eagerly."""
        for _ in range(steps):
            self.optimizer.zero_grad()
            nn.functional.mse_loss(self.model(self.x), self.y, reduction="per_set").sum().backward()
            with luge.no_grad():
                self.rule.check(nn.functional.mse_loss(self.model(self.held), self.held_y, reduction="per_set"))
            self.optimizer.step()

    def left(self):
        tensors = [*self.params.tensors(), *self.optimizer._state(), *self.rule.state().values(), self.params.active()]
        return [np.asarray(tensor.detach()).tobytes() for tensor in tensors]


OPTIMIZERS = [
    (luge.optim.AdamW, {}),
    (luge.optim.Adam, {"betas": (luge.linspace(0.5, 0.95, SETS), 0.99)}),
    (luge.optim.SGD, {"momentum": luge.linspace(0, 0.9, SETS)}),
    (luge.optim.RMSprop, {"centered": True, "momentum": 0.5}),
    (luge.optim.Adagrad, {}),
]


@pytest.mark.parametrize("dtype", [luge.float32, luge.float64])
@pytest.mark.parametrize("optimizer, options", OPTIMIZERS)
def test_modules_train_with_the_bits_of_a_loop(optimizer, options, dtype):
    moving, staying, looped = (Ensemble(optimizer, dtype, **options) for _ in range(3))
    training, stayed = moving.train(every=4), staying.train(every=4, compact=False)
    looped.loop(training.steps)
    assert moving.left() == looped.left() and staying.left() == looped.left()
    assert training.rounds[-1].size < SETS and {r.size for r in stayed.rounds} == {SETS}
    np.testing.assert_array_equal(np.asarray(training.losses), np.asarray(stayed.losses))
    assert training.losses.shape == (len(training.rounds), SETS) and training.losses.dtype is dtype
    moving.rule.restore_best()
    looped.rule.restore_best()
    assert moving.left() == looped.left()


def test_what_a_training_says():
    ensemble = Ensemble()
    training = ensemble.train(every=10)
    assert sum(r.steps for r in training.rounds) == training.steps
    assert sum(r.steps * r.size for r in training.rounds) == training.computed
    stopped_at = np.asarray(ensemble.rule.stopped_at)
    assert training.needed == (stopped_at + 1).sum() and training.sets == SETS
    active = np.isfinite(np.asarray(training.losses)).sum(1)
    assert active.tolist() == [r.active for r in training.rounds]
    assert active.tolist() == [(stopped_at >= 10 * i).sum() for i in range(len(training.rounds))]
    assert isinstance(training, luge.stop.Training) and str(training) == training.text()
    assert training.stops.active == 0 and all(isinstance(r, luge.stop.Round) for r in training.rounds)
    assert training.text().startswith(f"{SETS} sets took {training.steps} steps in {len(training.rounds)} rounds\n")
    assert training.text().endswith(str(ensemble.rule.report()))
    assert repr(training.rounds[0]) == f"<luge.stop.Round: 10 steps of {SETS} sets, {SETS} of them active>"
    assert ensemble.train().rounds == [] and ensemble.train().losses is None


def test_ctrl_c_brings_everything_back(hears_interrupts):
    params = luge.Parameters(sets=40)
    x = params.add("x", (3,), luge.init.constant(4))
    optimizer = luge.optim.Adam(params, lr=luge.linspace(0.001, 0.01, 40))
    rule = luge.stop.when(optimizer, step_below=luge.linspace(0.02, -0.0, 40))
    numbers = luge.arange(40).to(luge.float32)
    moved = threading.Event()

    def loss_of(x, numbers):
        return (x**2).sum(1) + 0 * numbers

    def step(live):
        if live.params.sets < 40:
            moved.set()
        live.optimizer.zero_grad()
        loss = loss_of(live.params["x"], live.data["numbers"])
        loss.sum().backward()
        live.rule.check(loss)
        live.optimizer.step()

    def interrupt():
        assert moved.wait(60)
        time.sleep(0.2)  # for some replays; an interruption of the recording would be as good
        os.kill(os.getpid(), signal.SIGINT)

    params.set_active(numbers >= 20)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        luge.stop.train(step, optimizer, rule, data={"numbers": numbers}, every=10**9)
    thread.join()
    checks = rule.report().checks
    assert x.shape == (40, 3) and checks == optimizer.steps_taken()
    assert (np.asarray(x.detach())[:20] == 4).all() and (np.asarray(x.detach())[20:] < 4).all() == (checks > 0)

    again = luge.Parameters(sets=40)
    y = again.add("x", (3,), luge.init.constant(4))
    other = luge.optim.Adam(again, lr=luge.linspace(0.001, 0.01, 40))
    judge = luge.stop.when(other, step_below=luge.linspace(0.02, -0.0, 40))
    again.set_active(numbers >= 20)

    @luge.capture
    def loop():
        other.zero_grad()
        loss = loss_of(y, numbers)
        loss.sum().backward()
        judge.check(loss)
        other.step()

    if checks > 0:
        loop.run(checks)
    assert np.asarray(x.detach()).tobytes() == np.asarray(y.detach()).tobytes()
    assert judge.stopped_at.tolist() == rule.stopped_at.tolist()


class Odd(nn.Module):
    """Tied weights, layers in lists and dicts, a parameter that is shared by all sets."""

    def __init__(self, params):
        super().__init__()
        self.first = nn.Linear(3, 3, bias=False, params=params, name="first")
        self.again = self.first
        self.rest = [nn.Tanh(), {"deep": (nn.Linear(3, 1, params=params, name="deep"),)}]
        self.shared = nn.Linear(3, 3)
        self.loose = params["first.weight"]

    def forward(self, x):
        x = self.again(self.first(self.shared(x)))
        return self.rest[1]["deep"][0](self.rest[0](x)).squeeze(2) + self.loose.sum((1, 2)).unsqueeze(1)


def test_a_module_of_the_live_sets_is_a_copy_of_its_layers():
    def train(compact):
        luge.manual_seed(4)
        params = luge.Parameters(sets=12, seed=1)
        model = Odd_of(params)
        optimizer = luge.optim.SGD(params, lr=0.01)
        rule = luge.stop.when(optimizer, loss_below=luge.linspace(3, 0.5, 12), max_steps=300)
        x = luge.linspace(-1, 1, 15).view(5, 3)
        seen = []

        def step(live):
            own = live.module(model)
            if live.params.sets < 12:
                assert own is not model and own is live.module(model) and type(own) is Odd
                assert own.first is own.again and own.first is not model.first
                assert own.shared.weight is model.shared.weight or own.shared.weight.data_ptr() == model.shared.weight.data_ptr()
                assert own.first.weight.shape == (live.params.sets, 3, 3) and own.loose.shape == own.first.weight.shape
                assert own.training is model.training
            else:
                assert own is model and live.optimizer is optimizer and live.rule is rule and live.params == params
            seen.append(live)
            live.optimizer.zero_grad()
            loss = (own(x) ** 2).mean(1)
            loss.sum().backward()
            live.rule.check(loss)
            live.optimizer.step()
            return loss

        training = luge.stop.train(step, optimizer, rule, every=3, compact=compact)
        assert (training.rounds[-1].size < 12) is compact
        assert model.first.weight.shape == (12, 3, 3) and model.rest[1]["deep"][0].bias.shape == (12, 1)
        # What a step keeps stays usable, and is no part of the training any more.
        last = seen[-1]
        last.optimizer.zero_grad()
        assert [t.shape[0] for t in last.params] == [last.params.sets] * 3 and last.sets.shape == (last.params.sets,)
        assert last.rule.report().checks == rule.report().checks
        return [np.asarray(tensor.detach()).tobytes() for tensor in params]

    def Odd_of(params):
        return Odd(params)

    assert train(True) == train(False)


def test_schedules_step_in_the_step():
    def train(compact, schedule, lr):
        ensemble = Ensemble()
        ensemble.optimizer.set_lr(lr)
        schedule = schedule(ensemble.optimizer)

        def step(live):
            loss = ensemble.step(live)
            schedule.step()
            return loss

        data = {"x": ensemble.x, "y": ensemble.y}
        training = luge.stop.train(step, ensemble.optimizer, ensemble.rule, data=data, every=5, compact=compact)
        assert schedule.steps_taken() == training.steps
        return ensemble.left()

    lrs = luge.optim.lr_scheduler
    for lr in (0.01, luge.linspace(0.002, 0.05, SETS)):
        for schedule in (lambda o: lrs.CosineAnnealingLR(o, T_max=70), lambda o: lrs.StepLR(o, step_size=9)):
            assert train(True, schedule, lr) == train(False, schedule, lr)


def test_what_cannot_be_right_is_an_error():
    ensemble = Ensemble()
    train, optimizer, rule = luge.stop.train, ensemble.optimizer, ensemble.rule
    for action, kind, text in [
        (lambda: train(1, optimizer, rule), TypeError, "stop.train: step is of type int"),
        (lambda: train(ensemble.step, 1, rule), TypeError, "stop.train: optimizer is of type int"),
        (lambda: train(ensemble.step, optimizer, 1), TypeError, "stop.train: rule is of type int"),
        (lambda: train(ensemble.step, optimizer, rule, data={"x": 1}), TypeError, r"stop.train: data\['x'\] is of type int"),
        (lambda: train(ensemble.step, optimizer, rule, data=[ensemble.x]), TypeError, "stop.train: data is of type list; it must be a dict"),
        (lambda: train(ensemble.step, optimizer, rule, data={"x": ensemble.held}), luge.ShapeError, "data 'x' has shape"),
        (lambda: train(ensemble.step, optimizer, rule), KeyError, "x"),
        (lambda: ensemble.train(every=0), ValueError, "stop.train: every is 0"),
        (lambda: ensemble.train(max_steps=-1), ValueError, "stop.train: max_steps is -1"),
        (lambda: ensemble.train(min_sets=0), ValueError, "stop.train: min_sets is 0"),
        (lambda: train(lambda live: [], optimizer, rule), TypeError, "stop.train: the step returned an object of type list"),
        (lambda: train(lambda live: live.module(3), optimizer, rule), TypeError, "Live.module: module is of type int"),
        (lambda: train(lambda live: ensemble.step(live).sum(), optimizer, rule, data={"x": ensemble.x, "y": ensemble.y}),
         luge.ShapeError, r"the step returned a tensor of shape \(\)"),
        (lambda: train(lambda live: ensemble.step(live).tolist(), optimizer, rule, data={"x": ensemble.x, "y": ensemble.y}),
         luge.CaptureError, "test_compaction.py"),
    ]:  # fmt: skip
        with pytest.raises(kind, match=text):
            action()
    assert ensemble.left() == Ensemble().left()

    def mistaken(live):
        optimizer.zero_grad()
        return ensemble.step(live)

    with pytest.raises(ValueError, match="the sets that still go on have moved"):
        train(mistaken, optimizer, rule, data={"x": ensemble.x, "y": ensemble.y}, every=4)
    looped = Ensemble()
    looped.loop(rule.report().checks)
    assert ensemble.left() == looped.left()
