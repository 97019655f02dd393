"""What an H200 does with a kernel whose machine code is known. Nothing here was measured by luge: every constant is
from a source or an estimate, and says so."""

import math

THREADS = 256  # of every block: kernels/cuda/block_size.h
WARP = 32

# Hopper, compute capability 9.0 [CUDA programming guide, table of technical specifications].
REGISTERS = 65536
MOST_THREADS = 2048
MOST_BLOCKS = 32
SHARED = 228 * 1024
RESERVED_SHARED = 1024  # of every block


def resident_blocks(registers, shared, threads=THREADS):
    """Blocks that an SM holds. Registers are handed out to warps, 256 at a time."""
    of_warp = math.ceil(max(registers, 1) * WARP / 256) * 256
    warps = threads // WARP
    by_registers = REGISTERS // of_warp // 4 * 4 // warps  # each quarter of an SM has its own
    by_shared = SHARED // (shared + RESERVED_SHARED)
    return max(1, min(by_registers, by_shared, MOST_THREADS // threads, MOST_BLOCKS))


def resident_threads(registers, shared, threads=THREADS):
    return resident_blocks(registers, shared, threads) * threads


def most_registers(registers, shared, threads=THREADS):
    """The largest number of registers with which as many threads are resident."""
    blocks = resident_blocks(registers, shared, threads)
    most = registers
    while most < 255 and resident_blocks(most + 1, shared, threads) == blocks:
        most += 1
    return most
