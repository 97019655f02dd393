"""Layers and losses against PyTorch's: values, every gradient, state, repr, in training and evaluation."""

import copy
import pickle
import warnings

import luge
import numpy as np
import pytest
from luge import nn

torch = pytest.importorskip("torch")
warnings.filterwarnings("ignore", category=UserWarning)
OLD = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 0)


class R:
    """Random numbers: of a normal distribution, or what `kind` says."""

    def __init__(self, *shape, kind="normal", grad=True):
        self.shape, self.kind, self.grad = shape, kind, grad and kind not in ("labels", "sign", "index", "multi")

    def array(self, seed):
        draw = np.random.default_rng(seed)
        x = draw.normal(size=self.shape)
        if self.kind == "positive":
            x = np.abs(x) + 0.1
        elif self.kind == "unit":
            x = draw.uniform(0.02, 0.98, size=self.shape)
        elif self.kind == "log":
            x = np.log(np.exp(x) / np.exp(x).sum(-1, keepdims=True))
        elif self.kind == "share":
            x = np.exp(x) / np.exp(x).sum(-1, keepdims=True)
        elif self.kind == "bits":
            x = (x > 0).astype(float)
        elif self.kind == "sign":
            x = np.where(x > 0, 1, -1)
        elif self.kind == "labels":
            x = draw.integers(0, 3, size=self.shape)
        elif self.kind == "multi":
            x = draw.permuted(np.tile(np.arange(-1, self.shape[-1] - 1), (*self.shape[:-1], 1)), axis=-1)
        return np.asarray(x)


X, X3, X4 = R(5, 6), R(2, 3, 4), R(2, 3, 4, 5)
WEIGHTS = R(3, kind="positive", grad=False)

PADS = """
    CircularPad1d CircularPad2d CircularPad3d ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
    ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d""".split()

