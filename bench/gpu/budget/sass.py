"""Machine code of kernels, as `cuobjdump -sass -res-usage` prints it for sm_70 and newer: 16 bytes an instruction."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

ADDRESS = re.compile(r"^\s*/\*([0-9a-f]{4,})\*/\s+(?:(@!?U?P\w+)\s+)?([A-Z][\w.]*)\s*(.*?)\s*;\s*/\*\s*0x([0-9a-f]{16})\s*\*/")
HIGH_WORD = re.compile(r"^\s*/\*\s*0x([0-9a-f]{16})\s*\*/\s*$")
FUNCTION = re.compile(r"^\s*Function\s*:\s*(\S+)")
ARCHITECTURE = re.compile(r"^\s*code for (sm_\w+)")
RESOURCES = re.compile(r"REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")
TARGET = re.compile(r"\b0x([0-9a-f]+)\b")
NO_BARRIER = 7


@dataclasses.dataclass(frozen=True)
class Instruction:
    address: int
    predicate: str | None  # "@P0", "@!P0", or None
    opcode: str  # with its modifiers: "LDG.E.128"
    operands: str
    high: int  # the upper 8 bytes, whose bits 41 to 57 control when it issues

    @property
    def base(self):
        return self.opcode.split(".")[0]

    @property
    def modifiers(self):
        return self.opcode.split(".")[1:]

    @property
    def sets(self):
        """The barrier that is open until the result is there, or None."""
        barrier = self.high >> 46 & 7
        return None if barrier == NO_BARRIER else barrier

    @property
    def waits(self):
        """The barriers that it waits for."""
        mask = self.high >> 52 & 63
        return [b for b in range(6) if mask >> b & 1]

    @property
    def target(self):
        """Where a branch, call or barrier leads: the last address among the operands."""
        found = TARGET.findall(self.operands)
        return int(found[-1], 16) if found else None

    @property
    def bytes(self):
        """That a thread moves by this access."""
        for modifier in self.modifiers:
            if modifier in ("64", "128", "256"):
                return int(modifier) // 8
            if modifier in ("U8", "S8"):
                return 1
            if modifier in ("U16", "S16"):
                return 2
        return 4

    # A pointer of which the compiler does not know where it leads (LD, ST) is one to a thread's own memory here: all that
    # kernels are handed is known to be global.
    @property
    def loads_global(self):
        return self.base in ("LDG", "LDGSTS")

    @property
    def stores_global(self):
        return self.base == "STG"


@dataclasses.dataclass
class Function:
    name: str  # as the linker knows it
    architecture: str
    code: list
    registers: int = 0
    stack: int = 0
    shared: int = 0

    @property
    def local_accesses(self):
        """Instructions that reach into a thread's own memory: spilled registers, arrays that are no registers."""
        return sum(instruction.base in ("LDL", "STL") for instruction in self.code)


def parse(text):
    """The functions of a listing."""
    functions, resources, current, architecture, pending, name = [], {}, None, "", None, None
    for line in text.splitlines():
        if found := ARCHITECTURE.match(line):
            architecture = found[1]
        elif found := RESOURCES.search(line):
            resources[name] = tuple(map(int, found.groups()))
        elif found := FUNCTION.match(line):
            current = Function(found[1], architecture, [])
            functions.append(current)
        elif found := re.match(r"^\s*Function (\S+):$", line):
            name = found[1]
        elif found := ADDRESS.match(line):
            pending = (int(found[1], 16), found[2], found[3], found[4])
        elif (found := HIGH_WORD.match(line)) and pending and current:
            current.code.append(Instruction(*pending, int(found[1], 16)))
            pending = None
    for function in functions:
        if function.name in resources:
            function.registers, function.stack, function.shared, _ = resources[function.name]
    return functions


def find_tools(folders=()):
    """The folder with cuobjdump and nvdisasm, or None."""
    for folder in [*folders, *os.environ.get("PATH", "").split(":"), "/usr/local/cuda/bin"]:
        if folder and all(os.access(pathlib.Path(folder) / tool, os.X_OK) for tool in ("cuobjdump", "nvdisasm")):
            return pathlib.Path(folder)
    return None


def run(tools, *arguments):
    environment = os.environ | {"PATH": f"{tools}:{os.environ.get('PATH', '')}"}
    command = [str(tools / "cuobjdump"), *map(str, arguments)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True)
    if finished.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {finished.stderr.strip() or finished.stdout.strip()}")
    return finished.stdout


def names_in(tools, path, architecture):
    """Kernels of an object or a cubin, as the linker knows them."""
    text = run(tools, "-res-usage", *in_architecture(path, architecture), path)
    return re.findall(r"^\s*Function (\S+):$", text, re.MULTILINE)


def in_architecture(path, architecture):
    return ["-arch", architecture] if pathlib.Path(path).suffix != ".cubin" else []


def read(tools, path, architecture, names=None):
    """The functions of an object or a cubin; with `names` those only."""
    chosen = ["-fun", ",".join(names)] if names else []
    return parse(run(tools, "-sass", "-res-usage", *in_architecture(path, architecture), *chosen, path))


NOISE = re.compile(r"\(anonymous namespace\)::|luge::cuda::|luge::math::|luge::|scalar::|normalization::")


def plain_names(names):
    """How a reader knows them: "update_kernel<Rule<scalar::Sgd, float>>". Arguments and namespaces are left out."""
    if not names:
        return {}
    filter_ = shutil.which("c++filt") or shutil.which("llvm-cxxfilt")
    if not filter_:
        return {name: name for name in names}
    text = subprocess.run([filter_], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return dict(zip(names, map(plain, text.splitlines())))


def plain(name):
    """Without the type of the result, namespaces and arguments."""
    name = re.sub(r">\s+(?=>)", ">", NOISE.sub("", name))
    depth, end = 0, len(name)
    for i, c in enumerate(name):
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0:
            end = i
            break
    name = name[:end]
    depth, begin = 0, 0
    for i, c in enumerate(name):
        depth += (c == "<") - (c == ">")
        if c == " " and depth == 0:
            begin = i + 1
    return name[begin:]
