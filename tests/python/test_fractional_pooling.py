"""FractionalMaxPool2d and 3d: windows at given places against PyTorch's, and what is drawn."""

import luge
import numpy as np
import pytest
from errors import check_error

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
SHAPES = {2: (3, 2, 7, 9), 3: (2, 2, 6, 7, 8)}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("options", [{"output_size": 3}, {"output_ratio": 0.5}, {"output_size": 4, "return_indices": True}])
def test_layers(dims, options):
    values, drawn = RNG.normal(size=SHAPES[dims]), RNG.uniform(size=(*SHAPES[dims][:2], dims))
    found = []
    for library in (luge, torch):
        x = library.from_numpy(values.copy()).requires_grad_()
        made = getattr(library.nn, f"FractionalMaxPool{dims}d")(2, **options, _random_samples=library.from_numpy(drawn.copy()))
        result = made(x)
        y, places = result if isinstance(result, tuple) else (result, None)
        (y**2).sum().backward()
        found.append([y.tolist(), None if places is None else places.tolist(), x.grad.tolist()])
    assert found[0] == found[1]


@pytest.mark.parametrize("dims", [2, 3])
def test_places_are_drawn_anew_and_cover_the_ends(dims):
    pool = getattr(luge.nn, f"FractionalMaxPool{dims}d")(2, 3, return_indices=True)
    sizes = SHAPES[dims][2:]
    x = luge.arange(float(np.prod(sizes))).reshape(1, 1, *sizes).expand(*SHAPES[dims])
    seen = {str(pool(x)[1].tolist()) for _ in range(20)}
    assert len(seen) > 10
    values, places = pool(x)
    assert (values == places).all()
    assert (values.flatten(2)[..., -1] == x.max()).all()  # the last window ends where the input does


def test_captured_step_draws_as_eager():
    x = luge.from_numpy(RNG.normal(size=SHAPES[2]).astype("float32"))
    pool = luge.nn.FractionalMaxPool2d(2, output_ratio=0.5)
    luge.manual_seed(3)
    eager = [pool(x).tolist() for _ in range(4)]
    step = luge.capture(lambda: pool(x))
    luge.manual_seed(3)
    assert [step().tolist() for _ in range(4)] == eager


ERRORS = [
    (lambda: luge.nn.FractionalMaxPool2d(2), ValueError, "FractionalMaxPool2d: neither output_size nor output_ratio"),
    (lambda: luge.nn.FractionalMaxPool2d(2, 3, 0.5), ValueError, "FractionalMaxPool2d: output_size and output_ratio are given"),
    (lambda: luge.nn.FractionalMaxPool3d(2, output_ratio=1.0), ValueError, "FractionalMaxPool3d: output_ratio is 1.0"),
    (lambda: luge.nn.FractionalMaxPool2d(2, 3)(luge.zeros(3, 3)), luge.ShapeError, "fractional_max_pool2d: input has shape (3, 3)"),
    (lambda: luge.nn.FractionalMaxPool2d(3, 3)(luge.zeros(1, 4, 4)), ValueError, "fractional_max_pool2d: kernel_size is (3, 3)"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, start", ERRORS)
def test_bad_input_is_named(call, error, start):
    check_error(call, error, start)