#: name, arguments, options, inputs
TABLE = [
    ("Identity", (54,), {"unused": 1}, [X]),
    *((name, (), {}, [X]) for name in "ReLU ReLU6 SELU SiLU Mish Hardsigmoid Hardswish".split()),
    *((name, (True,), {}, [X]) for name in "ReLU ReLU6 SELU SiLU Mish Hardsigmoid Hardswish".split()),
    *((name, (), {}, [X]) for name in "Sigmoid Tanh LogSigmoid Softsign Tanhshrink".split()),
    ("LeakyReLU", (), {}, [X]), ("LeakyReLU", (0.3, True), {}, [X]), ("ELU", (), {}, [X]), ("ELU", (0.7, True), {}, [X]),
    ("CELU", (), {}, [X]), ("CELU", (1.7,), {"inplace": True}, [X]), ("Threshold", (0.1, 20), {}, [X]),
    ("Threshold", (-0.5, 2.5, True), {}, [X]), ("RReLU", (0.1, 0.4), {}, [X]), ("RReLU", (), {"inplace": True}, [X]),
    ("Hardshrink", (), {}, [X]), ("Hardshrink", (0.2,), {}, [X]), ("Softshrink", (), {}, [X]), ("Softshrink", (0.2,), {}, [X]),
    ("Softplus", (), {}, [X]), ("Softplus", (2.0, 1.0), {}, [X]), ("GELU", (), {}, [X]), ("GELU", ("tanh",), {}, [X]),
    ("GLU", (), {}, [X]), ("GLU", (0,), {}, [R(4, 3)]), ("Hardtanh", (), {}, [X]), ("Hardtanh", (-0.5, 0.7, True), {}, [X]),
    ("PReLU", (), {}, [X]), ("PReLU", (3, 0.1), {}, [X3]), ("PReLU", (), {}, [R(3)]),
    *((name, (), {"dim": dim}, [X3]) for name in ("Softmax", "Softmin", "LogSoftmax") for dim in (0, 1, -1)),
    *((name, (), {}, [x]) for name in ("Softmax", "Softmin", "LogSoftmax") for x in (X, X3, R(4))),
    ("Softmax2d", (), {}, [X4]), ("Softmax2d", (), {}, [X3]),
    ("Flatten", (), {}, [X4]), ("Flatten", (0, 1), {}, [X4]), ("Unflatten", (1, (2, 3)), {}, [X]), ("Unflatten", (-1, (3, -1)), {}, [X]),
    ("PixelShuffle", (2,), {}, [R(1, 8, 2, 3)]), ("PixelUnshuffle", (2,), {}, [R(1, 2, 4, 6)]), ("ChannelShuffle", (2,), {}, [R(2, 6, 3)]),
    *((name, (1,), {}, [R(*(2, 3, 4, 5, 3)[: int(name[-2]) + 2])]) for name in PADS),
    *((name, (tuple((1, 2, 0, 1, 1, 0)[: 2 * int(name[-2])]),), {}, [R(*(3, 4, 5, 3)[: int(name[-2]) + 1])]) for name in PADS),
    *((name, (2, 3.5), {}, [R(*(2, 3, 4, 5, 3)[: int(name[-2]) + 2])]) for name in ("ConstantPad1d", "ConstantPad2d", "ConstantPad3d")),
    ("ConstantPad2d", ((1, -1, 0, 2), -1.0), {}, [X4]),
    ("CosineSimilarity", (), {}, [X, R(5, 6)]), ("CosineSimilarity", (-1, 1e-3), {}, [X3, R(2, 3, 4)]), ("PairwiseDistance", (), {}, [X, R(5, 6)]),
    ("PairwiseDistance", (1.0, 1e-3, True), {}, [X3, R(2, 3, 4)]),
    ("Linear", (6, 4), {}, [X]), ("Linear", (5, 3, False), {}, [X4]), ("Linear", (3, 2), {}, [R(3)]), ("Linear", (3, 2), {}, [R(0, 3)]),
    ("Bilinear", (6, 3, 4), {}, [X, R(5, 3)]), ("Bilinear", (4, 3, 2, False), {}, [X3, R(2, 3, 3)]),
    ("Upsample", (), {"size": 7}, [X3]), ("Upsample", ((7, 3),), {}, [X4]), ("Upsample", (), {"scale_factor": 2}, [X4]),
    ("Upsample", (), {"scale_factor": (2, 1.5), "mode": "bilinear"}, [X4]), ("Upsample", (), {"scale_factor": 1.7, "mode": "linear", "align_corners": True}, [X3]),
    ("Upsample", (), {"scale_factor": 1.7, "mode": "bilinear", "recompute_scale_factor": True}, [X4]),
    ("Upsample", (), {"size": (3, 4, 7), "mode": "trilinear"}, [R(1, 2, 2, 5, 4)]), ("Upsample", (), {"size": (9, 3), "mode": "bicubic"}, [X4]),
    ("Upsample", (), {"size": (9, 3), "mode": "bicubic", "align_corners": True}, [X4]), ("Upsample", (), {"size": (3, 2), "mode": "area"}, [X4]),
    ("Upsample", (), {"size": (7, 6), "mode": "area"}, [X4]), ("Upsample", (), {"scale_factor": 0.6, "mode": "nearest-exact"}, [X4]),
    ("UpsamplingNearest2d", (), {"scale_factor": 3}, [X4]), ("UpsamplingNearest2d", ((5, 7),), {}, [X4]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, [X4]), ("UpsamplingBilinear2d", ((5, 7),), {}, [X4]),
    ("Embedding", (3, 4), {}, [R(2, 5, kind="labels")]), ("Embedding", (3, 4), {"padding_idx": 1}, [R(7, kind="labels")]),
    ("Embedding", (3, 4, -1), {"scale_grad_by_freq": True}, [R(2, 5, kind="labels")]), ("Embedding", (3, 4, None, 0.8), {}, [R(5, kind="labels")]),
    ("Embedding", (3, 4), {"max_norm": 1.0, "norm_type": 1.0, "padding_idx": 0}, [R(2, 3, kind="labels")]),
    *(("EmbeddingBag", (3, 4), {"mode": mode}, [R(2, 5, kind="labels")]) for mode in ("sum", "mean", "max")),
    *(("EmbeddingBag", (3, 4), {"mode": mode, "padding_idx": 1}, [R(3, 5, kind="labels")]) for mode in ("sum", "mean", "max")),
    ("EmbeddingBag", (3, 4), {"mode": "sum", "scale_grad_by_freq": True, "max_norm": 0.5}, [R(2, 5, kind="labels")]),
]  # fmt: skip

