"""Functions of layers outside nn.functional, with the arguments of PyTorch's C++ functions."""

from agreement import A, V, error, sample

WIDE = ("float32", "float64")

# ---- normalization

for dtype in WIDE:
    for layout in ("contiguous", "transposed", "strided"):
        sample("layer_norm", A((3, 8), dtype, layout), (8,), tol=256)
        sample("group_norm", A((2, 6, 4), dtype, layout), 2, tol=256)
        for training in (True, False):
            moments = (None, None) if training else (V([0.5, 0.0, -0.5], dtype), V([1.0, 2.0, 0.5], dtype))
            sample("batch_norm", A((6, 3), dtype, layout), None, None, *moments, training, 0.1, 1e-5, True, tol=256)
            sample("instance_norm", A((2, 3, 8), dtype, layout), None, None, *moments, training, 0.1, 1e-5, False, tol=256)
    sample("layer_norm", A((8,), dtype), (8,), tol=256)
    sample("group_norm", A((1, 3), dtype), 1, tol=256)
    for eps in (1e-5, 0.1):
        sample("layer_norm", A((2, 3, 4), dtype), (3, 4), A((3, 4), dtype), A((3, 4), dtype), eps, tol=256)
        sample("layer_norm", A((2, 3, 4), dtype), (4,), weight=A((4,), dtype), eps=eps, cudnn_enable=False, tol=256)
        sample("layer_norm", A((0, 4), dtype), [4], bias=A((4,), dtype), eps=eps)
        sample("group_norm", A((2, 6, 4), dtype), 3, A((6,), dtype), A((6,), dtype), eps, tol=256)
        sample("group_norm", A((1, 4, 2, 2), dtype), 4, weight=A((4,), dtype), eps=eps, cudnn_enabled=False, tol=256)
        sample("group_norm", A((2, 8), dtype), num_groups=2, bias=A((8,), dtype), eps=eps, tol=256)
        scale = (A((3,), dtype), A((3,), dtype, seed=1))
        moments = (V([0.5, 0.0, -0.5], dtype), V([1.0, 2.0, 0.5], dtype))
        sample("batch_norm", A((4, 3, 2), dtype), *scale, None, None, True, 0.1, eps, False, tol=256)
        sample("batch_norm", A((4, 3, 2), dtype), *scale, *moments, True, 0.3, eps, False, tol=256, check=False)
        sample("batch_norm", A((2, 3, 2, 2), dtype), *scale, *moments, False, 0.3, eps, True, tol=256)
        sample("instance_norm", A((2, 3, 4), dtype), *scale, None, None, True, 0.1, eps, False, tol=256)
        sample("instance_norm", A((2, 3, 4), dtype), *scale, *moments, False, 0.1, eps, False, tol=256)
        sample("instance_norm", A((1, 3, 2, 3), dtype), weight=scale[0], bias=scale[1], running_mean=None, running_var=None,
               use_input_stats=True, momentum=0.1, eps=eps, cudnn_enabled=False, tol=256)  # fmt: skip
error("layer_norm", A((2, 3)), (2,))
error("layer_norm", A((2, 3)), (3,), A((2,)))
error("layer_norm", A((2, 3)), (3,), None, A((2,)))
error("layer_norm", A((2, 3)))
error("layer_norm", [1.0], (1,))
error("group_norm", A((2, 6, 4)), 4)
error("group_norm", A((2, 6, 4)), 2, A((4,)))
error("group_norm", A((2, 6, 4)))
error("group_norm", A((2, 6, 4)), "2")
error("group_norm", A((6,)), 2)
for f in ("batch_norm", "instance_norm"):
    x = A((2, 3, 4))
    error(f, x, None, None, None, None, False, 0.1, 1e-5, True)
    error(f, x, A((2,)), A((2,)), None, None, True, 0.1, 1e-5, True)
    error(f, x, None, None, A((2,)), A((2,)), True, 0.1, 1e-5, True)
    error(f, x, None, None, None, None, True, 0.1, 1e-5)
    error(f, x, None, None, None, None, True, 0.1, "1e-5", True)
    error(f, [1.0], None, None, None, None, True, 0.1, 1e-5, True)

# ---- tables

