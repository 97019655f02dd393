"""Losses."""

from agreement import FLOATING, A, V, error, sample

for reduction in ("mean", "sum", "none"):
    for dtype in FLOATING:
        sample("nn.functional.mse_loss", A((2, 3), dtype), A((2, 3), dtype), reduction=reduction)
    for layout in ("transposed", "strided", "expanded"):
        sample("nn.functional.mse_loss", A((3, 4), layout=layout), A((3, 4), layout=layout), reduction=reduction)
    for shape in ((), (1,), (2, 3, 2)):
        sample("nn.functional.mse_loss", A(shape, "float64"), A(shape, "float64"), reduction=reduction)
sample("nn.functional.mse_loss", A((0,)), A((0,)), reduction="sum")
sample("nn.functional.mse_loss", A((0,)), A((0,)), reduction="none")
sample("nn.functional.mse_loss", A((0,)), A((0,)), grad=False)
sample("nn.functional.mse_loss", input=A((2,)), target=A((2,)))
error("nn.functional.mse_loss", A((2, 3)), A((2, 4)))
error("nn.functional.mse_loss", A((2, 3)), A((2, 3)), reduction="other")
error("nn.functional.mse_loss", A((2, 3)))
error("nn.functional.mse_loss", A((2, 3)), "text")
error("nn.functional.mse_loss", A((2, 3)), A((2, 3)), no_such=1)

LABELS = V([2, 0, 1], "int64")
for reduction in ("mean", "sum", "none"):
    for dtype in FLOATING:
        sample("nn.functional.cross_entropy", A((3, 4), dtype), LABELS, reduction=reduction)
    for smoothing in (0.1, 1.0):
        sample("nn.functional.cross_entropy", A((3, 4), "float64"), LABELS, reduction=reduction, label_smoothing=smoothing)
    sample("nn.functional.cross_entropy", A((3, 4)), V([2, -100, 1], "int64"), reduction=reduction, ignore_index=-100)
    sample("nn.functional.cross_entropy", A((3, 4)), V([2, 3, 1], "int64"), reduction=reduction, ignore_index=3)
    sample("nn.functional.cross_entropy", A((2, 4, 3)), V([[2, 0, 1], [3, 1, 0]], "int64"), reduction=reduction)
    sample("nn.functional.cross_entropy", A((4,)), V(2, "int64"), reduction=reduction)
    sample("nn.functional.cross_entropy", A((3, 4), "float64"), A((3, 4), "float64", low=0, high=1), reduction=reduction)
    sample("nn.functional.cross_entropy", A((3, 4)), LABELS, weight=A((4,), low=0.5), reduction=reduction, grad=False)
for layout in ("transposed", "strided", "expanded"):
    sample("nn.functional.cross_entropy", A((3, 4), layout=layout), LABELS)
sample("nn.functional.cross_entropy", A((3, 4), low=-500, high=500), LABELS)
sample("nn.functional.cross_entropy", input=A((3, 4)), target=LABELS)
sample("nn.functional.cross_entropy", A((0, 4)), V([], "int64"), reduction="sum")
error("nn.functional.cross_entropy", A((3, 4)), V([2, 4, 1], "int64"))
error("nn.functional.cross_entropy", A((3, 4)), V([2, -1, 1], "int64"))
error("nn.functional.cross_entropy", A((3, 4)), V([2, 1], "int64"))
error("nn.functional.cross_entropy", A((3, 4)), LABELS, reduction="other")
error("nn.functional.cross_entropy", A((3, 4)), LABELS, label_smoothing=1.5)
error("nn.functional.cross_entropy", A((3, 4)))
error("nn.functional.cross_entropy", A((3, 4), "int32"), LABELS)

