"""Copies and pickles are graphs of objects: what belonged together does so afterwards, and trains the same bits."""

import copy
import pickle

import pytest

import luge
from luge import nn

COPIES = [copy.deepcopy, lambda given: pickle.loads(pickle.dumps(given))]
OPTIMIZERS = {
    "SGD": lambda params: luge.optim.SGD(params, lr=0.02, weight_decay=0.01),
    "momentum": lambda params: luge.optim.SGD(params, lr=0.02, momentum=0.9, nesterov=True),
    "dampened": lambda params: luge.optim.SGD(params, lr=0.02, momentum=luge.tensor(0.5), dampening=0.1, maximize=True),
    "Adam": lambda params: luge.optim.Adam(params, lr=0.05, betas=(0.8, 0.9), eps=1e-6),
    "AdamW": lambda params: luge.optim.AdamW(params, lr=0.05, weight_decay=0.0),
    "RMSprop": lambda params: luge.optim.RMSprop(params, lr=0.02, momentum=0.5, centered=True),
    "Adagrad": lambda params: luge.optim.Adagrad(params, lr=0.05, lr_decay=0.1, initial_accumulator_value=0.5),
}
both = pytest.mark.parametrize("copied", COPIES, ids=["deepcopy", "pickle"])
optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)


def bits(tensors):
    return [tensor.detach().numpy().tobytes() for tensor in tensors]


def train(model, optimizer, steps=5, captured=False):
    x = luge.linspace(-1, 1, 12).reshape(6, 2)
    y = luge.sin(x.sum(1, keepdim=True))

    def step():
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).sum()
        loss.backward()
        optimizer.step()

    run = luge.capture(step) if captured else step
    for _ in range(steps):
        run()


class Net(nn.Module):
    def __init__(self, params=None):
        super().__init__()
        self.hidden = nn.Linear(2, 8, params=params, name="hidden")
        self.middle = nn.Linear(8, 8, params=params, name="middle")
        self.output = nn.Linear(8, 1, params=params, name="output")

    def forward(self, x):
        x = luge.tanh(self.middle(luge.tanh(self.middle(luge.tanh(self.hidden(x))))))
        return self.output(x)


@both
@optimizers
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
@pytest.mark.parametrize("sets", [None, 4])
def test_an_arena_and_its_module(copied, optimizer, captured, sets):
    params = luge.Parameters(sets=sets)
    model = Net(params)
    other_params, other = copied((params, model))
    assert other.hidden.weight.data_ptr() == other_params["hidden.weight"].data_ptr() != model.hidden.weight.data_ptr()
    assert other_params.names() == params.names() and other_params.sets == params.sets
    start = bits(params)
    assert bits(other_params) == start
    train(other, optimizer(other_params), captured=captured)
    assert bits(params) == start and bits(other_params) != start
    train(model, optimizer(params), captured=captured)
    assert bits(other_params) == bits(params) == bits(model.parameters()) == bits(other.parameters())


@both
def test_order_and_number_of_references_do_not_matter(copied):
    params = luge.Parameters(sets=2)
    model = Net(params)
    optimizer = luge.optim.SGD(params)
    given = {"bias": model.hidden.bias, "model": model, "again": params["hidden.bias"], "params": params,
             "also": optimizer.parameters, "list": [params["output.weight"]]}  # fmt: skip
    found = copied(given)
    assert found["params"] == found["also"] != params
    with luge.no_grad():
        found["params"]["hidden.bias"].fill_(7)
        found["list"][0].fill_(8)
    for bias in (found["bias"], found["again"], found["model"].hidden.bias):
        assert bias.min().item() == bias.max().item() == 7
    assert found["model"].output.weight.max().item() == 8 and model.hidden.bias.max().item() != 7


@both
def test_a_module_alone_keeps_its_sets(copied):
    params = luge.Parameters(sets=4)
    model = Net(params)
    rates = luge.tensor([0.01, 0.02, 0.03, 0.04])
    other = copied(model)
    assert other.hidden.weight.requires_grad
    train(other, luge.optim.SGD(other.parameters(), lr=rates))
    train(model, luge.optim.SGD(params, lr=rates))
    assert bits(other.parameters()) == bits(params)
    again = copied(copied(model.output))
    assert luge.optim.SGD(again.parameters(), lr=rates).parameters.sets == 4


@both
def test_leaves_of_an_arena_that_is_gone_keep_its_sets(copied):
    layer = nn.Linear(2, 1, params=luge.Parameters(sets=3))
    weight, bias = copied([layer.weight, layer.bias])
    assert luge.optim.SGD([weight, bias], lr=luge.ones(3)).parameters.sets == 3
    assert nn.clip_grad_norm_([layer.weight, layer.bias], 1).shape == (3,)


@both
def test_a_copied_arena_goes_on_as_the_original_would(copied):
    params = luge.Parameters(sets=2, seed=5, first_set=3, dtype=luge.float64)
    params.add("a", (2, 3), luge.init.uniform(-1, 1))
    frozen = params.add("b", (), luge.init.normal()).requires_grad_(False)
    other = copied(params)
    assert other != params and other.seed == 5 and other.first_set == 3 and other.dtype is luge.float64
    assert bits(other) == bits(params) and not other["b"].requires_grad and other["a"].requires_grad
    assert bits([other.add("c", 4, luge.init.normal())]) == bits([params.add("c", 4, luge.init.normal())])
    assert copied(frozen).requires_grad is False


