#!/bin/sh
# A second SummaryWriter of tensorboardX in the same folder and second overwrites the first one's events, without a word.
# tensorboardX 2.6.4, read by tensorboard 2.20.0; Linux x86-64, Python 3.11.
# Guessed before the run: two event files, as of TensorFlow's writers, whose names also hold the process and a counter.
# Seen: one file; the scalars of the first writer are gone, those of the second are there. With filename_suffix both stay.
# Who logs short runs from a loop, or loss and validation by two writers, must give each a suffix or a folder of its own.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorboardX==2.6.4 tensorboard==2.20.0 'setuptools<81'
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import os
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import SummaryWriter


def tags(folder, suffixes):
    while time.time() % 1 > 0.1:  # both within one second
        time.sleep(0.01)
    for tag, suffix in zip(("first", "second"), suffixes):
        writer = SummaryWriter(folder, filename_suffix=suffix)
        writer.add_scalar(tag, 1.0, 0)
        writer.close()
    events = EventAccumulator(folder)
    events.Reload()
    return len(os.listdir(folder)), sorted(events.Tags()["scalars"])


plain, apart = tags("plain", ("", "")), tags("apart", (".a", ".b"))
print(plain, apart)
assert plain == (1, ["second"])
assert apart == (2, ["first", "second"])
EOF