REDUCTIONS = ("mean", "sum", "none")
PAIRS = {
    "l1_loss": [{}], "smooth_l1_loss": [{}, {"beta": 0.5}, {"beta": 2.0}, {"beta": 0}], "huber_loss": [{}, {"delta": 0.5}, {"delta": 2.0}],
    "kl_div": [{}, {"log_target": True}], "soft_margin_loss": [{}],
    "poisson_nll_loss": [{}, {"full": True}, {"log_input": False}, {"log_input": False, "full": True, "eps": 1e-4}],
    "binary_cross_entropy": [{}], "binary_cross_entropy_with_logits": [{}],
    "hinge_embedding_loss": [{}, {"margin": 2.0}], "multilabel_soft_margin_loss": [{}],
}  # fmt: skip
#: What the inputs and the targets are drawn from.
RANGES = {"binary_cross_entropy": ((0, 1), (0, 1)), "kl_div": ((-3, 0), (0.1, 1)), "poisson_nll_loss": ((0.1, 3), (0, 4)),
          "binary_cross_entropy_with_logits": ((-3, 3), (0, 1)), "multilabel_soft_margin_loss": ((-3, 3), (0, 1))}  # fmt: skip
for name, all_options in PAIRS.items():
    full = f"nn.functional.{name}"
    (low, high), (target_low, target_high) = RANGES.get(name, ((-3, 3), (-3, 3)))

    def pair(shape, dtype="float32", layout="contiguous"):
        return (A(shape, dtype, layout, low=low, high=high), A(shape, dtype, layout, low=target_low, high=target_high, seed=1))  # noqa: B023

    for reduction in REDUCTIONS:
        for options in all_options:
            for dtype in FLOATING:
                sample(full, *pair((2, 3), dtype), reduction=reduction, **options)
        for layout in ("transposed", "strided", "expanded"):
            sample(full, *pair((3, 4), layout=layout), reduction=reduction)
        for shape in ((1,), (2, 3, 2), *([()] if name != "multilabel_soft_margin_loss" else [])):
            sample(full, *pair(shape, "float64"), reduction=reduction)
    if name != "multilabel_soft_margin_loss":
        sample(full, *pair((0,)), reduction="sum")
        sample(full, *pair((0,)), reduction="none")
    sample(full, input=pair((2, 3))[0], target=pair((2, 3))[1])
    if name not in ("kl_div", "poisson_nll_loss", "hinge_embedding_loss"):
        error(full, A((2, 3)), A((2, 4)))
    error(full, *pair((2, 3)), reduction="other")
    error(full, A((2, 3)))
    error(full, A((2, 3)), "text")
    error(full, *pair((2, 3)), no_such=1)
    error(full, "text", A((2, 3)))
for name in ("l1_loss", "huber_loss", "mse_loss"):
    for reduction in REDUCTIONS:
        sample(f"nn.functional.{name}", A((2, 3)), A((2, 3), seed=1), weight=A((2, 3), low=0.5, seed=2), reduction=reduction, grad=False)
        sample(f"nn.functional.{name}", A((2, 3)), A((2, 3), seed=1), weight=V([[1.0, 2.0, 0.5]] * 2), reduction=reduction)
sample("nn.functional.l1_loss", A((2, 3), "int32"), A((2, 3), "int32", seed=1), reduction="sum")
sample("nn.functional.l1_loss", A((2, 3)), A((2, 3), "int32", seed=1))
error("nn.functional.smooth_l1_loss", A((2,)), A((2,)), beta=-1)
error("nn.functional.huber_loss", A((2,)), A((2,)), delta=0)
error("nn.functional.smooth_l1_loss", A((2,), "int32"), A((2,), "int32"))
sample("nn.functional.smooth_l1_loss", V([1.0, 2.0, float("inf")]), V([1.0, 1.0, 1.0]), reduction="none")
sample("nn.functional.huber_loss", V([1.0, 2.0, float("inf")]), V([1.0, 1.0, 1.0]), reduction="none")

for reduction in REDUCTIONS:
    for dtype in FLOATING:
        sample("nn.functional.binary_cross_entropy", A((2, 3), dtype, low=0.1, high=0.9), A((2, 3), dtype, low=0, high=1, seed=1),
               weight=V([[1.0, 2.0, 0.5]] * 2, dtype), reduction=reduction)  # fmt: skip
        sample("nn.functional.binary_cross_entropy_with_logits", A((2, 3), dtype), A((2, 3), dtype, low=0, high=1, seed=1),
               weight=V([1.0, 2.0, 0.5], dtype), pos_weight=V([2.0, 0.5, 1.0], dtype), reduction=reduction)  # fmt: skip
    sample("nn.functional.binary_cross_entropy", V([0.0, 0.0, 1.0, 1.0, 0.5]), V([0.0, 1.0, 0.0, 1.0, 1.0]), reduction=reduction)
    sample("nn.functional.binary_cross_entropy_with_logits", V([-200.0, 200.0, -200.0, 0.0]), V([0.0, 0.0, 1.0, 1.0]), reduction=reduction)
    sample("nn.functional.binary_cross_entropy_with_logits", A((2, 3)), A((2, 3), "float64", low=0, high=1), reduction=reduction,
           differs="all steps are float64; PyTorch's log(sigmoid) is of the input's dtype")  # fmt: skip
