"""The table of kernels: what is counted of each (kernels.toml), and what was found (bars.json)."""

import dataclasses
import fnmatch
import json
import pathlib
import sys

try:
    import tomllib
except ImportError:  # before Python 3.11
    print("gpu budget: skipped, it needs Python 3.11")
    sys.exit(77)

import count
import model
import sass
from flow import Flow

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KERNELS, BARS = HERE / "kernels.toml", HERE / "bars.json"


@dataclasses.dataclass(frozen=True)
class PassOf:
    """A pass as kernels.toml has it."""
    read: float
    write: float
    cached: bool
    element: count.Element


@dataclasses.dataclass
class Kernel:
    name: str
    kernel: str  # a pattern for sass.plain_names()
    source: str  # a file of kernels/cuda, a file that CMake wrote, or "generated/NAME"
    passes: list
    elements: float
    bytes: float
    per_block: float  # elements that a block takes in one lap
    grid: str
    tail: dict | None
    measured: list  # case and way of bench/gpu_check.sh
    reason: str


@dataclasses.dataclass
class Counts:
    """What machine code says of a kernel."""
    registers: int
    stack: int
    local: int
    threads: int  # resident, of an SM
    waves: float
    passes: list
    rows: list  # count.Pass, one for each pass
    tail: dict | None = None

    @property
    def in_flight(self):
        """Bytes in an SM, of the pass that has the least under way; 0 for a kernel that loads nothing."""
        return min((row.in_flight * self.threads for p, row in zip(self.passes, self.rows) if p.read and not p.cached), default=0)


def number(text):
    """A number, or a product of some: "8192 * 8192"."""
    result = 1.0
    for factor in str(text).split("*"):
        result *= float(factor)
    return result


def read_pass(entry):
    needs, _, needed = entry.get("needs", "").partition("=")
    read, write = float(entry.get("read", 0)), float(entry.get("write", 0))
    element = count.Element(read, write, needs, float(needed or 0), entry.get("elements", 0), entry.get("word", 0),
                            entry.get("through", False))
    return PassOf(read, write, entry.get("cached", False), element)


def load():
    """Kernels and grids of kernels.toml."""
    text = tomllib.loads(KERNELS.read_text())
    kernels = [
        Kernel(e["name"], e["kernel"], e["source"], [read_pass(p) for p in e["passes"]], number(e["elements"]), float(e["bytes"]),
               number(e["per_block"]), e["grid"], e.get("tail"), e.get("measured", []), e.get("reason", ""))
        for e in text["kernel"]
    ]
    return kernels, text["grid"]


def load_not_counted():
    """Kernels without a row: their names, the file that has them, and the reason."""
    return tomllib.loads(KERNELS.read_text()).get("not_counted", [])


def load_bars():
    return json.loads(BARS.read_text()) if BARS.exists() else {}


def compiled_alone(build, architecture):
    """The folder of the counted kernels' objects where the library is not compiled for this architecture (bench/CMakeLists.txt)."""
    return build / f"bench/CMakeFiles/luge_budget_{architecture}.dir"


def generated(build, architecture):
    """The folder of the kernels that luge compiles at run time."""
    return build / "budget/generated" / architecture


def object_of(build, source, architecture):
    if source.startswith("generated/"):
        return generated(build, architecture) / f"{source.removeprefix('generated/')}.cubin"
    alone = compiled_alone(build, architecture)
    if next(alone.glob("**/*.o"), None) is None:
        return build / "CMakeFiles/luge.dir" / f"{source}.o"
    return alone / (f"gpu/budget/instances/{source.removeprefix('cuda/')}.o" if source.startswith("cuda/") else f"__/{source}.o")


class Code:
    """Functions of the objects of a build folder, each disassembled once."""

    def __init__(self, tools, build, architecture):
        self.tools, self.build, self.architecture = tools, pathlib.Path(build), architecture
        self.names = {}
        self.gpu = model.GPUS[architecture]

    def function(self, source, pattern):
        path = object_of(self.build, source, self.architecture)
        if not path.exists():
            raise LookupError(f"{path} is not there")
        if source not in self.names:
            self.names[source] = sass.plain_names(sass.names_in(self.tools, path, self.architecture))
        found = [name for name, plain in self.names[source].items() if matches(plain, pattern)]
        if len(found) != 1:
            alike = [name for name in sorted(set(self.names[source].values())) if name.startswith(pattern.split("<")[0])]
            raise LookupError(f"{source} has {len(found)} kernels {pattern}; alike, for {self.architecture}: {', '.join(alike) or 'none'}")
        functions = sass.read(self.tools, path, self.architecture, found)
        return next(function for function in functions if function.name == found[0])


def matches(plain, pattern):
    return fnmatch.fnmatchcase(plain, pattern.replace("[", "[[]"))


def measure(code, kernel, grids):
    """The Counts of a kernel. Throws LookupError, which says why there are none."""
    function = code.function(kernel.source, kernel.kernel)
    flow = Flow(function)
    rows = []
    for p in kernel.passes:
        row = count.measure(flow, p.element)
        if row is None:
            raise LookupError(f"no way through {kernel.kernel} moves elements of {p.read:g} bytes read and {p.write:g} written"
                              + (f", with {p.element.needed:g} {p.element.needs} each" if p.element.needs else ""))
        rows.append(row)
    resident = model.resident_blocks(function.registers, function.shared)
    per_sm = grids[kernel.grid]["per_sm"]
    waves = model.waves(kernel.elements / kernel.per_block, resident if per_sm == "resident" else per_sm, resident, code.gpu)
    return Counts(function.registers, function.stack, function.local_accesses, resident * model.THREADS, waves, kernel.passes, rows,
                  kernel.tail)


def stale_grids(grids):
    """Grids whose line the host's source no longer has."""
    return [f"grid {name}: {grid['file']} no longer says `{grid['text']}`; see what the host does now, and correct kernels.toml"
            for name, grid in grids.items() if "file" in grid and grid["text"] not in (ROOT / grid["file"]).read_text()]
