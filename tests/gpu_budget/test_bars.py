"""What bench/gpu/budget makes of the counts: times of an H200, and bars that only tighten."""

import argparse
import json
import pathlib
import tempfile
import unittest
import unittest.mock

import listing  # noqa: F401  (finds bench/gpu/budget)
from test_report import gpu_report

import budget
import count
import model
import report
import table


def counts(in_flight=64, instructions=4.0, threads=2048, waves=1.0, read=4, write=0, **more):
    element = count.Element(read, write)
    passes = [table.PassOf(read, write, False, element)]
    elements = max(1, in_flight // 4)
    return table.Counts(32, 0, 0, threads, waves, passes, [count.Pass(elements, instructions, in_flight, in_flight, 0, True, {})], **more)


def kernel(name="copy", source="kernels/cuda/copy.cu"):
    return table.Kernel(name, "copy_kernel", source, [], 1e8, 8, 1024, "stride", None, [], "")


BAR = {"registers": 32, "stack": 0, "local": 0, "threads": 2048, "in_flight": 65536, "instructions": [10.0], "waves": 4.0, "waste": 1.0,
       "predicted": 2e-4, "limit": "memory", "measured": []}


class Model(unittest.TestCase):
    def test_resident_threads(self):
        """As NVIDIA's occupancy calculator has them for 9.0, blocks of 256 threads."""
        for registers, threads in {1: 2048, 32: 2048, 33: 1536, 40: 1536, 41: 1280, 48: 1280, 54: 1024, 64: 1024, 80: 768, 96: 512, 118: 512, 255: 256}.items():
            self.assertEqual(model.resident_threads(registers, 0), threads, registers)
        self.assertEqual(model.resident_threads(32, 60 * 1024), 3 * 256)

    def test_waves(self):
        self.assertEqual(model.waves(1e9, 8, 5), 1.6)
        self.assertEqual(model.waves(66, 32, 1), 0.5)
        self.assertAlmostEqual(model.waste(1.6), 1.25)
        self.assertEqual([model.waste(w) for w in (0.3, 1, 4)], [1, 1, 1])

    def test_memory_bound(self):
        seconds, limit = model.predict(counts(in_flight=1024), 1e9, 4)
        self.assertEqual(limit, "memory")
        self.assertAlmostEqual(seconds, 4e9 / model.H200.copy + model.START, delta=1e-5)

    def test_few_loads_under_way(self):
        many, few = (model.predict(counts(in_flight=b, instructions=1), 1e9, 4)[0] for b in (64, 4))
        self.assertGreater(few, 2.5 * many)
        self.assertEqual(model.predict(counts(in_flight=4, instructions=1), 1e9, 4)[1], "loads under way")

    def test_half_the_threads_are_half_the_loads(self):
        whole, half = (model.predict(counts(in_flight=4, threads=t, instructions=0), 1e9, 4)[0] for t in (2048, 1024))
        self.assertAlmostEqual(half / whole, 2, delta=0.02)

    def test_a_gpu_with_more_bandwidth_wants_more_under_way(self):
        b200 = model.GPUS["sm_100"]
        bound = {gpu.name: model.predict(counts(in_flight=1024), 1e9, 4, gpu)[0] - model.START for gpu in (model.H200, b200)}
        self.assertAlmostEqual(bound["H200"] / bound["B200"], b200.copy / model.H200.copy, delta=0.01)
        self.assertGreater(b200.enough, model.H200.enough)
        self.assertEqual(model.waves(148 * 8, 8, 8, b200), 1)

    def test_instructions(self):
        seconds, limit = model.predict(counts(in_flight=1024, instructions=400), 1e9, 4)
        self.assertEqual(limit, "instructions")
        self.assertAlmostEqual(seconds, 4e11 / model.H200.issue + model.START)

    def test_tail_of_one_block(self):
        without, with_ = (model.predict(counts(in_flight=1024, tail=tail), 1e8, 4) for tail in (None, {"bytes": 3.1e6, "in_flight": 64}))
        self.assertGreater(with_[0] - without[0], 2.4e-5)
        self.assertEqual((without[1], with_[1]), ("memory", "memory, tail"))


class Bars(unittest.TestCase):
    def test_worse_in_each_way(self):
        self.assertEqual(budget.worse(BAR, BAR, 1.0), [])
        for change, word in [({"threads": 1280, "registers": 48}, "48 registers"), ({"stack": 8}, "stack"), ({"local": 2}, "local"),
                             ({"in_flight": 32768}, "32.0 KB"), ({"instructions": [6.0, 5.0]}, "11 instructions"), ({"waste": 1.25}, "1.25 waves")]:
            (way,) = budget.worse(BAR, BAR | change, 1.0)
            self.assertIn(word, way)

    def test_more_registers_for_as_many_threads(self):
        self.assertEqual(budget.worse(BAR, BAR | {"registers": 40}, 1.0), [])

    def test_better(self):
        self.assertEqual(budget.better({"copy": BAR}, {"copy": BAR | {"in_flight": 131072}}), ["copy"])
        self.assertEqual(budget.better({"copy": BAR}, {"copy": BAR | {"in_flight": 131072, "stack": 8}}), [])

    def test_a_kernel_without_a_bar(self):
        self.assertIn("no bar", budget.check({}, {"copy": BAR}, [kernel()], 1.0)[0])

    def update(self, before, now, accept=(), because="", kernels=None, partial=False):
        """Exit code, and the bars afterwards."""
        with tempfile.TemporaryDirectory() as folder:
            bars, page = pathlib.Path(folder) / "bars.json", pathlib.Path(folder) / "page.md"
            with unittest.mock.patch.object(table, "BARS", bars), unittest.mock.patch.object(report, "DOCUMENT", page), \
                    unittest.mock.patch("builtins.print"):
                arguments = argparse.Namespace(arch="sm_90", accept=list(accept), because=because)
                whole = {"compilers": "nvcc 1", "sm_90": before}
                code = budget.update(arguments, kernels or [kernel()], whole, before, now, [], "nvcc 1", partial)
                return code, json.loads(bars.read_text())["sm_90"] if bars.exists() else None

    def test_both_architectures_are_written(self):
        both = {"compilers": "nvcc 1", "sm_90": {"copy": BAR}, "sm_100": {"copy": BAR | {"in_flight": 60 * 1024}}}
        text = report.write([kernel()], both)
        h200, b200 = text.index("## H200, sm_90"), text.index("## B200, sm_100")
        self.assertNotIn("KB under way", text[text.index("What misses", h200):b200])
        self.assertIn("- **copy**: 60 KB under way", text[b200:])

    def test_bars_tighten(self):
        self.assertEqual(self.update({"copy": BAR}, {"copy": BAR | {"in_flight": 131072}}), (0, {"copy": BAR | {"in_flight": 131072}}))

    def test_bars_do_not_loosen(self):
        self.assertEqual(self.update({"copy": BAR}, {"copy": BAR | {"stack": 8}}), (1, {"copy": BAR}))

    def test_bars_loosen_for_a_reason(self):
        code, bars = self.update({"copy": BAR}, {"copy": BAR | {"stack": 8}}, ["copy"], "a table")
        self.assertEqual((code, bars["copy"]["stack"], bars["copy"]["accepted"]), (0, 8, ["stack 8, 0 before: a table"]))
        self.assertEqual(self.update({"copy": BAR}, {"copy": BAR | {"stack": 8}}, ["copy"])[0], 2)
        self.assertEqual(self.update({"copy": BAR}, {"copy": BAR}, ["coppy"], "a table")[0], 2)

    def test_bars_loosen_for_many(self):
        code, bars = self.update({"copy": BAR}, {"copy": BAR | {"stack": 8}}, ["c*"], "a table")
        self.assertEqual((code, bars["copy"]["stack"]), (0, 8))

    def test_bars_of_what_was_not_generated_stay(self):
        generated = kernel("demo", "generated/demo")
        self.assertEqual(self.update({"demo": BAR}, {}, kernels=[generated], partial=True), (0, {"demo": BAR}))
        self.assertEqual(self.update({"demo": BAR}, {}, kernels=[generated]), (0, {}))


class Table(unittest.TestCase):
    def test_reads(self):
        kernels, grids = table.load()
        names = [kernel.name for kernel in kernels]
        self.assertEqual(len(names), len(set(names)))
        for one in kernels:
            self.assertIn(one.grid, grids)
            self.assertGreater(one.per_block, 0)

    def test_every_kernel_has_a_row_or_a_reason(self):
        counted = {one.kernel.split("<")[0] for one in table.load()[0]}
        not_counted = {name for entry in table.load_not_counted() for name in entry["kernels"]}
        there = set(gpu_report.kernels())
        self.assertEqual(there - counted - not_counted, set())
        self.assertEqual(not_counted - there, set())
        self.assertEqual(not_counted & counted, set())

    def test_every_kernel_is_named(self):
        """The pattern that finds them misses none."""
        marked = sum(file.read_text().count("__global__ void") for file in (table.ROOT / "kernels/cuda").glob("*.cu*"))
        self.assertEqual(len(gpu_report.kernels()), marked)

    def test_instances_are_of_counted_kernels(self):
        """What is compiled for sm_100 of templates with a file for each element type."""
        folder = table.HERE / "instances"
        sources = {one.source.removeprefix("cuda/") for one in table.load()[0] if one.source.startswith("cuda/")}
        self.assertEqual({file.name for file in folder.glob("*.cu")}, sources)

    def test_grids_are_the_hosts(self):
        self.assertEqual(table.stale_grids(table.load()[1]), [])
        changed = {"stride": {"per_sm": 32, "file": "kernels/cuda/launch.h", "text": "std::int64_t{31} * context"}}
        self.assertIn("kernels/cuda/launch.h no longer says", table.stale_grids(changed)[0])

    def test_products(self):
        self.assertEqual([table.number(text) for text in ("1e8", "8192 * 8192", 0)], [1e8, 67108864, 0])


if __name__ == "__main__":
    unittest.main()