error("nn.functional.binary_cross_entropy", V([0.5, 1.5]), V([0.0, 1.0]))
error("nn.functional.binary_cross_entropy", V([0.5, 0.5]), V([0, 1], "int64"))
error("nn.functional.binary_cross_entropy_with_logits", A((2,)), V([True, False], "bool"))
for reduction in ("batchmean",):
    for dtype in FLOATING:
        sample("nn.functional.kl_div", A((4, 3), dtype, low=-3, high=0), A((4, 3), dtype, low=0.1, high=1, seed=1), reduction=reduction)
sample("nn.functional.kl_div", A((4, 3), low=-3, high=0), V(0.5))
sample("nn.functional.kl_div", A((3,), low=-3, high=0), V([0.0, 0.5, 1.0]), grad=False)

for full in (False, True):
    for reduction in REDUCTIONS:
        for dtype in FLOATING:
            sample("nn.functional.gaussian_nll_loss", A((2, 3), dtype), A((2, 3), dtype, seed=1), A((2, 3), dtype, low=0.5, seed=2), full=full,
                   reduction=reduction)  # fmt: skip
    sample("nn.functional.gaussian_nll_loss", A((2, 3)), A((2, 3), seed=1), A((2,), low=0.5, seed=2), full=full)
    sample("nn.functional.gaussian_nll_loss", A((2, 3)), A((2, 3), seed=1), A((2, 1), low=0.5, seed=2), full=full)
    sample("nn.functional.gaussian_nll_loss", A((2, 3)), A((2, 3), seed=1), 0.5, full=full)
sample("nn.functional.gaussian_nll_loss", A((3,)), A((3,), seed=1), V([0.0, 0.5, 1.0]), eps=0.25)
error("nn.functional.gaussian_nll_loss", A((2, 3)), A((2, 3)), A((4,)))
error("nn.functional.gaussian_nll_loss", A((2,)), A((2,)), V([-1.0, 1.0]))
error("nn.functional.gaussian_nll_loss", A((2,)), A((2,)))
error("nn.functional.gaussian_nll_loss", A((2,)), A((2,)), V([1.0, 1.0]), reduction="other")
error("nn.functional.gaussian_nll_loss", A((2,)), A((2,)), "text")

for reduction in REDUCTIONS:
    for dtype in FLOATING:
        sample("nn.functional.nll_loss", A((3, 4), dtype), LABELS, reduction=reduction)
        sample("nn.functional.nll_loss", A((3, 4), dtype), LABELS, weight=V([1.0, 2.0, 0.5, 3.0], dtype), reduction=reduction)
    sample("nn.functional.nll_loss", A((3, 4)), V([2, -100, 1], "int64"), reduction=reduction)
    sample("nn.functional.nll_loss", A((3, 4)), V([2, 0, 1], "int64"), ignore_index=0, weight=V([1.0, 2.0, 0.5, 3.0]), reduction=reduction)
    sample("nn.functional.nll_loss", A((2, 4, 3)), V([[2, 0, 1], [3, 1, 0]], "int64"), reduction=reduction)
    sample("nn.functional.nll_loss", A((2, 4, 1, 3)), V([[[2, 0, 1]], [[3, 1, 0]]], "int64"), reduction=reduction)
    sample("nn.functional.nll_loss", A((4,)), V(2, "int64"), reduction=reduction)
    sample("nn.functional.nll_loss", A((3, 4), layout="transposed"), LABELS, reduction=reduction)
