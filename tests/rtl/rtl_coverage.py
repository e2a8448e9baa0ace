#!/usr/bin/env python3
"""scripts/rtl-coverage under one test case that uses one block little: holes are named and counted, and the file for lcov says of the same
lines how often they ran. Usage: rtl_coverage.py BUILD."""
import pathlib, re, subprocess, sys, tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BLOCK = "hw/converter/bfp_converter.sv"


def main():
    with tempfile.TemporaryDirectory() as out:
        done = subprocess.run([TOP / "scripts/rtl-coverage", sys.argv[1], "-o", out, "--case", "converter RTL: four stages*"],
                              capture_output=True, text=True)
        if done.returncode == 77:
            print(done.stdout)
            return 77
        assert done.returncode == 1, done.stdout + done.stderr
        # A hundred groups of zeros: the converter runs, no sign is set, and no beat waits.
        assert f"hole: {BLOCK}:25: toggle m_axis_tvalid" not in done.stdout, done.stdout
        assert re.search(rf"^hole: {BLOCK}:\d+: toggle m_axis_tdata\[8\]: no reason is known$", done.stdout, re.M), done.stdout
        assert re.search(r"^hole: hw/rtl/axis_assertions.sv:\d+: cover waits of \S*check_m_axis: no reason is known$", done.stdout, re.M), done.stdout
        assert re.search(rf"^{BLOCK}: line: \d+ of \d+, ", done.stdout, re.M), done.stdout
        records, file = {}, None
        for line in (pathlib.Path(out) / "rtl.info").read_text().splitlines():
            if line.startswith("SF:"):
                file = pathlib.Path(line[3:])
                assert file.is_file(), line
            elif line.startswith("DA:"):
                number, count = map(int, line[3:].split(","))
                records[str(file.relative_to(TOP)), number] = count
        text = (TOP / BLOCK).read_text().splitlines()
        clocked = [n for n, line in enumerate(text, 1) if "always_ff" in line]
        assert clocked and all(records[BLOCK, n] > 100 for n in clocked), records
        assert any(count == 0 for (name, _), count in records.items() if name == BLOCK)
        print(f"{len(records)} lines in the file for lcov")
    return 0


if __name__ == "__main__":
    sys.exit(main())
