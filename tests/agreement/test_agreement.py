"""Every sample of samples/*.py under luge, against PyTorch's results: its own where PyTorch 2.15 is installed, else records.

LUGE_AGREEMENT=records takes the records in any case.
"""

import functools
import os
import warnings

import pytest

import checks
import records
from agreement import FOLDER, by_name, load
from comparing import disagreement
from running import Library

try:
    import torch

    recorded = os.environ.get("LUGE_AGREEMENT") == "records" or not torch.__version__.startswith(records.VERSION)
    DIRECT = None if recorded else Library(torch)
except ImportError:
    DIRECT = None

NAMES = by_name()
#: Samples that disagree and are to be repaired: by key. `python tests/agreement/pending.py` writes it anew.
PENDING = {line.split(" ")[0] for line in (FOLDER / "pending.txt").read_text().splitlines()}
read = functools.lru_cache(maxsize=None)(records.read)


def expected(sample):
    if DIRECT is not None and not sample.differs:
        return DIRECT.run(sample)
    text = read(sample.area).get(sample.key)
    return None if text is None else records.outcome(text)


def wrong_with(sample):
    theirs = expected(sample)
    if theirs is None:
        return "has no record: run tests/agreement/recording.py --stale with PyTorch " + records.VERSION
    if "error" in theirs and not sample.fails:
        return f"PyTorch raises {theirs['error']}: {theirs['text']}"
    if sample.fails and "error" not in theirs:
        return "PyTorch raises nothing"
    ours = checks.LUGE.run(sample)
    wrong = disagreement(sample, ours, theirs)
    return wrong or (checks.error if sample.fails else checks.follow)(sample, ours)


@pytest.mark.parametrize("area, name", NAMES, ids=[f"{area}-{name}" for area, name in NAMES])
def test_agrees(area, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [(sample, wrong_with(sample)) for sample in NAMES[area, name]]
    wrong = [f"{sample}: {text}" for sample, text in found if text and sample.key not in PENDING]
    assert not wrong, f"{len(wrong)} of {len(found)} samples of {name}:\n" + "\n".join(wrong[:25])


@pytest.mark.parametrize("area", load())
def test_records_are_current(area):
    """Where they are not: tests/agreement/recording.py --stale."""
    recorded, sampled = set(read(area)), set(load()[area])
    assert not recorded - sampled, "records without a sample"
    assert not sampled - recorded - PENDING, "samples without a record"
