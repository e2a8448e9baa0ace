"""Runs the Python example of docs/golden-api.md as it stands there and compares what it prints with what the page says."""
import re
import subprocess
import sys

page = open(sys.argv[1], encoding="utf-8").read()
code = re.search(r"```python\n(.*?)```", page, re.S).group(1)
expected = re.search(r"```text\n(.*?)```", page, re.S).group(1)
got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
if got.returncode != 0 or got.stdout != expected:
    sys.exit(f"the example printed:\n{got.stdout}{got.stderr}\nexpected:\n{expected}")
print(got.stdout, end="")
