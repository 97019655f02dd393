#!/bin/sh
# MLX on the CPU adds float32 one after the other: sums stop at 2^24, and variances of large values are noise.
# mlx 0.32.4 with mlx-cpu 0.32.4, Linux x86-64, Python 3.11.
# Guessed before the run: several accumulators or float64, so that 2^25 ones give 33554432 and the mean of ten million 0.1 is 0.1.
# Seen: 16777216; the mean is 0.1088; the variance of 10000 and 10001 in turn is 17247 where 0.25 is right.
# Who compares training losses with MLX on a CPU compares with these sums.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'mlx[cpu]==0.32.4'
"$folder/venv/bin/python" - <<'EOF'
import mlx.core as mx

ones = mx.sum(mx.ones(2**25)).item()
mean = mx.mean(mx.full((10**7,), 0.1)).item()
variance = mx.var(mx.array([10000.0, 10001.0] * 500000)).item()
front = mx.sum(mx.concatenate([mx.array([1e8]), mx.ones(10**6)])).item()
back = mx.sum(mx.concatenate([mx.ones(10**6), mx.array([1e8])])).item()
print(ones, mean, variance, front, back)
assert ones == 2.0**24
assert 0.1087 < mean < 0.1089
assert 1e4 < variance < 1e5
assert (front, back) == (1e8, 1.01e8)
EOF
