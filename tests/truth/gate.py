#!/usr/bin/env python3
"""What scripts/validate must not let pass, and what it must.

  tests/truth/gate.py PROGRAM
"""
import os
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from harmonia_truth import facts as truth, gate  # noqa: E402

PROGRAM = sys.argv.pop() if len(sys.argv) > 1 else os.path.join(ROOT, "build/harmonia")
FACTS = os.path.join(ROOT, "workloads/published/outside.json")
TABLE = os.path.join(ROOT, "tests/truth/table.csv")


def entry(ours, figure="x", measured=100.0, allowed=10.0, known_miss=None):
    return gate.Entry("kernels", figure, measured, ours, gate.percent(ours, measured), -allowed, allowed, None, known_miss)


def faults(now, before):
    return gate.judge(now, before)[0]


class Judge(unittest.TestCase):
    def test_the_same_passes(self):
        self.assertEqual(faults([entry(104.0)], [entry(104.0)]), [])

    def test_an_error_outside_its_tolerance_fails(self):
        self.assertIn("ours is 111 where 100 was measured (+11.00 %)", faults([entry(111.0)], [entry(111.0)])[0])
        self.assertEqual(faults([entry(110.0)], [entry(110.0)]), [])

    def test_a_known_miss_passes_until_it_is_worse(self):
        miss = lambda ours: entry(ours, known_miss="no such term")
        self.assertEqual(faults([miss(80.0)], [miss(80.0)]), [])
        self.assertIn("a known miss became worse", faults([miss(77.0)], [miss(80.0)])[0])
        self.assertIn("refuses it now", faults([miss(None)], [miss(80.0)])[0])

    def test_a_known_miss_that_is_mended_is_noticed(self):
        found, notices = gate.judge([entry(99.0)], [entry(80.0, known_miss="no such term")])
        self.assertEqual(found, [])
        self.assertIn("within its tolerance now", notices[0])

    def test_a_refusal_without_a_reason_fails(self):
        self.assertIn("refused", faults([entry(None)], [entry(100.0)])[0])

    def test_a_median_that_grows_by_more_than_a_tenth_fails(self):
        before = [entry(103.0, "a"), entry(104.0, "b"), entry(105.0, "c")]
        self.assertEqual(faults([entry(103.0, "a"), entry(104.4, "b"), entry(105.0, "c")], before), [])
        self.assertIn("the median error grew from 4.00 to 4.60 %", faults([entry(103.0, "a"), entry(104.6, "b"), entry(105.0, "c")], before)[0])

    def test_a_figure_that_the_table_lacks_or_has_otherwise_fails(self):
        self.assertIn("does not have this figure", faults([entry(100.0, "new")], [entry(100.0)])[0])
        self.assertIn("does not have this figure", faults([entry(101.0, measured=101.0)], [entry(101.0)])[0])

    def test_a_figure_that_vanished_fails(self):
        self.assertEqual(len(gate.vanished([entry(100.0)], [])), 1)


class Files(unittest.TestCase):
    def test_the_table_reads_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "table.csv")
            written = [entry(144.0, measured=128.0), entry(None, "y", known_miss="refused, with a comma")]
            gate.write(path, written)
            self.assertEqual(gate.read(path), written)

    def test_a_table_changed_by_hand_is_refused(self):
        with open(TABLE, encoding="utf-8") as f:
            text = f.read()
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as f:
            f.write(text.replace("DRAM bandwidth", "DRAM Bandwidth", 1))
            f.flush()
            with self.assertRaisesRegex(ValueError, "was changed by hand"):
                gate.read(f.name)

    def test_there_are_150_committed_figures_in_8_groups_and_each_has_a_source(self):
        facts = truth.load(FACTS)
        self.assertGreaterEqual(len(facts.rows), 150)
        self.assertGreaterEqual(len({r.group for r in facts.rows}), 8)
        for row in facts.rows:
            group = facts.groups[row.group]
            self.assertTrue(row.inputs.get("source", group["source"]).strip())
            self.assertTrue(group["fitted"].strip())
            self.assertLess(row.low, row.high)
        self.assertTrue(all(any(not r.long for r in facts.rows if r.group == g) for g in {r.group for r in facts.rows}))


class Whole(unittest.TestCase):
    """The script with a program that lists another width of one format than it has."""

    def validate(self, change):
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "harmonia")
            with open(program, "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\n'{PROGRAM}' \"$@\" | sed '{change}'\n")
            os.chmod(program, stat.S_IRWXU)
            return subprocess.run([os.path.join(ROOT, "scripts/validate"), "--harmonia", program, "--group", "Bits per value"], capture_output=True, text=True)

    def test_it_passes_with_the_program_as_it_is(self):
        done = self.validate("")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_one_figure_that_is_off_fails_it(self):
        done = self.validate("/^int4 /s/4.125/4.250/")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("FAIL: Bits per value: int4: ours is 4.25 where 4.125 was measured (+3.03 %)", done.stdout)


if __name__ == "__main__":
    unittest.main()
