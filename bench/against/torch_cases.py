"""The cases of bench/gpu in PyTorch: eager, compiled, as a CUDA graph; see compare_gpu.py."""

import torch
import torch.nn.functional as F

CHECKED, CHECKED_ROWS = 1 << 20, 64

# Where bench/gpu draws from another range than [-3, 3).
RANGES = {"div": (0.5, 3), "pow": (0.25, 3), "sqrt": (0.1, 3), "rsqrt": (0.1, 3), "log": (0.1, 3), "log1p": (-0.8, 3)}
UNARY = {name: getattr(torch, name) for name in (
    "neg", "square", "abs", "sign", "sqrt", "rsqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid")}
UNARY.update(relu=F.relu, gelu=F.gelu, silu=F.silu, leaky_relu=lambda x: F.leaky_relu(x, 0.5),
             softplus=lambda x: F.softplus(x, 0.5), clamp=lambda x: torch.clamp(x, 0.5, 1.5))
BINARY = {name: getattr(torch, name) for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum")}
COMPARISONS = {name: getattr(torch, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
LOGIC = {name: getattr(torch, "logical_" + name) for name in ("and", "or", "xor")}
TESTS = {"isnan": torch.isnan, "isfinite": torch.isfinite}


def exact(tensor, count=None):
    return tensor.detach()[:count].cpu().double() if tensor.dim() else tensor.detach().cpu().double()


def relative_error(got, reference):
    wrong = (exact(got) - exact(reference)).norm().item()
    return wrong / exact(reference).norm().item() if wrong else 0.0


class Cases:
    def __init__(self, session, device):
        self.session, self.device = session, device
        self.cuda = device == "cuda"
        torch.manual_seed(1)
        self.uniform(1)  # a device that cannot be used is one error, not one for each case

    def wait(self):
        if self.cuda:
            torch.cuda.synchronize()

    def measure(self, name, prepare, **figures):
        self.session.measure(name, prepare, self.wait, **figures)
        if self.cuda:
            torch.cuda.empty_cache()

    def uniform(self, *shape, low=-1.0, high=1.0):
        return torch.empty(shape, device=self.device).uniform_(low, high)

    # ---- ceilings

    def ceilings(self):
        n = self.session.size(1 << 28, 4096)
        source, target = self.uniform(n), torch.zeros(n, device=self.device)
        self.measure("ceiling/copy", lambda: (lambda: target.copy_(source), None), bytes=8 * n)
        self.measure("ceiling/read", lambda: (source.max, None), bytes=4 * n)
        del source, target
        side = self.session.size(8192, 96)
        for way, dtype, precision in (("float32", torch.float32, "highest"), ("tf32", torch.float32, "high"),
                                      ("bf16", torch.bfloat16, "highest")):
            def prepare(dtype=dtype, precision=precision):
                torch.set_float32_matmul_precision(precision)
                a, b = self.uniform(side, side).to(dtype), self.uniform(side, side).to(dtype)
                rows = exact(a, CHECKED_ROWS)
                return lambda: a @ b, lambda: relative_error((a @ b)[:CHECKED_ROWS], rows @ exact(b))

            self.measure(f"ceiling/gemm/{way}", prepare, flops=2 * side**3)
        torch.set_float32_matmul_precision("highest")

    # ---- single operations

    def forward(self, function, inputs):
        return (lambda: function(*inputs),
                lambda: relative_error(function(*inputs)[:CHECKED], function(*self.heads(inputs))))

    @staticmethod
    def heads(inputs):
        return [x[:CHECKED].cpu() if x.dtype == torch.bool else exact(x, CHECKED) for x in inputs]

    def backward(self, function, inputs):
        leaves = [x.requires_grad_() for x in inputs if x.dtype != torch.bool]
        result = function(*inputs)
        gradient = self.uniform(*result.shape)

        def step():
            return torch.autograd.grad(result, leaves, gradient, retain_graph=True)

        def error():
            references = self.heads(inputs)
            wanted = [x.requires_grad_() for x in references if x.dtype != torch.bool]
            expected = torch.autograd.grad(function(*references), wanted, exact(gradient, CHECKED))
            return max(relative_error(got[:CHECKED], one) for got, one in zip(step(), expected))

        return step, error

    def elementwise(self):
        n = self.session.size(1 << 26, 4096)

        def both(name, function, draw, differentiable):
            self.measure(f"elementwise/{name}/forward", lambda: self.forward(function, draw()))
            if differentiable:
                self.measure(f"elementwise/{name}/backward", lambda: self.backward(function, draw()))

        def numbers(name, count):
            low, high = RANGES.get(name, (-3, 3))
            return lambda: [self.uniform(n, low=low, high=high) for _ in range(count)]

        def booleans(count):
            return lambda: [self.uniform(n) < 0 for _ in range(count)]

        for name, function in UNARY.items():
            both(name, function, numbers(name, 1), True)
        for name, function in BINARY.items():
            both(name, function, numbers(name, 2), True)
        for name, function in COMPARISONS.items():
            both(name, function, numbers(name, 2), False)
        for name, function in LOGIC.items():
            both("logical_" + name, function, booleans(2), False)
        both("logical_not", torch.logical_not, booleans(1), False)
        for name, function in TESTS.items():
            both(name, function, numbers(name, 1), False)
        both("where", torch.where, lambda: booleans(1)() + numbers("where", 2)(), True)

    def reductions(self):
        side = self.session.size(8192, 64)
        x = self.uniform(side, side, low=0.5, high=1.5)
        for name, function, over in (("sum", torch.sum, torch.sum), ("mean", torch.mean, torch.mean), ("max", torch.max, torch.amax)):
            for what, call in (("all", function), ("rows", lambda x, f=over: f(x, 1)), ("columns", lambda x, f=over: f(x, 0))):
                self.measure(f"reduction/{name}/{what}", lambda call=call: (
                    lambda: call(x), lambda: relative_error(call(x), call(exact(x)))), bytes=4 * side * side)

    def rows(self):
        side = self.session.size(8192, 64)
        labels = torch.randint(0, side, (side,), device=self.device)
        for name, call, by_row in (
                ("softmax", lambda x, _: x.softmax(-1), lambda x, _: x.softmax(-1)),
                ("log_softmax", lambda x, _: x.log_softmax(-1), lambda x, _: x.log_softmax(-1)),
                ("cross_entropy", F.cross_entropy, lambda x, y: F.cross_entropy(x, y, reduction="none"))):
            def forward():
                x = self.uniform(side, side, low=-4, high=4)
                return lambda: call(x, labels), lambda: relative_error(
                    by_row(x, labels)[:CHECKED_ROWS], by_row(exact(x, CHECKED_ROWS), labels[:CHECKED_ROWS].cpu()))

            def backward():
                x = self.uniform(side, side, low=-4, high=4).requires_grad_()
                result = call(x, labels)
                gradient = self.uniform(*result.shape)

                def step():
                    return torch.autograd.grad(result, x, gradient, retain_graph=True)

                def error():
                    reference = exact(x, CHECKED_ROWS).requires_grad_()
                    rows = by_row(reference, labels[:CHECKED_ROWS].cpu())
                    part = exact(gradient, CHECKED_ROWS) if gradient.dim() else torch.full_like(rows, gradient.item() / side)
                    return relative_error(step()[0][:CHECKED_ROWS], torch.autograd.grad(rows, reference, part)[0])

                return step, error

            self.measure(f"{name}/forward", forward)
            self.measure(f"{name}/backward", backward)

    def matmul(self):
        many, large = self.session.size(100_000, 100), self.session.size(8192, 96)
        for batch, m, k, n in [(many, s, s, s) for s in (2, 4, 8, 16, 32)] + [(1, 64, 784, 256), (1, large, large, large)]:
            def prepare():
                a, b = self.uniform(batch, m, k), self.uniform(batch, k, n)
                return lambda: torch.bmm(a, b), lambda: relative_error(
                    torch.bmm(a, b)[:100, :32], torch.bmm(exact(a[:100, :32]), exact(b[:100])))

            self.measure(f"matmul/{batch}x{m}x{k}x{n}", prepare, flops=2 * batch * m * k * n)

    def adam(self):
        n = self.session.size(100_000_000, 4096)
        for way in ("foreach", "fused"):
            def prepare():
                p = self.uniform(n).requires_grad_()
                p.grad = 2 * p.detach()
                optimizer = torch.optim.Adam([p], lr=0.01, **{way: True})

                def error():
                    before, gradient = exact(p, CHECKED), exact(p.grad, CHECKED)
                    optimizer.step()
                    return relative_error(p[:CHECKED], before - 0.01 * gradient / (gradient.abs() + 1e-8))

                return optimizer.step, error

            self.measure(f"adam/{n}", prepare, way=way, bytes=28 * n)


def groups(session, device):
    from torch_training import Training

    cases, training = Cases(session, device), Training(session, device)
    names = ("ceilings", "elementwise", "reductions", "rows", "adam", "matmul")
    return torch.__version__, {**{name: getattr(cases, name) for name in names},
                               **{name: getattr(training, name) for name in ("demo", "mlp", "ensemble")}}
