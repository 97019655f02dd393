"""What bench/gpu/report.py makes of a run on a GPU."""

import contextlib
import importlib.util
import io
import json
import pathlib
import tempfile
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("gpu_report", ROOT / "bench/gpu/report.py")
gpu_report = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gpu_report)


def row(case, seconds, way="eager", **more):
    return {"library": "luge", "case": case, "way": way, "seconds": seconds} | more


class Report(unittest.TestCase):
    def printed(self, rows, on_gpu=True):
        bars = {"sm_90": {"softmax": {"measured": ["softmax/forward", "eager"], "predicted": 2e-4}, "sort": {"measured": [], "predicted": 0}}}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bars.json"
            path.write_text(json.dumps(bars))
            with unittest.mock.patch.object(gpu_report, "BUDGET", path), contextlib.redirect_stdout(io.StringIO()) as out:
                gpu_report.print_measured(rows, on_gpu)
        return out.getvalue()

    def test_measured_beside_predicted(self):
        text = self.printed([row("softmax/forward", 3e-4), row("softmax/forward", 2.5e-4, "captured"), row("sort", 1e-3)])
        (line,) = [line for line in text.splitlines() if line.strip().startswith("softmax/forward, eager")]
        self.assertEqual(line.split()[-3:], ["300", "200", "1.50x"])

    def test_a_host_is_no_gpu(self):
        self.assertNotIn("beside predicted", self.printed([row("softmax/forward", 3e-4)], on_gpu=False))

    def test_shares_are_of_the_faster_copy(self):
        rows = [row("ceiling/copy", 1e-3, bytes_per_second=2e12), row("ceiling/memcpy", 1e-3, bytes_per_second=4e12),
                row("exp", 1e-3, bytes_per_second=3e12)]
        self.assertIn("75%", next(line for line in self.printed(rows).splitlines() if line.strip().startswith("exp")))

    def test_a_machine_needs_no_git(self):
        with unittest.mock.patch.object(gpu_report.subprocess, "run", side_effect=FileNotFoundError("git")):
            with unittest.mock.patch.dict(gpu_report.os.environ, {"LUGE_COMMIT": "abc1234"}):
                self.assertEqual(gpu_report.commit(), "abc1234")
            with unittest.mock.patch.dict(gpu_report.os.environ):
                gpu_report.os.environ.pop("LUGE_COMMIT", None)
                self.assertEqual(gpu_report.commit(), "unknown")

    def summary(self, work, shards):
        for name, ran in shards.items():
            cases = [{"status": "RUN", "result": "COMPLETED"}] * ran
            (work / f"{name}.json").write_text(json.dumps({"testsuites": [{"testsuite": cases}], "failures": 0}))
        (work / "steps.tsv").write_text("".join(f"{name}\tok\t1\n" for name in shards))
        (work / "machine.txt").write_text("H200\n")
        return gpu_report.summarize(work)

    def test_a_shard_may_be_empty_and_a_suite_not(self):
        with tempfile.TemporaryDirectory() as folder:
            summary = self.summary(pathlib.Path(folder), {"test_fit_0": 3, "test_fit_1": 0, "test_ops": 5})
            self.assertEqual({step["result"] for step in summary["steps"].values()}, {"ok"})
            self.assertTrue(gpu_report.passed(summary))
        with tempfile.TemporaryDirectory() as folder:
            summary = self.summary(pathlib.Path(folder), {"test_fit_0": 0, "test_fit_1": 0, "test_ops": 5})
            self.assertEqual(summary["steps"]["test_fit_1"]["result"], "no test ran")
            self.assertFalse(gpu_report.passed(summary))


if __name__ == "__main__":
    unittest.main()
