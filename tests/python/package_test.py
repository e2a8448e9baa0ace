#!/usr/bin/env python3
"""import harmonia: as docs/python.md says."""
import os
import pathlib
import re
import tempfile
import unittest

import harmonia

SMALL = {"model": "stories260k", "workload.tokens": 1, "workload.context": 8}


class PackageTest(unittest.TestCase):
    def test_a_run_is_its_result(self):
        with tempfile.TemporaryDirectory() as folder:
            result = harmonia.run("default", SMALL, output=os.path.join(folder, "r"))
            self.assertGreater(result.tokens_per_s, 0)
            self.assertEqual(harmonia.load(os.path.join(folder, "r")), result)

    def test_a_sweep_is_a_table_with_failures_as_rows(self):
        table = harmonia.sweep("default", points=[{"weights": "kmeans4"}, {"weights": {"format": "kmeans1", "codebook": "int5"}}],
                               grid={"workload.batch": [1, 4096]}, settings={**SMALL, "accelerator.dram.channel.rows": 64}, jobs=2)
        self.assertEqual([row["status"] for row in table], ["ok", "failed", "ok", "failed"])
        self.assertEqual(len(table.failed()), 2)
        self.assertIn("does not fit", table.failed().rows[0]["reason"])
        self.assertEqual(table.column("weights.codebook")[2], "int5")

    def test_a_kept_sweep_is_gone_on_with(self):
        with tempfile.TemporaryDirectory() as folder:
            output = os.path.join(folder, "s")
            first = harmonia.sweep("default", grid={"seed": [1, 2]}, settings=SMALL, output=output)
            again = harmonia.sweep("default", grid={"seed": [1, 2]}, settings=SMALL, output=output)
            self.assertEqual(first.rows, again.rows)
            with self.assertRaisesRegex(harmonia.HarmoniaError, "not this one"):
                harmonia.sweep("default", grid={"seed": [1, 3]}, settings=SMALL, output=output)

    def test_frames(self):
        try:
            import pandas  # noqa: F401
        except ImportError:
            self.skipTest("SKIPPED: no pandas")
        frame = harmonia.sweep("default", grid={"seed": [1, 2]}, settings=SMALL).frame()
        self.assertEqual(list(frame["seed"]), [1, 2])

    def test_errors_are_the_programs_own(self):
        with self.assertRaisesRegex(harmonia.HarmoniaError, "nearest known key is 'model'") as caught:
            harmonia.run("default", {"modle": "x"})
        self.assertEqual(caught.exception.status, 2)
        with self.assertRaisesRegex(harmonia.HarmoniaError, "holds no result.json"):
            harmonia.load("/")

    def test_golden_functions(self):
        golden = harmonia.Golden()
        values = [1.0, -0.5, 3.14159, 0.001, -7.9, 0.0625]
        stored = golden.bfp_encode(values)
        self.assertEqual((len(stored), stored[0]), (37, 17))
        self.assertEqual(golden.bfp_decode(stored, 6), [1.0, -0.5, 3.125, 0.0, -7.875, 0.0625])
        self.assertEqual(golden.fp32_to_fp16([1.0, -2.0]), [0x3c00, 0xc000])
        with self.assertRaisesRegex(harmonia.GoldenError, "HARMONIA_BAD_FORMAT"):
            golden.bfp_encode(values, group_size=7)

    def test_the_examples_of_the_page_run(self):
        page = pathlib.Path(__file__).parents[2] / "docs" / "python.md"
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
        self.assertGreaterEqual(len(blocks), 2)
        with tempfile.TemporaryDirectory() as folder:
            before = os.getcwd()
            os.chdir(folder)
            try:
                for block in blocks:
                    exec(compile(block, str(page), "exec"), {})  # pylint: disable=exec-used
            finally:
                os.chdir(before)


if __name__ == "__main__":
    unittest.main()
