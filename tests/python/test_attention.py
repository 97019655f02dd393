"""Attention: memory, dropped weights, sets, captured steps; values are held against PyTorch in tests/agreement."""

import luge
import luge.nn.functional as F
import numpy as np
import pytest

INF = float("inf")


def plain(q, k, v, mask=None, causal=False, scale=None):
    """The formula, with all weights."""
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if causal:
        scores = scores.masked_fill(luge.arange(k.shape[-2]) > luge.arange(q.shape[-2]).unsqueeze(1), -INF)
    if mask is not None:
        scores = luge.where(mask, scores, -INF) if mask.dtype == luge.bool else scores + mask
    return luge.softmax(scores, -1) @ v


def leaves(*shapes, dtype=luge.float64):
    return [luge.randn(*shape, dtype=dtype).requires_grad_() for shape in shapes]


def close(a, b, tolerance=1e-11):
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("queries", "keys", "mask", "causal"),
    [
        (300, 300, None, True),
        (300, 130, None, True),
        (130, 300, None, True),
        (129, 2100, None, False),
        (200, 70, (200, 70), False),
        (200, 70, (2, 1, 1, 70), False),
        (200, 70, (1, 3, 200, 1), False),
    ],
)
def test_blocks_are_the_formula(queries, keys, mask, causal):
    q, k, v = leaves((2, 3, queries, 8), (2, 3, keys, 8), (2, 3, keys, 5))
    given = [] if mask is None else leaves(mask)
    inputs = [q, k, v, *given]
    result = F.scaled_dot_product_attention(q, k, v, *given, is_causal=causal)
    expected = plain(q, k, v, *given, causal=causal)
    close(result, expected)
    gradient = luge.randn(*expected.shape, dtype=luge.float64)
    for ours, theirs in zip(luge.autograd.grad(result, inputs, gradient), luge.autograd.grad(expected, inputs, gradient)):
        close(ours, theirs)


def test_many_leading_dimensions_that_are_cut_into_groups():
    q, k, v = leaves((3, 5, 7, 90, 4), (3, 5, 7, 90, 4), (3, 5, 7, 90, 4))
    mask = luge.randn(3, 1, 90, 90, dtype=luge.float64)
    close(F.scaled_dot_product_attention(q, k, v, mask.unsqueeze(2)), plain(q, k, v, mask.unsqueeze(2)))


def test_layout_of_the_heads_does_not_matter():
    x = luge.randn(2, 70, 3, 4, dtype=luge.float64).requires_grad_()
    found = []
    for laid_out in (lambda y: y, lambda y: y.contiguous()):
        result = F.scaled_dot_product_attention(*(laid_out(x.transpose(1, 2)) for _ in range(3)))
        found.append((result, luge.autograd.grad(result.square().sum(), [x])[0]))
    for ours, theirs in zip(*found):
        close(ours, theirs)


def test_only_wanted_gradients():
    for wanted in range(4):
        inputs = [luge.randn(*shape, dtype=luge.float64) for shape in ((2, 5, 4), (2, 6, 4), (2, 6, 3), (5, 6))]
        inputs[wanted].requires_grad_()
        results = [f(*inputs) for f in (F.scaled_dot_product_attention, plain)]
        close(*(luge.autograd.grad(y.square().sum(), [inputs[wanted]])[0] for y in results))


def test_memory_grows_with_the_sequence_not_with_its_square():
    q, k, v = leaves(*3 * [(1, 8, 4096, 64)], dtype=luge.float32)
    gradient = luge.randn(1, 8, 4096, 64)
    one = q.numel() * 4
    luge.reset_peak_memory()
    before = luge.memory_stats().allocated
    result = F.scaled_dot_product_attention(q, k, v)
    found = luge.autograd.grad(result, [q, k, v], gradient)
    beyond = luge.memory_stats().peak - before - one * (1 + len(found))
    assert beyond < 8 << 20


# ---- dropped weights


def weights(p, **options):
    """Of a call, which are its result for the identity as values."""
    q, k = luge.randn(3, 130, 4, dtype=luge.float64), luge.randn(3, 70, 4, dtype=luge.float64)
    return q, k, lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=p, **options)


