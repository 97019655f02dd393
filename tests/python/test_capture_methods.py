"""luge.capture in a class."""

import copy
import gc
import weakref

import luge


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    @luge.capture
    def step(self, x):
        """One step."""
        return x * self.factor

    @luge.capture(keep_gradients=False)
    def shifted(self, x, y):
        return x * y + self.factor

    @staticmethod
    @luge.capture
    def plain(x):
        return x - 1


X = luge.tensor([1.0, 2.0])


def test_each_object_has_a_step_of_its_own():
    two, three = Scaled(2), Scaled(3)
    for _ in range(4):
        assert two.step(X).tolist() == [2, 4]
        assert three.step(X).tolist() == [3, 6]
        assert three.shifted(X, y=X).tolist() == [4, 7]
    assert two.step.stats.replays == three.step.stats.replays > 0
    assert two.step.run(3, X).tolist() == [2, 4]
    assert Scaled.step.__doc__ == two.step.__doc__ == "One step."


def test_an_object_that_only_the_call_holds_lives_through_it():
    assert Scaled(5).step(X).tolist() == [5, 10]


def test_a_copy_records_anew():
    two = Scaled(2)
    two.step(X)
    other = copy.deepcopy(two)
    other.factor = 7
    assert other.step(X).tolist() == [7, 14] and two.step(X).tolist() == [2, 4]


def test_a_step_goes_with_its_object():
    two = Scaled(2)
    two.step(X)
    known = weakref.ref(two)
    before = len(Scaled.__dict__["step"]._steps)
    del two
    gc.collect()
    assert known() is None and len(Scaled.__dict__["step"]._steps) == before - 1


def test_a_static_method_is_one_step():
    for _ in range(3):
        assert Scaled.plain(X).tolist() == Scaled(1).plain(X).tolist() == [0, 1]


def test_a_module_trains_by_a_method():
    class Model(luge.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = luge.nn.Linear(2, 1)
            self.optimizer = luge.optim.SGD(self.layer.parameters(), lr=0.125)

        def step(self, x):
            self.optimizer.zero_grad()
            loss = self.layer(x).square().sum()
            loss.backward()
            self.optimizer.step()
            return loss

    class Captured(Model):
        step = luge.capture(Model.step)

    losses = []
    for kind in (Model, Captured):
        luge.manual_seed(4)
        model = kind()
        losses.append([model.step(X).item() for _ in range(5)])
    assert losses[0] == losses[1]
