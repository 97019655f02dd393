"""Writes docs/names.md: every name that luge shares with PyTorch, from the samples. `make names`, or

    python tests/agreement/names.py
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from agreement import DTYPES, FLOATING, FOLDER, INTEGER, by_name  # noqa: E402
from checks import in_place_of, method_of, takes_out  # noqa: E402
from common_names import COMMON  # noqa: E402
from exceptions import ELSEWHERE, HOST  # noqa: E402
from test_coverage import find, offered  # noqa: E402

PAGE = FOLDER.parents[1] / "docs/names.md"
SHORT = {"bool": "b", "uint8": "u8", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "float16": "f16",
         "bfloat16": "bf16", "float32": "f32", "float64": "f64"}  # fmt: skip
GROUPS = [("all", DTYPES), ("all but bool", DTYPES[1:]), ("floating", FLOATING), ("bool, integers", ("bool", *INTEGER)),
          ("integers", INTEGER)]  # fmt: skip

HEAD = """# Names

Written by `make names` from the samples of tests/agreement; a test fails where it is not what the samples say.

Every name stands for the same in `luge` as in `torch`: `luge.add`, `x.add`, `luge.nn.functional.pad`, `luge.linalg.solve`. The
samples compare values, dtypes, shapes, gradients, arguments changed in place and errors with PyTorch {version}, then the same
call captured with its gradients, and derivatives of both orders with differences.

- forms: `f` the function, `m` the method, `_` the in-place method, which is also a function where PyTorch has it, `o` with `out=`
- dtypes: those of the first tensor in the samples whose result is PyTorch's: b bool, u8 ... i64 integers, f16, bf16, f32, f64
- devices: every operation runs on the CPU and on CUDA; those of the host say so
- captured: whether a captured step can hold it

{count} of {common} names that training code often uses are here{rest}.
"""


def short(dtypes):
    dtypes = [dtype for dtype in DTYPES if dtype in dtypes]
    for word, group in GROUPS:
        if dtypes == list(group):
            return word
    return " ".join(SHORT[dtype] for dtype in dtypes) or "–"


def rows():
    """{(namespace, name): what the table says}."""
    left_out = {name for names in ELSEWHERE.values() for name in names.split()}
    shared = set(offered())
    found = {}
    for (_, name), samples in by_name().items():
        if name.startswith("operator.") or name not in shared:
            continue
        base = name
        row = found.setdefault(base, {"forms": set(), "dtypes": set(), "capture": False, "values": 0, "errors": 0, "differs": []})
        row["forms"].add("m" if name.startswith("Tensor.") else "f")
        for sample in samples:
            row["errors" if sample.fails else "values"] += 1
            if sample.differs and sample.differs not in row["differs"]:
                row["differs"].append(sample.differs)
            if sample.fails:
                continue
            if method_of(sample):
                row["forms"].add("m")
            if in_place_of(sample):
                row["forms"].add("_")
            row["capture"] |= sample.capture
            if sample.specs:
                row["dtypes"].add(sample.specs[0].dtype)
            elif str(sample.kwargs.get("dtype", "")).startswith("dtype:"):
                row["dtypes"].add(sample.kwargs["dtype"][6:])
        if any(takes_out(sample) for sample in samples):
            row["forms"].add("o")
    sampled = set(found)
    for name in shared - left_out - sampled:
        last = name.rpartition(".")[2]
        if name.endswith("_") and last[:-1] in sampled and find(name) is find(f"Tensor.{last}"):
            base = last[:-1]  # a function that is the in-place method
        elif name.startswith("Tensor."):
            base = last if last in sampled else last[:-1] if last.endswith("_") and last[:-1] in sampled else f"Tensor.{last[:-1]}"
        else:
            same = sorted(other for other in sampled if find(other) is find(name))
            base = same[0] if same else None
            if base:
                found[base].setdefault("also", []).append(name)
        if base not in found:
            found[name] = {"forms": {"f"}, "dtypes": set(), "capture": True, "values": 0, "errors": 0, "differs": []}
    return found


def page():
    lines = []
    found = rows()
    here = [name for name in COMMON if find(name) is not None]
    missing = [f"`{name}`" for name in COMMON if find(name) is None]
    rest = f"; not here: {', '.join(missing)}" if missing else ""
    from records import VERSION

    lines.append(HEAD.format(version=VERSION, count=len(here), common=len(COMMON), rest=rest))
    groups = {"torch": [], "torch.Tensor": [], "torch.nn.functional": [], "torch.linalg": [], "torch.special": []}
    for name in sorted(found):
        owner = name.rpartition(".")[0]
        groups[f"torch.{owner}" if owner else "torch"].append(name)
    for title, names in groups.items():
        if not names:
            continue
        lines.append(f"\n## {title}\n\n| name | forms | dtypes | devices | captured | samples, errors | differs |")
        lines.append("| --- | --- | --- | --- | --- | --- | --- |")
        for name in names:
            row = found[name]
            also = "".join(f", `{other}`" for other in sorted(row.get("also", [])))
            forms = " ".join(form for form in "fm_o" if form in row["forms"])
            where = "host" if name in HOST else "CPU, CUDA"
            differs = "; ".join(row["differs"]).replace("|", "\\|")
            last = name.rpartition(".")[2]
            lines.append(f"| `{last}`{also} | {forms} | {short(row['dtypes'])} | {where} | {'yes' if row['capture'] else 'no'} | "
                         f"{row['values']}, {row['errors']} | {differs} |")  # fmt: skip
    lines.append("\n## Tested elsewhere\n\n| file | names |\n| --- | --- |")
    for path, names in ELSEWHERE.items():
        lines.append(f"| {path} | {', '.join(f'`{name}`' for name in sorted(names.split()))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
