#!/usr/bin/env python3
"""Writes a few random images and labels in IDX files, for a rehearsal of `luge train`: bench/gpu/small_images.py FOLDER"""

import pathlib
import random
import struct
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
random.seed(1)
for part, count in (("train", 256), ("t10k", 64)):
    (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 0x803, count, 28, 28) + random.randbytes(count * 784))
    labels = bytes(random.randrange(10) for _ in range(count))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 0x801, count) + labels)
