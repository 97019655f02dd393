"""Recurrent layers beside PyTorch's: results and every gradient from the same weights; sets, captured steps, errors."""

import itertools

import luge
import numpy as np
import pytest
from errors import check_error
from luge import nn

torch = pytest.importorskip("torch")

KINDS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {}), ("LSTM", {"proj_size": 2})]


def ours(x):
    return luge.from_numpy(x.detach().numpy().copy())


def flat(result):
    if result is None or not isinstance(result, (tuple, list)):
        return [] if result is None else [result]
    return [leaf for part in result for leaf in flat(part)]


def agree(theirs, mine, inputs, call):
    """Results, gradients of inputs and of every parameter, from PyTorch's weights."""
    mine.load_state_dict({name: ours(value) for name, value in theirs.state_dict().items()})
    sides = [(theirs, [x.clone().requires_grad_() for x in inputs]), (mine, [ours(x).requires_grad_() for x in inputs])]
    found = []
    for model, values in sides:
        results = flat(call(model, *values))
        sum((y * y + y).sum() for y in results).backward()
        named = dict(model.named_parameters())
        found.append((results, [x.grad for x in values], named))
    assert list(found[0][2]) == list(found[1][2])
    pairs = list(zip(found[0][0], found[1][0])) + list(zip(found[0][1], found[1][1]))
    pairs += [(found[0][2][name].grad, found[1][2][name].grad) for name in found[0][2]]
    for a, b in pairs:
        if a is None:
            continue
        assert tuple(a.shape) == tuple(b.shape)
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), rtol=1e-10, atol=1e-11)
    for name, value in theirs.state_dict().items():
        assert np.array_equal(mine.state_dict()[name].numpy(), value.numpy())


def numbers(*shape):
    return torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape))


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_layers_agree(kind, options, bidirectional, layers):
    for batch_first, bias in itertools.product((False, True), (False, True)):
        how = dict(options, num_layers=layers, bidirectional=bidirectional, batch_first=batch_first, bias=bias)
        theirs, mine = getattr(torch.nn, kind)(3, 4, **how).double(), getattr(nn, kind)(3, 4, dtype=luge.float64, **how)
        assert repr(theirs) == repr(mine) or torch.__version__ < "2"
        for batch in (2, None, 0):
            x = numbers(5, 3) if batch is None else numbers(batch, 5, 3) if batch_first else numbers(5, batch, 3)
            first = (layers * (2 if bidirectional else 1), *(() if batch is None else (batch,)))
            hidden, cell = numbers(*first, options.get("proj_size", 4)), numbers(*first, 4)
            if batch != 0:
                agree(theirs, mine, [x], lambda model, x: model(x))
            if kind == "LSTM":
                agree(theirs, mine, [x, hidden, cell], lambda model, x, h, c: model(x, (h, c)))
            else:
                agree(theirs, mine, [x, hidden], lambda model, x, h: model(x, h))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("kind", "options"), [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("GRUCell", {}), ("LSTMCell", {})])
def test_cells_agree(kind, options, bias):
    theirs = getattr(torch.nn, kind)(3, 4, bias=bias, **options).double()
    mine = getattr(nn, kind)(3, 4, bias=bias, dtype=luge.float64, **options)
    for batch in ((2,), ()):
        x, hidden, cell = numbers(*batch, 3), numbers(*batch, 4), numbers(*batch, 4)
        agree(theirs, mine, [x], lambda model, x: model(x))
        if kind == "LSTMCell":
            agree(theirs, mine, [x, hidden, cell], lambda model, x, h, c: model(x, (h, c)))
        else:
            agree(theirs, mine, [x, hidden], lambda model, x, h: model(x, h))


def test_parameters_start_within_the_bound():
    layer = nn.LSTM(30, 25, 2)
    for parameter in layer.parameters():
        values = parameter.detach().numpy()
        assert abs(values).max() <= 0.2
        assert values.std() > 0.08
    assert [len(weights) for weights in layer.all_weights] == [4, 4]


def test_outputs_are_dropped_between_layers_in_training():
    layer, x = nn.GRU(3, 200, 2, dropout=0.5), luge.randn(2, 3, 3)
    assert not luge.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert luge.equal(layer(x)[0], layer(x)[0])
    whole = nn.GRU(3, 4, 2, dropout=1.0)
    own = nn.GRU(4, 4)
    own.load_state_dict({name.replace("_l1", "_l0"): value for name, value in whole.state_dict().items() if "_l1" in name})
    assert luge.allclose(whole(x)[0], own(luge.zeros(2, 3, 4))[0])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_a_set_alone_has_the_same_bits(kind, options, batch_first):
    luge.manual_seed(1)
    params = luge.Parameters(sets=3)
    layer = getattr(nn, kind)(3, 4, 2, bidirectional=True, batch_first=batch_first, params=params, name="layer", **options)
    shared, own = luge.randn(5, 2, 3), luge.randn(3, 5, 2, 3)
    out = options.get("proj_size", 4)
    for x in (shared, own):
        batch = x.shape[-3] if batch_first else x.shape[-2]
        hidden, cell = luge.randn(3, 4, batch, out), luge.randn(3, 4, batch, 4)
        result = flat(layer(x, (hidden, cell) if kind == "LSTM" else hidden))
        gradients = luge.autograd.grad(sum((y * y).sum() for y in result), list(layer.parameters()))
        for i in range(3):
            alone = getattr(nn, kind)(3, 4, 2, bidirectional=True, batch_first=batch_first, **options)
            alone.load_state_dict({name: value[i] for name, value in layer.state_dict().items()})
            state = (hidden[i], cell[i]) if kind == "LSTM" else hidden[i]
            single = flat(alone(x if x.ndim == 3 else x[i], state))
            for one, every in zip(single, result):
                assert luge.equal(one, every[i])
            found = luge.autograd.grad(sum((y * y).sum() for y in single), list(alone.parameters()))
            for one, every in zip(found, gradients):
                assert luge.equal(one, every[i])


