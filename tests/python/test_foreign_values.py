"""What the memory of other libraries' arrays does not say: signs that change when it is read, masks, who reads it later."""

import pytest

import luge

np = pytest.importorskip("numpy")

WAYS = [luge.as_tensor, luge.tensor, luge.from_dlpack]


def sharing(array):
    return luge.from_dlpack(array, copy=False)


# ---- PyTorch negates and conjugates when it reads


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def negated(torch):
    """Views whose memory holds the opposite sign, of several layouts."""
    z = torch.complex(torch.arange(6.0), torch.arange(6.0)).reshape(2, 3).conj()
    doubles = torch.complex(torch.ones(3).double(), torch.ones(3).double()).conj().imag
    parts = [z.imag, z.imag.t(), z[1].imag, z[1, 2].imag, z[:0].imag, doubles, torch._neg_view(torch.arange(3.0))]
    assert all(part.is_neg() for part in parts)
    return parts


@pytest.mark.parametrize("take", WAYS)
def test_what_pytorch_negates_late_keeps_its_sign(torch, take):
    for part in negated(torch):
        before = part.tolist()
        x = take(part)
        assert x.tolist() == before and x.shape == tuple(part.shape)
        x.fill_(7)
        assert part.tolist() == before


def test_what_pytorch_negates_late_is_shared_with_nobody(torch):
    for part in negated(torch):
        message = r"from_dlpack: the array's memory holds its values with the opposite sign, .* call resolve_neg\(\) first"
        with pytest.raises(BufferError, match=message):
            sharing(part)
        resolved = part.resolve_neg()
        assert sharing(resolved).tolist() == part.tolist()


def test_what_pytorch_need_not_negate_is_shared(torch):
    z = torch.complex(torch.arange(3.0), torch.arange(3.0))
    for part in (z.imag, z.conj().real, z.imag.neg(), torch.arange(3.0)):
        assert luge.as_tensor(part).tolist() == part.tolist()
        assert luge.as_tensor(part).data_ptr() == sharing(part).data_ptr() == part.data_ptr()


@pytest.mark.parametrize("take", [*WAYS, sharing])
def test_conjugated_tensors_are_refused_for_being_complex(torch, take):
    with pytest.raises(luge.DTypeError, match="dtype is complex64"):
        take(torch.complex(torch.ones(3), torch.ones(3)).conj())


def test_negated_leaves_are_refused(torch):
    leaf = torch.complex(torch.ones(3), torch.ones(3)).requires_grad_()
    for take in WAYS:
        with pytest.raises((RuntimeError, BufferError), match="requires? grad"):
            take(leaf.conj().imag)
    assert luge.as_tensor(leaf.conj().imag.detach()).tolist() == [-1, -1, -1]


def test_an_answer_that_cannot_be_had_is_the_users_to_see():
    class Broken(Lender):
        def is_neg(self):
            raise KeyError("no answer")

        def resolve_neg(self):
            return self

    for take in (*WAYS, sharing):
        with pytest.raises(KeyError, match="no answer"):
            take(Broken(luge.ones(2)))


# ---- arrays that their library takes to be constant


class Lender:
    """Lends a tensor by a capsule that says nothing about writing, whatever is asked of it, unless it is `modern`."""

    modern = False

    def __init__(self, tensor):
        self.lent, self.shape = tensor, tensor.shape

    def __dlpack_device__(self):
        return self.lent.__dlpack_device__()

    def __dlpack__(self, **keywords):
        return self.lent.__dlpack__(max_version=(1, 0) if self.modern else None)


def of(module, base=Lender, **members):
    """A class like Lender that a package seems to define."""
    return type("array", (base,), {"__module__": module, **members})


@pytest.mark.parametrize("module", ["mlx.core", "mlx"])
@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("derived", [False, True])
def test_arrays_of_mlx_are_copied_unless_sharing_is_asked_for(module, derived, modern):
    kind = of("of_the_user", of(module)) if derived else of(module)
    kind.modern = modern
    x = luge.zeros(3)
    for take in WAYS:
        take(kind(x)).fill_(1)
        assert x.tolist() == [0, 0, 0]
    assert luge.from_dlpack(kind(x), copy=True).data_ptr() != x.data_ptr()
    assert sharing(kind(x)).data_ptr() == x.data_ptr()


def test_arrays_of_mlx_that_come_by_numpy_are_copied():
    def refuse(self, **keywords):
        raise BufferError("cannot be lent")

    kind = of("mlx.core", __dlpack__=refuse, __array__=lambda self, *how: self.lent.numpy())
    x = luge.zeros(3)
    for take in (luge.as_tensor, luge.tensor):
        take(kind(x)).fill_(1)
        assert x.tolist() == [0, 0, 0]


@pytest.mark.parametrize("module", ["mlxtend.core", "other.mlx", "numpy", None])
def test_others_are_shared(module):
    x = luge.zeros(3)
    assert luge.as_tensor(of(module)(x)).data_ptr() == luge.from_dlpack(of(module)(x)).data_ptr() == x.data_ptr()


def test_arrays_that_numpy_gets_read_only_are_copied_or_refused():
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    kind = of("jaxlib._jax", __array__=lambda self, *how: array)
    x = luge.zeros(3)
    for take in WAYS:
        take(kind(x)).fill_(1)
        assert x.tolist() == [0, 0, 0]
    with pytest.raises(BufferError, match="the array is read-only and copy is False"):
        sharing(kind(x))


# ---- NumPy's masked arrays


@pytest.mark.parametrize("take", [*WAYS, sharing, luge.from_numpy])
@pytest.mark.parametrize("array", [
    np.ma.array([1.0, 2.0], mask=[False, True]),
    np.ma.array([[1, 2], [3, 4]], mask=[[True, False], [False, False]]).T,
])  # fmt: skip
def test_masks_are_refused(take, array):
    with pytest.raises(ValueError, match=r": the array has a mask; .* array\.filled\(value\)"):
        take(array)
    assert take(array.filled(9)).tolist() == array.filled(9).tolist()


def test_masked_is_no_number():
    with pytest.raises(ValueError, match="tensor: the array has a mask"):
        luge.tensor(np.ma.masked)


def test_masks_that_hide_nothing_are_taken():
    for array in (np.ma.array([1.0, 2.0]), np.ma.array([1.0, 2.0], mask=[False, False])):
        for take in (*WAYS, luge.from_numpy):
            assert take(array).tolist() == [1, 2]