sample("nn.functional.nll_loss", A((2, 3)), V([-100, -100], "int64"), grad=False)
error("nn.functional.nll_loss", A((3, 4)), V([2, 4, 1], "int64"))
error("nn.functional.nll_loss", A((3, 4)), V([2, -1, 1], "int64"))
error("nn.functional.nll_loss", A((3, 4)), V([2, 1], "int64"))
error("nn.functional.nll_loss", A((3, 4)), LABELS, reduction="other")
error("nn.functional.nll_loss", A((3, 4), "int32"), LABELS)
error("nn.functional.nll_loss", A((3, 4)), LABELS, weight=A((3,)))

SIGNS = V([1, -1, 1], "int64")
for reduction in REDUCTIONS:
    for margin in (0.0, 0.5):
        for dtype in FLOATING:
            sample("nn.functional.margin_ranking_loss", A((3,), dtype), A((3,), dtype, seed=1), V([1, -1, 1], dtype), margin=margin,
                   reduction=reduction, grad=dtype == "float64")  # fmt: skip
            sample("nn.functional.cosine_embedding_loss", A((3, 4), dtype), A((3, 4), dtype, seed=1), SIGNS, margin=margin, reduction=reduction)
    sample("nn.functional.margin_ranking_loss", A((2, 3)), A((2, 3), seed=1), V([[1, -1, 1]], "int64"), reduction=reduction)
    sample("nn.functional.hinge_embedding_loss", A((3,)), SIGNS, reduction=reduction)
    sample("nn.functional.soft_margin_loss", A((3,)), SIGNS, reduction=reduction)
    sample("nn.functional.cosine_embedding_loss", A((4,)), A((4,), seed=1), V(1, "int64"), reduction=reduction)
    for options in ({}, {"margin": 0.5}, {"p": 1.0}, {"swap": True}, {"eps": 1e-3}):
        for dtype in ("float32", "float64"):
            sample("nn.functional.triplet_margin_loss", A((3, 4), dtype), A((3, 4), dtype, seed=1), A((3, 4), dtype, seed=2), reduction=reduction,
                   **options)  # fmt: skip
    for options in ({}, {"p": 2}, {"margin": 0.5}, {"weight": V([1.0, 2.0, 0.5, 3.0])}):
        sample("nn.functional.multi_margin_loss", A((3, 4)), LABELS, reduction=reduction, **options)
    sample("nn.functional.multi_margin_loss", A((3, 4), "float64"), LABELS, reduction=reduction)
    sample("nn.functional.multi_margin_loss", A((4,)), V(1, "int64"), reduction=reduction)
    for layout in ("transposed", "strided", "expanded"):
        sample("nn.functional.multi_margin_loss", A((3, 4), layout=layout), LABELS, reduction=reduction)
    sample("nn.functional.multi_margin_loss", A((3, 4), "float64"), LABELS, 2, 0.25, V([1.0, 2.0, 0.5, 3.0], "float64"), reduction=reduction)
    sample("nn.functional.multi_margin_loss", input=A((2, 3)), target=V([2, 2], "int64"), reduction=reduction)
    sample("nn.functional.multilabel_soft_margin_loss", A((2, 3)), A((2, 3), low=0, high=1, seed=1), weight=V([1.0, 2.0, 0.5]), reduction=reduction)
sample("nn.functional.multi_margin_loss", A((1, 4), special=True), V([1], "int64"), reduction="none", grad=False,
       differs="the loss of NaN is NaN; PyTorch counts a margin of NaN as 0")  # fmt: skip