def test_a_set_alone_drops_the_same_outputs():
    def results(sets, first):
        params = luge.Parameters(sets=sets, first_set=first, seed=5)
        layer = nn.GRU(3, 4, 2, dropout=0.5, params=params)
        luge.manual_seed(7)
        return layer(x)[0]

    x = luge.randn(5, 2, 3)
    every = results(3, 0)
    for i in range(3):
        assert luge.equal(results(1, i)[0], every[i])


def test_cells_with_sets():
    params = luge.Parameters(sets=3)
    for kind in ("RNNCell", "GRUCell", "LSTMCell"):
        cell, x = getattr(nn, kind)(3, 4, params=params), luge.randn(2, 3)
        result = flat(cell(x))
        assert result[0].shape == (3, 2, 4)
        alone = getattr(nn, kind)(3, 4)
        alone.load_state_dict({name: value[1] for name, value in cell.state_dict().items()})
        for one, every in zip(flat(alone(x)), result):
            assert luge.equal(one, every[1])


def test_captured_training_gives_the_same_bits():
    def trained(capture):
        luge.manual_seed(3)
        layer = nn.LSTM(3, 4, 2, bidirectional=True)
        optimizer = luge.optim.SGD(layer.parameters(), lr=0.1)
        x = luge.randn(5, 2, 3)

        def step():
            optimizer.zero_grad()
            loss = layer(x)[0].square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = luge.capture(step) if capture else step
        return [step().item() for _ in range(4)]

    assert trained(True) == trained(False)


def test_second_derivatives():
    layer, x = nn.GRU(2, 3, dtype=luge.float64), luge.randn(3, 1, 2, dtype=luge.float64).requires_grad_()
    assert luge.autograd.gradgradcheck(lambda x: layer(x)[0], (x,)) if hasattr(luge.autograd, "gradgradcheck") else True


ERRORS = [
    (lambda: nn.LSTM(0, 4), ValueError, "LSTM: input_size is 0"),
    (lambda: nn.LSTM(3, 0), ValueError, "LSTM: hidden_size is 0"),
    (lambda: nn.GRU(3, 4, 0), ValueError, "GRU: num_layers is 0"),
    (lambda: nn.LSTM(3, 4, 2**40), ValueError, "LSTM: num_layers is 1099511627776; it must be from 1 to 10000"),
    (lambda: nn.GRU(3, 4.0), TypeError, "GRU: hidden_size is of type float"),
    (lambda: nn.LSTM(3, 4, dropout=2), ValueError, "LSTM: dropout is 2"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "LSTM: proj_size is 4"),
    (lambda: nn.RNN(3, 4, nonlinearity="x"), ValueError, "RNN: nonlinearity is 'x'"),
    (lambda: nn.RNNBase("GRU", 3, 4, proj_size=2), ValueError, "RNNBase: proj_size is 2"),
    (lambda: nn.RNNBase("X", 3, 4), ValueError, "RNNBase: mode is 'X'"),
    (lambda: nn.LSTM(3, 4)(luge.zeros(3)), luge.ShapeError, "lstm: input has shape"),
    (lambda: nn.LSTM(3, 4)(luge.zeros(2, 2, 5)), luge.ShapeError, "lstm: input has shape"),
    (lambda: nn.LSTM(3, 4)(luge.zeros(0, 2, 3)), luge.ShapeError, "lstm: input has shape"),
    (lambda: nn.LSTM(3, 4)(luge.zeros(2, 2, 3, dtype=luge.float64)), luge.DTypeError, "lstm: input is float64"),
    (lambda: nn.LSTM(3, 4)(luge.zeros(2, 2, 3), luge.zeros(1, 2, 4)), TypeError, "LSTM: hx is of type"),
    (lambda: nn.LSTM(3, 4)(luge.zeros(2, 2, 3), (luge.zeros(1, 3, 4),) * 2), luge.ShapeError, "lstm: hidden has shape"),
    (lambda: nn.GRU(3, 4)(luge.zeros(2, 2, 3), luge.zeros(1, 2, 4, dtype=luge.float64)), luge.DTypeError, "gru: hidden is"),
    (lambda: nn.GRU(3, 4)([1.0]), TypeError, "GRU: input is of type list"),
    (lambda: nn.GRUCell(3, 4)(luge.zeros(2, 2, 3)), luge.ShapeError, "gru_cell: input has shape"),
    (lambda: nn.GRUCell(0, 4), ValueError, "GRUCell: input_size is 0"),
]


@pytest.mark.parametrize(("call", "error", "start"), ERRORS)
def test_bad_input_is_named(call, error, start):
    check_error(call, error, start)


def test_packed_sequences_of_pytorch_are_refused():
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.zeros(2, 1, 3), [2])
    with pytest.raises(TypeError, match="must be a Tensor or a PackedSequence of luge"):
        nn.LSTM(3, 4)(packed)
