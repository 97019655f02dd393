"""Nothing is left when the interpreter ends: nanobind would report it on stderr."""

import gc
import subprocess
import sys
import weakref

import pytest

import luge

PROGRAMS = {
    "functions in the graphs of module variables": """
class Square(luge.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad

x = luge.ones(3, requires_grad=True)
y = Square.apply(x)
loss = (Square.apply(y) * y).sum()
loss.backward(retain_graph=True)
pending = Square.apply(loss)
""",
    "a result that its own context holds": """
class Keeps(luge.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.kept = []
        ctx_list.append(ctx)
        return x * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2

ctx_list = []
y = Keeps.apply(luge.ones(2, requires_grad=True))
ctx_list[0].kept.append(y)
del y
""",
    "hooks of tensors": """
x = luge.ones(3, requires_grad=True)
x.register_hook(lambda g: g * x.detach())
x.register_post_accumulate_grad_hook(lambda leaf: seen.append(leaf))
seen, model = [], luge.nn.Linear(2, 2)
model.weight.register_hook(lambda g: model(g))
y = x * 2
handle = y.register_hook(lambda g: y.detach())
y.retain_grad()
node = y.grad_fn
(y * y).sum().backward(retain_graph=True)
assert len(seen) == 1 and y.grad is not None
""",
    "exceptions": """
kept = []
for call in (lambda: luge.zeros(2).view(3), lambda: luge.zeros(2, device="nowhere"), lambda: luge.ones(2).backward(),
             lambda: luge.ones(2) + "a", lambda: luge.tensor([[1], [2, 3]]), lambda: luge.Tensor(),
             lambda: luge.ones(2).sum(True), lambda: luge.full((1,), 2**40, dtype=luge.int32)):
    try:
        call()
    except Exception as error:
        kept.append(error)
assert len(kept) == 8
""",
    "captured steps": """
class Trainer:
    def __init__(self):
        self.params = luge.Parameters()
        self.x = self.params.add("x", (), luge.init.constant(-1))
        self.optimizer = luge.optim.Adam(self.params, lr=0.01)
        self.step = luge.capture(self.once)

    def once(self):
        self.optimizer.zero_grad()
        loss = 3 * self.x**2 - 2 * self.x + 3
        loss.sum().backward()
        self.optimizer.step()
        return {"loss": loss}

trainer = Trainer()
trainer.step()
trainer.step.run(5)
results = trainer.step()

@luge.capture
def refused():
    return luge.ones(1) * luge.ones(1).item()

try:
    refused()
except luge.CaptureError as error:
    kept = error
""",
    "modules, optimizers and the monitor": """
model = luge.nn.Sequential(luge.nn.Linear(2, 3), luge.nn.ReLU(), luge.nn.Linear(3, 1))
optimizer = luge.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
monitor = luge.Monitor()
for _ in range(3):
    optimizer.zero_grad()
    loss = model(luge.ones(4, 2)).mean()
    loss.backward()
    optimizer.step()
    monitor.record(loss)
import copy, pickle
copies = copy.deepcopy(luge.ones(2)), pickle.loads(pickle.dumps(luge.ones(2)))
""",
    "arrays of other libraries": """
numpy = pytest.importorskip("numpy")
x = luge.ones(3)
kept = [x.numpy(), numpy.asarray(x), luge.from_numpy(numpy.ones(3)), luge.from_dlpack(x), x.__dlpack__(),
        numpy.float64(2) * x, numpy.ones(3) * x]
""",
    "cycles": """
import threading

class Holder:
    pass

for _ in range(3):
    holder = Holder()
    holder.itself, holder.tensor, holder.dtype = holder, luge.ones(3, requires_grad=True) * 2, luge.float32
worker = threading.Thread(target=lambda: (luge.ones(5000) * 2).sum())
worker.start()
worker.join()
""",
}


@pytest.mark.parametrize("name", list(PROGRAMS))
@pytest.mark.parametrize("end", ["", "import sys; sys.exit(0)"])
def test_nothing_is_left(name, end):
    program = "import pytest\nimport luge\n" + PROGRAMS[name] + end
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stderr == "" and done.returncode == 0


def test_after_an_error_that_ends_the_program():
    program = "import luge\nx = luge.ones(2, requires_grad=True)\ny = x * 2\ny.view(3)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "ShapeError" in done.stderr and "leaked" not in done.stderr


@pytest.mark.parametrize("kind", ["LambdaLR", "MultiplicativeLR", "CyclicLR", "SequentialLR"])
def test_a_schedule_whose_function_knows_its_optimizer(kind):
    schedules = luge.optim.lr_scheduler
    x = luge.ones(3, requires_grad=True)
    optimizer = luge.optim.SGD([x], lr=0.5)

    def factor(n):
        return 1.0 if optimizer.lr.item() > 0 else 0.0

    if kind == "CyclicLR":
        schedule = schedules.CyclicLR(optimizer, 0.1, 1.0, scale_fn=factor, cycle_momentum=False)
    elif kind == "SequentialLR":
        schedule = schedules.SequentialLR(optimizer, [schedules.LambdaLR(optimizer, factor), schedules.LambdaLR(optimizer, factor)], [2])
    else:
        schedule = getattr(schedules, kind)(optimizer, factor)
    for _ in range(3):
        schedule.step()
    gone = weakref.ref(optimizer), weakref.ref(schedule)
    del optimizer, schedule, factor
    gc.collect()
    assert [one() for one in gone] == [None, None]
