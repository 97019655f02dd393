"""What a tensor is: attributes, values on the host, views, copies, changes in place."""

import copy
import gc
import weakref

import pytest

import luge


def test_attributes():
    x = luge.zeros(2, 3, 4, dtype=luge.float64)
    assert (x.shape, x.ndim, x.dim(), x.numel(), x.nelement()) == ((2, 3, 4), 3, 3, 24, 24)
    assert x.dtype is luge.float64 and x.device == luge.device("cpu") and not x.is_cuda
    assert x.stride() == (12, 4, 1) and x.stride(1) == 4 and x.size() == (2, 3, 4) and x.size(-1) == 4
    assert x.element_size() == x.itemsize == 8 and x.nbytes == 192
    assert x.is_contiguous() and not x.T.is_contiguous() and x.is_floating_point()
    assert x[1].storage_offset() == 12 and x[1].data_ptr() == x.data_ptr() + 96
    assert x.is_leaf and not x.requires_grad and x._version == 0
    x.add_(1)
    assert x._version == 1
    for action in (lambda: x.size(3), lambda: x.stride(-4)):
        with pytest.raises(IndexError):
            action()


@pytest.mark.parametrize("value, kind", [(3, int), (2.5, float), (True, bool)])
def test_item(value, kind):
    x = luge.tensor([[value]])
    assert x.item() == value and type(x.item()) is kind
    assert float(x) == float(value) and int(x) == int(value) and bool(x) == bool(value)
    with pytest.raises(luge.ShapeError):
        luge.ones(2).item()
    with pytest.raises(luge.ShapeError):
        bool(luge.ones(2))


def test_repr_and_format():
    assert repr(luge.tensor([1.0, 2.5])) == "tensor([1.0000, 2.5000])"
    assert repr(luge.tensor([[1, 2], [3, 4]])) == "tensor([[1, 2],\n        [3, 4]])"
    assert f"{luge.tensor(2.5):.3f}" == "2.500" and f"{luge.tensor([1, 2])}" == "tensor([1, 2])"
    assert "requires_grad" in repr(luge.ones(1, requires_grad=True))


@pytest.mark.parametrize("method, dtype", [
    ("bool", "bool"), ("byte", "uint8"), ("char", "int8"), ("short", "int16"), ("int", "int32"), ("long", "int64"),
    ("half", "float16"), ("bfloat16", "bfloat16"), ("float", "float32"), ("double", "float64"),
])  # fmt: skip
def test_conversions(method, dtype):
    x = luge.tensor([0.0, 1.75])
    kind = getattr(luge, dtype)
    converted = getattr(x, method)()
    assert converted.dtype is kind
    assert x.to(kind).dtype is kind and x.to(dtype=kind).dtype is kind and x.type_as(luge.zeros(1, dtype=kind)).dtype is kind
    assert x.to(luge.zeros(1, dtype=kind)).dtype is kind
    assert converted.tolist() == [0, 1.75 if kind.is_floating_point else 1]


def test_to():
    x = luge.ones(2)
    assert x.to(luge.float32).data_ptr() == x.data_ptr() and x.to("cpu").data_ptr() == x.data_ptr()
    assert x.to(luge.float32, copy=True).data_ptr() != x.data_ptr()
    assert x.cpu().data_ptr() == x.data_ptr()
    with pytest.raises(TypeError):
        x.to(3)
    for args, keywords in (((luge.float32, luge.float64), {}), (("cpu", "cpu"), {}), ((luge.float32,), {"dtype": luge.float32}),
                           (("cpu",), {"device": "cpu"}), ((x, luge.float32), {}), ((luge.float32, x), {}), ((x, "cpu"), {}),
                           ((x,), {"dtype": luge.float32})):
        with pytest.raises(TypeError, match="^to: (dtype|device) is given twice$"):
            x.to(*args, **keywords)
    if not luge.cuda.is_available():
        for action in (lambda: x.cuda(), lambda: x.to("cuda"), lambda: x.to(device="cuda:1")):
            with pytest.raises(luge.DeviceError):
                action()


