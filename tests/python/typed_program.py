"""A program for mypy: it must complain about the lines that end in "wrong", and about no other."""

import luge

x = luge.tensor([1.0, 2.0], requires_grad=True)
y: luge.Tensor = 3 * x**2 - 2 / x + x @ x
mask: luge.Tensor = (x > 0) & ~(x == 1)
number: float = y.sum().item()
size: tuple[int, ...] = x.shape
sizes: str = x.shape  # wrong
count: int = x.numel()
text: str = x.numel()  # wrong
x.add_("text")  # wrong
slope: luge.Tensor = luge.func.grad(luge.sin, argnums=0)(x)
luge.func.jacrev(luge.sin, argnums="x")  # wrong
y.sum().backward(create_graph=True)
y.sum().backward(create_graph="no")  # wrong
luge.zeros(2, 3, dtype=luge.float64, device="cpu")
luge.zeros(2, dtype="float64")  # wrong
squares: luge.Tensor = luge.einsum("i,i->i", x, x)
luge.einsums("ij->ji", x)  # wrong
luge.nn.CTCLoss()  # wrong
sums: luge.Tensor = luge.cumsum(x, 0) + x.cumsum(0).clone() + luge.index_select(x, 0, x.argsort())
x.cumsum("first")  # wrong
x.renorm_()  # wrong
greatest: float = x.max().item() + x.max(0).values.item() + luge.min(x).item() + luge.min(x, 0)[0].item() + x.max(x).sum().item()
luge.max(x, "dim")  # wrong
rows: tuple[luge.Tensor, ...] = x.nonzero(as_tuple=True)
rows = x.nonzero()  # wrong
ends: luge.Tensor = x.aminmax().max + x.view(size=(1, 2)).permute(dims=(1, 0)) + x.new_zeros(2, dtype=x.dtype, device=x.device)
width: int = x.size(0) + x.stride(0) + len(x.size())
width = x.size()  # wrong
quotient: luge.Tensor = divmod(x, 2)[0] // 2 % x
largest: luge.Tensor = x.sort(dim=0, descending=True).values
places: luge.Tensor = luge.topk(x, 1)[1]
luge.topk(x, 1).places  # wrong
params = luge.Parameters(sets=10)
w: luge.Tensor = params.add("w", (2, 3), luge.init.uniform(-1, 1))
optimizer = luge.optim.Adam(params, lr=1e-3, betas=(0.9, 0.99))
optimizer.stepp()  # wrong


@luge.capture
def step() -> luge.Tensor:
    optimizer.zero_grad()
    loss = luge.nn.functional.mse_loss(w, luge.zeros(3))
    loss.backward()
    optimizer.step()
    return loss


rule: luge.stop.StopRule = luge.stop.when(optimizer, loss_below=luge.ones(10), plateau=(5, 1e-4), max_steps=10)
luge.stop.when(optimizer, plateau="often")  # wrong
luge.stop.when(params)  # wrong
rule.check(1.0)  # wrong
done: bool = rule.all_stopped() and rule.report().counts["loss"] == (rule.reason == luge.stop.Reason.LOSS).sum().item()
step.run(10)
with luge.no_grad():
    w[0] = 1
handle = w.register_hook(lambda gradient: 2 * gradient)
handle.remove()
w.register_hook(lambda gradient: "text")  # wrong
packed: luge.nn.utils.rnn.PackedSequence = luge.nn.utils.rnn.pack_sequence([luge.ones(2, 1), luge.ones(1, 1)])
luge.nn.utils.rnn.pad_packed_sequence(luge.ones(2))  # wrong
normalized: luge.Tensor = luge.layer_norm(x, (3,))
luge.batch_norm(x, None, None, None, None)  # wrong
of_two: luge.Size = x.shape
lazy: luge.nn.Linear = luge.nn.LazyLinear(2)
