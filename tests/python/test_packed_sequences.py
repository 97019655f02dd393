"""luge.nn.utils.rnn and recurrent layers over packed sequences, against PyTorch's."""

import copy
import pickle

import luge
import numpy as np
import pytest
from errors import check_error

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
LENGTHS = {"several": [5, 3, 3, 1], "equal": [4, 4], "one": [3], "steps of one": [1, 1, 1]}
UNSORTED = [2, 5, 1, 5, 3]


def arrays(tensor):
    return np.asarray(tensor.detach().numpy())


def same(ours, theirs, atol=0.0):
    if theirs is None:
        assert ours is None
        return
    a, b = arrays(ours), arrays(theirs)
    assert a.shape == b.shape and str(a.dtype) == str(b.dtype)
    np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def same_packed(ours, theirs, atol=0.0):
    for field in theirs._fields:
        same(getattr(ours, field), getattr(theirs, field), atol)


def both(values, grad=False):
    return luge.from_numpy(values.copy()).requires_grad_(grad), torch.from_numpy(values.copy()).requires_grad_(grad)


# ---- packing and padding


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("row", [(), (3,), (2, 3)])
def test_pack_and_pad(lengths, batch_first, row):
    values = RNG.normal(size=(len(lengths), 6, *row) if batch_first else (6, len(lengths), *row))
    x, y = both(values, grad=True)
    packed = luge.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first)
    theirs = torch.nn.utils.rnn.pack_padded_sequence(y, torch.tensor(lengths), batch_first)
    same_packed(packed, theirs)
    for options in ({}, {"batch_first": True}, {"padding_value": -2.5}, {"total_length": 8}):
        padded, ends = luge.nn.utils.rnn.pad_packed_sequence(packed, **options)
        expected, expected_ends = torch.nn.utils.rnn.pad_packed_sequence(theirs, **options)
        same(padded, expected)
        same(ends, expected_ends)
        weights = RNG.normal(size=tuple(padded.shape))
        slope, = luge.autograd.grad((padded * luge.from_numpy(weights)).sum(), x, retain_graph=True)
        expected_slope, = torch.autograd.grad((expected * torch.from_numpy(weights)).sum(), y, retain_graph=True)
        same(slope, expected_slope)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_unsorted_lengths(dtype):
    values = (10 * RNG.normal(size=(5, 5, 2))).astype(dtype)
    packed = luge.nn.utils.rnn.pack_padded_sequence(luge.from_numpy(values), luge.tensor(UNSORTED), enforce_sorted=False)
    theirs = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(values), torch.tensor(UNSORTED), enforce_sorted=False)
    same_packed(packed, theirs)
    padded, lengths = luge.nn.utils.rnn.pad_packed_sequence(packed, padding_value=-1)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs, padding_value=-1)
    same(padded, expected)
    assert lengths.tolist() == UNSORTED


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_pad_sequences(batch_first, dtype):
    given = [(9 * RNG.normal(size=(length, 2))).astype(dtype) for length in UNSORTED]
    rnn, theirs = luge.nn.utils.rnn, torch.nn.utils.rnn
    ours = [luge.from_numpy(one) for one in given]
    others = [torch.from_numpy(one) for one in given]
    padded = rnn.pad_sequence(ours, batch_first, 3)
    same(padded, theirs.pad_sequence(others, batch_first, 3))
    for back, one in zip(rnn.unpad_sequence(padded, UNSORTED, batch_first), given):
        assert np.array_equal(arrays(back), one)
    left = rnn.pad_sequence(ours, batch_first, padding_side="left")
    flipped = rnn.pad_sequence([one.flip(0) for one in ours], batch_first)
    assert left.equal(flipped.flip(1 if batch_first else 0))
    packed = rnn.pack_sequence(ours, enforce_sorted=False)
    same_packed(packed, theirs.pack_sequence(others, enforce_sorted=False))
    for back, one in zip(rnn.unpack_sequence(packed), given):
        assert np.array_equal(arrays(back), one)


def test_permutations_are_inverted():
    order = luge.tensor([3, 0, 2, 1])
    assert order[luge.nn.utils.rnn.invert_permutation(order)].tolist() == [0, 1, 2, 3]
    assert luge.nn.utils.rnn.invert_permutation(None) is None


def test_packed_sequences_convert_and_copy():
    packed = luge.nn.utils.rnn.pack_sequence([luge.ones(2, 1), luge.ones(3, 1)], enforce_sorted=False)
    assert packed.double().data.dtype == luge.float64 and packed.half().float().data.dtype == luge.float32
    assert not packed.cpu().is_cuda and packed.double().unsorted_indices.tolist() == [1, 0]
    for made in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed)), luge.nn.utils.rnn.PackedSequence(*packed)):
        assert type(made) is type(packed) and made.batch_sizes.tolist() == [2, 2, 1]
        assert luge.nn.utils.rnn.pad_packed_sequence(made)[1].tolist() == [2, 3]


