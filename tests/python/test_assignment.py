"""x[...] = y and changes in place, with their gradients."""

import pytest

import luge

np = pytest.importorskip("numpy")


def leaf(*values):
    return luge.tensor([float(v) for v in values], dtype=luge.float64, requires_grad=True)


# ---- masks without dimensions


@pytest.mark.parametrize("kind", [luge.tensor, np.bool_, bool])
def test_a_mask_without_dimensions(kind):
    loss = luge.tensor(2.5)
    loss[kind(False)] = 0.0
    assert loss.item() == 2.5
    loss[kind(True)] = 1.0
    assert loss.item() == 1.0
    w = luge.ones(2, 3)
    w[kind(False)] = 0.0
    assert w.sum().item() == 6
    w[kind(True)] = luge.arange(3.0)
    assert w.tolist() == [[0, 1, 2]] * 2
    assert w[kind(True)].shape == (1, 2, 3) and w[kind(False)].shape == (0, 2, 3)


def test_isnan_of_a_loss():
    loss = luge.tensor(3.0)
    loss[luge.isnan(loss)] = 0.0
    assert loss.item() == 3
    loss = luge.tensor(float("nan"))
    loss[luge.isnan(loss)] = 0.0
    assert loss.item() == 0


# ---- gradients to both sides

SOME, FROM_END, EQUAL = luge.tensor([3, 0]), luge.tensor([-1, 0]), luge.tensor([2, 2])

ASSIGNMENTS = {
    "a mask and a number": (lambda y, w: y.__setitem__(y > 2.5, 0.0), [1, 1, 0, 0], [0, 0]),
    "a mask and one value": (lambda y, w: y.__setitem__(y > 2.5, w[0] * 3), [1, 1, 0, 0], [6, 0]),
    "a mask and a value for each place": (lambda y, w: y.__setitem__(y > 2.5, w), [1, 1, 0, 0], [1, 1]),
    "indices": (lambda y, w: y.__setitem__(SOME, w), [0, 1, 1, 0], [1, 1]),
    "indices from the end": (lambda y, w: y.__setitem__(FROM_END, w), [0, 1, 1, 0], [1, 1]),
    "equal indices": (lambda y, w: y.__setitem__(EQUAL, w), [1, 1, 0, 1], [0, 1]),
    "a list": (lambda y, w: y.__setitem__([1, 2], w * 2), [1, 0, 0, 1], [2, 2]),
    "an array": (lambda y, w: y.__setitem__(np.array([1, 2]), w), [1, 0, 0, 1], [1, 1]),
    "an int": (lambda y, w: y.__setitem__(0, w[1]), [0, 1, 1, 1], [0, 1]),
    "a slice": (lambda y, w: y.__setitem__(slice(1, 3), w), [1, 0, 0, 1], [1, 1]),
    "a slice with a step": (lambda y, w: y.__setitem__(slice(0, 4, 2), w), [0, 1, 0, 1], [1, 1]),
    "a broadcast slice": (lambda y, w: y.__setitem__(slice(None), w[1]), [0, 0, 0, 0], [0, 4]),
    "...": (lambda y, w: y.__setitem__(..., w[0]), [0, 0, 0, 0], [4, 0]),
    "a slice and a number": (lambda y, w: y.__setitem__(slice(0, 3), 5.0), [0, 0, 0, 1], [0, 0]),
}


