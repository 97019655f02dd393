"""A call that is wrong names what was called, the argument, what was given and what is allowed."""

import inspect

import pytest

import luge

F = luge.nn.functional


def tensors():
    return [luge.ones(2, 3), luge.ones(2, 3).to(luge.int64), luge.ones(2, 3) > 0, luge.tensor(1.0), luge.ones(0, 3), luge.ones(7),
            luge.ones(2, 3, requires_grad=True), luge.tensor([[0, 9]])]  # fmt: skip


def arguments():
    x = tensors()
    yield from [(), (99,), (-99, 0), (0, 99), (99, 99, 99), ("text",), (None,), (object(),), (0.5,), ((0, 0),), ([99],), (x[0], -2),
                (0, luge.ones(7)), (0, luge.tensor([99])), (0, x[7]), (99, luge.tensor([0])), (-1, -5), (0, 1, 0, 1, 0, 1),
                ((-1, -1),), (x[0], x[5]), (x[7], x[0]), (-1, 0, -9)]  # fmt: skip
    yield from ((tensor,) for tensor in x)


def functions():
    """Every public function; none of these changes anything but its arguments."""
    for owner in (luge, F):
        for name, value in vars(owner).items():
            if not name.startswith("_") and callable(value) and not inspect.isclass(value) and name not in KEPT_OUT:
                yield name, value


#: What sets something for the whole program, and what takes no tensor but a function.
KEPT_OUT = {"set_num_threads", "set_memory_limit", "manual_seed", "capture", "set_autocast_enabled", "set_autocast_dtype",
            "set_autocast_cache_enabled", "autocast_increment_nesting", "autocast_decrement_nesting", "clear_autocast_cache",
            "is_autocast_cache_enabled"}
NO_TENSOR = {"zeros", "ones", "rand", "randn", "empty", "is_grad_enabled", "memory_limit", "get_num_threads",
             "get_float32_matmul_precision"}
FUNCTIONS = dict(functions())
METHODS = [name for name, value in vars(luge.Tensor).items() if not name.startswith("_") and type(value).__name__ == "nb_method"]


def failures(name, call, cases):
    """How often a call failed; each time it said its own name first."""
    count = 0
    for args in cases:
        try:
            call(*args)
        except BufferError:
            pass  # the words of the protocol of arrays, which other libraries call
        except Exception as error:
            count += 1
            assert str(error).startswith((f"{name}: ", f"{name}()")), (name, args)
    return count


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_name_themselves(name):
    call = FUNCTIONS[name]
    cases = [*arguments(), *((first, *rest) for first in tensors() for rest in arguments())]
    assert failures(name, call, cases) > 0
    with pytest.raises(TypeError, match=rf"^{name}(: there is no argument 'nonsense'|\(\).*'nonsense')"):
        call(*[luge.ones(2)] * (name not in NO_TENSOR), nonsense=1)


@pytest.mark.parametrize("name", METHODS)
def test_methods_name_themselves(name):
    count = 0
    for rest in arguments():
        for x in tensors():
            count += failures(name, getattr(x, name), [rest])
    assert count > 0
    with pytest.raises(TypeError, match=rf"^{name}: there is no argument 'nonsense'"):
        getattr(luge.ones(2), name)(nonsense=1)
    with pytest.raises(TypeError, match=rf"^{name}: (self|input) is "):
        getattr(luge.Tensor, name)("no tensor", *["more"] * len(required(getattr(luge.Tensor, name))))


def required(function):
    """The arguments after self that have no default."""
    text = function.__nb_signature__[0][0].partition("(")[2]
    named = [part for part in text.rpartition(") ->")[0].split(", ") if ":" in part and "=" not in part and "*" not in part]
    return named


