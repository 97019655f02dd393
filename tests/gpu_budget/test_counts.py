"""What bench/gpu/budget reads from machine code."""

import unittest

from listing import function, listing

import count
import sass
from flow import Flow


def measured(element, *lines, **options):
    return count.measure(Flow(function(*lines, **options)), element)


class Parser(unittest.TestCase):
    def test_what_cuobjdump_prints(self):
        text = """
Resource usage:
 Common:
  GLOBAL:0
 Function first:
  REG:48 STACK:16 SHARED:1088 LOCAL:0 CONSTANT[0]:594 TEXTURE:0 SURFACE:0 SAMPLER:0

	code for sm_90
	.target	sm_90

		Function : first
	.headerflags	@"EF_CUDA_SM90 EF_CUDA_VIRTUAL_SM(EF_CUDA_SM90)"
        /*0000*/                   LDG.E.64 R8, desc[UR20][R10.64] ;                                /* 0x000000140a087981 */
                                                                                                    /* 0x000ea2000c1e1b00 */
        /*0010*/              @!P2 BRA 0x4e0 ;                                                      /* 0x000000000048a947 */
                                                                                                    /* 0x000fea0003800000 */
        /*0020*/                   FSETP.GTU.AND P1, PT, R8, R9, PT ;                               /* 0x000000090800720b */
                                                                                                    /* 0x004fe40003f2c000 */
        /*0030*/                   STL.64 [R1+0x8], R24 ;                                           /* 0x0000081801007387 */
                                                                                                    /* 0x000fe40000100a00 */
"""
        (first,) = sass.parse(text)
        self.assertEqual((first.name, first.architecture, first.registers, first.stack, first.shared), ("first", "sm_90", 48, 16, 1088))
        load, branch, compare, spill = first.code
        self.assertEqual((load.base, load.bytes, load.sets, load.waits), ("LDG", 8, 2, []))
        self.assertEqual((branch.predicate, branch.target, branch.sets), ("@!P2", 0x4E0, None))
        self.assertEqual(compare.waits, [2])
        self.assertEqual(first.local_accesses, 1)

    def test_sm_100_has_its_barriers_at_the_same_bits(self):
        """As cuobjdump prints the softmax's beginning: the product waits for the barrier that the load of its factor opens."""
        text = """
	code for sm_100
		Function : first
	.headerflags	@"EF_CUDA_64BIT_ADDRESS EF_CUDA_SM100 EF_CUDA_VIRTUAL_SM(EF_CUDA_SM100)"
        /*0080*/                   LDC.64 R6, c[0x0][0x388] ;                                    /* 0x0000e200ff067b82 */
                                                                                                 /* 0x000ea20000000a00 */
        /*0130*/                   IMAD R0, R6.reuse, UR4, RZ ;                                  /* 0x0000000406007c24 */
                                                                                                 /* 0x044fe4000f8e02ff */
"""
        (first,) = sass.parse(text)
        load, product = first.code
        self.assertEqual((first.architecture, load.sets, load.waits, product.waits), ("sm_100", 2, [], [2]))

    def test_several_functions(self):
        functions = sass.parse(listing("EXIT", name="a", registers=10) + listing("NOP", "EXIT", name="b", registers=20))
        self.assertEqual([(f.name, f.registers, len(f.code)) for f in functions], [("a", 10, 1), ("b", 20, 2)])

    def test_bytes_of_accesses(self):
        code = function("LDG.E.128.CONSTANT R0, a", "LDG.E R0, a", "LDG.E.U8 R0, a", "STG.E.U16 a, R0", "LDG.E.64 R0, a").code
        self.assertEqual([i.bytes for i in code], [16, 4, 1, 2, 8])

    def test_names(self):
        for name, plain in {
            "void luge::cuda::(anonymous namespace)::update_kernel<luge::cuda::Rule<luge::math::scalar::AdamRule<true>, float> >(int, long)":
                "update_kernel<Rule<AdamRule<true>, float>>",
            "luge::cuda::(anonymous namespace)::link_kernel(long const*, long)": "link_kernel",
            "luge_chain": "luge_chain",
            "void k<A<B<C<int> > > >(A<int>)": "k<A<B<C<int>>>>",
        }.items():
            self.assertEqual(sass.plain(name), plain)


