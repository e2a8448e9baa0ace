"""One block through Yosys, abc, OpenSTA and Verilator: area, critical path, leakage, energy of its operations.

Not in it: placement, wires, a clock tree, glitches (gates switch without delay). Every block has the same settings.
"""
import json
import pathlib
import re
import subprocess

from . import liberty

TOP = pathlib.Path(__file__).resolve().parents[2]
HW = TOP / "hw"
DELAY_PS = 8000  # what abc aims at in every block; near what the FP32 accumulators reach
WARM_UP = 24      # cycles that are not counted


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))[:200]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def synthesise(block, folder):
    """netlist.v, netlist.json; {"area_um2", "cells", "flip_flops", "leakage_nw"}."""
    liberty.write_liberty(folder / "cells.lib")
    # A driver of every input and a load of every output, so that abc buffers and sizes.
    (folder / "constraints").write_text("set_driving_cell BUFX4\nset_load 0.05\n")
    sources = " ".join(str(HW / f) for f in block.files)
    settings = "".join(f" -set {k} {v}" for k, v in block.parameters.items())
    flatten = "" if block.hierarchical else " -flatten"
    script = (f"read_verilog -sv {sources}; " + (f"chparam{settings} {block.top}; " if settings else "") +
              f"hierarchy -top {block.top}; synth{flatten} -top {block.top}; dfflibmap -liberty cells.lib; opt; "
              f"abc -liberty cells.lib -constr constraints -D {DELAY_PS}; flatten; opt_clean -purge; splitnets; opt_clean -purge; "
              "rename -hide w:*; rename -enumerate -pattern n%_ w:*; rename -hide c:*; rename -enumerate -pattern c%_ c:*; "
              f"rename -top {block.top}_netlist; "
              "write_verilog -noattr -noexpr netlist.v; write_json netlist.json")
    run(["yosys", "-q", "-p", script], folder)
    cells = liberty.read()
    module = next(iter(json.loads((folder / "netlist.json").read_text())["modules"].values()))
    kinds = [c["type"] for c in module["cells"].values()]
    unknown = set(kinds) - set(cells)
    if unknown or not kinds:
        raise RuntimeError(f"{block.name}: cells outside the library: {sorted(unknown) or 'no cells'}")
    return {"area_um2": round(sum(cells[k].area for k in kinds)), "cells": len(kinds),
            "flip_flops": sum(cells[k].register for k in kinds),
            "leakage_nw": round(sum(cells[k].leakage_nw for k in kinds), 1)}


def single_assignments(netlist):
    """OpenSTA takes no assignment of concatenations: one for each bit instead."""
    def split(match):
        left, right = ([x.strip() for x in match.group(i).split(",")] for i in (1, 2))
        return "\n".join(f"  assign {a} = {b};" for a, b in zip(left, right))
    return re.sub(r"^\s*assign \{ (.*?) \} = \{ (.*?) \};$", split, netlist, flags=re.M)


def critical_path_ns(block, folder):
    (folder / "timed.v").write_text(single_assignments((folder / "netlist.v").read_text()))
    (folder / "time.tcl").write_text(f"""read_liberty cells.lib
read_verilog timed.v
link_design {block.top}_netlist
create_clock -name clk -period 100 [get_ports clk]
set_input_delay 0 -clock clk [all_inputs]
set_output_delay 0 -clock clk [all_outputs]
report_checks -path_delay max -format full -digits 4
exit
""")
    report = run(["sta", "-exit", "time.tcl"], folder)
    slack = re.findall(r"^\s*(-?[\d.]+)\s+slack", report, re.M)
    if not slack:
        raise RuntimeError(f"{block.name}: OpenSTA reported no path\n{report[-2000:]}")
    return round(100 - float(slack[0]), 3)


