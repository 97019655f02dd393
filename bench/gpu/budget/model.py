"""What a GPU does with a kernel whose machine code is known. Nothing here was measured by luge: every constant is
from a source or an estimate, and says so."""

import dataclasses
import math

THREADS = 256  # of every block: kernels/cuda/block_size.h
WARP = 32

# Of compute capability 9.0 and of 10.0 [CUDA programming guide, table of technical specifications].
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


LANES = {"mufu": 16, "convert": 16, "double": 64}  # of the scarce units, a cycle and SM [programming guide, throughput table]


@dataclasses.dataclass(frozen=True)
class Gpu:
    """Rates. [D] datasheet; [K] known from another project's runs on one; [E] estimate."""
    name: str
    sms: int  # [D]
    clock: float  # boost [D]
    copy: float  # bytes a second of a copy, read and written; also of a pure read
    enough: int  # bytes under way in an SM that reach `copy`, by CUB's tuning (cub/device/dispatch/tuning)
    # A load's way to memory and back [E]: idle it takes about half of what CUB's bytes under way last at that rate.
    latency: dict = dataclasses.field(default_factory=lambda: {"memory": 0.7e-6, "L2": 0.35e-6})

    @property
    def issue(self):
        """Instructions of a lane a second."""
        return 4 * WARP * self.sms * self.clock

    @property
    def step(self):
        """Seconds from an instruction to the next one of the same warp, which often needs its result [E]."""
        return 3 / self.clock


GPUS = {
    "sm_90": Gpu("H200", sms=132, clock=1.98e9, copy=4.3e12, enough=48 * 1024),  # copy [K]
    # The clock is that of 75 TFLOPS in float32 [D]; memory has 8 TB/s [D], of which a copy is taken to reach 7/8 [E];
    # 64 KB are in CUB's releases after the one of CUDA 13.0, which asks for the H200's.
    "sm_100": Gpu("B200", sms=148, clock=1.98e9, copy=7.0e12, enough=64 * 1024),
}
H200 = GPUS["sm_90"]
START = 2e-6  # from one kernel to the next, with its first loads and last stores [E]


def join(*seconds):
    """Of works that overlap all but where they are equally long, and there lose a sixth (a norm of order 4)."""
    return sum(s**4 for s in seconds) ** 0.25


def waves(blocks, per_sm, resident, gpu=H200):
    """How often the GPU fills with a grid: for `blocks` blocks of work, with at most `per_sm` to an SM."""
    return min(blocks, per_sm * gpu.sms) / (resident * gpu.sms)


def waste(waves_):
    """How much longer whole waves take than the part of them that has work. A grid that fills the GPU less than once
    wastes nothing: what is resident is all there is."""
    return max(1.0, math.ceil(waves_ - 1e-9) / waves_) if waves_ > 1 else 1.0


def predict(counts, elements, bytes_, gpu=H200):
    """Seconds, and what they are the seconds of: of `elements` elements of `bytes_` bytes of memory traffic each."""
    threads = min(1, counts.waves) * counts.threads
    bandwidth = elements * bytes_ / gpu.copy
    latency, issue, units = 0.0, 0.0, 0.0
    for pass_, one in zip(counts.passes, counts.rows):
        if pass_.read and one.in_flight:
            # A lap waits for its loads, as many at a time as are under way, and then computes.
            lap = (one.loaded / one.in_flight * gpu.latency["L2" if pass_.cached else "memory"] + one.steering * gpu.latency["L2"]
                   + one.elements * one.instructions * gpu.step)
            latency += elements / one.elements * lap / (threads * gpu.sms)
        issue += elements * one.instructions / gpu.issue
        units += max((elements * count / (LANES[unit] * gpu.sms * gpu.clock) for unit, count in one.pipes.items()), default=0)
    latency *= waste(counts.waves)
    parts = {"memory": bandwidth, "loads under way": latency, "instructions": issue, "units": units}
    limit = max(parts, key=parts.get)
    seconds = max(join(bandwidth, latency), issue, units) + START
    if counts.tail:
        tail = counts.tail["bytes"] / tail_rate(counts.tail["in_flight"], gpu)
        seconds += tail
        if tail > seconds / 20:
            limit += ", tail"
    return seconds, limit


def tail_rate(in_flight, gpu=H200):
    """Bytes a second that one block reads from L2, of whose threads each has so many under way."""
    return min(64 * gpu.clock, THREADS * in_flight / gpu.latency["L2"])
