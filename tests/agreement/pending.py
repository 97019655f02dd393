"""Writes pending.txt: the samples that disagree. PyTorch 2.15 or the records, as for the tests. The aim is an empty file."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from agreement import FOLDER, load  # noqa: E402
from test_agreement import wrong_with  # noqa: E402

if __name__ == "__main__":
    lines = []
    for samples in load().values():
        for sample in samples.values():
            text = wrong_with(sample)
            if text:
                lines.append(f"{sample.key} {sample}: {text}")
    (FOLDER / "pending.txt").write_text("".join(f"{line[:300]}\n" for line in sorted(lines, key=lambda line: line[15:])))
    print(f"{len(lines)} samples disagree")