for dtype in WIDE:
    for indices in (V([0, 2, 1, 2], "int64"), V([[1, 0], [3, 3]], "int64"), V(2, "int64"), V([3, 0], "int32"), V([], "int64")):
        sample("embedding", A((4, 3), dtype), indices)
        sample("embedding", A((4, 3), dtype), indices, 2, check=False)
    sample("embedding", A((4, 3), dtype, "transposed"), V([1, 3], "int64"), padding_idx=-1)
    sample("embedding", A((4, 3), dtype), indices=V([1, 1, 2], "int64"), scale_grad_by_freq=True, sparse=False, check=False)
error("embedding", A((4, 3)), V([0, 4], "int64"))
error("embedding", A((4, 3)), V([0.0, 1.0]))
error("embedding", A((4, 3)))
error("embedding", A((4, 3)), V([0], "int64"), "1")
error("embedding", A((4,)), V([0], "int64"))
error("embedding", V([0], "int64"), A((4, 3)))

# ---- losses: reductions are numbers

SIGNS = V([1, -1, 1], "int64")
for dtype in WIDE:
    x, y, z = (A((3, 4), dtype, seed=seed) for seed in (0, 1, 2))
    row, other = A((3,), dtype), A((3,), dtype, seed=1)
    for reduction in (0, 1, 2):
        f = "binary_cross_entropy_with_logits"
        sample(f, x, A((3, 4), dtype, low=0, high=1, seed=1), None, None, reduction)
        sample(f, x, A((3, 4), dtype, low=0, high=1, seed=1), V([0.5, 1.0, 2.0, 1.5], dtype), V([2.0, 1.0, 0.5, 3.0], dtype), reduction)
        sample(f, x, A((3, 4), dtype, low=0, high=1, seed=1), pos_weight=V([2.0, 1.0, 0.5, 3.0], dtype), reduction=reduction)
        sample(f, row, V([0.0, 1.0, 1.0], dtype), reduction=reduction)
        logs, chances = A((3, 4), dtype, low=-3, high=0), A((3, 4), dtype, low=0.1, high=1, seed=1)
        sample("kl_div", logs, chances, reduction)
        sample("kl_div", logs, A((3, 4), dtype, low=-3, high=0, seed=1), reduction, log_target=True)
        sample("kl_div", A((4, 3), dtype, "transposed", low=-3, high=0), A((4, 3), dtype, low=0.1, high=1, seed=1), reduction=reduction)
        sample("kl_div", A((3,), dtype, low=-3, high=0), A((3,), dtype, low=0.1, high=1, seed=1), reduction=reduction)
        for log_input in (True, False):
            for full in (True, False):
                sample("poisson_nll_loss", A((3, 4), dtype, low=0.1), A((3, 4), dtype, low=0, high=4, seed=1), log_input, full, 1e-6, reduction)
        for margin in (1.0, 0.5):
            sample("hinge_embedding_loss", row, SIGNS, margin, reduction)
            sample("hinge_embedding_loss", x, V([[1], [-1], [1]], "int64"), margin=margin, reduction=reduction)
            sample("margin_ranking_loss", row, other, SIGNS, margin, reduction)
            sample("margin_ranking_loss", x, y, V([[1], [-1], [1]], "int64"), margin=margin, reduction=reduction)
            sample("cosine_embedding_loss", x, y, SIGNS, margin, reduction)
            sample("cosine_embedding_loss", x, z, SIGNS, margin=margin - 1, reduction=reduction)
            sample("triplet_margin_loss", x, y, z, margin, 2.0, 1e-6, False, reduction, tol=64)
            sample("triplet_margin_loss", x, y, z, margin, 3.0, 1e-4, True, reduction=reduction, tol=256)
for f, given in (
    ("binary_cross_entropy_with_logits", (A((3,)), A((3,), low=0, high=1))),
    ("kl_div", (A((3,)), A((3,), low=0.1, high=1))),
    ("hinge_embedding_loss", (A((3,)), SIGNS)),
    ("margin_ranking_loss", (A((3,)), A((3,)), SIGNS)),
    ("cosine_embedding_loss", (A((3, 4)), A((3, 4)), SIGNS)),
    ("triplet_margin_loss", (A((3, 4)), A((3, 4)), A((3, 4)))),
    ("poisson_nll_loss", (A((3,)), A((3,), low=0), True, False, 1e-8)),
):
    sample(f, *given, **({"reduction": 1} if f == "poisson_nll_loss" else {}), check=False)
    error(f, *given, reduction=None)
    error(f, *given, reduction=(1,))
    error(f, *given, reduction=1, no_such=1)
    error(f, given[0], *([1.0],) * (len(given) - 1), reduction=1)
    error(f, [1.0], *given[1:], reduction=1)
    error(f, given[0], reduction=1)

