"""Writes machine code as cuobjdump prints it, so that tests can say what they mean."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/gpu/budget"))

import sass  # noqa: E402


def high_word(waits=(), sets=7):
    """The upper half of an instruction: the barriers that it waits for, and the one that it opens (7: none)."""
    return 7 << 49 | sets << 46 | sum(1 << 52 + barrier for barrier in waits)


def listing(*lines, name="kernel", registers=32, stack=0, shared=0):
    """Of lines such as "loop: @P0 LDG.E R2, desc[UR4][R4.64] | sets 2 | waits 0 1". A label in braces, as in
    "BRA {loop}", becomes the address of the line that begins with it."""
    parsed, labels = [], {}
    for line in lines:
        text, *control = [part.strip() for part in line.split("|")]
        first, _, rest = text.partition(" ")
        if first.endswith(":"):
            labels[first[:-1]] = hex(16 * len(parsed))
            text = rest.strip()
        given = {word: [int(number) for number in numbers] for word, *numbers in map(str.split, control)}
        parsed.append((text, high_word(given.get("waits", ()), given.get("sets", [7])[0])))
    out = ["Resource usage:", " Common:", "  GLOBAL:0", f" Function {name}:",
           f"  REG:{registers} STACK:{stack} SHARED:{shared} LOCAL:0 CONSTANT[0]:594 TEXTURE:0 SURFACE:0 SAMPLER:0", "",
           "\tcode for sm_90", f"\t\tFunction : {name}", '\t.headerflags\t@"EF_CUDA_SM90"']
    for i, (text, high) in enumerate(parsed):
        predicate, instruction = text.split(" ", 1) if text.startswith("@") else ("", text)
        instruction = instruction.format(**labels)
        out.append(f"        /*{16 * i:04x}*/  {predicate:>5s} {instruction} ;   /* 0x{i:016x} */")
        out.append(f"                                        /* 0x{high:016x} */")
    return "\n".join(out) + "\n"


def function(*lines, **options):
    return sass.parse(listing(*lines, **options))[0]