REDUCTIONS = ("mean", "sum", "none")
LOSSES = [
    *(("L1Loss", (), {"reduction": r}, [X, R(5, 6)]) for r in REDUCTIONS), *(("MSELoss", (), {"reduction": r}, [X, R(5, 6)]) for r in REDUCTIONS),
    *(("SmoothL1Loss", (), {"reduction": r, "beta": 0.7}, [X, R(5, 6)]) for r in REDUCTIONS), ("SmoothL1Loss", (), {}, [X, R(5, 6)]),
    *(("HuberLoss", (r, 0.6), {}, [X, R(5, 6)]) for r in REDUCTIONS), ("HuberLoss", (), {}, [X, R(5, 6)]),
    ("L1Loss", (False,), {}, [X, R(5, 6)]), ("MSELoss", (), {"reduce": False}, [X, R(5, 6)]), ("MSELoss", (True, True), {}, [X, R(5, 6)]),
    *(("CrossEntropyLoss", (), {"reduction": r, "label_smoothing": s}, [R(4, 3), R(4, kind="labels")]) for r in REDUCTIONS for s in (0.0, 0.1)),
    *(("CrossEntropyLoss", (WEIGHTS,), {"reduction": r, "ignore_index": 1}, [R(2, 3, 4), R(2, 4, kind="labels")]) for r in REDUCTIONS),
    ("CrossEntropyLoss", (WEIGHTS, None, 2), {}, [R(4, 3), R(4, kind="labels")]), ("CrossEntropyLoss", (), {}, [R(3), R(kind="labels")]),
    ("CrossEntropyLoss", (), {"label_smoothing": 0.2}, [R(4, 3), R(4, 3, kind="share", grad=False)]),
    ("CrossEntropyLoss", (WEIGHTS,), {}, [R(2, 3, 4, 2), R(2, 3, 4, 2, kind="unit", grad=False)]),
    *(("NLLLoss", (), {"reduction": r}, [R(4, 3), R(4, kind="labels")]) for r in REDUCTIONS), ("NLLLoss", (WEIGHTS, None, 0), {}, [R(2, 3, 4, 5), R(2, 4, 5, kind="labels")]),
    ("NLLLoss2d", (), {}, [R(2, 3, 4, 5), R(2, 4, 5, kind="labels")]), ("NLLLoss", (WEIGHTS,), {}, [R(3), R(kind="labels")]),
    *(("BCELoss", (), {"reduction": r}, [R(4, 3, kind="unit"), R(4, 3, kind="bits")]) for r in REDUCTIONS), ("BCELoss", (WEIGHTS,), {}, [R(4, 3, kind="unit"), R(4, 3, kind="unit", grad=False)]),
    *(("BCEWithLogitsLoss", (), {"reduction": r}, [R(4, 3), R(4, 3, kind="bits")]) for r in REDUCTIONS),
    ("BCEWithLogitsLoss", (WEIGHTS,), {"pos_weight": WEIGHTS}, [R(4, 3), R(4, 3, kind="unit", grad=False)]),
    *(("KLDivLoss", (), {"reduction": r}, [R(4, 3, kind="log"), R(4, 3, kind="share")]) for r in (*REDUCTIONS, "batchmean")),
    ("KLDivLoss", (), {"reduction": "batchmean", "log_target": True}, [R(4, 3, kind="log"), R(4, 3, kind="log")]),
    *(("PoissonNLLLoss", (), {"reduction": r}, [X, R(5, 6, kind="positive", grad=False)]) for r in REDUCTIONS),
    ("PoissonNLLLoss", (False, True), {"eps": 1e-3}, [R(5, 6, kind="positive"), R(5, 6, kind="positive", grad=False)]),
    *(("GaussianNLLLoss", (), {"reduction": r, "full": True}, [X, R(5, 6), R(5, 6, kind="positive")]) for r in REDUCTIONS),
    ("GaussianNLLLoss", (), {"eps": 0.5}, [X, R(5, 6), R(5, 1, kind="positive")]),
    *(("HingeEmbeddingLoss", (), {"reduction": r}, [X, R(5, 6, kind="sign")]) for r in REDUCTIONS), ("HingeEmbeddingLoss", (0.4,), {}, [X, R(5, 6, kind="sign")]),
    *(("MarginRankingLoss", (0.3,), {"reduction": r}, [R(7), R(7), R(7, kind="sign")]) for r in REDUCTIONS), ("MarginRankingLoss", (), {}, [R(7), R(7), R(7, kind="sign")]),
    *(("CosineEmbeddingLoss", (0.3,), {"reduction": r}, [X, R(5, 6), R(5, kind="sign")]) for r in REDUCTIONS), ("CosineEmbeddingLoss", (), {}, [R(6), R(6), R(kind="sign")]),
    *(("SoftMarginLoss", (), {"reduction": r}, [X, R(5, 6, kind="sign")]) for r in REDUCTIONS),
    *(("MultiLabelMarginLoss", (), {"reduction": r}, [R(4, 5), R(4, 5, kind="multi")]) for r in REDUCTIONS), ("MultiLabelMarginLoss", (), {}, [R(5), R(5, kind="multi")]),
    *(("MultiLabelSoftMarginLoss", (), {"reduction": r}, [R(4, 3), R(4, 3, kind="bits", grad=False)]) for r in REDUCTIONS),
    ("MultiLabelSoftMarginLoss", (WEIGHTS,), {}, [R(4, 3), R(4, 3, kind="bits", grad=False)]),
    *(("MultiMarginLoss", (), {"reduction": r}, [R(4, 3), R(4, kind="labels")]) for r in REDUCTIONS), ("MultiMarginLoss", (2, 0.5, WEIGHTS), {}, [R(4, 3), R(4, kind="labels")]),
    *(("TripletMarginLoss", (), {"reduction": r}, [X, R(5, 6), R(5, 6)]) for r in REDUCTIONS), ("TripletMarginLoss", (0.4, 1.0, 1e-3, True), {}, [X, R(5, 6), R(5, 6)]),
    *(("TripletMarginWithDistanceLoss", (), {"reduction": r, "swap": True, "margin": 0.5}, [X, R(5, 6), R(5, 6)]) for r in REDUCTIONS),
    ("TripletMarginWithDistanceLoss", (), {}, [X, R(5, 6), R(5, 6)]),
]  # fmt: skip