# ---- recurrent networks


def weights(gates, dtype, layers=1, directions=1, biases=True, size=4, width=3, out=None):
    """A flat list, as PyTorch has it; `out` is the size of projected states."""
    found = []
    for layer in range(layers):
        for _ in range(directions):
            columns = width if layer == 0 else directions * (out or size)
            found += [(gates * size, columns), (gates * size, out or size)] + [(gates * size,)] * (2 if biases else 0)
            found += [(out, size)] if out else []
    return [A(shape, dtype, low=-0.5, high=0.5, seed=number + 10) for number, shape in enumerate(found)]


def states(f, *shape, dtype):
    first = A(shape, dtype, low=-1, high=1, seed=3)
    return [first, A(shape, dtype, low=-1, high=1, seed=4)] if f.startswith("lstm") else first


GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
for f, gates in GATES.items():
    for dtype in WIDE:
        x = A((5, 2, 3), dtype)
        for layers in (1, 2):
            for directions in (1, 2):
                for biases in (True, False):
                    sample(f, x, states(f, layers * directions, 2, 4, dtype=dtype), weights(gates, dtype, layers, directions, biases),
                           biases, layers, 0.0, True, directions == 2, False, tol=256, check=layers == 1)  # fmt: skip
        sample(f, A((2, 5, 3), dtype), states(f, 1, 2, 4, dtype=dtype), weights(gates, dtype), True, 1, 0.0, False, False, True, tol=256)
        for directions in (1, 2):
            sample(f, A((6, 3), dtype), V([3, 2, 1], "int64"), states(f, directions, 3, 4, dtype=dtype),
                   weights(gates, dtype, 1, directions), True, 1, 0.0, False, directions == 2, tol=256, capture=False)  # fmt: skip
        sample(f, A((6, 3), dtype), V([2, 2, 1, 1], "int64"), states(f, 2, 2, 4, dtype=dtype), weights(gates, dtype, 2),
               True, 2, 0.0, False, False, tol=256, capture=False, check=False)  # fmt: skip
    x, hx, w = A((5, 2, 3)), states(f, 1, 2, 4, dtype="float32"), weights(gates, "float32")
    error(f, x, hx, w, True, 1, 0.0, False, False)
    error(f, x, hx, w[:3], True, 1, 0.0, False, False, False)
    error(f, x, hx, w, True, 2, 0.0, False, False, False)
    error(f, x, hx, w[0], True, 1, 0.0, False, False, False)
    error(f, [1.0], hx, w, True, 1, 0.0, False, False, False)
    error(f, x, hx, w, True, "1", 0.0, False, False, False)
    error(f, x, hx, w, True, 1, "0.0", False, False, False)
for dtype in WIDE:  # states that are projected
    hx = [A((1, 2, 2), dtype, seed=3), A((1, 2, 4), dtype, seed=4)]
    for biases in (True, False):
        sample("lstm", A((5, 2, 3), dtype), hx, weights(4, dtype, biases=biases, out=2), biases, 1, 0.0, False, False, False, tol=256)

for f, gates in GATES.items():
    cell = f + "_cell"
    for dtype in WIDE:
        w = weights(gates, dtype)
        for batch in (1, 2, 3, 5):
            x, hx = A((batch, 3), dtype), states(cell, batch, 4, dtype=dtype)
            sample(cell, x, hx, *w, tol=64)
            sample(cell, x, hx, *w[:2], tol=64)
        x, hx = A((2, 3), dtype, "transposed"), states(cell, 2, 4, dtype=dtype)
        sample(cell, x, hx, w_ih=w[0], w_hh=w[1], b_ih=w[2], b_hh=w[3], tol=64)
        sample(cell, x, hx, *w[:2], b_ih=None, b_hh=None, tol=64)
    x, hx, w = A((2, 3)), states(cell, 2, 4, dtype="float32"), weights(gates, "float32")
    error(cell, x, hx, w[0])
    error(cell, A((2, 4)), hx, *w)
    error(cell, x, states(cell, 3, 4, dtype="float32"), *w)
    error(cell, x, hx, w[1], w[0], *w[2:])
    error(cell, [1.0], hx, *w)
    error(cell, x, 1.0, *w)
