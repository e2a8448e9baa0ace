#!/usr/bin/env python3
"""The Containerfile, read as its builder would: what it names exists. An image needs a registry and half an hour, so that none is built here.

    tests/install/containerfile_test.py

Where apt knows no packages of the release, their names are not looked up, and that is said.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
KNOWN = {"ARG": 1, "FROM": 1, "ENV": 1, "WORKDIR": 1, "COPY": 2, "RUN": 1, "ENTRYPOINT": 1, "CMD": 1}


def instructions():
    """[(instruction, arguments)], continued lines joined, comments left out."""
    text = "\n".join(line for line in (ROOT / "Containerfile").read_text().splitlines() if not line.startswith("#"))
    return [tuple(line.split(None, 1)) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


class Containerfile(unittest.TestCase):
    def test_instructions_are_known_and_complete(self):
        for name, arguments in instructions():
            self.assertIn(name, KNOWN)
            self.assertGreaterEqual(len(shlex.split(arguments)), KNOWN[name], arguments)

    def test_stages_are_defined_before_they_are_copied_from(self):
        stages, released = set(), False
        for name, arguments in instructions():
            if name == "ARG":
                released = released or arguments.startswith("SUITE=")
            if name == "FROM":
                self.assertTrue(released, "FROM names ${SUITE} before ARG defines it")
                self.assertRegex(arguments, r"^docker\.io/library/debian:\$\{SUITE\}(-slim)?( AS \w+)?$")
                stages.update(re.findall(r" AS (\w+)", arguments))
            for stage in re.findall(r"--from=(\w+)", arguments) if name == "COPY" else []:
                self.assertIn(stage, stages)

    def test_scripts_that_it_runs_exist(self):
        ran = [word for name, arguments in instructions() if name == "RUN" for word in shlex.split(arguments) if word.startswith("./")]
        self.assertEqual(ran, ["./scripts/package"])
        for script in ran:
            self.assertTrue(os.access(ROOT / script, os.X_OK), script)

    def test_packages_that_it_installs_are_made_or_in_the_release(self):
        made = set(re.findall(r"_PACKAGE_NAME (\S+)\)", (ROOT / "cmake/HarmoniaPackage.cmake").read_text().replace("${PROJECT_VERSION_MAJOR}", "0")))
        install = next(arguments for name, arguments in instructions() if name == "RUN" and "apt-get install" in arguments)
        words = shlex.split(install.split("apt-get install", 1)[1].split("&&")[0])
        own = [pathlib.PurePath(w).name.split("_")[0] for w in words if w.endswith(".deb")]
        self.assertEqual(sorted(own), ["harmonia", "libharmonia0", "python3-harmonia"])
        self.assertLessEqual(set(own), made)
        others = [w for w in words if not w.startswith("-") and not w.endswith(".deb")]
        # What the program's package recommends, since recommended packages are not installed by themselves.
        recommended = re.search(r'PROGRAM_PACKAGE_RECOMMENDS "([^"]*)"', (ROOT / "cmake/HarmoniaPackage.cmake").read_text()).group(1)
        self.assertEqual(sorted(others), sorted(recommended.split(", ")))
        if not shutil.which("apt-cache") or not subprocess.run(["apt-cache", "show", "python3"], capture_output=True, check=False).stdout:
            self.skipTest("SKIPPED: apt knows no packages here")
        for package in others:
            self.assertIn(b"Package: ", subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).stdout, package)

    def test_the_image_runs_the_program(self):
        entry = [arguments for name, arguments in instructions() if name in ("ENTRYPOINT", "CMD")]
        self.assertEqual(entry, ['["harmonia"]', '["run"]'])

    def test_what_a_build_leaves_is_not_copied(self):
        ignored = (ROOT / ".containerignore").read_text().split()
        self.assertLessEqual({"build", "build-*", "packages", "results"}, set(ignored))


if __name__ == "__main__":
    unittest.main()
