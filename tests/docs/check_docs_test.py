#!/usr/bin/env python3
"""scripts/check-docs finds what is wrong in a page, and --refresh mends it.

    tests/docs/check_docs_test.py BUILD
"""
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = sys.argv.pop(1)


class CheckDocs(unittest.TestCase):
    def page(self, text, *options):
        """(exit status, what it says, the page afterwards)"""
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "page.md")
            with open(file, "w", encoding="utf-8") as f:
                f.write(text)
            done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "scripts/check-docs"), "--build", BUILD, *options, file], capture_output=True, text=True, check=False)
            with open(file, encoding="utf-8") as f:
                return done.returncode, done.stdout + done.stderr, f.read()

    def test_a_page_that_is_right(self):
        self.assertEqual(self.page("# A\n\n```console\n$ printf 'a\\nb\\nc\\n'\na\n...\nc\n$ cd /; x=1\n$ export y=2\n$ pwd; echo $y\n/\n2\n```\n")[0], 0)

    def test_another_output_is_shown_with_its_line(self):
        status, said, _ = self.page("# A\n\n```console\n$ echo 3\n4\n```\n")
        self.assertEqual(status, 1)
        self.assertIn("page.md:4: prints something else: echo 3", said)
        self.assertIn("-4\n+3", said)

    def test_lines_after_the_last_one_shown_are_found(self):
        self.assertEqual(self.page("```console\n$ printf 'a\\nb\\n'\na\n```\n")[0], 1)

    def test_a_line_that_is_not_there_is_found_between_dots(self):
        self.assertEqual(self.page("```console\n$ printf 'a\\nb\\n'\n...\nc\n...\n```\n")[0], 1)

    def test_a_status_is_held(self):
        self.assertEqual(self.page("```console\n$ false\n```\n")[0], 1)
        self.assertEqual(self.page("<!-- console: status 1 -->\n```console\n$ false\n```\n")[0], 0)
        self.assertEqual(self.page("<!-- console: status 1 -->\n```console\n$ true\n```\n")[0], 1)

    def test_what_follows_a_failed_command_is_not_run(self):
        self.assertNotIn("second", self.page("```console\n$ false\n$ echo second\nfirst\n```\n")[1])

    def test_files_are_written_from_the_page(self):
        self.assertEqual(self.page("<!-- file: a/b.txt -->\n```text\nhello\n```\n\n```console\n$ cat a/b.txt\nhello\n```\n")[0], 0)

    def test_the_program_is_the_one_of_the_build(self):
        self.assertEqual(self.page(f"```console\n$ command -v harmonia\n{os.path.realpath(BUILD)}/harmonia\n```\n".replace(ROOT, "/home/you/harmonia"))[0], 0)

    def test_a_program_that_is_missing_skips_the_rest(self):
        self.assertEqual(self.page("<!-- console: needs no-such-program -->\n```console\n$ false\n```\n\n```console\n$ true\n```\n")[0], 77)

    def test_a_block_whose_program_or_file_is_missing_is_skipped_alone_and_named(self):
        for want in ("no-such-program", "data no/such/file*.csv"):
            status, said, _ = self.page(f"<!-- console: with {want} -->\n```console\n$ false\n```\n\n```console\n$ echo 1\n1\n```\n")
            self.assertEqual(status, 77)
            self.assertIn("page.md:3: no " + want.split()[-1], said)
            self.assertIn("1 commands in", said)
        self.assertEqual(self.page("<!-- console: with bash -->\n```console\n$ false\n```\n")[0], 1)

    def test_what_takes_longer_is_executed_on_demand(self):
        page = "```console\n$ true\n```\n\n<!-- console: long -->\n```console\n$ false\n```\n"
        self.assertEqual(self.page(page)[0], 0)
        self.assertIn("1 commands take longer", self.page(page)[1])
        self.assertEqual(self.page(page, "--long")[0], 1)

    def test_a_command_outside_of_a_console_is_found(self):
        for block in ("```\nharmonia run\n```\n", "    scripts/validate\n", "```sh\n./scripts/run\n```\n"):
            status, said, _ = self.page("# A\n\n" + block, "--strict")
            self.assertEqual(status, 1, block)
            self.assertIn("a command outside of a console", said)
        for block in ("```console\n$ harmonia run\n```\n", "```text\nharmonia run [SCENARIO]\n```\n", "    failed: pe with seed 713\n"):
            self.assertEqual(self.page("# A\n\n" + block, "--strict")[0], 0, block)

    def test_a_page_whose_commands_are_not_run_says_why(self):
        status, said, _ = self.page("<!-- console: not run, it takes hours -->\n```console\n$ false\n```\n")
        self.assertEqual(status, 77)
        self.assertIn("not run: false: it takes hours", said)

    def test_times_of_the_computer_are_not_compared(self):
        self.assertEqual(self.page("```console\n$ echo 'done in 3.1 s wall'\ndone in 44 ms wall\n```\n")[0], 0)
        self.assertEqual(self.page("```console\n$ echo 'done in 3.1 s of simulated time'\ndone in 44 ms of simulated time\n```\n")[0], 1)

    def test_refresh_writes_what_is_printed_and_leaves_out_what_the_page_leaves_out(self):
        status, _, page = self.page("```console\n$ printf 'a\\nb\\nc\\nd\\n'\nA\n...\nD\n```\nafter\n", "--refresh")
        self.assertEqual((status, page), (0, "```console\n$ printf 'a\\nb\\nc\\nd\\n'\na\n...\nd\n```\nafter\n"))

    def test_a_page_without_commands_and_a_lost_comment_are_refused(self):
        self.assertEqual(self.page("# Nothing\n")[0], 2)
        self.assertEqual(self.page("<!-- console: status 1 -->\nno block\n")[0], 2)
        self.assertEqual(self.page("<!-- console: stauts 1 -->\n```console\n$ true\n```\n")[0], 2)
        self.assertEqual(self.page("```console\n$ true\n")[0], 2)


if __name__ == "__main__":
    unittest.main()
