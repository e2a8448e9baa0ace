#!/usr/bin/env python3
"""Every header of a block's function and timing compiles alone, with SystemC out of reach.

    headers_without_systemc.py COMPILER ROOT

Out of reach: <systemc>, <tlm> and <tlm_utils/...> resolve to files that end the compilation. What needs SystemC or a Verilated
block says so in its name: *_module.h, *_rtl.h, *_pins.h, *_ports.h.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

NEEDS_SYSTEMC = ("_module.h", "_rtl.h", "_pins.h", "_ports.h")
BLOCKS = ("converter", "decoder", "smoother", "pe", "vector", "memory")
ROOMS_WITHOUT = ("formats", "model", "kv_cache", "golden", "program")
# Of the DRAM channel and of tlm/ these are the parts that the others build on.
OTHERS = ("tlm/activity.h", "tlm/cycle.h", "tlm/descriptor_kinds.h", "tlm/ring.h", "tlm/traffic_class.h", "hw/rtl/instance.h", "hw/rtl/stream.h")
HEADERS = ("systemc", "systemc.h", "tlm", "tlm.h", "tlm_utils/simple_initiator_socket.h", "tlm_utils/simple_target_socket.h",
           "tlm_utils/peq_with_cb_and_phase.h")


def headers(root):
    for room in BLOCKS + ROOMS_WITHOUT:
        for path in sorted((root / "hw" / room).glob("*.h")):
            if not path.name.endswith(NEEDS_SYSTEMC):
                yield path
    for name in OTHERS:
        yield root / name


def compile_alone(compiler, root, stubs, path):
    done = subprocess.run([compiler, "-std=c++17", "-fsyntax-only", "-x", "c++", "-I", stubs, "-I", root / "include", path],
                          capture_output=True, text=True)
    return path.relative_to(root), done.returncode, done.stderr


def main():
    compiler, root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    failed = 0
    with tempfile.TemporaryDirectory() as stubs:
        for name in HEADERS:
            stub = pathlib.Path(stubs) / name
            stub.parent.mkdir(exist_ok=True)
            stub.write_text("#error a header of function and timing includes SystemC\n")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(lambda path: compile_alone(compiler, root, stubs, path), list(headers(root))))
    for name, status, messages in results:
        if status != 0:
            failed += 1
            print(f"{name} does not compile without SystemC:\n{messages}")
    print(f"{len(results) - failed} of {len(results)} headers compile without SystemC")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