def test_views():
    x = luge.arange(24).view(2, 3, 4)
    assert x.view(6, -1).shape == (6, 4) and x.reshape((4, 6)).shape == (4, 6) and x.flatten().shape == (24,)
    assert x.flatten(1).shape == (2, 12) and x.transpose(0, 2).shape == (4, 3, 2) and x.permute(1, 2, 0).shape == (3, 4, 2)
    assert x.permute((2, 0, 1)).shape == (4, 2, 3) and x.T.shape == (4, 3, 2) and x.mT.shape == (2, 4, 3)
    assert x.unsqueeze(1).shape == (2, 1, 3, 4) and x.unsqueeze(1).squeeze(1).shape == x.shape
    assert x.unsqueeze(0).unsqueeze(-1).squeeze().shape == x.shape and x.select(1, 2).shape == (2, 4)
    assert x.narrow(2, 1, 2).tolist() == x[:, :, 1:3].tolist() and x.narrow(2, -2, 1).tolist() == x[:, :, 2:3].tolist()
    assert x[:1].expand(5, -1, 4).shape == (5, 3, 4) and x[:1].expand_as(x).shape == x.shape and x[0].t().shape == (4, 3)
    for view in (x.view(24), x.T, x.mT, x.permute(2, 1, 0), x.expand(2, 3, 4)):
        assert view.data_ptr() == x.data_ptr()
    assert x.T.contiguous().is_contiguous() and x.contiguous().data_ptr() == x.data_ptr()


def test_transposes_of_a_number_are_the_number():
    x = luge.arange(6).view(2, 3)[1][2]
    for view in (x.T, x.mT, x.H, x.mH):
        assert view.shape == () and view.item() == 5 and view.data_ptr() == x.data_ptr()


def test_views_by_keyword():
    x = luge.arange(6).view(size=(2, 3))
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]] and x.permute(dims=(1, 0)).tolist() == x.T.tolist()
    assert x.reshape(shape=[3, -1]).tolist() == [[0, 1], [2, 3], [4, 5]] and x[:1].expand(size=(2, -1)).tolist() == [[0, 1, 2]] * 2
    for action in (lambda: x.permute(0, 1, dims=(1, 0)), lambda: x.view(6, size=(6,)), lambda: x.reshape(6, shape=(6,)),
                   lambda: x.expand(2, 3, size=(2, 3))):
        with pytest.raises(TypeError, match="is given twice"):
            action()


@pytest.mark.parametrize("action", [
    lambda x: x.view(5), lambda x: x.T.view(6), lambda x: x.expand(4, 4), lambda x: x.permute(0, 0), lambda x: x.mT.mT[0].mT,
    lambda x: x.narrow(0, 1, 2), lambda x: x.transpose(0, 5), lambda x: x.squeeze(7), lambda x: x.unsqueeze(9),
    lambda x: x.flatten(1, 0), lambda x: x.select(0, 9), lambda x: x.view(-1, -1), lambda x: x[0].mT,
    lambda x: x.permute(dims=(0, 0)), lambda x: x.view(size=(5, -1)), lambda x: x.expand(size=(4, 4)),
])  # fmt: skip
def test_bad_views(action):
    with pytest.raises((ValueError, IndexError)):
        action(luge.zeros(2, 3))


@pytest.mark.parametrize("action", [
    lambda x: x.view("a"), lambda x: x.reshape(1.5), lambda x: x.permute("ab"), lambda x: x.transpose(0, "b"),
    lambda x: x.view({}), lambda x: x.copy_("text"), lambda x: x.fill_([1]), lambda x: x.add_(None), lambda x: x.narrow(0, None, 1),
])  # fmt: skip
def test_bad_types(action):
    with pytest.raises(TypeError):
        action(luge.zeros(2, 3))