sample("nn.functional.soft_margin_loss", V([200.0, -200.0]), V([1.0, -1.0]), reduction="none")
sample("nn.functional.soft_margin_loss", V([200.0]), V([-1.0]), differs="log(1 + exp(x)) does not overflow to inf")
sample("nn.functional.triplet_margin_loss", A((4,)), A((4,), seed=1), A((4,), seed=2))
error("nn.functional.margin_ranking_loss", A((3,)), A((2,)), SIGNS)
error("nn.functional.margin_ranking_loss", A((3,)), A((3,)), V([[1, 1, 1]], "int64"))
error("nn.functional.margin_ranking_loss", A((3,)), A((3,)))
error("nn.functional.margin_ranking_loss", A((3,)), A((3,)), "text")
error("nn.functional.margin_ranking_loss", A((3,)), A((3,)), SIGNS, reduction="other")
error("nn.functional.cosine_embedding_loss", A((3,)), A((3,)), V([1], "int64"))
error("nn.functional.cosine_embedding_loss", A((3, 4)), A((3, 4)), V([[1]], "int64"))
error("nn.functional.cosine_embedding_loss", A((3, 4)), A((3, 5)), SIGNS)
error("nn.functional.cosine_embedding_loss", A((3, 4)), A((3, 4)))
error("nn.functional.cosine_embedding_loss", A((3, 4)), A((3, 4)), SIGNS, reduction="other")
error("nn.functional.triplet_margin_loss", A((4,)), A((4,)), A((1, 4)))
error("nn.functional.triplet_margin_loss", A((4,)), A((4,)), A((4,)), margin=-1)
error("nn.functional.triplet_margin_loss", A((4,)), A((4,)))
error("nn.functional.triplet_margin_loss", A((4,)), A((4,)), A((5,)))
error("nn.functional.triplet_margin_loss", A((4,)), A((4,)), A((4,)), reduction="other")
error("nn.functional.multi_margin_loss", A((3, 4)), V([2, 4, 1], "int64"))
error("nn.functional.multi_margin_loss", A((3, 4)), LABELS, p=3)
error("nn.functional.multi_margin_loss", A((3, 4)), V([2, 1], "int64"))
error("nn.functional.multi_margin_loss", A((3, 4)), LABELS, weight=A((3,)))
error("nn.functional.multi_margin_loss", A((3, 4)), LABELS, reduction="other")

for dtype in FLOATING:
    for options in ({}, {"p": 1.0}, {"p": float("inf")}, {"dim": 0}, {"dim": -1, "eps": 2.0}, {"p": 3.0}):
        sample("nn.functional.normalize", A((2, 3), dtype), **options)
    for name in ("cosine_similarity", "nn.functional.cosine_similarity"):
        for options in ({}, {"dim": 0}, {"dim": -1}, {"eps": 5.0}):
            sample(name, A((2, 3), dtype), A((2, 3), dtype, seed=1), **options, check=options.get("eps") is None)
    for name in ("pairwise_distance", "nn.functional.pairwise_distance"):
        for options in ({}, {"p": 1.0}, {"keepdim": True}, {"p": float("inf")}, {"eps": 0.5}):
            sample(name, A((2, 3), dtype), A((2, 3), dtype, seed=1), **options)
for layout in ("transposed", "strided", "expanded"):
    sample("nn.functional.normalize", A((3, 4), layout=layout))
    sample("nn.functional.cosine_similarity", A((3, 4), layout=layout), A((3, 4), seed=1))
    sample("nn.functional.pairwise_distance", A((3, 4), layout=layout), A((3, 4), seed=1))
sample("nn.functional.normalize", V([[0.0, 0.0], [3.0, 4.0]]))
sample("nn.functional.cosine_similarity", V([[0.0, 0.0], [3.0, 4.0]]), V([[1.0, 0.0], [3.0, 4.0]]), grad=False)
sample("nn.functional.cosine_similarity", A((2, 3)), A((3,), seed=1))
sample("nn.functional.pairwise_distance", A((2, 3)), A((3,), seed=1))
sample("nn.functional.pairwise_distance", A((4,)), A((4,), seed=1))
error("nn.functional.normalize", A((3,)))
error("nn.functional.normalize", A((2, 3)), 2.0, 2)
error("nn.functional.normalize", A((2, 3), "int32"))
error("nn.functional.normalize", A((2, 3)), "text")
error("nn.functional.normalize", "text")
for name in ("cosine_similarity", "nn.functional.cosine_similarity"):
    error(name, A((2, 3)), A((2, 4)))
    error(name, A((2, 3)), A((2, 3)), 2)
    error(name, A((2, 3), "int32"), A((2, 3), "int32"))
    error(name, A((2, 3)))
    error(name, A((2, 3)), "text")
for name in ("pairwise_distance", "nn.functional.pairwise_distance"):
    error(name, A((2, 3)), A((2, 4)))
    error(name, A((2, 3)))
    error(name, A((2, 3)), "text")
    error(name, A((2, 3)), A((2, 3)), "text")
    error(name, A((2, 3)), A((2, 3)), no_such=1)
