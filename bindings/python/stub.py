"""Writes the stubs of luge._C. Usage: stub.py FOLDER_OF_MODULE PATTERN_FILE

nanobind's generator does it. Afterwards the types in class Tensor, whose members int, float, bool, dtype and device hide the
types of the same names, say that they mean those; and functions that return what they wrote to, which C++ has as an object,
return a tensor.
"""

import pathlib
import re
import sys

from nanobind import stubgen


def without_hiding(stub: str) -> str:
    """The stub with builtins.int for int, _DType for dtype, and so on, in the signatures of class Tensor."""
    lines, inside = [], False
    for line in stub.splitlines():
        if line.startswith("class "):
            inside = line.startswith("class Tensor")
        elif line and not line[0].isspace():
            inside = False
        if inside and re.match(r" {4}(def|@)", line):
            line = re.sub(r"(?<![\w.'\"])(?<!def )(int|float|bool)\b", r"builtins.\1", line)
            for name, alias in (("dtype", "_DType"), ("device", "_Device")):
                line = re.sub(rf"((?:: |\| |-> )){name}\b(?!:)", rf"\1{alias}", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def with_tensors(stub: str) -> str:
    """The stub with Tensor for object where a function writes to `out`, and where a method changes its tensor."""
    stub = re.sub(r"^(def .*\bout: )object( \| None = None.*\) -> )object:", r"\1Tensor\2Tensor:", stub, flags=re.MULTILINE)
    return re.sub(r"^( *def [a-z]\w*_\(.*\) -> )object:", r"\1Tensor:", stub, flags=re.MULTILINE)


def main() -> None:
    folder, patterns = sys.argv[1:]
    stubgen.main(["-q", "-r", "-P", "-m", "_C", "-i", folder, "-O", folder, "-p", patterns])
    for stub in pathlib.Path(folder, "_C").glob("*.pyi"):
        text = re.sub(r"(?<![\w.])_C\b(?=[. ]|$)", "luge._C", stub.read_text(), flags=re.MULTILINE)
        stub.write_text(with_tensors(without_hiding(text)))


if __name__ == "__main__":
    main()
