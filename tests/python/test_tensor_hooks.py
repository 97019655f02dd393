"""register_hook, retain_grad and their like, against PyTorch's."""

import luge
import numpy as np
import pytest
from errors import check_error

torch = pytest.importorskip("torch")

#: PyTorch from 2.0 on runs hooks before grad() takes what it is asked for, retains gradients behind all hooks, and leaves hooks
#: where they were when a tensor changes in place; from 2.1 on it has hooks after accumulation.
NEW = pytest.mark.skipif(not hasattr(torch.Tensor, "register_post_accumulate_grad_hook"), reason="PyTorch is older than 2.1")
X, Y = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0, -1.0])


def shown(value):
    if value is None or isinstance(value, (int, float, str, bool)):
        return value
    if isinstance(value, (tuple, list)):
        return [shown(item) for item in value]
    return np.round(np.asarray(value.detach().numpy()), 10).tolist()


def both(run):
    """What run(library, x, y) gives in luge and in PyTorch."""
    found = []
    for library in (luge, torch):
        x, y = (library.from_numpy(values.copy()).requires_grad_() for values in (X, Y))
        found.append(shown(run(library, x, y)))
    return found


def agree(run):
    ours, theirs = both(run)
    assert ours == theirs


def test_hooks_see_the_whole_gradient():
    def run(library, x, y):
        seen = []
        h = x * y
        x.register_hook(lambda g: seen.append(["x", shown(g)]))
        h.register_hook(lambda g: seen.append(["h", shown(g)]))
        (h.exp() + h * x + 3 * h).sum().backward()
        return [sorted(seen), x.grad, y.grad]

    agree(run)


def test_hooks_may_be_registered_after_use():
    def run(library, x, y):
        seen = []
        h = x * y
        loss = (h * h).sum()
        h.register_hook(lambda g: seen.append(shown(g)))
        y.register_hook(lambda g: g * 2)
        loss.backward()
        return [seen, x.grad, y.grad]

    agree(run)


def test_hooks_replace_in_order():
    def run(library, x, y):
        seen = []

        def named(name, change):
            def hook(g):
                seen.append([name, shown(g)])
                return change(g)

            return hook

        h = x * y
        h.register_hook(named("a", lambda g: g * 3))
        h.register_hook(named("b", lambda g: None))
        h.register_hook(named("c", lambda g: g + 1))
        x.register_hook(named("d", lambda g: -g))
        x.register_hook(named("e", lambda g: g / 2))
        (h * h).sum().backward()
        return [seen, x.grad, y.grad]

    agree(run)


def test_hooks_may_change_their_argument():
    def run(library, x, y):
        def hook(g):
            g.mul_(2)

        h, k = x * 1, y * 1
        h.register_hook(hook)
        (h + k).backward(library.ones_like(x))
        return [x.grad, y.grad]

    ours, _ = both(run)
    assert ours == [[2.0] * 3, [1.0] * 3]


def test_hooks_of_the_tensor_that_backward_begins_at():
    def run(library, x, y):
        h = x * y
        h.register_hook(lambda g: g * 5)
        h.backward(library.ones_like(x))
        leaf = library.ones(2, requires_grad=True)
        leaf.register_hook(lambda g: g * 7)
        leaf.backward(library.ones(2))
        return [x.grad, y.grad, leaf.grad]

    agree(run)


def test_every_pass_calls_them():
    def run(library, x, y):
        seen = []
        h = x * y
        h.register_hook(lambda g: seen.append(shown(g)))
        x.register_hook(lambda g: seen.append(shown(g)))
        loss = (h * h).sum()
        loss.backward(retain_graph=True)
        loss.backward()
        (x * 2).sum().backward()
        return [seen, x.grad]

    agree(run)


def test_handles_remove():
    def run(library, x, y):
        h = x * y
        handles = [h.register_hook(lambda g: g * 2), x.register_hook(lambda g: g * 10)]
        last = h.register_hook(lambda g: g + 1)
        for handle in handles:
            handle.remove()
            handle.remove()
        with x.register_hook(lambda g: g * 100):
            h.sum().backward(retain_graph=True)
        h.sum().backward()
        last.remove()
        return [x.grad, y.grad]

    agree(run)


def test_a_hook_may_remove_itself_and_add_others():
    def run(library, x, y):
        seen = []

        def once(g):
            seen.append("once")
            handle.remove()
            x.register_hook(lambda g: seen.append("other"))

        handle = x.register_hook(once)
        for _ in range(3):
            (x * y).sum().backward()
        return seen

    agree(run)


@NEW
def test_grad_calls_hooks():
    def run(library, x, y):
        seen = []
        h = x * y
        other = x * 2
        h.register_hook(lambda g: g * 2)
        x.register_hook(lambda g: g * 3)
        other.register_hook(lambda g: seen.append("not on the way"))
        loss = (h * h).sum() + other.sum()
        first = library.autograd.grad(loss, x, retain_graph=True)
        second = library.autograd.grad(loss, h, retain_graph=True)
        count = len(seen)
        third = library.autograd.grad(loss, y)
        return [first, second, third, count, len(seen), x.grad]

    agree(run)


