"""Types that only memory holds: float16, bfloat16, int8, uint8, int16."""

import copy
import pickle
import sys

import numpy as np
import pytest

import luge

ml_dtypes = pytest.importorskip("ml_dtypes")

pytestmark = pytest.mark.filterwarnings("ignore:.* encountered in cast:RuntimeWarning")

HALVES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
SMALL = {"uint8": np.uint8, "int8": np.int8, "int16": np.int16}
STORED = {**HALVES, **SMALL}
EVERY_WORD = np.arange(0x10000, dtype=np.uint16)
UNARY = [name for name, formula, dtypes in luge._C._rows() if "x" in compile(formula, name, "eval").co_names]
TESTS = ("logical_not", "isnan", "isfinite", "isinf", "isposinf", "isneginf", "signbit")
FLOAT_UNARY = [name for name in UNARY if name not in (*TESTS, "clamp", "lerp", "polygamma", "where")]


def same(ours, theirs):
    """Values, NaN for NaN, and the signs of zeros."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    numbers = ~np.isnan(theirs)
    return (np.array_equal(np.isnan(ours), np.isnan(theirs)) and np.array_equal(ours[numbers], theirs[numbers])
            and np.array_equal(np.signbit(ours[numbers]), np.signbit(theirs[numbers])))


@pytest.mark.parametrize("name", HALVES)
def test_every_half_as_float32_and_back(name):
    array = EVERY_WORD.view(HALVES[name])
    x = luge.tensor(array)
    assert x.dtype is getattr(luge, name) and x.shape == (0x10000,)
    wide = x.float()
    assert same(wide.numpy(), array.astype(np.float32))
    back = wide.to(x.dtype).numpy()
    assert back.dtype == array.dtype and same(back, array)
    finite = ~np.isnan(array.astype(np.float32))
    assert np.array_equal(back.view(np.uint16)[finite], EVERY_WORD[finite])


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("source", ["float32", "float64"])
def test_wider_numbers_are_rounded_once(name, source):
    """Midpoints of neighbours and what lies beside them, against NumPy's float16 and ml_dtypes' bfloat16."""
    values = np.sort(EVERY_WORD[:0x8000].view(HALVES[name]).astype(np.float64))
    values = values[np.isfinite(values)]
    last = values[-1] + (values[-1] - values[-2]) / 2
    middle = np.append((values[1:] + values[:-1]) / 2, last).astype(source)
    up, down = np.array([np.inf, -np.inf], source)
    numbers = np.concatenate([middle, np.nextafter(middle, up), np.nextafter(middle, down)])
    numbers = np.concatenate([numbers, -numbers, np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e-30], source)])
    found = luge.tensor(numbers).to(getattr(luge, name)).float().numpy()
    # Of halves in order, the place is the bits: the nearest, of two the even one, beyond the last infinity.
    size = np.nan_to_num(np.abs(numbers).astype(np.float64), nan=0.0, posinf=2 * last)
    steps = np.append(values, 2 * last - values[-1])
    low = np.clip(np.searchsorted(steps, size, "right") - 1, 0, len(values) - 1)
    below, above = size - steps[low], steps[low + 1] - size
    place = low + ((above < below) | ((above == below) & (low % 2 == 1)))
    expected = np.copysign(np.append(values, np.inf)[place], numbers)
    assert same(found, np.where(np.isnan(numbers), np.nan, expected))
    if (source, name) != ("float64", "bfloat16"):  # which ml_dtypes rounds twice
        assert same(found, numbers.astype(HALVES[name]))


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("function", FLOAT_UNARY)
def test_functions_of_every_half(name, function):
    x = luge.tensor(EVERY_WORD.view(HALVES[name]))
    result = getattr(luge, function)(x)
    assert result.dtype is x.dtype
    with np.errstate(all="ignore"):
        assert same(result.float().numpy(), getattr(luge, function)(x.float()).numpy().astype(HALVES[name]))


@pytest.mark.parametrize("name", STORED)
def test_numpy_shares_memory(name):
    array = np.arange(12).astype(STORED[name]).reshape(3, 4)
    x = luge.from_numpy(array)
    assert x.dtype is getattr(luge, name) and x.tolist() == array.astype(np.float64).tolist()
    x[1, 2] = 77
    assert array[1, 2] == 77
    view = x.t()[1:].numpy()
    assert view.dtype == array.dtype and np.array_equal(view, array.T[1:])
    view[0, 0] = 5
    assert x[0, 1].item() == 5
    assert np.asarray(x).dtype == array.dtype and np.asarray(x, dtype=np.float32).dtype == np.float32
    assert luge.tensor(array[0, 1]).dtype is x.dtype


def test_without_ml_dtypes_bfloat16_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(TypeError, match=r"numpy: the tensor is bfloat16, .* ml_dtypes .* \.float\(\)"):
        luge.ones(2, dtype=luge.bfloat16).numpy()


@pytest.mark.parametrize("name", STORED)
def test_torch_shares_memory(name):
    torch = pytest.importorskip("torch")
    theirs = torch.arange(6).to(getattr(torch, name)).reshape(2, 3)
    x = luge.from_dlpack(theirs)
    assert x.dtype is getattr(luge, name) and x.tolist() == theirs.tolist() and x.data_ptr() == theirs.data_ptr()
    back = torch.from_dlpack(x.t())
    assert back.dtype == theirs.dtype and back.tolist() == theirs.t().tolist()
    assert luge.tensor(theirs).dtype is x.dtype


@pytest.mark.parametrize("name", STORED)
def test_pickles_and_copies(name):
    x = luge.tensor([[0, 1, 2], [3, 4, 100]], dtype=getattr(luge, name)).t()
    for other in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), x.clone()):
        assert other.dtype is x.dtype and other.equal(x) and other.data_ptr() != x.data_ptr()
    if name in HALVES:
        leaf = x.detach().clone().requires_grad_()
        assert pickle.loads(pickle.dumps(leaf)).requires_grad


def test_conversions_have_names():
    x = luge.tensor([1.75, 200.0])
    assert x.half().dtype is luge.float16 is luge.half
    assert x.bfloat16().dtype is luge.bfloat16
    assert x.byte().dtype is luge.uint8 and x.byte().tolist() == [1, 200]
    assert x.char().dtype is luge.int8 and x.char().tolist() == [1, -56]
    assert x.short().dtype is luge.int16 is luge.short
    assert not luge.uint8.is_signed and luge.int8.is_signed and luge.bfloat16.itemsize == 2
    assert repr(x.half()) == "tensor([  1.7500, 200.0000], dtype=float16)"
    assert repr(x.char()) == "tensor([  1, -56], dtype=int8)"
    model = luge.nn.Linear(3, 2).half()
    assert model.weight.dtype is luge.float16 and model.bfloat16().bias.dtype is luge.bfloat16


def test_indices_and_masks_are_not_small_integers():
    x = luge.arange(4)
    for name in SMALL:
        if name == "uint8":  # a mask, as in PyTorch
            assert x[luge.tensor([1, 0, 1, 1], dtype=luge.uint8)].tolist() == [0, 2, 3]
            continue
        with pytest.raises(IndexError, match=f"an index tensor is {name}; it must be bool"):
            x[luge.tensor([1, 0, 1, 1], dtype=getattr(luge, name))]


@pytest.mark.parametrize("name", HALVES)
def test_a_model_learns_in_halves(name):
    """The whole loop: layers, loss, gradients in their type, and a step by hand."""
    luge.manual_seed(1)
    dtype = getattr(luge, name)
    x = luge.randn(64, 5).to(dtype)
    target = (x.float().sum(1, keepdim=True) > 0).to(dtype)
    model = luge.nn.Sequential(luge.nn.Linear(5, 16), luge.nn.Tanh(), luge.nn.Linear(16, 1)).to(dtype)
    losses = []
    for _ in range(60):
        loss = luge.nn.functional.mse_loss(model(x), target)
        loss.backward()
        with luge.no_grad():
            for parameter in model.parameters():
                assert parameter.grad.dtype is dtype
                parameter -= 0.2 * parameter.grad
                parameter.grad = None
        losses.append(loss.item())
    assert loss.dtype is dtype and losses[-1] < 0.4 * losses[0]


@pytest.mark.parametrize("name", HALVES)
def test_optimizers_and_arenas_refuse_halves(name):
    dtype = getattr(luge, name)
    leaf = luge.ones(2, dtype=dtype, requires_grad=True)
    for kind in (luge.optim.SGD, luge.optim.Adam, luge.optim.AdamW):
        with pytest.raises(luge.DTypeError, match=f"tensor 0 is {name}; allowed are float32 and float64"):
            kind([leaf], lr=0.1)
    with pytest.raises(luge.DTypeError, match=f"Parameters: dtype is {name}"):
        luge.Parameters(dtype=dtype)
    leaf.sum().backward()
    with pytest.raises(luge.DTypeError, match=f"clip_grad_norm_: .* is {name}; allowed are float32 and float64"):
        luge.nn.utils.clip_grad_norm_([leaf], 1.0)


@pytest.mark.parametrize("name", HALVES)
def test_monitors_and_embeddings_take_halves(name):
    dtype = getattr(luge, name)
    monitor = luge.Monitor(total=1)
    monitor.record(luge.tensor([1.5, 2.5], dtype=dtype))
    monitor.finish()
    assert list(monitor.columns()["mean"]) == [2.0]
    table = luge.nn.Embedding(4, 2).to(dtype)
    table(luge.tensor([1, 1, 3])).sum().backward()
    assert table.weight.grad.dtype is dtype and table.weight.grad.tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]


def test_assignments_are_checked_as_creation_is():
    for dtype, wrong in ((luge.int8, 300), (luge.uint8, -1), (luge.float16, 1e6)):
        x = luge.zeros(3, dtype=dtype)
        with pytest.raises(ValueError, match="does not fit"):
            x[0] = wrong
        assert x.tolist() == [0, 0, 0] and x._version == 0
    assert luge.tensor([1e6, 1], dtype=luge.float16).tolist() == [float("inf"), 1]


# ---- every operation with every type

MATRIX = [[1, 2], [3, 4]]
CALLS = {
    "sum": lambda m, x: x.sum(), "sum dim": lambda m, x: x.sum(1), "mean": lambda m, x: x.mean(), "prod": lambda m, x: x.prod(1),
    "max": lambda m, x: x.max(), "min": lambda m, x: x.min(), "argmax": lambda m, x: x.argmax(), "argmin": lambda m, x: x.argmin(1),
    "sort": lambda m, x: m.sort(x, 1)[0], "argsort": lambda m, x: x.argsort(1, True), "topk": lambda m, x: x.topk(1)[0],
    "max dim": lambda m, x: x.max(1)[0], "min dim": lambda m, x: x.min(0)[1], "all": lambda m, x: x.all(), "any": lambda m, x: x.any(),
    "var": lambda m, x: x.var(), "std": lambda m, x: x.std(), "logsumexp": lambda m, x: x.logsumexp(1),
    "nansum": lambda m, x: m.nansum(x, 1),
    "softmax": lambda m, x: x.softmax(1), "log_softmax": lambda m, x: x.log_softmax(1), "matmul": lambda m, x: x @ x,
    "cat": lambda m, x: m.cat([x, x]), "stack": lambda m, x: m.stack([x, x]), "t": lambda m, x: x.t() + x,
    "where": lambda m, x: m.where(x > 2, x, x), "clamp": lambda m, x: x.clamp(2, 3), "clamp one side": lambda m, x: x.clamp(min=2),
    "index_select": lambda m, x: m.index_select(x, 1, m.tensor([1, 0, 1])), "gather": lambda m, x: m.gather(x, 1, m.tensor([[1], [0]])),
    "x[list]": lambda m, x: x[[1, 0]], "x[mask]": lambda m, x: x[x > 2], "to float32": lambda m, x: x.to(m.float32),
    "eq": lambda m, x: x == 3, "ne x": lambda m, x: x != x.t(), "lt": lambda m, x: x < 2.5, "zeros_like": lambda m, x: m.zeros_like(x),
    "full": lambda m, x: m.full((2,), 3, dtype=x.dtype), "arange": lambda m, x: m.arange(0, 4, dtype=x.dtype),
    "expand": lambda m, x: x[0].expand(3, 2), "x + 1": lambda m, x: x + 1, "x - 1": lambda m, x: x - 1, "x * 3": lambda m, x: x * 3,
    "x / 2": lambda m, x: x / 2, "x ** 2": lambda m, x: x**2, "x + 0.5": lambda m, x: x + 0.5, "1 - x": lambda m, x: 1 - x,
    "mse_loss": lambda m, x: m.nn.functional.mse_loss(x, x.t()),
    "cross_entropy": lambda m, x: m.nn.functional.cross_entropy(x, m.tensor([1, 0])),
    "linear": lambda m, x: m.nn.functional.linear(x, x), "reshape": lambda m, x: x.t().reshape(4),
    "x += x": lambda m, x: x.clone().add_(x), "x *= 2": lambda m, x: x.clone().mul_(2), "fill_": lambda m, x: x.clone().fill_(9),
    "zero_": lambda m, x: x.clone().zero_(), "x[0] = 7": lambda m, x: assigned(x), "neg": lambda m, x: -x, "bitwise_and": lambda m, x: x & 3,
    "bitwise_not": lambda m, x: ~x, "tolist": lambda m, x: m.tensor(x.tolist()), "rand_like": lambda m, x: m.rand_like(x) * 0,
    "randn_like": lambda m, x: m.randn_like(x) * 0, "eye": lambda m, x: m.eye(2, dtype=x.dtype),
}
#: What luge refuses and PyTorch does not.
DIFFERENT = {("linear", name) for name in [*SMALL, "int32", "int64"]}


def assigned(x):
    x = x.clone()
    x[0] = 7
    return x


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("name", [*STORED, "int32", "int64", "float32", "float64"])
def test_every_call_agrees_with_pytorch_or_refuses(call, name):
    torch = pytest.importorskip("torch")
    x = luge.tensor(MATRIX, dtype=getattr(luge, name))
    refused = None
    try:
        ours = CALLS[call](luge, x)
    except luge.DTypeError as error:
        refused = str(error)
        ours = None
    # PyTorch lacks kernels for halves on the CPU: in float32 its results are the same numbers, rounded.
    wide = name in HALVES
    y = torch.tensor(MATRIX, dtype=torch.float32 if wide else getattr(torch, name))
    try:
        theirs = CALLS[call](torch, y)
    except (RuntimeError, TypeError):
        theirs = None
    if (call, name) in DIFFERENT:
        assert theirs is not None and name in refused
        return
    if theirs is None:
        assert refused is not None and (name in refused), (refused, ours)
        return
    assert ours is not None, refused
    if wide and call not in ("to float32",):
        expected = theirs.to(getattr(torch, name)) if theirs.dtype is torch.float32 and call != "tolist" else theirs
    else:
        expected = theirs
    assert str(ours.dtype).split(".")[1] == str(expected.dtype).split(".")[1], (ours.dtype, expected.dtype)
    assert ours.shape == tuple(expected.shape)
    assert np.allclose(ours.tolist(), expected.tolist(), rtol=1e-6, atol=0)