class Loops(unittest.TestCase):
    def test_fast_path_is_the_packed_one(self):
        """Beside a way that loads one by one, and one that stores without having loaded."""
        packed = measured(
            count.Element(4, 4),
            "MOV R0, R1",
            "loop: @P0 BRA {single}",
            "@P1 BRA {constant}",
            "LDG.E.128 R4, a | sets 0",
            "store: STG.E.128 b, R4 | waits 0",
            "next: IADD3 R0, R0, R1, RZ",
            "@P2 BRA {loop}",
            "EXIT",
            "single: LDG.E R4, a | sets 0",
            "LDG.E R5, a | sets 0",
            "LDG.E R6, a | sets 0",
            "LDG.E R7, a | sets 0",
            "BRA {store}",
            "constant: BRA {store}",
        )
        self.assertEqual((packed.elements, packed.instructions, packed.in_flight, packed.laps), (4, 6 / 4, 16, True))

    def test_needed_instructions(self):
        lines = ("loop: LDG.E R0, a | sets 0", "@P0 BRA {cheap}", "MUFU.EX2 R0, R0 | waits 0", "FADD R1, R1, R0",
                 "cheap: @P1 BRA {loop}", "EXIT")
        self.assertEqual(measured(count.Element(4, 0), *lines).instructions, 3)
        self.assertEqual(measured(count.Element(4, 0, "MUFU.EX2", 1), *lines).instructions, 5)
        self.assertIsNone(measured(count.Element(4, 0, "MUFU.RSQ", 1), *lines))

    def test_unrolled_loop_beside_its_remainder(self):
        unrolled = measured(
            count.Element(4, 0),
            "one: LDG.E R0, a | sets 0",
            "FADD R1, R1, R0 | waits 0",
            "IADD3 R2, R2, R3, RZ",
            "@P0 BRA {one}",
            "four: LDG.E R0, a | sets 0",
            "LDG.E R4, a+0x4 | sets 1",
            "FADD R1, R1, R0 | waits 0",
            "FADD R1, R1, R4 | waits 1",
            "@P0 BRA {four}",
            "EXIT",
        )
        self.assertEqual((unrolled.elements, unrolled.instructions, unrolled.in_flight), (2, 2.5, 8))

    def test_an_access_belongs_to_the_innermost_loop(self):
        lines = (
            "outer: LDG.E.64 R8, labels | sets 1",
            "inner: LDG.E R0, a | sets 0",
            "FADD R1, R1, R0 | waits 0",
            "@P0 BRA {inner}",
            "STG.E b, R1",
            "@P1 BRA {outer}",
            "EXIT",
        )
        self.assertEqual(measured(count.Element(4, 0), *lines).instructions, 3)
        through = measured(count.Element(4, 4, word=4, through=True), *lines)
        self.assertEqual((through.instructions, through.in_flight), (6, 4))

    def test_a_lap_of_so_many_elements(self):
        lines = ("loop: LDG.E R0, a | sets 0", "@P0 BRA {next}", "LDG.E R1, a | sets 0", "NOP", "NOP", "NOP", "NOP",
                 "next: @P1 BRA {loop}", "EXIT")
        self.assertEqual(measured(count.Element(4, 0), *lines).elements, 1)
        self.assertEqual(measured(count.Element(4, 0, in_lap=2), *lines).instructions, 4)

    def test_without_a_loop_the_whole_function(self):
        once = measured(count.Element(4, 4), "@P0 EXIT", "LDG.E.128 R0, a | sets 0", "STG.E.128 b, R0 | waits 0", "EXIT")
        self.assertEqual((once.elements, once.instructions, once.laps), (4, 1, False))

    def test_predicated_tail(self):
        """A predicated instruction takes its slot; a predicated exit goes on."""
        tail = measured(count.Element(4, 4), "loop: @P0 LDG.E R0, a | sets 0", "@P3 EXIT", "@P0 STG.E b, R0 | waits 0", "@P1 BRA {loop}", "EXIT")
        self.assertEqual((tail.elements, tail.instructions), (1, 4))

    def test_calls_cost_what_they_call(self):
        call = measured(
            count.Element(4, 0),
            "loop: LDG.E R0, a | sets 0",
            "CALL.REL.NOINC {slow} | waits 0",
            "@P0 BRA {loop}",
            "EXIT",
            "slow: @P1 BRA {end}",
            "FMUL R0, R0, R0",
            "FMUL R0, R0, R0",
            "end: FADD R0, R0, R0",
            "RET.REL.NODEC R20 0x0",
        )
        self.assertEqual(call.instructions, 3 + 3)

    def test_joins_lead_where_their_barrier_says(self):
        joined = measured(
            count.Element(4, 0),
            "loop: BSSY B0, {join}",
            "LDG.E R0, a | sets 0",
            "@P0 BRA {far}",
            "BSYNC B0",
            "join: FADD R1, R1, R0 | waits 0",
            "@P1 BRA {loop}",
            "EXIT",
            "far: NOP",
            "BSYNC B0",
            "NOP",
            "EXIT",
        )
        self.assertEqual(joined.instructions, 6)
        flow = Flow(function("BSSY B0, {join}", "@P0 BRA {far}", "BSYNC B0", "join: EXIT", "far: BSYNC B0", "NOP", "EXIT"))
        far = next(block for block in flow.blocks if block.code[0].address == 4 * 16)
        self.assertEqual([flow.blocks[b].code[0].address for b in far.next], [3 * 16])

    def test_tables_of_addresses(self):
        """What nothing else leads to, an indirect branch does."""
        chosen = measured(count.Element(4, 0), "loop: LDG.E R0, a | sets 0", "BRX R4 -0x10", "FADD R1, R1, R0 | waits 0",
                          "@P0 BRA {loop}", "EXIT")
        self.assertEqual(chosen.instructions, 4)

    def test_an_endless_inner_loop_is_gone_through_once(self):
        flow = Flow(function("outer: NOP", "inner: FFMA R0, R0, R0, R0", "@P0 BRA {inner}", "@P1 BRA {outer}", "EXIT"))
        self.assertEqual([len(loop.blocks) for loop in flow.loops], [1, 3])
        self.assertEqual([path.instructions for path in flow.paths(flow.loops[1])], [4])