def test_grad_of_a_result_and_of_what_is_before_it():
    """Both get what the hook made; PyTorch's gradient of h is the one before the hook if x is asked for, too."""
    x = luge.tensor([1.0, 2.0], requires_grad=True)
    h = x * 2
    h.register_hook(lambda g: g * 10)
    assert [slope.tolist() for slope in luge.autograd.grad(h.sum(), [h, x])] == [[10.0, 10.0], [20.0, 20.0]]


@NEW
def test_gradients_of_gradients():
    def run(library, x, y):
        h = x * y
        h.register_hook(lambda g: g * g)
        x.register_hook(lambda g: g * y)
        slope, = library.autograd.grad((h * h).sum(), x, create_graph=True)
        return [slope, slope.requires_grad, library.autograd.grad(slope.sum(), [x, y])]

    agree(run)


@NEW
def test_backward_with_create_graph():
    def run(library, x, y):
        h = x * y
        h.register_hook(lambda g: g * g)
        y.register_hook(lambda g: g * 2)
        (h * h).sum().backward(create_graph=True)
        slopes = [x.grad.clone(), y.grad.clone()]
        found = library.autograd.grad((slopes[0] * slopes[1]).sum(), [x, y])
        result = [slopes, found]
        x.grad = y.grad = None
        return result

    agree(run)


@NEW
def test_changes_in_place_leave_hooks_where_they_were():
    def run(library, x, y):
        h = x * 1
        h.register_hook(lambda g: g * 2)
        h.mul_(y)
        h.register_hook(lambda g: g * 10)
        h.sum().backward()
        return [x.grad, y.grad]

    agree(run)


@NEW
def test_retained_gradients():
    def run(library, x, y):
        h = x * y
        h.retain_grad()
        h.retain_grad()
        k = h * 2
        h.register_hook(lambda g: g * 3)
        told = [h.retains_grad, k.retains_grad, x.retains_grad, h.grad]
        x.retain_grad()
        (k * k).sum().backward(retain_graph=True)
        first = [h.grad.clone(), x.grad.clone()]
        (k * k).sum().backward()
        second = [h.grad, x.grad]
        h.grad = None
        return [told, first, second, h.grad, x.retains_grad]

    agree(run)


def test_retained_gradients_of_views_and_changed_tensors():
    def run(library, x, y):
        h = x * y
        h.retain_grad()
        h.mul_(2)
        part = h[:2]
        part.retain_grad()
        (part * part).sum().backward()
        return [h.grad, part.grad, x.grad]

    agree(run)


@NEW
def test_hooks_after_accumulation():
    def run(library, x, y):
        seen = []
        x.register_post_accumulate_grad_hook(lambda leaf: seen.append([leaf is x or leaf.shape == x.shape, shown(leaf.grad)]))
        x.register_hook(lambda g: g * 2)
        for _ in range(2):
            (x * y + x).sum().backward()
        library.autograd.grad((x * y).sum(), x)
        return [seen, x.grad]

    agree(run)


def test_grad_fn():
    x = luge.ones(2, requires_grad=True)
    h = x * 2
    assert x.grad_fn is None and luge.ones(2).grad_fn is None and h.detach().grad_fn is None
    assert h.grad_fn.name() == "mul" and repr(h.grad_fn) == "<mul>"
    assert h.grad_fn == h.grad_fn and h.grad_fn != (x * 2).grad_fn and h.grad_fn != 1 and len({h.grad_fn, h.grad_fn}) == 1


def test_backward_within_a_hook():
    def run(library, x, y):
        z = library.ones(3, requires_grad=True)
        h = x * y

        def hook(g):
            with library.enable_grad():
                (z * 1).sum().backward()

        h.register_hook(hook)
        library.autograd.grad(h.sum(), x, retain_graph=True)
        h.sum().backward()
        return [x.grad, z.grad]

    ours, theirs = both(run)
    assert ours == theirs == [Y.tolist(), [2.0] * 3]


# ---- errors

PLAIN, LEAF = luge.ones(2), luge.ones(2, requires_grad=True)


def passed(hook):
    h = LEAF * 2
    h.register_hook(hook)
    h.sum().backward()


ERRORS = [
    (lambda: PLAIN.register_hook(print), luge.AutogradError, "register_hook: the tensor of shape (2,)"),
    (lambda: PLAIN.retain_grad(), luge.AutogradError, "retain_grad: the tensor of shape (2,)"),
    (lambda: (LEAF * 2).register_post_accumulate_grad_hook(print), luge.AutogradError, "register_post_accumulate_grad_hook: the tensor"),
    (lambda: PLAIN.register_post_accumulate_grad_hook(print), luge.AutogradError, "register_post_accumulate_grad_hook: the tensor"),
    (lambda: LEAF.register_hook(3), TypeError, "register_hook: hook is of type int"),
    (lambda: LEAF.register_post_accumulate_grad_hook(None), TypeError, "register_post_accumulate_grad_hook: hook is None"),
    (lambda: passed(lambda g: 3), TypeError, "backward: the hook returned a int"),
    (lambda: passed(lambda g: luge.ones(3)), luge.ShapeError, "backward: the hook returned a gradient of shape (3,)"),
    (lambda: passed(lambda g: g.double()), luge.DTypeError, "backward: the hook returned a gradient of float64"),
]  # fmt: skip


@pytest.mark.parametrize("call, error, start", ERRORS)
def test_bad_hooks_are_named(call, error, start):
    check_error(call, error, start)
