"""Writes the stubs of luge._C. Usage: stub.py FOLDER_OF_MODULE PATTERN_FILE

nanobind's generator does it; afterwards the types in class Tensor, whose methods int, float and bool hide the built-in
types of the same names, say that they mean those.
"""

import pathlib
import re
import sys

from nanobind import stubgen


def without_hiding(stub: str) -> str:
    """The stub with builtins.int for int, and so on, in the signatures of class Tensor."""
    lines, inside = [], False
    for line in stub.splitlines():
        if line.startswith("class "):
            inside = line.startswith("class Tensor")
        elif line and not line[0].isspace():
            inside = False
        if inside and re.match(r" {4}(def|@)", line):
            line = re.sub(r"(?<![\w.'\"])(?<!def )(int|float|bool)\b", r"builtins.\1", line)
        lines.append(line)
    return "\n".join(lines) + "\n"


def main() -> None:
    folder, patterns = sys.argv[1:]
    stubgen.main(["-q", "-r", "-P", "-m", "_C", "-i", folder, "-O", folder, "-p", patterns])
    for stub in pathlib.Path(folder, "_C").glob("*.pyi"):
        text = re.sub(r"(?<![\w.])_C\b(?=[. ]|$)", "luge._C", stub.read_text(), flags=re.MULTILINE)
        stub.write_text(without_hiding(text))


if __name__ == "__main__":
    main()