def ident(row):
    name, arguments, options, inputs = row
    given = [str(a) for a in arguments if not isinstance(a, R)] + [f"{k}={v}" for k, v in options.items() if not isinstance(v, R)]
    return "-".join([name, *given, *("x".join(map(str, x.shape)) for x in inputs)]).replace(" ", "")


def pair(array, dtype, seed):
    """The array as a tensor of either library."""
    if array.dtype.kind in "iub":
        return luge.tensor(array.tolist(), dtype=luge.int64).reshape(array.shape), torch.tensor(array, dtype=torch.int64)
    rounded = torch.tensor(array, dtype=torch.float64).to(getattr(torch, dtype))
    return luge.as_tensor(rounded.double().numpy()).to(getattr(luge, dtype)), rounded


def numbers(tensor):
    if isinstance(tensor, luge.Tensor):
        return tensor.detach().double().numpy() if tensor.dtype.is_floating_point else tensor.detach().numpy()
    return tensor.detach().double().numpy() if tensor.is_floating_point() else tensor.detach().numpy()


def close(ours, theirs, dtype, what):
    assert tuple(ours.shape) == tuple(theirs.shape), what
    tolerance = {"float64": 1e-11, "float32": 2e-5, "float16": 1e-2, "bfloat16": 8e-2}[dtype]
    np.testing.assert_allclose(numbers(ours), numbers(theirs), rtol=tolerance, atol=tolerance, err_msg=what)


