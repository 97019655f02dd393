"""Basic blocks of a function, its loops, and the cheapest ways through them.

What a warp does between two visits of a loop's head depends on its branches. The fast path is the one that a kernel is
written for: among all ways through a loop that move whole elements, the one with the fewest instructions for each."""

import dataclasses
import functools

ENDS = ("EXIT", "RET", "BRX", "JMX", "KILL", "BPT")


@dataclasses.dataclass
class Block:
    first: int  # index of its first instruction
    code: list
    next: list = dataclasses.field(default_factory=list)  # indices of blocks
    callees: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Loop:
    head: int
    blocks: frozenset
    latches: frozenset  # blocks that go back to the head


class Path:
    """One way through a loop, or through a whole function."""

    def __init__(self, blocks, within, instructions, moved, repeats):
        self._blocks, self._within = blocks, within  # blocks(): in order; `within`: numbers of blocks in inner loops
        self.instructions = instructions  # with those of the functions that it calls
        self.loaded, self.stored, self.needed = moved  # bytes of global memory, by a thread, and what was asked for
        self.repeats = repeats  # False: through the function, once

    @functools.cached_property
    def code(self):
        return tuple(i for _, block in self._blocks() for i in block.code)

    @functools.cached_property
    def own(self):
        """The part of `code` that is in no loop within."""
        return tuple(i for b, block in self._blocks() if b not in self._within for i in block.code)


def is_conditional(instruction):
    """A branch whose condition is a predicate, or, for some, an operand in front of the address."""
    if instruction.predicate or instruction.opcode.startswith("BRA.DIV"):
        return True
    return instruction.base == "BRA" and "," in instruction.operands


def undominated(states):
    """Without ways that another one with as many bytes makes pointless: it has no more instructions, and no fewer of those
    that are needed."""
    kept, most = {}, {}
    for key, state in sorted(states.items(), key=lambda item: (item[1][0], -item[0][2])):
        if key[2] > most.get(key[:2], -1):
            most[key[:2]] = key[2]
            kept[key] = state
    return kept


