#!/usr/bin/env python3
"""The example that `harmonia COMMAND --help` gives is one that works: what it names exists, and its options are understood.

    tests/docs/examples_test.py PROGRAM

Each example runs in one folder, with options that make it short. An example of a result or a file of the reader's own needs one: NEEDS says which.
"""
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
# What makes an example short, or prints what it would do.
SHORT = {"run": ["--print-map"], "compare": ["--set", "model=stories260k"], "sweep": ["--engine", "slurm", "--dry-run"], "explore": ["--dry-run"],
         "random": ["-n", "20"], "infer": ["--tokens", "1"], "require": ["--set", "workload.tokens=1"]}
FEWER = {"inject": ("--faults 200", "--faults 5")}
# Files of one's own. Those of earlier examples are not among them: the order of COMMANDS makes them.
NEEDS = {"coverage": "coverage.xml", "log": "a run with --record", "quantize": "a checkpoint", "check": "a scenario", "view": "it serves until it is stopped",
         "completion": "it writes into the home folder"}


class Examples(unittest.TestCase):
    def test_every_example_works(self):
        names = subprocess.run([PROGRAM, "help"], capture_output=True, text=True, check=True).stdout
        commands = [line.split()[0] for line in names.split("Commands:\n")[1].split("\n\n")[0].splitlines()]
        self.assertIn("run", commands)
        # A report is one of an earlier comparison.
        commands.sort(key=lambda c: c in ("report", "view"))
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "NO_COLOR": "1", "HOME": folder}
            for command in commands:
                with self.subTest(command):
                    shown = subprocess.run([PROGRAM, command, "--help"], capture_output=True, text=True, check=True).stdout
                    self.assertIn("Example:\n", shown)
                    example = shown.split("Example:\n")[1].splitlines()[0].strip()
                    self.assertTrue(example.startswith("harmonia " + command), example)
                    if command in NEEDS:
                        continue
                    many, few = FEWER.get(command, ("", ""))
                    self.assertIn(many, example)
                    words = shlex.split(example.replace(many, few, 1).split("|")[0])[1:] if many else shlex.split(example.split("|")[0])[1:]
                    done = subprocess.run([PROGRAM, *words, *SHORT.get(command, [])], cwd=folder, env=environment, capture_output=True, text=True, check=False)
                    self.assertEqual(done.returncode, 0, f"{example}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    unittest.main()
