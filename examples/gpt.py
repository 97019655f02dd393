"""A small GPT that learns to write, character by character, written for PyTorch: the imports are all that differs.

usage: gpt.py [TEXT...] [--steps N]     (default: this repository's documentation; the loss begins near 4.6 and falls below 2.6)
"""

import argparse
import pathlib
import sys

import luge as torch  # import torch
from luge import nn  # from torch import nn
from luge.nn import functional as F  # from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x):  # (..., time, width)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for part in self.project(x).chunk(3, dim=-1)
        )
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(attended.transpose(-3, -2).flatten(-2))


class Block(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.mlp(self.norm2(x)))


class GPT(nn.Module):
    def __init__(self, symbols, window=128, width=128, heads=4, layers=4, dropout=0.0):
        super().__init__()
        self.symbol, self.place = nn.Embedding(symbols, width), nn.Embedding(window, width)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, symbols, bias=False)

    def forward(self, index):  # (..., time)
        place = torch.arange(index.shape[-1]).expand(index.shape)
        return self.head(self.norm(self.blocks(self.symbol(index) + self.place(place))))


def read(paths):
    """The characters of these files as numbers, and which ones there are."""
    text = "".join(pathlib.Path(path).read_text(encoding="utf-8") for path in paths)
    symbols = sorted(set(text))
    number = {symbol: i for i, symbol in enumerate(symbols)}
    return torch.tensor([number[symbol] for symbol in text]), symbols


def batches(text, count, batch=16, window=128):
    """Windows at random places, and the same one character later."""
    for _ in range(count):
        starts = torch.randint(0, len(text) - window - 1, (batch, 1)) + torch.arange(window)
        yield text[starts], text[starts + 1]


def train(model, data, *, rate=1e-3):
    """The loss of each batch."""
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], lr=rate)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=10)
    model.train()
    losses = []
    for x, y in data:
        optimizer.zero_grad()
        logits = model(x)
        loss = F.cross_entropy(logits.flatten(0, -2), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warmup.step()
        losses.append(loss.item())
    return losses


def write(model, symbols, begin, count, window=128):
    """`count` characters that the model thinks follow, drawn by their probabilities."""
    index = torch.tensor([[symbols.index(symbol) for symbol in begin]])
    model.eval()
    with torch.no_grad():
        for _ in range(count):
            probabilities = F.softmax(model(index[:, -window:])[:, -1], dim=-1)
            index = torch.cat([index, torch.multinomial(probabilities, 1)], dim=1)
    return "".join(symbols[i] for i in index[0].tolist())


def main():
    parser = argparse.ArgumentParser(description="Trains a small GPT on characters.")
    parser.add_argument("text", nargs="*", help="files to learn from")
    parser.add_argument("--steps", type=int, default=200)
    asked = parser.parse_args()
    docs = pathlib.Path(__file__).resolve().parent.parent / "docs"
    text, symbols = read(asked.text or sorted(docs.glob("*.md")))
    torch.manual_seed(0)
    model = GPT(len(symbols))
    losses = train(model, batches(text, asked.steps))
    print(f"{len(text)} characters, {len(symbols)} symbols: the loss went from {losses[0]:.2f} to {losses[-1]:.2f}")
    print(write(model, symbols, "The ", 200))
    return 0 if losses[-1] < 0.75 * losses[0] else 1


if __name__ == "__main__":
    sys.exit(main())
