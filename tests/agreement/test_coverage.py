"""Every name that luge offers and PyTorch has is sampled, often enough."""

import pytest

import checks
import luge
import sets
from agreement import FOLDER, by_name
from checks import in_place_of, method_of
from exceptions import ELSEWHERE, FEWER, NO_SETS

MIN_SAMPLES = 20
MIN_ERRORS = 5
NAMESPACES = ("", "Tensor", "nn.functional", "linalg", "special")


def find(name):
    owner = luge
    for part in name.split("."):
        owner = getattr(owner, part, None)
    return owner


def offered():
    """luge's names that are PyTorch's."""
    theirs = set((FOLDER / "records/names").read_text().split())
    found = []
    for namespace in NAMESPACES:
        owner = find(namespace) if namespace else luge
        names = [f"{namespace}.{name}".lstrip(".") for name in dir(owner)]
        found += [name for name in names if name in theirs and find(name) is not None]
    return sorted(found)


def counts():
    """{name: [samples, errors]}, methods and in-place methods that follow from a function's samples included."""
    found = {}
    for (_, name), samples in by_name().items():
        for sample in samples:
            forms = {name, f"Tensor.{method_of(sample)}", f"Tensor.{in_place_of(sample)}"}
            for form in forms:
                found.setdefault(form, [0, 0])[sample.fails] += 1
    same = {}
    for name in offered():
        same.setdefault(id(find(name)), set()).add(name)
    for names in same.values():  # one function under several names
        best = max((found.get(name, [0, 0]) for name in names), default=[0, 0])
        for name in names:
            found[name] = max(found.get(name, [0, 0]), best)
    return found


def needed(name):
    """How many samples and errors: of a property there is no wrong call, of a method without arguments hardly one."""
    found = find(name)
    if not callable(found):
        return MIN_SAMPLES, 0
    signature = str(getattr(found, "__nb_signature__", ""))
    return MIN_SAMPLES, 2 if f"{name.rpartition('.')[2]}(self) ->" in signature else MIN_ERRORS


OFFERED = offered()
COUNTS = counts()
SAMPLES = {}
for (_, sampled), samples in by_name().items():
    if some := [sample for sample in samples if not sample.fails]:
        SAMPLES.setdefault(sampled, []).extend(some)
LEFT_OUT = {name for names in ELSEWHERE.values() for name in names.split()}


@pytest.mark.parametrize("name", [name for name in OFFERED if name not in LEFT_OUT])
def test_is_sampled(name):
    samples, errors = COUNTS.get(name, [0, 0])
    assert samples + errors, f"{name} has no samples"
    enough = samples >= needed(name)[0] and errors >= needed(name)[1]
    if name in FEWER:
        assert not enough, f"{name} has enough; take it from exceptions.py"
    else:
        assert enough, f"{name}: {samples} samples and {errors} errors; needed are {needed(name)}"


def _has_sets(name):
    """Whether a sample's call means the same for a stack, so that set i is held to what it is alone."""
    for sample in SAMPLES[name]:
        outcome = checks.LUGE.run(sample)
        if "result" in outcome and sets.among_others(sample, outcome)[0]:
            return True
    return False


# Layers take images and classes at fixed places; what of them means the same for a stack is held to it all the same.
@pytest.mark.parametrize("name", sorted(name for name in SAMPLES if not name.startswith("nn.functional.")))
def test_sets_follow(name):
    left_out = any(name in names.split() for names in NO_SETS.values())
    assert _has_sets(name) != left_out, f"{name} is to be {'taken from' if left_out else 'put into'} exceptions.py's NO_SETS"


def test_exceptions_exist():
    assert set(FEWER) <= set(OFFERED)
