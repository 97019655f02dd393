"""Writes records/*.txt: what PyTorch 2.15 gives for every sample.

    python tests/agreement/recording.py --stale           only samples without a record; drops records without a sample
    python tests/agreement/recording.py [AREA...]         all of them anew, or those of some areas
    python tests/agreement/recording.py --stale AREA...

luge is needed, too, for the samples where it means to differ, whose own results are recorded.
"""

import sys
import warnings

import luge
import torch
from agreement import FOLDER, load
from records import VERSION, line, read, write
from running import Library

NAMESPACES = {
    "": torch, "Tensor": torch.Tensor, "nn.functional": torch.nn.functional, "linalg": torch.linalg, "special": torch.special
}  # fmt: skip


def names():
    """PyTorch's names: what test_coverage.py asks luge's for."""
    lines = []
    for namespace, owner in NAMESPACES.items():
        for name in dir(owner):
            value = getattr(owner, name, None)
            is_property = isinstance(value, property) or type(value).__name__ == "getset_descriptor"
            if not name.startswith("_") and (is_property or (callable(value) and not isinstance(value, type))):
                lines.append(f"{namespace}.{name}".lstrip("."))
    return lines


def main(arguments):
    assert torch.__version__.startswith(VERSION), f"records are PyTorch {VERSION}'s; this is {torch.__version__}"
    stale = "--stale" in arguments
    areas = [word for word in arguments if not word.startswith("-")]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    theirs, ours = Library(torch), Library(luge)
    wrong = []
    for area, samples in load().items():
        if areas and area not in areas:
            continue
        known = read(area) if stale else {}
        lines = {}
        for key, sample in samples.items():
            if key in known:
                lines[key] = known[key]
                continue
            outcome = (ours if sample.differs and not sample.fails else theirs).run(sample)
            if sample.differs and sample.fails:
                outcome = {"error": "PyTorch computes it"}
            if ("error" in outcome) != sample.fails:
                what = outcome["error"] + ": " + outcome["text"].split("\n")[0] if "error" in outcome else outcome["result"]
                wrong.append(f"{area}: {sample}: {'raises nothing but gives' if sample.fails else 'raises'} {what}")
                continue
            lines[key] = line(key, outcome)
        write(area, lines)
        print(f"{area}: {len(lines)} records, {len(set(lines) - set(known))} new, {len(set(known) - set(lines))} dropped")
    (FOLDER / "records/names").write_text("\n".join(sorted(names())) + "\n")
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
