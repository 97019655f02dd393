"""Every name that luge offers and PyTorch has is sampled, often enough."""

import pytest

import luge
from agreement import FOLDER, by_name
from checks import in_place_of, method_of
from exceptions import ELSEWHERE, FEWER

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


def test_exceptions_exist():
    assert set(FEWER) <= set(OFFERED)
