"""Functions of layers: interpolation, tables, losses beside those of losses.py."""

from agreement import A, V, error, sample

for name, options in (("interpolate", {}), ("upsample", {})):
    f = f"nn.functional.{name}"
    for dtype in ("float32", "float64"):
        sample(f, A((1, 2, 5), dtype), 8, **options)
        sample(f, A((1, 2, 5), dtype), size=(3,), mode="nearest")
        sample(f, A((2, 3, 4), dtype), scale_factor=2)
        sample(f, A((1, 2, 3, 4), dtype), (5, 2))
        sample(f, A((1, 2, 3, 4), dtype), None, (2.0, 1.5))
        sample(f, A((1, 1, 2, 3, 2), dtype), (3, 2, 4))
        sample(f, A((1, 2, 5), dtype), 8, mode="linear")
        sample(f, A((1, 2, 5), dtype), None, 1.6, "linear", True)
        sample(f, A((1, 2, 3, 4), dtype), (5, 7), None, "bilinear", False)
        sample(f, A((1, 2, 3, 4), dtype), scale_factor=(0.7, 2.3), mode="bilinear")
        sample(f, A((1, 2, 4, 3), dtype, "transposed"), (5, 7), mode="bilinear", align_corners=True)
        sample(f, A((1, 1, 4, 4), dtype), (7, 3), mode="bicubic")
        sample(f, A((1, 1, 2, 3, 2), dtype), (3, 2, 4), mode="trilinear")
        sample(f, A((1, 2, 4, 6), dtype), (2, 3), mode="area")
        sample(f, A((1, 2, 5), dtype), 3, mode="area")
    for dtype in ("float16", "bfloat16"):
        sample(f, A((1, 2, 5), dtype), 8, mode="nearest")
        sample(f, A((1, 2, 5), dtype), 8, mode="linear")
    sample(f, A((0, 2, 5)), 8)
    sample(f, A((1, 2, 3), special=True), 6)
    error(f, A((1, 2, 5)), 8, mode="cubic")
    error(f, A((1, 2, 5)), 8, mode="bilinear")
    error(f, A((1, 2, 5)))
    error(f, A((1, 2, 5)), 8, 2.0)
    error(f, A((1, 2, 5)), 0)
    error(f, A((1, 2, 5)), (1, 2))
    error(f, A((1, 2, 5)), 8, mode="nearest", align_corners=True)
    error(f, A((2, 5)), 8)
sample("nn.functional.interpolate", A((1, 2, 5)), scale_factor=1.7, mode="linear", recompute_scale_factor=True)
sample("nn.functional.interpolate", A((1, 2, 5)), scale_factor=1.7, recompute_scale_factor=True)
sample("nn.functional.interpolate", A((1, 2, 5)), scale_factor=1.7, mode="nearest-exact")
sample("nn.functional.interpolate", A((1, 2, 3, 4)), (5, 3), mode="nearest-exact")
error("nn.functional.interpolate", A((1, 2, 5)), 8, recompute_scale_factor=True)

for dtype in ("float32", "float64"):
    for size in (2, 3, 5, 7, 9):
        sample("nn.functional.upsample_nearest", A((1, 2, 3, 2), dtype), size)
        sample("nn.functional.upsample_bilinear", A((1, 2, 3, 2), dtype), size)
        sample("nn.functional.upsample_bilinear", A((1, 2, 3, 2), dtype), (size, 3))
    for scale in (2, 1.5, 0.7, 3):
        sample("nn.functional.upsample_nearest", A((1, 2, 5), dtype), scale_factor=scale)
        sample("nn.functional.upsample_nearest", A((1, 1, 3, 2, 2), dtype), None, scale)
        sample("nn.functional.upsample_bilinear", A((1, 2, 5, 3), dtype), scale_factor=scale)
for f in ("nn.functional.upsample_nearest", "nn.functional.upsample_bilinear"):
    error(f, A((2, 5)), 8)
    error(f, A((1, 2, 5, 5)))
    error(f, A((1, 2, 5, 5)), 8, 2)
    error(f, A((1, 2, 5, 5)), 0)
    error(f, A((1, 2, 5, 5)), (1, 2, 3))

