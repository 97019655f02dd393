"""What a path through machine code costs: instructions, and bytes of loads that are under way at once."""

import collections
import dataclasses


@dataclasses.dataclass(frozen=True)
class Pass:
    """A kernel's way over its elements."""
    elements: float  # in one lap of a thread
    instructions: float  # for each element
    loaded: int  # bytes of elements in a lap of a thread
    in_flight: int  # of these, at once
    steering: int  # times in a lap that it waits for loads that steer it: labels, tables of addresses
    laps: bool  # whether the path is a loop's
    pipes: dict  # instructions of the scarce units for each element: "mufu", "convert", "double"


def word(path):
    """Bytes of the loads that carry most of what the path loads: other loads steer it."""
    carried = collections.Counter()
    for instruction in path.own:
        if instruction.loads_global:
            carried[instruction.bytes] += instruction.bytes
    return max(carried, key=lambda width: (carried[width], width)) if carried else 0


def loads(path, width, predicated=True):
    """The most bytes that a thread has asked for and not waited for, of the words of this width, and how often it waits
    for others in a lap. Without `predicated` loads that a predicate may leave out are taken for left out. The scoreboard's barriers say when that is: a load opens one, and an instruction that waits for
    it has everything that opened it before."""
    open_, others, most, waits = collections.Counter(), set(), 0, 0
    laps = 2 if path.repeats else 1  # loads may be asked for a lap ahead
    for instruction in path.own * laps:
        if instruction.base in ("DEPBAR", "LDGDEPBAR"):
            open_.clear()
        for barrier in instruction.waits:
            open_.pop(barrier, None)
            waits += barrier in others
            others.discard(barrier)
        if instruction.predicate and not predicated:
            continue
        if instruction.loads_global and instruction.bytes == width:
            open_["copy" if instruction.base == "LDGSTS" else instruction.sets] += width
            most = max(most, sum(open_.values()))
        elif instruction.loads_global:
            others.add(instruction.sets)
    return most, waits // laps


def unit(instruction):
    """The scarce unit that executes it, or None."""
    base, modifiers = instruction.base, instruction.modifiers
    if base in ("MUFU",):
        return "mufu"
    if base in ("F2F", "F2I", "I2F", "FRND"):
        return "convert"
    if base in ("DADD", "DMUL", "DFMA", "DSETP", "DMNMX") and "MMA" not in modifiers:
        return "double"
    return None


def pipes(path, elements):
    counted = collections.Counter(filter(None, map(unit, path.own)))
    return {name: count / elements for name, count in sorted(counted.items())}


def carried(path, width, predicated=True):
    """Bytes of the path's loads of words of this width."""
    return sum(width for i in path.own if i.loads_global and i.bytes == width and (predicated or not i.predicate))


@dataclasses.dataclass(frozen=True)
class Element:
    """What a pass does for each element: the bytes that it loads and stores, and instructions that it cannot do without:
    a way through a loop that has fewer of them is one for other elements (a softmax without exponential)."""
    read: float
    write: float
    needs: str = ""  # "MUFU.RSQ", or "LDS|STS"
    needed: float = 0
    in_lap: float = 0  # elements that a lap has; 0: any number
    word: int = 0  # bytes of the loads that carry elements; 0: of those that carry most
    through: bool = False  # a lap goes through loops within it, whose accesses are the lap's own

    def is_needed(self, instruction):
        return any(f"{instruction.opcode}.".startswith(f"{one}.") for one in self.needs.split("|"))

    def may_be_in(self, code):
        """Whether a lap through some of this code could have one."""
        return ((not self.read or any(i.loads_global for i in code)) and (not self.write or any(i.stores_global for i in code))
                and sum(map(self.is_needed, code)) >= self.needed * (self.in_lap or 1))

    def width(self, path):
        return self.word or word(path)

    def count(self, path):
        """How many a lap of the path does whole."""
        if self.write:
            elements = path.stored / self.write
        elif self.read:
            elements = carried(path, self.width(path)) / self.read
        else:
            elements = self.in_lap or (path.needed / self.needed if self.needed else 0)
        if self.in_lap and elements != self.in_lap:
            return 0
        enough = path.loaded >= elements * self.read and path.needed >= elements * self.needed
        return elements if enough and (self.write or not path.stored) else 0


def fast_path(flow, element):
    """The path with the fewest instructions for each element, and its elements in a lap. Loops first: a way through the
    whole function is one of a kernel without any."""
    needs = element.is_needed if element.needs else None
    most = element.in_lap * element.needed or None  # more make no difference
    for loops in (flow.loops, [None]):
        found = [(path.instructions / elements, -elements, path) for loop in loops if element.may_be_in(flow.code_of(loop, element.through))
                 for path in flow.paths(loop, needs, most, element.through, bool(element.read), bool(element.write))
                 if (elements := element.count(path))]
        if found:
            _, elements, path = min(found, key=lambda item: item[:2])
            return path, -elements
    return None, 0


def measure(flow, element):
    """The Pass of a kernel over such elements, or None."""
    path, elements = fast_path(flow, element)
    if path is None:
        return None
    width = element.width(path)
    # Where the loads without a predicate are enough, the others are for other cases: of what is to be added to.
    predicated = carried(path, width, False) < elements * element.read
    in_flight, steering = loads(path, width, predicated)
    return Pass(elements, path.instructions / elements, carried(path, width, predicated), in_flight, steering, path.repeats, pipes(path, elements))