@pytest.mark.parametrize("action, kind, text", [
    (lambda x: luge.amax(x, 5), IndexError, "amax: dim 5 is out of range; a 2-d tensor allows -2 to 1"),
    (lambda x: x.amin("a"), TypeError, "amin: dim is of type str; it must be an int, or a tuple, list or range of ints"),
    (lambda x: x.narrow(7, 0, 1), IndexError, "narrow: dim 7 is out of range; a 2-d tensor allows -2 to 1"),
    (lambda x: luge.mm(x, x), luge.ShapeError, "mm: inner dimensions differ: a is (2, 3), b is (2, 3); a[-1] must equal b[-2]"),
    (lambda x: x.requires_grad_().zero_(), luge.AutogradError, "zero_: a leaf that requires a gradient, or a view of one, cannot be changed "
     "in place while gradients are recorded; use no_grad or detach()"),
    (lambda x: F.embedding(luge.tensor([5]), x), IndexError, "embedding: index 5 at position 0 is out of range; allowed are 0 to 1; "
     "dim 0 has size 2"),
    (lambda x: F.embedding(luge.tensor([0]), x.sum()), luge.ShapeError, "embedding: weight is (); allowed are (count, dim) and "
     "(sets, count, dim)"),
    (lambda x: luge.nn.Embedding(2, 2)(x), luge.DTypeError, "embedding: index is float32; allowed are int32 and int64"),
    (lambda x: x.std(9), IndexError, "std: dim 9 is out of range; a 2-d tensor allows -2 to 1"),
    (lambda x: luge.zeros(-1), luge.ShapeError, "zeros: the shape (-1,) has a negative size; sizes must be 0 or more"),
    (lambda x: luge.zeros(2, device="tpu"), ValueError, "zeros: 'tpu' is not a device; allowed are cpu, cuda and cuda:n"),
    (lambda x: x[7], IndexError, "indexing: index 7 is out of range for dimension 0 of size 2; allowed are -2 to 1"),
    (lambda x: bool(x), luge.ShapeError, "bool: the tensor has shape (2, 3) and 6 elements; exactly one is allowed"),
    (lambda x: setattr(x.long(), "requires_grad", True), luge.DTypeError, "requires_grad: the tensor is int64; only floating dtypes can "
     "require a gradient"),
    (lambda x: luge.optim.SGD([luge.ones(1, requires_grad=True)], lr=-1), ValueError, "SGD: lr is -1; it must be 0 or more and finite"),
    (lambda x: luge.Parameters().add("a", -1, luge.init.ones()), luge.ShapeError, "Parameters.add: the shape (-1,) has a negative size; "
     "sizes must be 0 or more"),
    (lambda x: luge.Monitor(progress=False).record(luge.zeros(0)), luge.ShapeError, "Monitor.record: the loss of shape (0,) has no elements"),
    (lambda x: luge.capture(lambda: x.add_(1)).run(0), ValueError, "Step.run: steps is 0; it must be 1 or more"),
])  # fmt: skip
def test_what_was_called_is_named(action, kind, text):
    with pytest.raises(kind) as error:
        action(luge.ones(2, 3))
    assert str(error.value) == text


@pytest.mark.parametrize("action, text", [
    (lambda x: x.sum(dims=0), "sum: there is no argument 'dims'; did you mean 'dim'? (allowed: dim, keepdim, dtype)"),
    (lambda x: x.sum(axes=0), "sum: there is no argument 'axes' (allowed: dim, keepdim, dtype)"),
    (lambda x: luge.zeros(2, dtyp=luge.float32), "zeros: there is no argument 'dtyp'; did you mean 'dtype'? (allowed: size, dtype, "
     "device, requires_grad)"),
    (lambda x: x.sum(0, dim=1), "sum: dim is given twice"),
    (lambda x: x.sum(axis=0, dim=1), "sum: dim is given twice"),
    (lambda x: x.sum(1, True, 3), "sum: 3 arguments are given; at most 2 are taken by position (dim, keepdim); dtype by keyword only"),
    (lambda x: luge.full((2,), 1, luge.float32), "full: 3 arguments are given; at most 2 are taken by position (size, fill_value); "
     "dtype, device, requires_grad by keyword only"),
    (lambda x: luge.sum(), "sum: input is missing; the arguments are input, dim, keepdim, dtype, out"),
    (lambda x: luge.softmax(x), "softmax: dim is missing; the arguments are input, dim, dtype, out"),
    (lambda x: luge.exp(3), "exp: input is of type int; it must be Tensor"),
    (lambda x: luge.exp(None), "exp: input is None; it must be Tensor"),
    (lambda x: luge.cat([x, 3]), "cat: tensors[1] is of type int; it must be Tensor"),
    (lambda x: luge.cat(x), "cat: tensors is of type Tensor; it must be Sequence[Tensor]"),
    (lambda x: x.view(2, "a"), "view: size[1] is of type str; it must be an int"),
    (lambda x: x.view((2, "a")), "view: size[1] is of type str; it must be an int"),
    (lambda x: luge.manual_seed(-1), "manual_seed: seed is -1, which is out of range"),
    (lambda x: luge.zeros(2, dtype="float32"), "zeros: dtype is of type str; it must be dtype or None"),
    (lambda x: luge.optim.Adam(), "Adam: params is missing; the arguments are params, lr, betas, eps, weight_decay, amsgrad, "
     "foreach, maximize, capturable, differentiable, fused, decoupled_weight_decay"),
    (lambda x: luge.optim.lr_scheduler.StepLR(3, 1), "StepLR: optimizer is of type int; it must be Optimizer"),
    (lambda x: luge.Parameters(set=3), "Parameters: there is no argument 'set'; did you mean 'sets'? (allowed: sets, device, dtype, "
     "seed, first_set)"),
    (lambda x: setattr(x, "requires_grad", "a"), "requires_grad: arg is of type str; it must be bool"),
    (lambda x: luge.data.read_idx(3), "read_idx: path is of type int; it must be str or PathLike"),
])  # fmt: skip
def test_arguments_that_do_not_fit(action, text):
    with pytest.raises(TypeError) as error:
        action(luge.ones(2, 3))
    assert str(error.value) == text