class UnderWay(unittest.TestCase):
    def most(self, *lines):
        return measured(count.Element(4, 0), *lines, "@P0 BRA {loop}", "EXIT").in_flight

    def test_each_waited_for(self):
        self.assertEqual(self.most("loop: LDG.E R0, a | sets 0", "FADD R4, R4, R0 | waits 0", "LDG.E R1, a | sets 1", "FADD R4, R4, R1 | waits 1"), 4)

    def test_asked_for_together(self):
        self.assertEqual(self.most("loop: LDG.E R0, a | sets 0", "LDG.E R1, a | sets 1", "LDG.E R2, a | sets 0", "FADD R4, R4, R1 | waits 1",
                                   "FADD R4, R4, R0 | waits 0"), 12)

    def test_one_barrier_for_several(self):
        """Waiting for a barrier is waiting for all that opened it."""
        self.assertEqual(self.most("loop: LDG.E R0, a | sets 0", "LDG.E R1, a | sets 0", "FADD R4, R4, R0 | waits 0", "LDG.E R2, a | sets 1",
                                   "FADD R4, R4, R2 | waits 1"), 8)

    def test_a_lap_ahead(self):
        self.assertEqual(self.most("loop: LDG.E.128 R0, a | sets 0", "FADD R4, R4, R8 | waits 1", "LDG.E.128 R8, a | sets 1", "FADD R4, R4, R0 | waits 0"), 32)

    def test_never_waited_for_within_a_lap(self):
        self.assertEqual(self.most("loop: LDG.E R0, a | sets 0", "NOP"), 8)

    def test_others_steer(self):
        row = measured(count.Element(4, 4), "loop: LDG.E.64 R8, labels | sets 1", "IMAD R2, R8, R9, RZ | waits 1", "LDG.E.128 R0, a | sets 0",
                       "STG.E.128 b, R0 | waits 0", "@P0 BRA {loop}", "EXIT")
        self.assertEqual((row.loaded, row.in_flight, row.steering), (16, 16, 1))

    def test_what_a_predicate_may_leave_out(self):
        """Loads of what is added to, beside those that are always there; and a tail's, which are all there are."""
        accumulating = ("loop: LDG.E R0, a | sets 0", "@P1 LDG.E R1, b | sets 0", "@P1 FADD R0, R0, R1 | waits 0", "STG.E b, R0 | waits 0",
                        "@P0 BRA {loop}", "EXIT")
        self.assertEqual(measured(count.Element(4, 4), *accumulating).in_flight, 4)
        tail = ("loop: @P1 LDG.E R0, a | sets 0", "@P2 LDG.E R1, a+0x4 | sets 0", "FADD R4, R0, R1 | waits 0", "@P0 BRA {loop}", "EXIT")
        self.assertEqual(measured(count.Element(4, 0), *tail).in_flight, 8)

    def test_units(self):
        row = measured(count.Element(4, 0), "loop: LDG.E.64 R8, a | sets 1", "MUFU.EX2 R8, R8 | waits 1", "F2F.F64.F32 R2, R8",
                       "DADD R4, R4, R2", "DFMA R4, R4, R2, R2", "@P0 BRA {loop}", "EXIT")
        self.assertEqual(row.pipes, {"convert": 0.5, "double": 1, "mufu": 0.5})


if __name__ == "__main__":
    unittest.main()