class Netlist:
    """The mapped netlist: simulated gate by gate, many streams of operands at a time (one bit of a word each), and the
    energy of what switched. Gates and wires have no delay: a net changes at most once a cycle."""

    def __init__(self, folder):
        self.cells = liberty.read()
        self.module = next(iter(json.loads((folder / "netlist.json").read_text())["modules"].values()))
        self.load, self.registers, gates, driver = {}, [], [], {}
        for cell in self.module["cells"].values():
            kind = self.cells[cell["type"]]
            pins = {pin: bits[0] for pin, bits in cell["connections"].items()}
            for pin in kind.inputs:
                self.load[pins[pin]] = self.load.get(pins[pin], 0) + kind.inputs[pin]
            if kind.register:
                self.registers.append((pins["D"], pins["Q"]))
            else:
                gates.append((kind, pins))
                driver.update({pins[o]: len(gates) - 1 for o in kind.outputs if o in pins})
        self.gates = [gates[i] for i in in_order(gates, driver)]
        self.ports = {name: p["bits"] for name, p in self.module["ports"].items()}
        self.inputs = [b for p in self.module["ports"].values() if p["direction"] == "input" for b in p["bits"]]
        self.evaluate = gate_functions(self.gates)

    def simulate(self, ports, streams, handshake=()):
        """{net: transitions} behind the warm-up; streams: vectors of equal length. Returns the cycles counted as well.
        handshake: the names of valid and ready: a vector that is valid stays until it was taken."""
        count, mask = len(streams), (1 << len(streams)) - 1
        size = 1 + max(b for b in [*self.inputs, *self.load, *(q for _, q in self.registers)] + [p[o] for k, p in self.gates for o in k.outputs if o in p] if isinstance(b, int))
        v, before = [0] * size, [0] * size
        transitions, cycles, n = [0] * size, 0, 0
        words = transpose(ports, streams)
        valid, ready = (self.ports[name][0] for name in handshake) if handshake else (None, None)
        names = [(b, offset) for (name, _), offset in zip(ports, offsets(ports)) for b, offset in zip(self.ports[name], range(offset, offset + 10**6))]
        cycle = 0
        while n < len(words):
            word = words[n]
            for bit, at in names:
                v[bit] = word[at]
            self.evaluate(v, mask)
            if cycle >= WARM_UP:
                cycles += 1
                for i, (old, new) in enumerate(zip(before, v)):
                    if old != new:
                        transitions[i] += (old ^ new).bit_count()
            before = v[:]
            taken = True
            if handshake and cycle >= 4:
                waiting = v[valid] & ~v[ready]
                if waiting not in (0, mask):
                    raise RuntimeError("the streams are not in step")
                taken = not waiting
            if cycle > 8 * len(words):
                raise RuntimeError("the block takes no more operands")
            for (_, q), value in zip(self.registers, [v[d] if isinstance(d, int) else (mask if d == "1" else 0) for d, _ in self.registers]):
                v[q] = value
            n += taken
            cycle += 1
        self.settled = before
        return transitions, cycles * count

    def value(self, port):
        """Of the first stream, as it stood in the last cycle."""
        return sum((self.settled[b] & 1) << i for i, b in enumerate(self.ports[port]))

    def energy_pj(self, transitions):
        """Of the counted transitions, without the clock: loads of nets, and inside cells."""
        half = 0.5 * liberty.VOLTAGE ** 2
        energy = sum(transitions[b] * half * load for b, load in self.load.items() if isinstance(b, int) and b != self.ports["clk"][0])
        for kind, pins in self.gates:
            for output in kind.outputs:
                if output in pins and transitions[pins[output]]:
                    energy += transitions[pins[output]] * kind.energy_pj(output, self.load.get(pins[output], 0))
        flip_flop = self.cells["DFFPOSX1"]
        for d, q in self.registers:
            if isinstance(d, int):
                energy += transitions[d] * flip_flop.passive_pj("D")
            energy += transitions[q] * flip_flop.energy_pj("Q", self.load.get(q, 0))
        return energy

    def clock_pj(self):
        """Of one clock cycle: both edges at the flip-flops' clock pins."""
        pin = self.cells["DFFPOSX1"]
        return len(self.registers) * 2 * (pin.passive_pj("CLK") + 0.5 * liberty.VOLTAGE ** 2 * pin.inputs["CLK"])


def gate_functions(gates):
    """evaluate(v, M): the gates one after another on the words v by net; M has a one for each stream."""
    place = lambda b: f"v[{b}]" if isinstance(b, int) else ("M" if b == "1" else "0")
    lines = ["def evaluate(v, M):"]
    for kind, pins in gates:
        for output, function in kind.functions.items():
            if output in pins:
                # Python's ^ binds less than its &, unlike Verilog's ~.
                text = re.sub(r"~(\w+)", r"(M^\1)", liberty.expression(function)).replace("~(", "M^(")
                text = re.sub(r"\b[A-DS]\b", lambda m: place(pins[m.group(0)]), text)
                lines.append(f"    v[{pins[output]}] = {text}")
    space = {}
    exec("\n".join(lines) + "\n    return\n", space)
    return space["evaluate"]


def in_order(gates, driver):
    """Indices of gates, each behind those that drive it."""
    waiting = [sum(1 for p in kind.inputs if pins[p] in driver) for kind, pins in gates]
    followers = {}
    for i, (kind, pins) in enumerate(gates):
        for p in kind.inputs:
            if pins[p] in driver:
                followers.setdefault(driver[pins[p]], []).append(i)
    order = [i for i, n in enumerate(waiting) if n == 0]
    for i in order:
        for f in followers.get(i, []):
            waiting[f] -= 1
            if waiting[f] == 0:
                order.append(f)
    if len(order) != len(gates):
        raise RuntimeError("the netlist has a loop of gates")
    return order


def offsets(ports):
    at, result = 0, []
    for _, bits in ports:
        result.append(at)
        at += bits
    return result


def transpose(ports, streams):
    """[vector n][bit of the ports]: a word with bit s of stream s."""
    words = []
    for n in range(len(streams[0])):
        rows = []
        for stream in streams:
            word = 0
            for (name, bits), at in zip(ports, offsets(ports)):
                word |= (int(stream[n].get(name, 0)) & ((1 << bits) - 1)) << at
            rows.append(word)
        width = sum(bits for _, bits in ports)
        text = [f"{row:0{width}b}" for row in reversed(rows)]
        words.append([int("".join(column), 2) for column in zip(*text)][::-1])
    return words
