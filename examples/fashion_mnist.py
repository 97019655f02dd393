"""Images of clothes: a small network learns the ten classes of Fashion-MNIST (Xiao et al. 2017); beside fashion_mnist.cpp.

usage: fashion_mnist.py [--epochs N]     (default 1; about 85 % of the test images after one, 87 % after five)
The images come from Debian's package dataset-fashion-mnist, or from the folder in $LUGE_DATA.
"""

import argparse
import sys

import luge
from luge import nn

parser = argparse.ArgumentParser(description="Trains a network on Fashion-MNIST.")
parser.add_argument("--epochs", type=int, default=1)
epochs = parser.parse_args().epochs
if epochs < 1:
    parser.error("--epochs must be 1 or more")

dataset = luge.data.load_idx_dataset(luge.data.find_dataset("fashion-mnist"))
dataset.normalize()
images, labels = dataset.train
test_images, test_labels = dataset.test

params = luge.Parameters(seed=1)
model = nn.Sequential(
    nn.Linear(dataset.pixels, 256, params=params, name="hidden"),
    nn.ReLU(),
    nn.Linear(256, dataset.classes, params=params, name="output"),
)
optimizer = luge.optim.Adam(params, lr=1e-3)
batches = luge.data.Batches(images, labels, 64, seed=1)
monitor = luge.Monitor(total=epochs * len(batches))

for epoch in range(epochs):
    for batch_images, batch_labels in batches.epoch(epoch):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(batch_images), batch_labels)
        loss.backward()
        optimizer.step()
        monitor.record(loss)
    with luge.no_grad():
        reached = (model(test_images.flatten(1)).argmax(-1) == test_labels).float().mean().item()
    print(f"epoch {epoch + 1}: {100 * reached:.2f} % of the test images are classified correctly")
monitor.finish()
sys.exit(0 if reached > 0.8 else 1)
