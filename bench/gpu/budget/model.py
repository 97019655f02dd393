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


# Rates. [D] datasheet or programming guide; [K] known from another project's runs on an H200; [E] estimate.
SMS = 132  # [D]
CLOCK = 1.98e9  # boost [D]
COPY = 4.3e12  # bytes a second of a copy, read and written; also of a pure read [K]
ISSUE = 4 * WARP * SMS * CLOCK  # instructions of a lane a second [D]
LANES = {"mufu": 16, "convert": 16, "double": 64}  # of the scarce units, a cycle and SM [D]
# A load's way to memory and back [E]: idle it takes about half, and CUB asks for 48 KB under way in an SM of an H200
# (cub/device/dispatch/tuning), which at 4.3 TB/s is twice as long. L2 answers sooner.
LATENCY = {"memory": 0.7e-6, "L2": 0.35e-6}
STEP = 3 / CLOCK  # from an instruction to the next one of the same warp, which often needs its result [E]
START = 2e-6  # from one kernel to the next, with its first loads and last stores [E]
ENOUGH = 48 * 1024  # bytes under way in an SM that reach COPY, by CUB's tuning for the H200


def join(*seconds):
    """Of works that overlap all but where they are equally long, and there lose a sixth (a norm of order 4)."""
    return sum(s**4 for s in seconds) ** 0.25


def waves(blocks, per_sm, resident):
    """How often the GPU fills with a grid: for `blocks` blocks of work, with at most `per_sm` to an SM."""
    return min(blocks, per_sm * SMS) / (resident * SMS)


def waste(waves_):
    """How much longer whole waves take than the part of them that has work. A grid that fills the GPU less than once
    wastes nothing: what is resident is all there is."""
    return max(1.0, math.ceil(waves_ - 1e-9) / waves_) if waves_ > 1 else 1.0


def predict(counts, elements, bytes_):
    """Seconds, and what they are the seconds of: of `elements` elements of `bytes_` bytes of memory traffic each."""
    threads = min(1, counts.waves) * counts.threads
    bandwidth = elements * bytes_ / COPY
    latency, issue, units = 0.0, 0.0, 0.0
    for pass_, one in zip(counts.passes, counts.rows):
        if pass_.read and one.in_flight:
            # A lap waits for its loads, as many at a time as are under way, and then computes.
            lap = (one.loaded / one.in_flight * LATENCY["L2" if pass_.cached else "memory"] + one.steering * LATENCY["L2"]
                   + one.elements * one.instructions * STEP)
            latency += elements / one.elements * lap / (threads * SMS)
        issue += elements * one.instructions / ISSUE
        units += max((elements * count / (LANES[unit] * SMS * CLOCK) for unit, count in one.pipes.items()), default=0)
    latency *= waste(counts.waves)
    parts = {"memory": bandwidth, "loads under way": latency, "instructions": issue, "units": units}
    limit = max(parts, key=parts.get)
    seconds = max(join(bandwidth, latency), issue, units) + START
    if counts.tail:
        tail = counts.tail["bytes"] / tail_rate(counts.tail["in_flight"])
        seconds += tail
        if tail > seconds / 20:
            limit += ", tail"
    return seconds, limit


def tail_rate(in_flight):
    """Bytes a second that one block reads from L2, of whose threads each has so many under way."""
    return min(64 * CLOCK, THREADS * in_flight / LATENCY["L2"])
