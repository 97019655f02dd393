"""A convolutional network on Fashion-MNIST, written for PyTorch: the imports are all that differs.

usage: cnn.py [--epochs N] [--images N] [--sets N]     (needs NumPy; about 90 % of the test images after one epoch)
The images come from Debian's package dataset-fashion-mnist, or from the folder in $LUGE_DATA.
"""

import argparse
import gzip
import os
import pathlib
import sys

import numpy

import luge as torch  # import torch
from luge import nn  # from torch import nn
from luge.nn import functional as F  # from torch.nn import functional as F


class Network(nn.Module):
    def __init__(self, width=32, dropout=0.25):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width * 7 * 7, 10)

    def forward(self, images):
        return self.head(self.dropout(self.features(images).flatten(-3)))


def load(part, count=None):
    """Images (count, 1, 28, 28) from -1 to 1 and their classes, of "train" or "t10k"."""
    folder = pathlib.Path(os.environ.get("LUGE_DATA", "/usr/share/datasets/fashion-mnist"))
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = numpy.frombuffer(file.read(), numpy.uint8, offset=16).reshape(-1, 1, 28, 28)[:count]
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = numpy.frombuffer(file.read(), numpy.uint8, offset=8)[:count]
    return torch.tensor(pixels.astype(numpy.float32) / 127.5 - 1), torch.tensor(labels.astype(numpy.int64))


def train(model, batches, *, rate=1e-3):
    """The loss of each batch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def train_sets(sets, batches, *, rate=1e-3, **options):
    """What luge has beyond that: as many networks as wanted at once, each with a first guess of its own, captured."""
    params = torch.Parameters(sets=sets, seed=0)
    with nn.build_in(params):
        model = Network(**options)
    optimizer = torch.optim.Adam(params, lr=rate)

    @torch.capture
    def step(images, labels):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels, reduction="per_set")  # one for each network
        loss.sum().backward()
        optimizer.step()
        return loss

    return model, [step(images, labels) for images, labels in batches]


def main():
    parser = argparse.ArgumentParser(description="Trains a convolutional network on Fashion-MNIST.")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--images", type=int, default=60_000, help="how many of the 60,000 training images are taken")
    parser.add_argument("--sets", type=int, help="so many networks at once (luge alone)")
    asked = parser.parse_args()
    torch.manual_seed(0)
    data = torch.utils.data.TensorDataset(*load("train", asked.images))
    loader = torch.utils.data.DataLoader(data, batch_size=64, shuffle=True)
    batches = (batch for _ in range(asked.epochs) for batch in loader)
    if asked.sets:
        model, losses = train_sets(asked.sets, batches)
    else:
        model = Network()
        losses = train(model, batches)
    images, labels = load("t10k", 2000)
    model.eval()
    with torch.no_grad():
        reached = (model(images).argmax(-1) == labels).float().mean(-1)
    print(f"the last loss: {losses[-1]}; {100 * reached.max().item():.1f} % of the test images are right")
    return 0 if reached.max().item() > 0.7 else 1


if __name__ == "__main__":
    sys.exit(main())
