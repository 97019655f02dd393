#!/bin/sh
# mx.full ignores dtype=int32 where the value is a float; a value beyond int32 in mx.array is a std::bad_cast.
# mlx 0.32.4 with mlx-cpu 0.32.4, Linux x86-64, Python 3.11.
# Guessed before the run: full((1,), 2.5, dtype=int32) is 2 of int32, and array([2**31], dtype=int32) an OverflowError.
# Seen: full gives 2.5 of float32 without a word (float16 of an int is obeyed); array raises RuntimeError: std::bad_cast.
# A buffer of labels or counters made by full is a float32 one if its value happens to be a float.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4'
"$folder/venv/bin/python" - <<'EOF'
import mlx.core as mx

made = mx.full((1,), 2.5, dtype=mx.int32)
print(made, made.dtype)
assert made.dtype == mx.float32 and made.item() == 2.5
assert mx.full((1,), 3, dtype=mx.float16).dtype == mx.float16
try:
    mx.array([2**31], dtype=mx.int32)
except RuntimeError as error:
    print(error)
    assert str(error) == "std::bad_cast"
else:
    raise AssertionError("no error")
EOF
