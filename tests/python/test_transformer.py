"""MultiheadAttention and the transformer's layers beside PyTorch's: results and every gradient from the same weights; sets,
captured steps, errors."""

import inspect
import itertools
import warnings

import luge
import numpy as np
import pytest
from errors import check_error
from luge import nn
from test_recurrent import agree, flat, numbers, ours

torch = pytest.importorskip("torch")

MASK = torch.from_numpy(np.triu(np.ones((3, 5)), 2) > 0)
PADDING = torch.tensor([[False, True, False, False, True], [False] * 5])


def given(model, x):
    return x if x is None or isinstance(model, torch.nn.Module) else ours(x)


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("sizes", [None, (3, 5)])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("add_bias_kv", [False, True])
@pytest.mark.parametrize("add_zero_attn", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_attention_agrees(sizes, bias, add_bias_kv, add_zero_attn, batch_first):
    how = {"bias": bias, "add_bias_kv": add_bias_kv, "add_zero_attn": add_zero_attn, "batch_first": batch_first}
    key_size, value_size = sizes or (4, 4)
    if sizes:
        how.update(kdim=3, vdim=5)
    theirs, mine = torch.nn.MultiheadAttention(4, 2, **how).double(), nn.MultiheadAttention(4, 2, dtype=luge.float64, **how)
    for unbatched in (False, True):

        def shape(count, size, unbatched=unbatched):
            return (count, size) if unbatched else (2, count, size) if batch_first else (count, 2, size)

        q, k, v = numbers(*shape(3, 4)), numbers(*shape(5, key_size)), numbers(*shape(5, value_size))
        padding = PADDING[0] if unbatched else PADDING
        masks = [(None, None), (padding, None), (None, MASK), (padding, MASK), (None, numbers(2 if unbatched else 4, 3, 5))]
        if torch.__version__ >= "2":  # PyTorch 1.13 hides the keys that have a number other than 0
            masks.append((padding.double() * -2, MASK.double() * 3))
        for (padded, mask), (need, average) in itertools.product(masks, ((True, True), (True, False), (False, True))):
            agree(theirs, mine, [q, k, v], lambda m, q, k, v, p=padded, a=mask, n=need, h=average: m(
                q, k, v, key_padding_mask=given(m, p), need_weights=n, attn_mask=given(m, a), average_attn_weights=h))  # fmt: skip
        if not sizes:
            agree(theirs, mine, [q], lambda m, q: m(q, q, q))
            agree(theirs, mine, [q, k], lambda m, q, k: m(q, k, k, need_weights=False))


@pytest.mark.skipif("is_causal" not in inspect.signature(torch.nn.MultiheadAttention.forward).parameters, reason="needs is_causal")
def test_the_causal_hint():
    theirs, mine = torch.nn.MultiheadAttention(4, 2).double(), nn.MultiheadAttention(4, 2, dtype=luge.float64)
    mask = torch.ones(3, 3).triu(1) > 0
    for need in (False, True):
        agree(theirs, mine, [numbers(3, 2, 4)], lambda m, q, n=need: m(q, q, q, need_weights=n, is_causal=True, attn_mask=given(m, mask)))


def test_attention_starts_like_pytorch():
    attention = nn.MultiheadAttention(60, 2, add_bias_kv=True)
    bound = (6 / (60 + 180)) ** 0.5
    weight = attention.in_proj_weight.detach().numpy()
    assert bound * 0.98 < abs(weight).max() <= bound
    assert abs(attention.out_proj.weight.detach().numpy()).max() <= 60**-0.5
    assert not attention.in_proj_bias.any().item()
    assert not attention.out_proj.bias.any().item()
    assert 0.08 < attention.bias_k.detach().numpy().std() < 0.2


def test_weights_are_dropped_in_training():
    attention, x = nn.MultiheadAttention(4, 2, dropout=0.5), luge.randn(30, 2, 4)
    weights = attention(x, x, x, average_attn_weights=False)[1].detach().numpy()
    assert 0.4 < (weights == 0).mean() < 0.6
    assert not luge.equal(attention(x, x, x, need_weights=False)[0], attention(x, x, x, need_weights=False)[0])
    attention.eval()
    assert attention(x, x, x)[1].detach().numpy().min() > 0


@pytest.mark.parametrize("need", [False, True])
def test_a_set_alone_drops_the_same_weights(need):
    def results(sets, first):
        params = luge.Parameters(sets=sets, first_set=first, seed=5)
        attention = nn.MultiheadAttention(4, 2, dropout=0.5, params=params)
        luge.manual_seed(7)
        return attention(x, x, x, need_weights=need)[0]

    x = luge.randn(70, 2, 4)
    every = results(4, 0)
    for i in range(4):
        assert luge.equal(results(1, i)[0], every[i])
    assert not luge.equal(every[0], every[1])


def test_a_set_of_attention_alone_has_the_same_bits():
    for sizes in ({}, {"kdim": 3, "vdim": 5}):
        params = luge.Parameters(sets=3)
        how = dict(sizes, add_bias_kv=True, add_zero_attn=True)
        attention = nn.MultiheadAttention(4, 2, params=params, name="a", **how)
        for lead, need in itertools.product(((), (3,)), (False, True)):
            q, k, v = (luge.randn(*lead, n, 2, size) for n, size in ((3, 4), (5, sizes.get("kdim", 4)), (5, sizes.get("vdim", 4))))
            result = flat(attention(q, k, v, need_weights=need, key_padding_mask=ours(PADDING)))
            assert result[0].shape == (3, 3, 2, 4)
            gradients = luge.autograd.grad(sum((y * y).sum() for y in result), list(attention.parameters()))
            for i in range(3):
                alone = nn.MultiheadAttention(4, 2, **how)
                alone.load_state_dict({name: value[i] for name, value in attention.state_dict().items()})
                own = [x[i] if lead else x for x in (q, k, v)]
                single = flat(alone(*own, need_weights=need, key_padding_mask=ours(PADDING)))
                found = luge.autograd.grad(sum((y * y).sum() for y in single), list(alone.parameters()))
                for one, every in zip((*single, *found), (*result, *gradients)):
                    assert luge.equal(one, every[i])


# ---- layers of a transformer

LAYERS = [{}, {"norm_first": True}, {"activation": "gelu"}, {"batch_first": True, "layer_norm_eps": 0.1}]


@pytest.mark.parametrize("options", LAYERS)
def test_layers_agree(options):
    how = dict(options, dim_feedforward=6, dropout=0.0)
    src, memory = numbers(2, 3, 4), numbers(2, 3, 4)
    square = torch.ones(3, 3).triu(1) > 0 if options.get("batch_first") else torch.ones(2, 2).triu(1) > 0
    padding = PADDING[:, :3] if options.get("batch_first") else PADDING[:, :2].repeat(2, 1)[:3]
    theirs = torch.nn.TransformerEncoderLayer(4, 2, **how).double()
    mine = nn.TransformerEncoderLayer(4, 2, dtype=luge.float64, **how)
    agree(theirs, mine, [src], lambda m, x: m(x))
    agree(theirs, mine, [src], lambda m, x: m(x, src_mask=given(m, square), src_key_padding_mask=given(m, padding)))
    theirs = torch.nn.TransformerDecoderLayer(4, 2, **how).double()
    mine = nn.TransformerDecoderLayer(4, 2, dtype=luge.float64, **how)
    agree(theirs, mine, [src, memory], lambda m, x, y: m(x, y, tgt_mask=given(m, square), memory_key_padding_mask=given(m, padding)))


def test_without_a_batch_and_with_a_function():
    theirs = torch.nn.TransformerEncoderLayer(4, 2, 6, 0.0, activation=torch.tanh).double()
    agree(theirs, nn.TransformerEncoderLayer(4, 2, 6, 0.0, activation=luge.tanh, dtype=luge.float64), [numbers(3, 4)], lambda m, x: m(x))


def test_stacks_agree():
    def both(library, **dtype):
        encoder = library.TransformerEncoderLayer(4, 2, 6, 0.0, **dtype), library.LayerNorm(4, **dtype)
        decoder = library.TransformerDecoderLayer(4, 2, 6, 0.0, **dtype), library.LayerNorm(4, **dtype)
        return library.TransformerEncoder(encoder[0], 2, encoder[1]), library.TransformerDecoder(decoder[0], 2, decoder[1])

    theirs, mine = both(torch.nn, dtype=torch.float64), both(nn, dtype=luge.float64)
    agree(theirs[0], mine[0], [numbers(5, 3, 4)], lambda m, x: m(x))
    agree(theirs[1], mine[1], [numbers(5, 3, 4), numbers(7, 3, 4)], lambda m, x, y: m(x, y))
    layers = mine[0].layers
    assert layers[0].linear1.weight is not layers[1].linear1.weight


def test_transformer_agrees():
    for norm_first in (False, True):
        how = {"dim_feedforward": 6, "dropout": 0.0, "norm_first": norm_first}
        theirs = torch.nn.Transformer(4, 2, 2, 1, **how).double()
        mine = nn.Transformer(4, 2, 2, 1, dtype=luge.float64, **how)
        mask = torch.ones(3, 3).triu(1) > 0
        agree(theirs, mine, [numbers(5, 2, 4), numbers(3, 2, 4)], lambda m, x, y, a=mask: m(x, y, tgt_mask=given(m, a)))
    found = nn.Transformer.generate_square_subsequent_mask(3)
    assert np.array_equal(found.numpy(), torch.nn.Transformer(4, 2, 1, 1).generate_square_subsequent_mask(3).numpy())


def test_transformer_starts_by_xavier():
    model = nn.Transformer(32, 2, 1, 1, 64)
    bound = (6 / (32 + 64)) ** 0.5
    assert bound * 0.95 < abs(model.encoder.layers[0].linear1.weight.detach().numpy()).max() <= bound


def test_a_set_of_a_transformer_alone_has_the_same_bits():
    params = luge.Parameters(sets=3)
    with nn.build_in(params):
        model = nn.Transformer(4, 2, 2, 1, 6, 0.0)
    src, tgt = luge.randn(5, 2, 4), luge.randn(3, 2, 4)
    result = model(src, tgt)
    assert result.shape == (3, 3, 2, 4)
    alone = nn.Transformer(4, 2, 2, 1, 6, 0.0)
    for i in range(3):
        alone.load_state_dict({name: value[i] for name, value in model.state_dict().items()})
        assert luge.equal(alone(src, tgt), result[i])
    with nn.build_in(luge.Parameters(sets=2)) as params:
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, 0.0), 3)
    assert encoder(src).shape == (2, 5, 2, 4)
    assert len(params) == 3 * 12


