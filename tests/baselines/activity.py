#!/usr/bin/env python3
"""Switching activity: the project's gate simulator and Verilator, on the same mapped netlist and operands, count the same
transitions of every net, behind the same warm-up; from them the same energy.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from harmonia_silicon import blocks, flow, liberty, operands  # noqa: E402

missing = [tool for tool in ("yosys", "verilator") if shutil.which(tool) is None] + ([] if liberty.found() else ["the library osu018"])
if missing:
    print(f"SKIPPED: {', '.join(missing)} not found (scripts/setup --with-rtl installs it)")
    sys.exit(77)

# Eight lanes of a block that is measured with 32: compilation is most of this test's time.
LANES, VECTORS, HALF = 8, 48, 5  # HALF: half a clock cycle in units of time
BLOCK = blocks.Block("aligner_lanes8", "aligner", blocks.ALIGNER, {"M": 8, "LANES": LANES}, 3)


def stimulus():
    ports = [("rst_n", 1), ("valid", 1), ("a", 16 * LANES)]
    groups = operands.Source("gaussian", VECTORS).groups
    return ports, [{"rst_n": n >= 2, "valid": n % 5 != 4, "a": blocks.pack(a[:LANES], 16)} for n, (a, _) in enumerate(groups)]


def flat(block, netlist, ports, count):
    """The mapped gates in one module, each net n and its number, and its bench. A module for each cell would be a class for each:
    minutes of compilation. The vectors enter while the clock is low; registers take them at its rise."""
    width = sum(bits for _, bits in ports)
    net = lambda bit: f"n{bit}" if isinstance(bit, int) else f"1'b{bit}"
    lines, driven = [], {}
    for kind, pins in netlist.gates:
        for output, function in kind.functions.items():
            if output in pins:
                driven[pins[output]] = re.sub(r"\b[A-DS]\b", lambda m: net(pins[m.group(0)]), liberty.expression(function))
    for (name, _), at in zip(ports, flow.offsets(ports)):
        for i, bit in enumerate(netlist.ports[name]):
            driven[bit] = f"words[n][{at + i}]"
    clock = netlist.ports["clk"][0]
    driven[clock] = "clk"
    state = {q for _, q in netlist.registers}
    nets = sorted(b for b in {*driven, *state} if isinstance(b, int))
    lines += [f"  {'reg' if b in state else 'wire'} n{b}{'' if b in state else ' = ' + driven[b]};" for b in nets]
    lines.append(f"  always @(posedge n{clock}) begin")
    lines += [f"    n{q} <= {net(d)};" for d, q in netlist.registers]
    lines.append("  end")
    body = "\n".join(lines)
    return f"""module bench;
  reg [{width - 1}:0] words[0:{count - 1}];
  reg clk = 0;
  integer n = 0;
{body}
  initial begin
    $readmemh("vectors.hex", words);
    $dumpfile("waves.vcd");
    $dumpvars(0, bench);
    for (n = 0; n < {count - 1}; n = n + 1) begin
      #{HALF} clk = 1;
      #{HALF} clk = 0;
    end
    #{HALF} $finish;
  end
endmodule
"""


def changes(folder):
    """{net: transitions} and the cycles, from the waves: nets as they stand just before each rise of the clock."""
    lines = iter((folder / "waves.vcd").read_text().splitlines())
    net_of = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["$var"] and re.fullmatch(r"n\d+", words[4]):
            net_of.setdefault(words[3], []).append(int(words[4][1:]))
        elif words[:1] == ["$enddefinitions"]:
            break
    value, before, counts, time, cycle = {}, {}, {}, 0, 0

    def close_cycles(until):
        nonlocal cycle, before
        while cycle * 2 * HALF + HALF <= until:  # what follows is at the rise of this cycle or later
            if cycle >= flow.WARM_UP:
                for bit, now in value.items():
                    if now != before.get(bit):
                        counts[bit] = counts.get(bit, 0) + 1
            before = dict(value)
            cycle += 1
    for line in lines:
        if line.startswith("#"):
            time = int(line[1:])
            close_cycles(time)
            continue
        if line[:1] in "01xz":
            for net in net_of.get(line[1:], []):
                value[net] = line[0]
    close_cycles(time)
    return counts, cycle


def main():
    block = BLOCK
    ports, vectors = stimulus()
    with tempfile.TemporaryDirectory() as work:
        folder = pathlib.Path(work)
        flow.synthesise(block, folder)
        netlist = flow.Netlist(folder)
        transitions, cycles = netlist.simulate(ports, [vectors])
        words = [sum((int(v.get(name, 0)) & ((1 << bits) - 1)) << at for (name, bits), at in zip(ports, flow.offsets(ports))) for v in vectors]
        (folder / "vectors.hex").write_text("".join(f"{word:x}\n" for word in words))
        (folder / "bench.v").write_text(flat(block, netlist, ports, len(words)))
        flow.run(["verilator", "--binary", "--trace", "-O0", "-CFLAGS", "-O0", "-Wno-fatal", "--top-module", "bench", "bench.v"], folder)
        flow.run([str(folder / "obj_dir" / "Vbench")], folder)
        counted, of = changes(folder)
    assert of == len(words) and cycles == of - flow.WARM_UP, f"Verilator ran {of} cycles, the gate simulator counted {cycles} behind {flow.WARM_UP}"
    clock = netlist.ports["clk"][0]
    nets = sorted(b for b in {*netlist.load, *(q for _, q in netlist.registers)} if isinstance(b, int) and b != clock)
    wrong = [(b, transitions[b], counted.get(b, 0)) for b in nets if transitions[b] != counted.get(b, 0)]
    assert not wrong, f"{len(wrong)} of {len(nets)} nets differ: (net, gate simulator, Verilator) {wrong[:5]}"
    assert sum(transitions[b] for b in nets) > 5 * len(nets), "the operands switch next to nothing"
    ours = netlist.energy_pj(transitions)
    theirs = netlist.energy_pj([counted.get(b, 0) for b in range(len(transitions))])
    assert abs(ours / theirs - 1) < 1e-12, (ours, theirs)
    print(f"{block.name}: {sum(transitions[b] for b in nets)} transitions of {len(nets)} nets in {cycles} cycles, the same of every net; {ours / cycles:.2f} pJ a cycle")


main()
