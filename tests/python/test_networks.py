"""PyTorch's programs run when their imports change: a convolutional network and a GPT, beside PyTorch, in sets, captured."""

import importlib
import pathlib
import sys
import types

import numpy as np
import pytest

import luge

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
STEPS = 50


def program(name, package):
    """The example, with the imports of `package`."""
    source = (EXAMPLES / f"{name}.py").read_text()
    if package != "luge":
        source = source.replace("import luge as torch", "import torch").replace("from luge", "from torch")
    module = types.ModuleType(f"{name}_{package}")
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)  # noqa: S102: our own text
    return module


@pytest.fixture(autouse=True)
def seeded():
    luge.manual_seed(0)


@pytest.fixture
def torch():
    found = pytest.importorskip("torch")
    if not hasattr(found.nn.functional, "scaled_dot_product_attention"):  # PyTorch 1.13 has none: the textbook's

        def attention(query, key, value, is_causal):
            assert is_causal
            scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
            after = found.ones(scores.shape[-2:], dtype=found.bool).triu(1)
            return scores.masked_fill(after, -float("inf")).softmax(-1) @ value

        found.nn.functional.scaled_dot_product_attention = attention
    found.manual_seed(0)
    return found


def images(random, count, batch=8):
    for _ in range(count):
        labels = random.integers(0, 10, batch)
        pictures = random.normal(size=(batch, 1, 28, 28)).astype(np.float32)
        pictures[np.arange(batch), 0, labels, :] += 2  # a bright row for each class
        yield pictures, labels


def windows(random, count, batch=4, length=16, symbols=20):
    for _ in range(count):
        starts = random.integers(0, symbols, (batch, 1))
        text = (starts + np.arange(length + 1) * random.integers(1, 4, (batch, 1))) % symbols
        yield text[:, :-1], text[:, 1:]


CASES = {
    "cnn": (images, lambda module: module.Network(width=4, dropout=0.0)),
    "gpt": (windows, lambda module: module.GPT(20, window=16, width=32, heads=2, layers=4)),
}


def tensors(package, batches):
    return [tuple(package.tensor(array) for array in batch) for batch in batches]


@pytest.mark.parametrize("name", CASES)
def test_losses_are_pytorchs(name, torch):
    batches, make = CASES[name]
    data = list(batches(np.random.default_rng(0), STEPS))
    theirs, ours = program(name, "torch"), program(name, "luge")
    reference, model = make(theirs), make(ours)
    model.load_state_dict({key: value.numpy() for key, value in reference.state_dict().items()})
    expected = theirs.train(reference, tensors(torch, data))
    found = ours.train(model, tensors(luge, data))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert found[-1] < found[0]
    state = {key: np.asarray(value) for key, value in model.state_dict().items()}
    for key, value in reference.state_dict().items():
        if key in ("features.0.bias", "features.4.bias") or key.endswith("running_mean"):
            continue  # batch norm takes every shift away: their gradients are rounding alone, which Adam makes whole steps of
        np.testing.assert_allclose(state[key], value.numpy(), rtol=0, atol=2e-3, err_msg=key)
    reference.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in state.items()})  # the other way


def step_of(model, optimizer, batches_are_sets):
    def step(x, y):
        optimizer.zero_grad()
        output = model(x)
        if batches_are_sets and y.dim() > 1:  # characters: classes come last
            loss = luge.nn.functional.cross_entropy(output.flatten(1, -2), y.flatten(1), reduction="per_set")
        elif batches_are_sets:
            loss = luge.nn.functional.cross_entropy(output, y, reduction="per_set")
        else:
            loss = luge.nn.functional.cross_entropy(output.flatten(0, -2), y.flatten())
        loss.sum().backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_a_set_trains_as_alone(name, captured):
    batches, make = CASES[name]
    sets, module = 8, program(name, "luge")
    params = luge.Parameters(sets=sets, seed=3)
    with luge.nn.build_in(params):
        models = make(module)
    alone = make(module)
    chosen = 5
    alone.load_state_dict({key: value[chosen].clone() for key, value in models.state_dict().items()})
    steps = []
    for model, of_sets in ((models, True), (alone, False)):
        step = step_of(model, luge.optim.Adam(params if of_sets else model.parameters(), lr=1e-3), of_sets)
        steps.append(luge.capture(step) if captured else step)
    for x, y in tensors(luge, batches(np.random.default_rng(1), 5)):
        together = steps[0](x.expand(sets, *x.shape), y.expand(sets, *y.shape) if name == "gpt" else y)
        single = steps[1](x, y)
        assert together.shape == (sets,) and together[chosen].item() == single.item()
    for key, value in alone.state_dict().items():
        assert models.state_dict()[key][chosen].equal(value), key


@pytest.mark.parametrize("name", CASES)
def test_captured_steps_are_eager_ones(name):
    batches, make = CASES[name]
    module = program(name, "luge")
    eager, captured = make(module), make(module)
    captured.load_state_dict(eager.state_dict())
    steps = [step_of(model, luge.optim.Adam(model.parameters(), lr=1e-3), False) for model in (eager, captured)]
    steps[1] = luge.capture(steps[1])
    for x, y in tensors(luge, batches(np.random.default_rng(2), 5)):
        assert steps[0](x, y).item() == steps[1](x, y).item()
    for key, value in eager.state_dict().items():
        assert captured.state_dict()[key].equal(value), key


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", CASES)
def test_half_precision_trains_as_float32(name, dtype):
    batches, make = CASES[name]
    module = program(name, "luge")
    data = tensors(luge, batches(np.random.default_rng(3), 120))
    reached = {}
    state = make(module).state_dict()
    for kind in (None, dtype):
        model = make(module)
        model.load_state_dict(state)
        optimizer = luge.optim.Adam(model.parameters(), lr=1e-3)
        scaler = luge.amp.GradScaler("cpu", enabled=kind == "float16")
        losses = []
        for x, y in data:
            optimizer.zero_grad()
            with luge.autocast("cpu", dtype=getattr(luge, kind or "bfloat16"), enabled=kind is not None):
                loss = luge.nn.functional.cross_entropy(model(x).flatten(0, -2), y.flatten())
            assert loss.dtype == luge.float32
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())
        reached[kind] = np.mean(losses[-10:])
    assert reached[None] < 0.8 * losses[0] and reached[dtype] < reached[None] + 0.1


def test_the_loader_feeds_a_captured_step():
    module = program("cnn", "luge")
    pictures, labels = next(images(np.random.default_rng(4), 1, 64))
    data = luge.utils.data.TensorDataset(luge.tensor(pictures), luge.tensor(labels))
    model, losses = module.train_sets(3, luge.utils.data.DataLoader(data, batch_size=16), width=2, dropout=0.5)
    assert len(losses) == 4 and losses[0].shape == (3,) and len(set(losses[0].tolist())) == 3
    assert model(luge.tensor(pictures)).shape == (3, 64, 10)


def test_a_gpt_writes():
    module = program("gpt", "luge")
    model = module.GPT(3, window=8, width=8, heads=2, layers=1)
    text = module.write(model, ["a", "b", "c"], "ab", 12, window=8)
    assert len(text) == 14 and text.startswith("ab") and set(text) <= set("abc")


def test_examples_can_be_imported():
    sys.path.insert(0, str(EXAMPLES))
    try:
        for name in CASES:
            assert callable(importlib.import_module(name).main)
    finally:
        sys.path.remove(str(EXAMPLES))