class Flow:
    def __init__(self, function):
        self.code = function.code
        self.at = {instruction.address: i for i, instruction in enumerate(self.code)}
        self.blocks = self._cut()
        self._connect()
        self.order = self._reverse_postorder()
        self.dominators = self._dominators()
        self.loops = self._loops()
        self._costs = {}

    # ---- blocks

    def _cut(self):
        begins = {0}
        for i, instruction in enumerate(self.code):
            if instruction.base in ("BRA", "CALL", "BSSY", "WARPSYNC", "JMP") and instruction.target in self.at:
                begins.add(self.at[instruction.target])
            if instruction.base in ("BRA", "CALL", "BSYNC", "WARPSYNC", "JMP", *ENDS):
                begins.add(i + 1)
        starts = sorted(b for b in begins if b < len(self.code))
        blocks = [Block(a, self.code[a:b]) for a, b in zip(starts, [*starts[1:], len(self.code)])]
        self.block_at = {block.first: i for i, block in enumerate(blocks)}
        return blocks

    def _block_of(self, address):
        return self.block_at.get(self.at.get(address))

    def _connect(self):
        called, indirect, syncs = set(), [], []
        for b, block in enumerate(self.blocks):
            last = block.code[-1]
            following = [b + 1] if b + 1 < len(self.blocks) else []
            target = self._block_of(last.target) if last.target is not None else None
            if last.base in ("BRA", "JMP"):
                block.next = ([target] if target is not None else []) + (following if is_conditional(last) else [])
            elif last.base == "WARPSYNC" and target is not None:
                block.next = [target, *following]
            elif last.base == "CALL":
                block.next = following
                if target is not None:
                    called.add(target)
                    block.callees.append(target)
            elif last.base in ENDS:
                block.next = following if last.predicate else []
                if last.base in ("BRX", "JMX"):
                    indirect.append(block)
            elif last.base == "BSYNC":
                syncs.append((b, last.operands.split(",")[0].strip()))
                block.next = following
            else:
                block.next = following
            block.next = list(dict.fromkeys(block.next))
        self._connect_joins(syncs)
        # A table of addresses leads to blocks that nothing else leads to.
        reached = {n for block in self.blocks for n in block.next} | called | {0}
        lonely = [b for b in range(len(self.blocks)) if b not in reached]
        for block in indirect:
            block.next = list(dict.fromkeys(block.next + lonely))

    def _connect_joins(self, syncs):
        """BSYNC goes on where the BSSY that opened its barrier says; mostly that is what follows."""
        opened = {}
        for block in self.blocks:
            for instruction in block.code:
                if instruction.base == "BSSY" and instruction.target in self.at:
                    name = instruction.operands.split(",")[0].strip()
                    opened.setdefault(name, []).append((instruction.address, instruction.target))
        for b, name in syncs:
            here = self.blocks[b].code[-1].address
            targets = {target for _, target in opened.get(name, [])}
            if not targets or here + 16 in targets:
                continue
            before = [target for address, target in opened[name] if address < here]
            joined = self._block_of(before[-1]) if before else None
            if joined is not None:
                self.blocks[b].next = [joined]

    # ---- loops

    def _reverse_postorder(self, start=0):
        order, seen, stack = [], {start}, [(start, iter(self.blocks[start].next))]
        while stack:
            block, rest = stack[-1]
            for n in rest:
                if n not in seen:
                    seen.add(n)
                    stack.append((n, iter(self.blocks[n].next)))
                    break
            else:
                order.append(block)
                stack.pop()
        return order[::-1]

    def _dominators(self):
        before = {b: [] for b in self.order}
        for b in self.order:
            for n in self.blocks[b].next:
                before[n].append(b)
        everything = set(self.order)
        dominators = {b: everything for b in self.order}
        dominators[self.order[0]] = {self.order[0]}
        changed = True
        while changed:
            changed = False
            for b in self.order[1:]:
                new = set.intersection(*(dominators[p] for p in before[b])) | {b}
                if new != dominators[b]:
                    dominators[b], changed = new, True
        self.before = before
        return dominators

    def _loops(self):
        latches = {}
        for b in self.order:
            for n in self.blocks[b].next:
                if n in self.dominators[b]:
                    latches.setdefault(n, set()).add(b)
        loops = []
        for head, ends in latches.items():
            inside, todo = {head}, list(ends)
            while todo:
                b = todo.pop()
                if b not in inside:
                    inside.add(b)
                    todo += self.before[b]
            loops.append(Loop(head, frozenset(inside), frozenset(ends)))
        return sorted(loops, key=lambda loop: (len(loop.blocks), loop.head))

    def _within(self, inside, through):
        return frozenset() if through else frozenset().union(*(other.blocks for other in self.loops if other.blocks < inside))

    def code_of(self, loop, through=False):
        """The instructions of a loop, or of the function, that are its own."""
        inside = loop.blocks if loop else frozenset(self.order)
        return [i for b in inside - self._within(inside, through) for i in self.blocks[b].code]

    def contains(self, loop):
        """The loops within a loop."""
        return [other for other in self.loops if other is not loop and other.blocks < loop.blocks]

    # ---- paths

    def cost_of_call(self, target):
        """Instructions of a function from its first to the nearest return."""
        if target not in self._costs:
            self._costs[target] = 0  # recursion
            best = {target: 0}
            result = None
            for b in self._reverse_postorder(target):
                if b not in best:
                    continue
                cost = best[b] + self._cost(b)
                if not self.blocks[b].next and (result is None or cost < result):
                    result = cost
                for n in self.blocks[b].next:
                    if n not in best or cost < best[n]:
                        best[n] = cost
            self._costs[target] = result or 0
        return self._costs[target]

    def _cost(self, b):
        block = self.blocks[b]
        return len(block.code) + sum(self.cost_of_call(target) for target in block.callees)

    def paths(self, loop=None, needs=None, most=None, through=False, loads=True, stores=True):
        """The cheapest ways through a loop, or through the function, for every number of bytes loaded and stored and of
        instructions for which needs(instruction), counted up to `most`. An access belongs to the innermost loop around it alone, except with
        `through`. A loop within is gone through once at most. Without `loads`
        bytes loaded are not told apart; without `stores` no way stores anything of its own."""
        inside = loop.blocks if loop else frozenset(self.order)
        start = loop.head if loop else self.order[0]
        place = {b: i for i, b in enumerate(self.order)}
        within = self._within(inside, through)
        best = {start: {(0, 0, 0): (0, None)}}  # block -> bytes before it -> instructions, whence
        ends = {}
        for b in self.order:
            if b not in inside or b not in best:
                continue
            block = self.blocks[b]
            own = () if b in within else block.code
            if not stores and any(i.stores_global for i in own):
                continue
            moved = (sum(i.bytes for i in own if loads and i.loads_global), sum(i.bytes for i in own if i.stores_global),
                     sum(map(needs, own)) if needs else 0)
            cost = self._cost(b)
            best[b] = undominated(best[b])
            is_end = b in loop.latches if loop else not [n for n in block.next if place[n] > place[b]]
            for key, (instructions, _) in best[b].items():
                needed = key[2] + moved[2]
                after = (key[0] + moved[0], key[1] + moved[1], needed if most is None else min(needed, most))
                total = instructions + cost
                if is_end and (after not in ends or total < ends[after][0]):
                    ends[after] = (total, (b, key))
                for n in block.next:
                    if n in inside and n != start and place[n] > place[b]:
                        states = best.setdefault(n, {})
                        if after not in states or total < states[after][0]:
                            states[after] = (total, (b, key))
        return [Path(functools.partial(self._chain, best, end), within, total, moved, loop is not None)
                for moved, (total, end) in sorted(ends.items())]

    def _chain(self, best, end):
        """The blocks of a path, in order, with their numbers."""
        chain, state = [], end
        while state:
            block, key = state
            chain.append((block, self.blocks[block]))
            state = best[block][key][1]
        return chain[::-1]