@pytest.mark.parametrize("assign, of_x, of_w", ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_gradients_of_an_assignment(assign, of_x, of_w):
    x, w = leaf(1, 2, 3, 4), leaf(10, 20)
    y = x * 1
    assign(y, w)
    (y.sum() + 0 * w.sum()).backward()
    assert x.grad.tolist() == of_x and w.grad.tolist() == of_w


@pytest.mark.parametrize("assign, of_x, of_w", ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_an_assignment_passes_gradcheck(assign, of_x, of_w):
    def function(x, w):
        y = x * 2
        assign(y, w)
        return y * y

    assert luge.autograd.gradcheck(function, [leaf(0.25, 0.75, 1.5, 2.25), leaf(0.5, -1)])


@pytest.mark.parametrize("assign, of_x, of_w", ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_an_assignment_in_a_captured_step(assign, of_x, of_w, request):
    if any(kind in request.node.name for kind in ("each place", "a list", "an array")):  # these need the host
        with pytest.raises(luge.CaptureError):
            luge.capture(lambda y=luge.zeros(4), w=luge.ones(2): assign(y, w))()
        return
    results = []
    for captured in (False, True):
        x, w = leaf(1, 2, 3, 4), leaf(10, 20)

        def step():
            x.grad = w.grad = None
            y = x * 1
            assign(y, w)
            (y * y).sum().backward()
            with luge.no_grad():
                x.sub_(x.grad * 0.125)
                w.add_(w.grad * 0.125 if w.grad is not None else w)
            return y

        run = luge.capture(step) if captured else step
        results.append([(run().tolist(), x.tolist(), w.tolist()) for _ in range(4)])
    assert results[0] == results[1]


def test_picking_in_a_captured_step():
    table, index = luge.arange(12.0).view(4, 3), luge.tensor([-1, 0])
    step = luge.capture(lambda: table[index])
    assert step().tolist() == [[9, 10, 11], [0, 1, 2]]
    index.copy_(luge.tensor([1, -2]))
    assert step().tolist() == [[3, 4, 5], [6, 7, 8]]
    index.copy_(luge.tensor([1, 4]))
    with pytest.raises(IndexError, match="index 4 at position 1 is out of range; allowed are -4 to 3"):
        step()
    with pytest.raises(luge.CaptureError, match="indexing by a mask .*reads a value on the host"):
        luge.capture(lambda: table[table > 2])()


def test_a_tensor_without_a_graph_gets_one():
    w = leaf(3, 4)
    y = luge.zeros(2, dtype=luge.float64)
    y[0] = w[0]
    assert y.requires_grad and not y.is_leaf
    (y * y).sum().backward()
    assert w.grad.tolist() == [6, 0]


def test_rows_columns_and_blocks():
    w = leaf(1, 2, 3)
    y = luge.zeros(3, 3, dtype=luge.float64)
    y[1] = w
    y[:, 2] = w * 2
    y[0, :2] = w[1:]
    assert y.tolist() == [[2, 3, 2], [1, 2, 4], [0, 0, 6]]
    y.sum().backward()
    assert w.grad.tolist() == [3, 4, 3]
    mask = luge.tensor([True, False, True])
    z = luge.zeros(3, 3, dtype=luge.float64)
    z[mask] = leaf(1, 2, 3)
    z[:, mask] = 7.0
    assert z.tolist() == [[7, 2, 7], [7, 0, 7], [7, 2, 7]]


def test_a_leaf_is_not_assigned_to():
    x = leaf(1, 2, 3)
    for key in (0, slice(None), ..., x > 1, luge.tensor([0, 1]), [2], True, luge.tensor(True)):
        with pytest.raises(luge.AutogradError, match="a leaf that requires a gradient, or a view of one, cannot be changed"):
            x[key] = 0.0
    assert x.tolist() == [1, 2, 3]
    with luge.no_grad():
        x[x > 1] = 0.0
        x[[0]] = 9.0
    assert x.tolist() == [9, 0, 0]


def test_a_saved_tensor_that_is_assigned_to():
    x = leaf(1, 2)
    y = x * 1
    z = y * y
    y[0] = 5.0
    with pytest.raises(luge.AutogradError, match="mul: .* was changed in place"):
        z.sum().backward()


def test_in_place_operations_of_a_graph():
    x, w = leaf(1, 2), leaf(3, 4)
    y = x * 1
    y.add_(w).mul_(w).sub_(1.0).div_(2.0)
    y += w
    y *= 2
    assert y.tolist() == [17, 31]
    y.sum().backward()
    assert x.grad.tolist() == [3, 4] and w.grad.tolist() == [1 + 3 + 3 + 2, 2 + 4 + 4 + 2]


def test_errors_of_an_assignment():
    x = luge.zeros(4)
    with pytest.raises(IndexError, match="index 4 at position 1 is out of range; allowed are -4 to 3"):
        x[luge.tensor([0, 4])] = 1.0
    with pytest.raises(luge.ShapeError):
        x[luge.tensor([0, 1])] = luge.ones(3)
    with pytest.raises(IndexError, match="does not match the tensor's size"):
        x[luge.tensor([True])] = 1.0
    assert x.tolist() == [0] * 4


def test_index_copy():
    x = luge.zeros(3, 2)
    y = luge.index_copy(x, 0, luge.tensor([2, 0]), luge.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert y.tolist() == [[3, 4], [0, 0], [1, 2]] and x.sum().item() == 0
    assert x.index_copy(1, luge.tensor([1]), luge.ones(3, 1)).tolist() == [[0, 1]] * 3
    with pytest.raises(luge.ShapeError, match=r"index_copy: source is \(2,\).* needs \(2, 2\)"):
        luge.index_copy(x, 0, luge.tensor([0, 1]), luge.zeros(2))
    with pytest.raises(IndexError, match="index_copy: index 3 at position 0 is out of range; allowed are 0 to 2"):
        luge.index_copy(x, 0, luge.tensor([3]), luge.zeros(1, 2))


UNARY = ("neg_ square_ abs_ sign_ sqrt_ rsqrt_ exp_ expm1_ log_ log1p_ sin_ cos_ tanh_ sigmoid_ relu_ gelu_ silu_").split()


@pytest.mark.parametrize("name", UNARY)
def test_functions_in_place(name):
    function = getattr(luge, name[:-1])
    x = luge.tensor([0.25, 0.5, 0.75], dtype=luge.float64)
    y = x.clone()
    assert getattr(y, name)() is y and y.equal(function(x))
    leaf = x.clone().requires_grad_()
    other = x.clone().requires_grad_()
    changed = leaf * 1
    getattr(changed, name)()
    (changed * changed).sum().backward()
    (function(other) * function(other)).sum().backward()
    assert leaf.grad.tolist() == other.grad.tolist()
    with pytest.raises(luge.AutogradError, match=f"{name}: a leaf that requires a gradient"):
        getattr(leaf, name)()


def test_clamp_in_place():
    x = leaf(-1, 0.5, 2)
    y = x * 1
    assert y.clamp_(0, 1) is y and y.tolist() == [0, 0.5, 1]
    y.clamp_(max=0.75).sum().backward()
    assert x.grad.tolist() == [0, 1, 0]
    n = luge.tensor([1, 5])
    assert n.clamp_(min=2).tolist() == [2, 5]
    with pytest.raises(luge.DTypeError, match="clamp_: the result is float32 and the tensor is int64; float32 cannot be cast to int64"):
        n.clamp_(min=2.5)
    assert n.tolist() == [2, 5]


def test_an_int_of_numpy_makes_a_view():
    x = luge.zeros(3, 2)
    x[np.int64(1)].add_(1)
    x[np.int32(-1), np.int64(0)] = 5.0
    assert x.tolist() == [[0, 0], [1, 1], [5, 0]]


def test_a_value_with_leading_ones():
    x = luge.zeros(2, 3)
    x[0] = luge.ones(1, 3)
    x[1, 2] = luge.full((1, 1), 4.0)
    x[luge.tensor([1]), 0] = luge.full((1, 1, 1), 7.0)
    assert x.tolist() == [[1, 1, 1], [7, 0, 4]]