BAG = "nn.functional.embedding_bag"
for dtype in ("float32", "float64"):
    for mode in ("sum", "mean", "max"):
        sample(BAG, V([[0, 2, 1], [3, 3, 0]], "int64"), A((4, 3), dtype), mode=mode)
        sample(BAG, V([0, 2, 1, 3, 3, 0], "int64"), A((4, 3), dtype), V([0, 2, 2, 5], "int64"), mode=mode, capture=False)
        sample(BAG, V([0, 2, 1, 3, 3, 0], "int64"), A((4, 3), dtype), V([0, 2, 6], "int64"), mode=mode, include_last_offset=True, capture=False)
        sample(BAG, V([[0, 2, 1], [3, 3, 0], [3, 3, 3]], "int64"), A((4, 3), dtype), mode=mode, padding_idx=3)
        sample(BAG, V([[0, 2], [3, 3]], "int32"), A((4, 3), dtype), mode=mode)
    sample(BAG, V([[0, 2, 1], [3, 3, 0]], "int64"), A((4, 3), dtype), mode="sum", per_sample_weights=A((2, 3), dtype))
    sample(BAG, V([0, 2, 1], "int64"), A((4, 3), dtype), V([0, 1], "int64"), mode="sum", per_sample_weights=A((3,), dtype), capture=False)
    sample(BAG, V([[0, 2, 1], [3, 3, 0]], "int64"), A((4, 3), dtype), mode="sum", scale_grad_by_freq=True, check=False)
TABLE = A((4, 3))
error(BAG, V([0, 1], "int64"), TABLE)
error(BAG, V([[0, 1]], "int64"), TABLE, V([0], "int64"))
error(BAG, V([0, 1], "int64"), TABLE, V([1], "int64"))
error(BAG, V([0, 1], "int64"), TABLE, V([0, 3], "int64"))
error(BAG, V([[0, 4]], "int64"), TABLE)
error(BAG, V([[0, 1]], "int64"), TABLE, mode="median")
error(BAG, V([[0, 1]], "int64"), TABLE, mode="mean", per_sample_weights=A((1, 2)))
error(BAG, V([[0, 1]], "int64"), TABLE, mode="sum", per_sample_weights=A((1, 3)))
error(BAG, V([[0, 1]], "int64"), TABLE, padding_idx=4)
error(BAG, V([[[0, 1]]], "int64"), TABLE)

EMBEDDING = "nn.functional.embedding"
for dtype in ("float32", "float64"):
    sample(EMBEDDING, V([0, 2, 2, 1], "int64"), A((4, 3), dtype), padding_idx=2, check=False)
    sample(EMBEDDING, V([[0, 2], [2, 1]], "int64"), A((4, 3), dtype), -2, check=False)
    sample(EMBEDDING, V([0, 2, 2, 1], "int64"), A((4, 3), dtype), scale_grad_by_freq=True, check=False)
    sample(EMBEDDING, V([[0, 2], [2, 0]], "int64"), A((4, 3), dtype), 2, scale_grad_by_freq=True, check=False)

MARGIN = "nn.functional.multilabel_margin_loss"
for dtype in ("float32", "float64"):
    for reduction in ("mean", "sum", "none"):
        sample(MARGIN, A((2, 4), dtype), V([[3, 0, -1, 1], [-1, 0, 1, 2]], "int64"), reduction=reduction, check=False)
        sample(MARGIN, A((4,), dtype), V([3, 0, -1, 1], "int64"), reduction=reduction, check=False)
        sample(MARGIN, A((2, 3), dtype), V([[0, 1, 2], [1, 1, -1]], "int64"), reduction=reduction, check=False)
        sample(MARGIN, A((3, 1), dtype), V([[0], [-1], [0]], "int64"), reduction=reduction, check=False)
error(MARGIN, A((2, 4)), V([3, 0, -1, 1], "int64"))
error(MARGIN, A((2, 4)), V([[3, 0, -1, 4], [-1, 0, 1, 2]], "int64"))
error(MARGIN, A((2, 2, 2)), V([[[0, 1], [0, 1]], [[0, 1], [0, 1]]], "int64"))
error(MARGIN, A((2, 2), "int64"), V([[0, 1], [0, 1]], "int64"))
error(MARGIN, A((2, 2)), V([[0, 1], [0, 1]], "int64"), reduction="median")
error(MARGIN, A((2, 2)), V([[0, 1], [0, 1]], "int32"))

