"""`python -m luge` is the command-line program."""

import os
import pathlib
import sys


def main() -> None:
    """Becomes the program that was installed beside this package."""
    program = pathlib.Path(__file__).parent / "bin" / "luge"
    if not program.exists():
        sys.exit(f"luge: the program is not part of this installation; looked for {program}")
    os.execv(program, ["luge", *sys.argv[1:]])


if __name__ == "__main__":
    main()