def test_dropped_weights_are_zero_and_the_others_scaled():
    q, k, call = weights(0.25)
    whole = plain(q, k, luge.eye(70, dtype=luge.float64))
    kept = call(q, k, luge.eye(70, dtype=luge.float64))
    ratio = (kept / whole).numpy()
    assert set(np.unique(np.round(ratio, 9))) == {0.0, round(1 / 0.75, 9)}
    assert abs((ratio == 0).mean() - 0.25) < 0.02
    assert not luge.equal(kept, call(q, k, luge.eye(70, dtype=luge.float64)))


def test_the_way_back_drops_the_same_weights():
    q, k, call = weights(0.5)
    q.requires_grad_(), k.requires_grad_()
    identity = luge.eye(70, dtype=luge.float64).requires_grad_()
    kept = call(q, k, identity)
    factor = (kept / plain(q, k, luge.eye(70, dtype=luge.float64))).detach()
    scores = luge.softmax(q @ k.mT * 0.5, -1) * factor
    expected = scores @ identity
    gradient = luge.randn(*kept.shape, dtype=luge.float64)
    inputs = [q, k, identity]
    for ours, theirs in zip(luge.autograd.grad(kept, inputs, gradient), luge.autograd.grad(expected, inputs, gradient)):
        close(ours, theirs)


def test_gradients_of_gradients_drop_the_same_weights():
    q, k, call = weights(0.5)
    q.requires_grad_()
    v = luge.eye(70, dtype=luge.float64)
    result = call(q, k, v)
    factor = (result / plain(q, k, v)).detach()
    expected = (luge.softmax(q @ k.mT * 0.5, -1) * factor) @ v
    found = []
    for y in (result, expected):
        (first,) = luge.autograd.grad(y.square().sum(), [q], create_graph=True)
        found.append(luge.autograd.grad(first.square().sum(), [q])[0])
    close(*found)


def test_replays_draw_anew_and_keep_forward_and_backward_together():
    q, k, call = weights(0.5)
    v = luge.eye(70, dtype=luge.float64).requires_grad_()
    gradient = luge.randn(3, 130, 70, dtype=luge.float64)

    @luge.capture
    def step():
        result = call(q, k, v)
        return result.detach().clone(), luge.autograd.grad(result, [v], gradient)[0]

    seen = []
    for _ in range(4):
        kept, found = step()
        close((kept.mT @ gradient).sum(0), found)
        seen.append(kept.numpy().copy())
    assert all(not np.array_equal(seen[i], seen[j]) for i in range(4) for j in range(i))


# ---- sets, captured steps, second derivatives


@pytest.mark.parametrize("causal", [False, True])
def test_a_set_alone_has_the_same_bits(causal):
    shapes = 3 * [(4, 2, 3, 150, 8)]
    q, k, v = leaves(*shapes, dtype=luge.float32)
    gradient = luge.randn(*shapes[0])
    result = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    found = luge.autograd.grad(result, [q, k, v], gradient)
    for i in range(4):
        own = [x[i].detach().clone().requires_grad_() for x in (q, k, v)]
        alone = F.scaled_dot_product_attention(*own, is_causal=causal)
        assert luge.equal(alone, result[i])
        for one, all_sets in zip(luge.autograd.grad(alone, own, gradient[i]), found):
            assert luge.equal(one, all_sets[i])


def test_captured_it_gives_the_same_bits():
    q, k, v = leaves(*3 * [(2, 3, 150, 8)], dtype=luge.float32)

    def step():
        result = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return [result.detach().clone(), *luge.autograd.grad(result.square().sum(), [q, k, v])]

    expected = step()
    captured = luge.capture(step)
    for _ in range(3):
        for ours, theirs in zip(captured(), expected):
            assert luge.equal(ours, theirs)


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_gradients(causal):
    q, k, v = leaves((2, 130, 3), (2, 130, 3), (2, 130, 2))
    found = []
    for f in (lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal), lambda: plain(q, k, v, causal=causal)):
        firsts = luge.autograd.grad(f().square().sum(), [q, k, v], create_graph=True)
        found.append(luge.autograd.grad(sum((x * x).sum() for x in firsts), [q, k, v]))
    for ours, theirs in zip(*found):
        close(ours, theirs, 1e-9)
