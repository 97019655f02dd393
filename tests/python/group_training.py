"""A training with parameter groups of other options, of every optimizer."""

import pytest

import luge

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
