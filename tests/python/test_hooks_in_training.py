"""Hooks of tensors in training: optimizers, arenas, captured steps, threads, errors, and what they keep alive."""

import gc
import threading
import weakref

import luge
import pytest
from test_tensor_hooks import NEW, X, Y, agree


@NEW
def test_training_within_the_backward_pass():
    def run(library, x, y):
        weights = [library.from_numpy(values.copy()).requires_grad_() for values in (X, Y)]
        for weight in weights:
            optimizer = library.optim.SGD([weight], lr=0.1, momentum=0.9)

            def hook(leaf, optimizer=optimizer):
                optimizer.step()
                optimizer.zero_grad()

            weight.register_post_accumulate_grad_hook(hook)
        losses = []
        for _ in range(4):
            loss = ((weights[0] * weights[1] - 1) ** 2).sum()
            loss.backward()
            losses.append(loss.detach())
        return losses

    agree(run)


def test_parameters_of_an_arena():
    """Their gradients are memory that is written in place."""
    params = luge.Parameters(sets=2)
    w = params.add("w", (3,), luge.init.constant(1.0))
    optimizer = luge.optim.SGD(params, lr=1.0)
    w.register_hook(lambda g: g * luge.tensor([[1.0], [10.0]]))
    for _ in range(2):
        (w * 2).sum().backward()
    assert w.grad.tolist() == [[4.0] * 3, [40.0] * 3]
    optimizer.zero_grad()
    (w * 2).sum().backward()
    optimizer.step()
    assert w.tolist() == [[-1.0] * 3, [-19.0] * 3]


def test_a_captured_step_replays_what_hooks_computed():
    def trained(capture):
        params = luge.Parameters()
        w = params.add("w", (3,), luge.init.constant(1.0))
        optimizer, calls = luge.optim.SGD(params, lr=0.1), []
        w.register_hook(lambda g: calls.append(1) or g.clamp(-1, 1))

        def once():
            optimizer.zero_grad()
            h = w * w
            h.register_hook(lambda g: g * 2)
            h.retain_grad()
            h.sum().backward()
            optimizer.step()
            return h.grad

        step = luge.capture(once) if capture else once
        found = [step().tolist() for _ in range(5)]
        return found, w.tolist(), len(calls)

    eager, replayed = trained(False), trained(True)
    assert eager[:2] == replayed[:2]
    assert eager[2] == 5 and replayed[2] < 5


def test_exceptions_come_out():
    x = luge.ones(2, requires_grad=True)
    h = x * 2

    def hook(gradient):
        raise KeyError("mine")

    handle = h.register_hook(hook)
    with pytest.raises(KeyError, match="mine"):
        h.sum().backward()
    assert x.grad is None
    handle.remove()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_hooks_go_with_the_graph():
    class Kept:
        pass

    kept = Kept()
    gone = weakref.ref(kept)
    h = luge.ones(2, requires_grad=True) * 2
    h.register_hook(lambda g, kept=kept: None)
    h.retain_grad()
    del kept
    assert gone() is not None
    h.sum().backward()
    gc.collect()
    assert gone() is None and h.grad.tolist() == [1.0, 1.0]


def test_hooks_of_a_leaf_go_with_it():
    class Kept:
        pass

    kept = Kept()
    gone = weakref.ref(kept)
    x = luge.ones(2, requires_grad=True)
    x.register_hook(lambda g, kept=kept: None)
    x.register_post_accumulate_grad_hook(lambda leaf, kept=kept: None)
    del kept, x
    gc.collect()
    assert gone() is None


def test_threads_have_their_own_passes():
    wrong = []

    def work(number):
        for _ in range(50):
            x = luge.full((8,), float(number), requires_grad=True)
            h = x * 3
            h.register_hook(lambda g: g * number)
            x.register_hook(lambda g: g + 1)
            h.sum().backward()
            if x.grad.tolist() != [3.0 * number + 1] * 8:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