def test_captured_training_gives_the_same_bits():
    def trained(capture):
        luge.manual_seed(3)
        model = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True), 2)
        optimizer = luge.optim.SGD(model.parameters(), lr=0.1)
        x, mask = luge.randn(2, 5, 4), nn.Transformer.generate_square_subsequent_mask(5)

        def step():
            optimizer.zero_grad()
            loss = (model(x, mask, is_causal=True) - x * 2).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        step = luge.capture(step) if capture else step
        return [step().item() for _ in range(4)]

    assert trained(True) == trained(False)


X = (3, 2, 4)
ERRORS = [
    (lambda: nn.MultiheadAttention(5, 2), ValueError, "MultiheadAttention: embed_dim is 5"),
    (lambda: nn.MultiheadAttention(4, 2, dropout=2.0), ValueError, "MultiheadAttention: dropout is 2.0"),
    (lambda: nn.MultiheadAttention(4, 2, kdim=0), ValueError, "MultiheadAttention: kdim is 0"),
    (lambda: nn.MultiheadAttention(4, 2)(*3 * [luge.zeros(3, 2, 5)]), luge.ShapeError, "multi_head_attention_forward: query is"),
    (lambda: nn.MultiheadAttention(4, 2)(*3 * [luge.zeros(4)]), luge.ShapeError, "multi_head_attention_forward: query is"),
    (lambda: nn.MultiheadAttention(4, 2)(luge.zeros(X), luge.zeros(5, 2, 4), luge.zeros(6, 2, 4)), luge.ShapeError,
     "multi_head_attention_forward: query is"),
    (lambda: nn.MultiheadAttention(4, 2)(*3 * [luge.zeros(X)], is_causal=True), ValueError, "multi_head_attention_forward: is_causal"),
    (lambda: nn.MultiheadAttention(4, 2)(*3 * [luge.zeros(X)], attn_mask=luge.zeros(2, 3)), luge.ShapeError,
     "multi_head_attention_forward: attn_mask has shape"),
    (lambda: nn.MultiheadAttention(4, 2)(*3 * [luge.zeros(X)], key_padding_mask=luge.zeros(3, 3)), luge.ShapeError,
     "multi_head_attention_forward: key_padding_mask has shape"),
    (lambda: nn.MultiheadAttention(4, 2)(*3 * [luge.zeros(X, dtype=luge.float64)]), luge.DTypeError,
     "multi_head_attention_forward: query is float64"),
    (lambda: nn.TransformerEncoderLayer(4, 2, activation="x"), ValueError, "TransformerEncoderLayer: activation is 'x'"),
    (lambda: nn.TransformerEncoderLayer(4, 2, 0), ValueError, "TransformerEncoderLayer: dim_feedforward is 0"),
    (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2), -1), ValueError, "TransformerEncoder: num_layers is -1"),
    (lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2), 2**40), ValueError,
     "TransformerEncoder: num_layers is 1099511627776; it must be from 0 to 10000"),
    (lambda: nn.TransformerDecoder(int, 2), TypeError, "TransformerDecoder: the layer is of type type; it must be a Module"),
    (lambda: nn.Transformer(4, 2, 2**40), ValueError, "Transformer: num_encoder_layers is 1099511627776; it must be from 0 to 10000"),
    (lambda: nn.Transformer(4, 2, 1, 1)(luge.zeros(X), luge.zeros(3, 2, 5)), luge.ShapeError, "Transformer: tgt has shape"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "start"), ERRORS)
def test_bad_input_is_named(call, error, start):
    check_error(call, error, start)
