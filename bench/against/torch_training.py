"""The training steps of bench/gpu in PyTorch: eager, compiled, as a CUDA graph; see compare_gpu.py."""

import torch
import torch.nn.functional as F


def graphed(step):
    """The whole step as one CUDA graph, as PyTorch's documentation says: warmed up on a side stream first."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


class Training:
    def __init__(self, session, device):
        self.session, self.device = session, device
        self.cuda = device == "cuda"

    def wait(self):
        if self.cuda:
            torch.cuda.synchronize()

    def every_way(self, name, make, without=(), **figures):
        """make(compile) gives parameters, a step and its error; the compiled step is tried last: it takes longest."""
        for way in ("eager", "graph", "compiled"):
            if way in without or (way == "graph" and not self.cuda) or (way == "compiled" and not hasattr(torch, "compile")):
                continue

            def prepare(way=way):
                if way == "compiled":
                    torch._dynamo.reset()  # a second size would be compiled for sizes that change
                    step, error = make(lambda f: torch.compile(f, dynamic=False), False)
                else:
                    step, error = make(lambda f: f, way == "graph")
                return (graphed(step) if way == "graph" else step), (None if way == "graph" else error)

            self.session.measure(name, prepare, self.wait, way=way, **figures)
            if self.cuda:
                torch.cuda.empty_cache()

    def adam(self, parameters, graph):
        # Its fastest variant on a GPU.
        return torch.optim.Adam(parameters, lr=1e-3, fused=True, capturable=graph) if self.cuda else torch.optim.Adam(parameters, lr=1e-3)

    def demo(self):
        for sets in (self.session.size(1000, 100), self.session.size(100_000_000, 4096)):
            def make(compiled, graph, sets=sets):
                x = torch.empty(sets, device=self.device).uniform_(-2, 2).requires_grad_()
                optimizer = torch.optim.SGD([x], lr=0.01)
                loss_of = compiled(lambda x: (3 * x * x - 2 * x + 3).sum())

                def step():
                    optimizer.zero_grad(set_to_none=True)
                    loss_of(x).backward()
                    optimizer.step()

                def error():
                    before = x.detach()[:1 << 20].cpu().double()
                    step()
                    expected = before - 0.01 * (6 * before - 2)
                    return ((x.detach()[:1 << 20].cpu().double() - expected).norm() / expected.norm()).item()

                return step, error

            self.every_way(f"demo/{sets}", make)

    def mlp(self):
        def make(compiled, graph):
            model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)).to(self.device)
            optimizer = self.adam(list(model.parameters()), graph)
            images = torch.rand(64, 784, device=self.device)
            labels = torch.randint(0, 10, (64,), device=self.device)
            loss_of = compiled(lambda images, labels: F.cross_entropy(model(images), labels))

            def step():
                optimizer.zero_grad(set_to_none=True)
                loss_of(images, labels).backward()
                optimizer.step()

            def error():
                weights = [p.detach().cpu().double().requires_grad_() for p in model.parameters()]
                logits = F.linear(F.relu(F.linear(images.cpu().double(), *weights[:2])), *weights[2:])
                F.cross_entropy(logits, labels.cpu()).backward()
                step()
                got, expected = next(model.parameters()).grad.cpu().double(), weights[0].grad
                return ((got - expected).norm() / expected.norm()).item()

            return step, error

        self.every_way("mlp/784-256-10/batch_64", make)

    def ensemble(self):
        sets = self.session.size(4096, 4)

        def make(compiled, graph):
            try:
                from torch.func import vmap
            except ImportError:  # before PyTorch 2
                from functorch import vmap

            def weights():
                for inputs, outputs in ((16, 64), (64, 64), (64, 1)):
                    for shape in ((sets, outputs, inputs), (sets, outputs)):
                        yield torch.empty(*shape, device=self.device).uniform_(-(inputs**-0.5), inputs**-0.5).requires_grad_()

            parameters = list(weights())
            x, y = (torch.empty(256, n, device=self.device).uniform_(-1, 1) for n in (16, 1))

            def losses(x, y, *parameters):
                def one(a, b, c, d, e, f):
                    return F.mse_loss(F.linear(F.relu(F.linear(F.relu(F.linear(x, a, b)), c, d)), e, f), y)

                return vmap(one)(*parameters).sum()

            optimizer = self.adam(parameters, graph)
            loss_of = compiled(losses)

            def step():
                optimizer.zero_grad(set_to_none=True)
                loss_of(x, y, *parameters).backward()
                optimizer.step()

            def error():
                some = [p.detach()[:4].cpu().double().requires_grad_() for p in parameters]
                losses(x.cpu().double(), y.cpu().double(), *some).backward()
                step()
                got, expected = parameters[0].grad[:4].cpu().double(), some[0].grad
                return ((got - expected).norm() / expected.norm()).item()

            return step, error

        self.every_way(f"ensemble/{sets}x16-64-64-1/batch_256", make)