def test_errors_from_within_keep_their_names():
    """What Python code does that an operation calls is named by that code."""
    x = luge.ones(2, requires_grad=True)

    class Wrong(luge.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return luge.amax(grad, 5)

    with pytest.raises(IndexError, match="^amax: dim 5"):
        Wrong.apply(x).backward(luge.ones(2))
    with pytest.raises(IndexError, match="^amax: dim 5"):
        luge.capture(lambda: luge.amax(x, 5)).run(2)
    with pytest.raises(KeyError, match="mine"):
        luge.optim.SGD([x]).step(lambda: {}["mine"])


def test_axis_is_dim():
    x = luge.arange(6).view(2, 3).float()
    assert x.sum(axis=0).equal(x.sum(dim=0)) and luge.sum(x, axis=1, keepdims=True).shape == (2, 1)
    for name in ("sum", "mean", "prod", "amax", "amin", "argmax", "argmin", "logsumexp", "nansum", "var", "std"):
        assert getattr(luge, name)(x, axis=1, keepdims=True).equal(getattr(x, name)(1, keepdim=True)), name
    assert x.max(axis=1).indices.tolist() == [2, 2] and x.min(axis=1, keepdims=True).values.shape == (2, 1)
    assert luge.cat([x, x], axis=1).shape == (2, 6) and luge.stack([x, x], axis=2).shape == (2, 3, 2)
    assert luge.softmax(x, axis=0).equal(x.softmax(0)) and F.log_softmax(x, axis=1).equal(x.log_softmax(1))
    assert x.unsqueeze(axis=0).shape == (1, 2, 3) and x[:1].squeeze(axis=0).shape == (3,) and x.size(axis=1) == 3
    assert x.index_select(axis=1, index=luge.tensor([0])).shape == (2, 1) and x.narrow(axis=0, start=0, length=1).shape == (1, 3)
    made_at_run_time = {"".join(("ax", "is")): 0}
    assert x.sum(**made_at_run_time).equal(x.sum(0))


def test_ranges_are_lists_of_numbers():
    assert luge.tensor(range(4)).tolist() == [0, 1, 2, 3] and luge.tensor(range(4)).dtype is luge.int64
    assert luge.tensor([range(2), range(2, 4)]).tolist() == [[0, 1], [2, 3]] and luge.as_tensor(range(0)).shape == (0,)
    x = luge.arange(12).view(3, 4)
    assert x[range(0, 3, 2)].tolist() == x[[0, 2]].tolist() and x[:, range(2)].shape == (3, 2)
    x[range(2)] = 0
    assert x[:2].sum() == 0
    assert x.sum(dim=range(2)).shape == () and x.permute(range(1, -1, -1)).shape == (4, 3) and luge.zeros(range(2, 4)).shape == (2, 3)


def test_paths(tmp_path):
    file = tmp_path / "labels-idx1-ubyte"
    file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 7]))
    assert luge.data.read_idx(file).tolist() == luge.data.read_idx(str(file)).tolist() == [5, 7]
    monitor = luge.Monitor(progress=False)
    monitor.record(luge.ones(1))
    monitor.write_csv(tmp_path / "history.csv")
    monitor.write_jsonl(tmp_path / "history.jsonl")
    assert (tmp_path / "history.csv").exists() and (tmp_path / "history.jsonl").exists()
    with pytest.raises(luge.IoError, match="no such folder"):
        luge.data.load_idx_dataset(tmp_path / "none")
