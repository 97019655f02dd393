#!/usr/bin/env python3
"""What machine code says of kernels, of any object or cubin.

    bench/gpu/budget/show.py [options] FILE...

--kernel REGEX     kernels whose name, as it is printed, has this
--arch sm_90       of an object for several architectures
--read B --write B bytes of an element that are loaded and stored: the fast path over such elements; without them each
                   loop is listed by the path that moves most
--needs MUFU=1     instructions that an element cannot do without: LDG|STG=2, FFMA=0.5, ...
--elements N       of a lap
--listing          the path's instructions, too
--tools FOLDER     where cuobjdump and nvdisasm are; else $PATH
"""

import argparse
import re
import sys

import count
import model
import sass
from flow import Flow


def busiest(flow, loop):
    return max(flow.paths(loop), key=lambda path: (path.loaded + path.stored, -path.instructions), default=None)


def print_path(name, path, elements, threads, listing, predicated=True):
    flying, steering = count.loads(path, count.word(path), predicated)
    each = f", {path.instructions / elements:.1f} each of {elements:g} elements" if elements else ""
    print(f"    {name}: {path.instructions} instructions{each}; loads {path.loaded} B, stores {path.stored} B; "
          f"in flight {flying} B a thread, {flying * threads / 1024:.0f} KB an SM"
          + (f"; {steering} waits for other loads" if steering else ""))
    for i in path.code if listing else ():
        print(f"      {i.address:05x} {i.predicate or '':5s} {i.opcode} {i.operands}   waits {i.waits or ''} sets {i.sets}")


def show(function, name, arguments):
    flow = Flow(function)
    threads = model.resident_threads(function.registers, function.shared)
    print(f"{name}\n  {function.registers} registers, {function.stack} B of stack, {function.local_accesses} accesses to local memory, "
          f"{function.shared} B shared, {len(function.code)} instructions; {threads} threads an SM")
    if arguments.read or arguments.write or arguments.needs:
        needs, _, needed = arguments.needs.partition("=")
        element = count.Element(arguments.read, arguments.write, needs, float(needed or 0), arguments.elements)
        path, elements = count.fast_path(flow, element)
        if path:
            print_path("fast path" if path.repeats else "fast path, no loop", path, elements, threads, arguments.listing,
                       count.carried(path, count.word(path), False) < elements * arguments.read)
        else:
            print("    no path moves such elements")
        return
    for loop in flow.loops:
        path = busiest(flow, loop)
        if path and (path.loaded or path.stored or not flow.contains(loop)):
            depth = sum(loop.blocks < other.blocks for other in flow.loops)
            print_path(f"loop at {flow.blocks[loop.head].code[0].address:#x}, depth {depth}", path, 0, threads, arguments.listing)
    if not flow.loops and (path := max(flow.paths(), key=lambda p: (p.loaded + p.stored, -p.instructions), default=None)):
        print_path("no loop", path, 0, threads, arguments.listing)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--kernel", default="")
    parser.add_argument("--arch", default="sm_90")
    parser.add_argument("--read", type=float, default=0)
    parser.add_argument("--write", type=float, default=0)
    parser.add_argument("--needs", default="")
    parser.add_argument("--elements", type=float, default=0)
    parser.add_argument("--listing", action="store_true")
    parser.add_argument("--tools")
    arguments = parser.parse_args()
    tools = sass.find_tools([arguments.tools] if arguments.tools else [])
    if not tools:
        sys.exit("neither $PATH nor --tools has cuobjdump and nvdisasm")
    for file in arguments.files:
        names = sass.plain_names(sass.names_in(tools, file, arguments.arch))
        chosen = [name for name in names if re.search(arguments.kernel, names[name])]
        for function in sass.read(tools, file, arguments.arch, chosen) if chosen else []:
            if function.name in names:
                show(function, names[function.name], arguments)


if __name__ == "__main__":
    main()