# ---- layers

KINDS = {
    "RNN": {}, "RNN relu": {"nonlinearity": "relu"}, "GRU": {}, "LSTM": {}, "LSTM projected": {"proj_size": 2},
}  # fmt: skip


def layers(kind, **options):
    """The same layer in both libraries."""
    options = {**KINDS[kind], **options}
    theirs = getattr(torch.nn, kind.split()[0])(3, 4, **options, dtype=torch.float64)
    ours = getattr(luge.nn, kind.split()[0])(3, 4, **options, dtype=luge.float64)
    ours.load_state_dict({name: luge.from_numpy(arrays(value).copy()) for name, value in theirs.state_dict().items()})
    return ours, theirs


def start(theirs, batch):
    directions = 2 if theirs.bidirectional else 1
    hidden = RNG.normal(size=(theirs.num_layers * directions, batch, theirs.proj_size or 4))
    if theirs.mode != "LSTM":
        return (hidden,)
    return hidden, RNG.normal(size=(theirs.num_layers * directions, batch, 4))


def flat(states):
    return list(states) if isinstance(states, tuple) else [states]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("states", [False, True])
def test_layers(kind, num_layers, bidirectional, states):
    ours, theirs = layers(kind, num_layers=num_layers, bidirectional=bidirectional)
    values = RNG.normal(size=(5, 5, 3))
    x, y = both(values, grad=True)
    packed = luge.nn.utils.rnn.pack_padded_sequence(x, UNSORTED, enforce_sorted=False)
    other = torch.nn.utils.rnn.pack_padded_sequence(y, torch.tensor(UNSORTED), enforce_sorted=False)
    given = start(theirs, 5) if states else ()
    pairs = [both(state, grad=True) for state in given]
    hx = [tuple(pair[side] for pair in pairs) for side in (0, 1)]
    ready = [one if theirs.mode == "LSTM" else one[0] for one in hx] if states else [None, None]
    output, last = ours(packed, ready[0])
    expected, expected_last = theirs(other, ready[1])
    same_packed(output, expected, 1e-12)
    for state, expected_state in zip(flat(last), flat(expected_last)):
        same(state, expected_state, 1e-12)
    total = (output.data**2).sum() + sum((state**3).sum() for state in flat(last))
    expected_total = (expected.data**2).sum() + sum((state**3).sum() for state in flat(expected_last))
    leaves, others = [x, *hx[0], *ours.parameters()], [y, *hx[1], *theirs.parameters()]
    slopes = luge.autograd.grad(total, leaves)
    for slope, expected_slope in zip(slopes, torch.autograd.grad(expected_total, others)):
        same(slope, expected_slope, 1e-11)


def test_sequences_of_one_length_are_as_unpacked():
    ours, _ = layers("GRU", num_layers=2, bidirectional=True)
    x = luge.from_numpy(RNG.normal(size=(4, 3, 3)))
    output, last = ours(luge.nn.utils.rnn.pack_padded_sequence(x, [4, 4, 4]))
    plain, plain_last = ours(x)
    assert luge.allclose(luge.nn.utils.rnn.pad_packed_sequence(output)[0], plain, rtol=0, atol=1e-14)
    assert luge.allclose(last, plain_last, rtol=0, atol=1e-14)


def test_gradients_of_gradients():
    ours, _ = layers("LSTM", bidirectional=True)
    x = luge.from_numpy(RNG.normal(size=(3, 2, 3))).requires_grad_()

    def run(given):
        output, (hidden, cell) = ours(luge.nn.utils.rnn.pack_padded_sequence(given, [3, 1]))
        return luge.cat([output.data.reshape(-1), hidden.reshape(-1), cell.reshape(-1)])

    assert luge.autograd.gradcheck(run, x) and luge.autograd.gradgradcheck(run, x)


def test_each_set_is_as_alone():
    """A model of several sets, bit by bit."""
    def made(**options):
        params = luge.Parameters(dtype=luge.float64, **options)
        return luge.nn.LSTM(3, 4, num_layers=2, bidirectional=True, params=params), params

    many, _ = made(sets=3)
    x = luge.from_numpy(RNG.normal(size=(5, 3, 3)))
    packed = luge.nn.utils.rnn.pack_padded_sequence(x, [2, 5, 4], enforce_sorted=False)
    output, (hidden, cell) = many(packed)
    padded, lengths = luge.nn.utils.rnn.pad_packed_sequence(output)
    assert padded.shape == (3, 5, 3, 8) and hidden.shape == cell.shape == (3, 4, 3, 4) and lengths.tolist() == [2, 5, 4]
    one, _ = made()
    for number in range(3):
        one.load_state_dict({name: value[number].clone() for name, value in many.state_dict().items()})
        alone, (h, c) = one(packed)
        assert luge.nn.utils.rnn.pad_packed_sequence(alone)[0].equal(padded[number])
        assert h.equal(hidden[number]) and c.equal(cell[number])


