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
