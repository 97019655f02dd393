"""Captured steps whose modules begin and stop to train, and that are called in regions of autocast."""

import gc
import threading
import weakref

import pytest

import luge
from luge import nn


def network():
    luge.manual_seed(3)
    return nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3), nn.Dropout(0.5))


def counted(module):
    """A captured call of a module, and how often its function ran."""
    calls = []

    def function(x):
        calls.append(x)
        return module(x)

    return luge.capture(function), calls


def test_a_step_follows_train_and_eval():
    x = luge.randn(8, 2)
    eager, captured = network(), network()
    step, calls = counted(captured)
    for training in (True, True, False, False, True, False, False):
        for module in (eager, captured):
            module.train(training)
            luge.manual_seed(5)
            found = eager(x) if module is eager else step(x)
            module.last = found.tolist()
        assert captured.last == eager.last, training
        assert captured[0].running_mean.tolist() == eager[0].running_mean.tolist()
    assert len(calls) == 2


def test_one_module_of_a_step_may_stop():
    x, module = luge.randn(8, 2), network()
    step, calls = counted(module)
    step(x)
    module[0].training = False
    before = module[0].running_mean.tolist()
    step(x)
    step(x)
    assert module[0].running_mean.tolist() == before and len(calls) == 2
    module[0].train()
    step(x)
    assert module[0].running_mean.tolist() != before and len(calls) == 2
    other = network().eval()
    other.train()
    step(x)
    assert len(calls) == 2


def test_a_function_that_sets_the_modes_itself():
    x, module, calls = luge.randn(8, 2), network(), []

    @luge.capture
    def step(x):
        calls.append(x)
        module.train()
        noisy = module(x)
        module.eval()
        return noisy, module(x)

    for _ in range(4):
        noisy, plain = step(x)
        module.train()
        assert noisy.tolist() != plain.tolist()
    assert len(calls) == 1


def test_a_step_outlives_a_module_that_it_called():
    x = luge.ones(2)
    modules = [nn.ReLU()]
    step = luge.capture(lambda x: modules[0](x) * 2)
    assert step(x).tolist() == [2, 2]
    gone = weakref.ref(modules.pop())
    modules.append(nn.ReLU().eval())
    gc.collect()
    assert gone() is None and step(x).tolist() == [2, 2]


def test_too_many_combinations():
    modules = [nn.Dropout(0.5) for _ in range(5)]
    step = luge.capture(lambda x: nn.Sequential(*modules)(x * 2))
    x = luge.ones(4)
    with pytest.raises(luge.CaptureError, match="17 different combinations of train\\(\\) and eval\\(\\); allowed are 16"):
        for number in range(32):
            for i, module in enumerate(modules):
                module.train(bool(number >> i & 1))
            step(x)


def test_a_step_has_a_plan_for_each_precision():
    layer, x = nn.Linear(4, 4), luge.randn(2, 4)
    step = luge.capture(lambda x: layer(x))
    alone = luge.capture(lambda: layer(x))
    for dtype in (None, luge.bfloat16, None, luge.float16, luge.bfloat16):
        with luge.autocast("cpu", dtype=dtype or luge.bfloat16, enabled=dtype is not None):
            eager = layer(x)
            for found in (step(x), step(x), alone(), alone()):
                assert found.dtype == eager.dtype == (dtype or luge.float32)
                assert found.tolist() == eager.tolist()


def test_steps_recorded_by_two_threads_know_their_own_modules():
    other_began, this_ended = threading.Event(), threading.Event()
    x, module = luge.randn(8, 2), network()

    def late(x):
        other_began.set()
        assert this_ended.wait(60)
        return module(x)

    def early(x):
        assert other_began.wait(60)
        return x * 2

    step = luge.capture(late)
    other = threading.Thread(target=step, args=(x,))
    begun = luge.capture(lambda x: (other.start(), early(x))[1])
    begun(x)
    this_ended.set()
    other.join()
    module.eval()
    assert step(x).tolist() == module(x).tolist()