def test_dropout_between_layers():
    layer = luge.nn.GRU(3, 4, num_layers=2, dropout=1.0)
    packed = luge.nn.utils.rnn.pack_sequence([luge.ones(2, 3), luge.ones(1, 3)])
    output, _ = layer(packed)
    upper = luge.nn.GRU(4, 4)
    upper.load_state_dict({name[:-1] + "0": value for name, value in layer.state_dict().items() if name.endswith("_l1")})
    alone, _ = upper(packed._with(luge.zeros(3, 4)))
    assert output.data.equal(alone.data)
    assert not layer.eval()(packed)[0].data.equal(output.data)


def test_captured_step():
    layer = luge.nn.LSTM(3, 4, bidirectional=True)
    x = luge.from_numpy(RNG.normal(size=(3, 2, 3)).astype("float32"))
    packed = luge.nn.utils.rnn.pack_padded_sequence(x, [3, 1])
    optimizer, loss_of = luge.optim.SGD(layer.parameters(), lr=0.1), lambda: (layer(packed)[0].data ** 2).sum()

    def once():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss

    before = copy.deepcopy(layer.state_dict())
    eager = [once().item() for _ in range(4)]
    layer.load_state_dict(before)
    step = luge.capture(once)
    assert [step().item() for _ in range(4)] == eager


# ---- errors

RNN = luge.nn.utils.rnn
X = luge.zeros(3, 2, 1)
ERRORS = [
    (lambda: RNN.pack_padded_sequence(X, [1, 2]), ValueError, "pack_padded_sequence: lengths are [1, 2]"),
    (lambda: RNN.pack_padded_sequence(X, [2, 0]), ValueError, "pack_padded_sequence: lengths are from 0 to 2"),
    (lambda: RNN.pack_padded_sequence(X, [4, 1]), ValueError, "pack_padded_sequence: lengths are from 1 to 4"),
    (lambda: RNN.pack_padded_sequence(X, [3]), luge.ShapeError, "pack_padded_sequence: there are 1 lengths and 2 sequences"),
    (lambda: RNN.pack_padded_sequence(X, [1.5, 1]), TypeError, "pack_padded_sequence: lengths has 1.5"),
    (lambda: RNN.pack_padded_sequence(X, luge.ones(1, 2)), luge.ShapeError, "pack_padded_sequence: lengths has shape"),
    (lambda: RNN.pack_padded_sequence(luge.zeros(3), [3]), luge.ShapeError, "pack_padded_sequence: input has shape (3,)"),
    (lambda: RNN.pack_padded_sequence([1.0], [1]), TypeError, "pack_padded_sequence: input is of type list"),
    (lambda: RNN.pad_packed_sequence(X), TypeError, "pad_packed_sequence: sequence is of type Tensor"),
    (lambda: RNN.pad_packed_sequence(RNN.pack_padded_sequence(X, [3, 1]), total_length=2), ValueError,
     "pad_packed_sequence: total_length is 2"),
    (lambda: RNN.pad_sequence([]), ValueError, "pad_sequence: there are no sequences"),
    (lambda: RNN.pad_sequence([luge.ones(2, 1), luge.ones(2, 2)]), luge.ShapeError, "pad_sequence: sequences have shapes"),
    (lambda: RNN.pad_sequence([luge.ones(2)], padding_side="up"), ValueError, "pad_sequence: padding_side is 'up'"),
    (lambda: RNN.pad_sequence([[1.0]]), TypeError, "pad_sequence: a sequence is of type list"),
    (lambda: RNN.unpad_sequence(X, [1, 4]), luge.ShapeError, "unpad_sequence: lengths are [1, 4]"),
    (lambda: RNN.PackedSequence(luge.ones(2)), TypeError, "PackedSequence: batch_sizes is of type NoneType"),
    (lambda: luge.nn.GRU(1, 2)(RNN.pack_padded_sequence(luge.zeros(3, 2, 2), [3, 1])), luge.ShapeError, "gru: input has shape"),
    (lambda: luge.nn.LSTM(1, 2)(RNN.pack_padded_sequence(X, [3, 1]), luge.zeros(1, 2, 2)), TypeError, "LSTM: hx is of type Tensor"),
    (lambda: luge.capture(lambda: RNN.pack_padded_sequence(X, luge.tensor([3, 1])).data)(), luge.CaptureError, ""),
]  # fmt: skip


@pytest.mark.parametrize("call, error, start", ERRORS)
def test_bad_input_is_named(call, error, start):
    check_error(call, error, start)
