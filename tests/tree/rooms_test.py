"""scripts/rooms --check finds what it is there to find, each in a small tree of its own."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "rooms"


def check(files):
    """Writes {name: text} into an empty tree and returns the exit status and what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        done = subprocess.run([sys.executable, SCRIPT, "--root", folder, "--check"], capture_output=True, text=True)
        return done.returncode, done.stdout


def include(header):
    return f'#include "harmonia/{header}"\n'


class Rooms(unittest.TestCase):
    def test_a_tree_whose_arrows_run_one_way_passes(self):
        status, text = check({"hw/formats/a.h": "", "tlm/b.h": include("hw/formats/a.h"), "hw/pe/c.h": include("tlm/b.h"),
                              "testbench/runs/d.cpp": include("hw/pe/c.h")})
        self.assertEqual(status, 0, text)

    def test_an_arrow_that_runs_back_is_named_with_its_line(self):
        status, text = check({"hw/pe/a.h": "\n" + include("testbench/runs/b.h"), "testbench/runs/b.h": ""})
        self.assertEqual(status, 1)
        self.assertIn("hw/pe/a.h:2: hw/pe must not include from testbench/runs", text)

    def test_formats_depend_on_nothing_above_them(self):
        status, text = check({"hw/formats/a.h": include("tlm/b.h"), "tlm/b.h": ""})
        self.assertEqual(status, 1)
        self.assertIn("the arrow runs back", text)

    def test_a_circle_is_named_room_by_room(self):
        status, text = check({"hw/pe/a.h": include("hw/vector/b.h"), "hw/vector/b.h": "", "hw/vector/c.h": include("hw/dma/d.h"),
                              "hw/dma/d.h": include("hw/pe/a.h")})
        self.assertEqual(status, 1)
        self.assertIn("hw/dma -> hw/pe -> hw/vector -> hw/dma", text)

    def test_an_include_of_no_file_is_named(self):
        status, text = check({"hw/pe/a.h": include("hw/pe/gone.h")})
        self.assertEqual(status, 1)
        self.assertIn("hw/pe/a.h:1: harmonia/hw/pe/gone.h is no file of the tree", text)

    def test_a_library_must_link_what_its_room_includes(self):
        files = {"hw/pe/a.h": include("hw/vector/b.h"), "hw/vector/b.h": "",
                 "hw/pe/CMakeLists.txt": "harmonia_library(pe SOURCES a.cpp)\n",
                 "hw/vector/CMakeLists.txt": "harmonia_library(vector SOURCES b.cpp)\n"}
        status, text = check(files)
        self.assertEqual(status, 1)
        self.assertIn("does not link that of hw/vector", text)
        files["hw/pe/CMakeLists.txt"] = "harmonia_library(pe SOURCES a.cpp LINK PUBLIC harmonia_vector)\n"
        status, text = check(files)
        self.assertEqual(status, 0, text)


if __name__ == "__main__":
    unittest.main()
