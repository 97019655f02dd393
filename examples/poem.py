"""A small GPT learns a poem, character by character, and then writes it down; beside poem.cpp.

usage: poem.py [--steps N]     (default 300; the loss begins near ln 34 = 3.5 and falls below 0.3)
The poem is William Blake's "The Tyger" (1794).
"""

import sys

import luge
from luge import nn
from luge.nn import functional as F

TEXT = """Tyger Tyger, burning bright,
In the forests of the night;
What immortal hand or eye,
Could frame thy fearful symmetry?

In what distant deeps or skies,
Burnt the fire of thine eyes?
On what wings dare he aspire?
What the hand, dare seize the fire?

And what shoulder, & what art,
Could twist the sinews of thy heart?
And when thy heart began to beat,
What dread hand? & what dread feet?
"""
WINDOW, BATCH = 32, 16


class GPT(nn.Module):
    """Characters before each place -> scores of the character there: (batch, time) -> (batch, time, symbols)."""

    def __init__(self, params, symbols, width, heads, layers):
        super().__init__()
        small = luge.init.normal(0, 0.1)
        options = {"dim_feedforward": 4 * width, "dropout": 0, "activation": "gelu", "batch_first": True, "norm_first": True}
        with nn.build_in(params):
            self.symbol = nn.Embedding(symbols, width, weight_init=small)
            self.place = nn.Embedding(WINDOW, width, weight_init=small)
            self.blocks = nn.ModuleList([nn.TransformerEncoderLayer(width, heads, **options) for _ in range(layers)])
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, symbols, bias=False)

    def forward(self, index):
        time = index.shape[-1]
        mask = nn.Transformer.generate_square_subsequent_mask(time)
        x = self.symbol(index) + self.place(luge.arange(time))
        for block in self.blocks:
            x = block(x, src_mask=mask, is_causal=True)
        return self.head(self.norm(x))


def write(model, symbols, numbers, count):
    """The text that the model thinks follows, by its most probable characters."""
    written = list(numbers)
    with luge.no_grad():
        while len(written) < count:
            scores = model(luge.tensor([written[-WINDOW:]]))
            written.append(scores[0, -1].argmax().item())
    return "".join(symbols[number] for number in written)


def main():
    steps = int(sys.argv[2]) if len(sys.argv) == 3 and sys.argv[1] == "--steps" else 300
    if steps < 1 or len(sys.argv) not in (1, 3):
        print("usage: poem.py [--steps N]", file=sys.stderr)
        return 2
    symbols = sorted(set(TEXT))
    text = [symbols.index(symbol) for symbol in TEXT]
    numbers, count = luge.tensor(text), len(text)

    luge.manual_seed(1)
    params = luge.Parameters(seed=1)
    model = GPT(params, len(symbols), 64, 4, 2)
    groups = [
        {"params": [p for p in params if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = luge.optim.AdamW(groups, lr=3e-3)
    warmup = luge.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=20)
    decay = luge.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)

    @luge.capture
    def step():
        # Windows at random places, and the same one character later.
        places = luge.randint(0, count - WINDOW, (BATCH, 1)) + luge.arange(WINDOW)
        x, y = numbers[places], numbers[places.flatten() + 1]
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x).flatten(0, 1), y)
        loss.backward()
        params.clip_grad_norm_(1.0)
        optimizer.step()
        warmup.step()
        decay.step()
        return loss

    first, last = step().item(), step.run(steps - 1).item()
    print(write(model, symbols, text[:12], count))
    print(f"{sum(p.numel() for p in params)} parameters, {len(symbols)} symbols: the loss went from {first:.2f} to {last:.2f} in {steps} steps")
    return 0 if last < 0.3 else 1


if __name__ == "__main__":
    sys.exit(main())