@both
@optimizers
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
def test_a_plain_model(copied, optimizer, captured):
    model = Net()
    other = copied(model)
    start = bits(model.parameters())
    train(model, optimizer(model.parameters()), captured=captured)
    assert bits(other.parameters()) == start
    train(other, optimizer(other.parameters()), captured=captured)
    assert bits(other.parameters()) == bits(model.parameters()) != start
    # What an optimizer took into its arena stands alone in a copy.
    third = copied(model)
    assert bits(third.parameters()) == bits(model.parameters()) and third.hidden.weight.grad is None
    luge.optim.SGD(third.hidden.parameters())


@both
@optimizers
@pytest.mark.parametrize("captured", [False, True], ids=["eager", "captured"])
@pytest.mark.parametrize("sets", ["loose", None, 4])
@pytest.mark.parametrize("model_first", [False, True])
def test_an_optimizer_and_its_model(copied, optimizer, captured, sets, model_first):
    """In the middle of a training: both go on with the same bits, apart from each other."""
    model = Net() if sets == "loose" else Net(luge.Parameters(sets=sets))
    kept = optimizer(model.parameters())
    train(model, kept, 3)
    other, other_optimizer = copied((model, kept)) if model_first else copied((kept, model))[::-1]
    assert type(other_optimizer) is type(kept) and other_optimizer.steps_taken() == 3
    assert other_optimizer.lr.tolist() == kept.lr.tolist() and other_optimizer.parameters != kept.parameters
    start = bits(model.parameters())
    assert bits(other.parameters()) == start
    train(other, other_optimizer, captured=captured)
    assert bits(model.parameters()) == start != bits(other.parameters())
    train(model, kept, captured=captured)
    assert bits(model.parameters()) == bits(other.parameters())
    assert other_optimizer.steps_taken() == kept.steps_taken() == 8


@both
def test_how_a_parameter_starts_is_copied(copied):
    for init in (luge.init.uniform(-2, 3), luge.init.normal(1, 2), luge.init.constant(4), luge.init.xavier_normal(3, 4)):
        one, other = (luge.Parameters(seed=1).add("w", 9, made) for made in (init, copied(init)))
        assert bits([one]) == bits([other])


@both
def test_the_learning_rate_of_a_copy(copied):
    params = luge.Parameters(sets=3)
    model = nn.Linear(2, 1, params=params)
    optimizer = luge.optim.Adam(params, lr=luge.tensor([0.1, 0.2, 0.3]))
    optimizer.set_lr(luge.tensor([0.3, 0.2, 0.1]))
    new_params, new_model, new_optimizer = copied((params, model, optimizer))
    assert new_optimizer.parameters == new_params and new_optimizer.lr.tolist() == optimizer.lr.tolist()
    new_optimizer.set_lr(0.5)
    assert optimizer.lr.tolist() != new_optimizer.lr.tolist()
    assert new_model.weight.data_ptr() == new_params.tensors()[0].data_ptr()


def test_a_shallow_copy_of_an_optimizer_works_on_the_same_parameters():
    model = nn.Linear(2, 1)
    optimizer = luge.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    assert copy.copy(optimizer).parameters == optimizer.parameters


@both
def test_schedules_are_not_copied(copied):
    schedule = luge.optim.lr_scheduler.StepLR(luge.optim.SGD(nn.Linear(1, 1).parameters()), 2)
    with pytest.raises(TypeError, match="StepLR"):
        copied(schedule)


@both
def test_ties_stay(copied):
    model = Net()
    model.middle.weight = nn.Parameter(luge.randn(8, 8))
    model.twin = nn.Linear(8, 8, bias=False)
    model.twin.weight = model.middle.weight
    model.same = model.hidden
    other = copied(model)
    assert other.twin.weight is other.middle.weight is not model.middle.weight and other.same is other.hidden
    assert [name for name, _ in other.named_parameters()] == [name for name, _ in model.named_parameters()]
    assert len(list(model.parameters())) == len(list(other.parameters())) == 6


@both
def test_objects_that_are_one_leaf_stay_one(copied):
    model = nn.Linear(2, 2)
    optimizer = luge.optim.SGD(model.parameters())
    weight, other = copied((optimizer.parameters.tensors()[0], model))
    with luge.no_grad():
        weight.fill_(3)
    assert other.weight.min().item() == 3 and model.weight.min().item() != 3


def test_an_optimizers_own_arena_is_not_pickled():
    optimizer = luge.optim.SGD(nn.Linear(2, 2).parameters())
    for copied in COPIES:
        with pytest.raises(TypeError, match="an optimizer's own"):
            copied(optimizer.parameters)


def test_shallow_copies_are_the_same_arena():
    params = luge.Parameters()
    params.add("w", 2, luge.init.zeros())
    assert copy.copy(params) == params and copy.copy(params) is not params and len({params, copy.copy(params)}) == 1
    assert params != luge.Parameters() and params != 3
    assert copy.copy(params["w"]).data_ptr() == params["w"].data_ptr()


@both
def test_state_dicts_are_values(copied):
    model = Net(luge.Parameters(sets=2))
    state = copied(model.state_dict())
    assert not any(value.requires_grad for value in state.values()) and len(pickle.dumps(model.state_dict()["hidden.bias"])) < 300
    model.load_state_dict(state)


@both
@optimizers
def test_sets_that_stand_still(copied, optimizer):
    params = luge.Parameters(sets=3)
    x = params.add("x", (), luge.init.ones())
    own = optimizer(params)
    params.set_active(luge.tensor([True, False, True]))
    (x * x).sum().backward()
    own.step()
    again, other = copied((params, own))
    assert again.active().tolist() == [True, False, True]
    (again["x"] * 2).sum().backward()
    other.step()
    assert again["x"][1].item() == 1 and again["x"][0].item() != x[0].item()