TRIPLET = "nn.functional.triplet_margin_with_distance_loss"
for dtype in ("float32", "float64"):
    for reduction in ("mean", "sum", "none"):
        sample(TRIPLET, A((2, 4), dtype), A((2, 4), dtype), A((2, 4), dtype), reduction=reduction, check=False)
        sample(TRIPLET, A((2, 4), dtype), A((2, 4), dtype), A((2, 4), dtype), margin=0.3, swap=True, reduction=reduction, check=False)
        sample(TRIPLET, A((4,), dtype), A((4,), dtype), A((4,), dtype), margin=5.0, reduction=reduction, check=False)
        sample(TRIPLET, A((3, 4), dtype, "transposed"), A((1, 4), dtype), A((3, 4), dtype), reduction=reduction, check=False)
for x, y, z, options in (
    (A((2, 4)), A((4,)), A((2, 4)), {}),
    (A((2, 4)), A((2, 4)), A((2, 2, 4)), {}),
    (A((2, 4)), A((2, 4)), A((4,)), {}),
    (A((2, 4)), A((2, 4)), A((2, 4)), {"margin": 0.0}),
    (A((2, 4)), A((2, 4)), A((2, 4)), {"reduction": "median"}),
):
    error(TRIPLET, x, y, z, **options)
error(TRIPLET, A((2, 4)), A((3, 4)), A((2, 4)))

GRID = "nn.functional.grid_sample"
for dtype in ("float32", "float64"):
    for padding in ("zeros", "border", "reflection"):
        for corners in (True, False):
            x, at = A((1, 2, 3, 4), dtype), A((1, 2, 3, 2), dtype, low=-1.7, high=1.7)
            sample(GRID, x, at, "bilinear", padding, corners, check=False)
            sample(GRID, x, at, mode="nearest", padding_mode=padding, align_corners=corners, check=False)
            sample(GRID, x, at, mode="bicubic", padding_mode=padding, align_corners=corners, check=False)
        sample(GRID, A((1, 1, 2, 3, 2), dtype), A((1, 2, 1, 2, 3), dtype, low=-1.5, high=1.5), padding_mode=padding, check=False)
    sample(GRID, A((2, 1, 3, 3), dtype), A((2, 2, 2, 2), dtype, low=-0.9, high=0.9), align_corners=False, check=False)
    sample(GRID, A((1, 1, 1, 1), dtype), A((1, 2, 2, 2), dtype, low=-2, high=2), "bilinear", "reflection", True, check=False)
error(GRID, A((1, 2, 3, 4)), A((1, 2, 3, 3)))
error(GRID, A((2, 2, 3, 4)), A((1, 2, 3, 2)))
error(GRID, A((2, 3, 4)), A((2, 3, 2)))
error(GRID, A((1, 2, 3, 4)), A((1, 2, 3, 2)), mode="linear")
error(GRID, A((1, 2, 3, 4)), A((1, 2, 3, 2)), padding_mode="circular")
error(GRID, A((1, 2, 3, 4)), A((1, 2, 3, 2), "float64"))

AFFINE = "nn.functional.affine_grid"
for dtype in ("float32", "float64"):
    for corners in (True, False):
        sample(AFFINE, A((1, 2, 3), dtype), (1, 1, 3, 4), corners)
        sample(AFFINE, A((2, 2, 3), dtype), (2, 3, 2, 2), align_corners=corners)
        sample(AFFINE, A((1, 2, 3), dtype), (1, 1, 1, 5), align_corners=corners)
        sample(AFFINE, A((1, 3, 4), dtype), (1, 1, 2, 3, 2), align_corners=corners)
        sample(AFFINE, A((2, 3, 4), dtype), (2, 1, 1, 2, 1), align_corners=corners)
error(AFFINE, A((1, 2, 2)), (1, 1, 3, 4))
error(AFFINE, A((1, 2, 3)), (2, 1, 3, 4))
error(AFFINE, A((1, 2, 3)), (1, 1, 3))
error(AFFINE, A((1, 2, 3)), (1, 1, 0, 4))
error(AFFINE, A((1, 2, 3), "int64"), (1, 1, 3, 4))
error(AFFINE, A((1, 2, 3)), (1, 1, 2, 3, 4))