def built(row, dtype):
    name, arguments, options, _ = row
    if not hasattr(torch.nn, name):
        pytest.skip(f"PyTorch {torch.__version__} has no {name}")

    def made(library, index):
        def value(given):
            return pair(given.array(7), dtype, 7)[index] if isinstance(given, R) else given

        return getattr(library, name)(*map(value, arguments), **{key: value(given) for key, given in options.items()})

    ours, theirs = made(nn, 0), made(torch.nn, 1)
    ours, theirs = ours.to(getattr(luge, dtype)), theirs.to(getattr(torch, dtype))
    state = {key: pair(numbers(value), dtype, 0)[0] for key, value in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(theirs.state_dict()), "state_dict"
    ours.load_state_dict(state)
    theirs.load_state_dict({key: torch.tensor(numbers(value)) for key, value in ours.state_dict().items()})
    return ours, theirs


def compare(row, dtype, train):
    if OLD and (dtype.endswith("float16") or row[0] == "ChannelShuffle" or "scale_grad_by_freq" in row[2]):
        pytest.skip(f"PyTorch {torch.__version__} has another gradient, or none")
    ours, theirs = built(row, dtype)
    if row[0] in ("Hardsigmoid", "CELU") and dtype == "float64":
        dtype = "float32"  # PyTorch divides by a float32 in their gradients
        given_dtype = "float64"
    else:
        given_dtype = dtype
    ours.train(train), theirs.train(train)
    inplace = getattr(ours, "inplace", False)
    ours_in, theirs_in = [], []
    for seed, given in enumerate(row[3]):
        x, y = pair(given.array(seed), given_dtype, seed)
        if given.grad and x.dtype.is_floating_point:
            x.requires_grad_(True), y.requires_grad_(True)
        ours_in.append(x), theirs_in.append(y)
    # What is overwritten is no leaf.
    passed, expected = ([x * 1 for x in xs] if inplace else xs for xs in (ours_in, theirs_in))
    try:
        result = theirs(*expected)
        upstream = np.random.default_rng(99).normal(size=tuple(result.shape))
        wants_grad = result.requires_grad
        if wants_grad:
            result.backward(pair(upstream, given_dtype, 0)[1])
    except (RuntimeError, NotImplementedError) as error:
        if "not implemented for" in str(error) or "not currently" in str(error):
            pytest.skip(str(error))
        raise
    found = ours(*passed)
    assert str(found.dtype).split(".")[-1] == str(result.dtype).split(".")[-1]
    close(found, result, dtype, "value")
    assert found.requires_grad == wants_grad, "requires_grad"
    if wants_grad:
        found.backward(pair(upstream, given_dtype, 0)[0])
    for index, (x, y) in enumerate(zip(ours_in, theirs_in)):
        assert (x.grad is None) == (y.grad is None), f"gradient of input {index}"
        if y.grad is not None:
            close(x.grad, y.grad, dtype, f"gradient of input {index}")
    for (name, x), (_, y) in zip(ours.named_parameters(), theirs.named_parameters()):
        assert y.grad is not None or x.grad is None, name
        if y.grad is not None:
            close(x.grad, y.grad, dtype, f"gradient of {name}")
        close(x, y, dtype, name)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize("row", TABLE + LOSSES, ids=ident)
def test_as_pytorch(row, dtype):
    if row[0] == "RReLU":
        compare(row, dtype, train=False)
        return
    compare(row, dtype, train=True)
    if dtype == "float64":
        compare(row, dtype, train=False)


@pytest.mark.parametrize("row", TABLE + LOSSES, ids=ident)
def test_repr_and_copies(row):
    ours, theirs = built(row, "float32")
    assert repr(ours) == repr(theirs) or OLD
    for copied in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(copied) == repr(ours) and list(copied.state_dict()) == list(ours.state_dict())