@pytest.mark.parametrize("dtype", [luge.bool, luge.uint8, luge.int8, luge.int16, luge.int32, luge.int64])
def test_negative_powers_of_integers(dtype):
    x = luge.tensor([1, 1]).to(dtype)
    for name, action in (("pow", lambda: x**-1), ("pow", lambda: luge.pow(x, -1)), ("pow", lambda: x.pow(-3)), ("pow_", lambda: x.pow_(-1)),
                         ("pow_", lambda: x.__ipow__(-1)), ("pow", lambda: x[:0] ** -1)):
        with pytest.raises(ValueError, match=f"^{name}: the base is {str(dtype)[5:]} and the exponent -[13]; an integer base allows"):
            action()
    assert x.tolist() == [1, 1] and (x**-1.0).tolist() == [1, 1]
    assert luge.float_power(x, -1).tolist() == x.float_power(-1).tolist() == [1, 1]
    assert (luge.tensor([2, -1], dtype=luge.int32) ** luge.tensor(-1)).tolist() == [0, -1]  # exponents of tensors are not looked at
    assert luge.tensor([2, -1]).pow_(luge.tensor([-1, -3])).tolist() == [0, -1]
    assert luge.tensor([2.0, 4.0]).pow_(-1).tolist() == [0.5, 0.25]


def test_in_place():
    x = luge.ones(3)
    assert x.add_(1) is x and x.mul_(luge.tensor([1.0, 2.0, 3.0])) is x and x.tolist() == [2, 4, 6]
    assert x.sub_(2).div_(2).tolist() == [0, 1, 2]
    assert x.fill_(7) is x and x.zero_().tolist() == [0, 0, 0]
    assert x.copy_(luge.tensor([1, 2, 3])).tolist() == [1, 2, 3] and x.copy_(5).tolist() == [5, 5, 5]
    with pytest.raises(luge.ShapeError):
        x.copy_(luge.ones(4))
    with pytest.raises(luge.ShapeError):
        luge.ones(1).expand(3).add_(1)


def test_copies():
    x = luge.ones(3, requires_grad=True)
    y = x.clone()
    assert y.data_ptr() != x.data_ptr() and not y.is_leaf
    assert copy.copy(x).data_ptr() == x.data_ptr()
    deep = copy.deepcopy(x)
    assert deep.data_ptr() != x.data_ptr() and deep.is_leaf and deep.requires_grad
    with pytest.raises(luge.AutogradError, match="detach"):
        copy.deepcopy(y)
    assert x.detach().data_ptr() == x.data_ptr() and not x.detach().requires_grad


def test_comparison_with_other_objects():
    x = luge.ones(2)
    assert (x == None) is False and (x != None) is True and (x == "text") is False  # noqa: E711
    assert x in {x: 1} and x.equal(luge.ones(2)) and not x.equal(luge.ones(3)) and not x.equal(luge.zeros(2))


def test_lifetime():
    x = luge.ones(1000)
    reference, before = weakref.ref(x), luge.memory_stats().allocated
    view = x[10:]
    del x
    gc.collect()
    assert reference() is None and luge.memory_stats().allocated == before
    del view
    assert luge.memory_stats().allocated < before


@pytest.mark.filterwarnings("ignore:nanobind")
def test_an_object_without_a_tensor():
    empty = luge.Tensor.__new__(luge.Tensor)
    for action in (
        lambda: empty + 1, lambda: -empty, lambda: abs(empty), lambda: empty.shape, lambda: empty.add_(1), lambda: empty[0],
        lambda: luge.exp(empty), lambda: luge.ones(2) + empty, lambda: luge.Tensor.add_(5, 1), lambda: luge.Tensor.fill_("a", 1),
        lambda: luge.Tensor.requires_grad_(3), lambda: empty.requires_grad_(), lambda: ~empty, lambda: luge.Tensor(),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            action()
