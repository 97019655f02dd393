#!/bin/sh
# The slices of an open safetensors file are not Python's: bounds count neither from the end nor up to the end.
# safetensors 0.8.0 with numpy 2.4.6; Linux x86-64, Python 3.11.
# Guessed before the run: NumPy's basic indexing, or a SafetensorError where it is not built.
# Seen: a step works; a negative bound of a slice is an OverflowError, though the index -1 works; a bound beyond the end is
# an error, which Python clips; a stop before the start, an empty slice in Python, is a SystemError from inside CPython; a
# tensor without elements cannot be sliced at all; True is the index 1.
# Who reads parts of weights must compute bounds from get_shape() and leave out what has no elements.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'EOF'
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

x = np.arange(12, dtype=np.float32).reshape(3, 4)
save_file({"x": x, "none": x[:0]}, "file")


def seen(read):
    try:
        return read().tolist()
    except Exception as error:
        return type(error).__name__


with safe_open("file", "np") as file:
    part, none = file.get_slice("x"), file.get_slice("none")
    found = {
        "::2": seen(lambda: part[::2]),
        "-1": seen(lambda: part[-1]),
        "-2:": seen(lambda: part[-2:]),
        "1:100": seen(lambda: part[1:100]),
        "2:1": seen(lambda: part[2:1]),
        "True": seen(lambda: part[True]),
        "all of none": seen(lambda: none[:]),
    }
print(found)
assert found == {
    "::2": x[::2].tolist(),
    "-1": x[-1].tolist(),
    "-2:": "OverflowError",
    "1:100": "SafetensorError",
    "2:1": "SystemError",
    "True": x[1].tolist(),
    "all of none": "SafetensorError",
}
EOF
