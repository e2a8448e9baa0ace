"""The cell library: a reader for the Liberty groups that the flow needs, cell models for simulation, energies of transitions.

Areas are the footprints of the library's LEF file: the Liberty file states 23 um2 for OAI21X1 and 36 for NAND3X1, whose
footprints are 32.
"""
import pathlib
import re

FOLDER = pathlib.Path("/usr/share/qflow/tech/osu018")
VOLTAGE = 1.8
SLEW_NS = 0.2  # of every input: between a few and many loads of this library


def found():
    return (FOLDER / "osu018_stdcells.lib").is_file()


def footprints():
    lef = (FOLDER / "osu018_stdcells.lef").read_text()
    return {n: float(w) * float(h) for n, w, h in re.findall(r"MACRO (\w+)\n(?:(?!MACRO ).*\n)*?\s*SIZE\s+([\d.]+) BY\s+([\d.]+)", lef)}


def parse(text):
    """[(name, argument, {attribute: value}, [groups])] of a Liberty text."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", " ")
    tokens = re.findall(r'"[^"]*"|[{}();:,]|[^\s{}();:,"]+', text)
    at = 0

    def group():
        nonlocal at
        attributes, groups = {}, []
        while at < len(tokens) and tokens[at] != "}":
            name = tokens[at]
            if name == ";":
                at += 1
            elif tokens[at + 1] == ":":
                attributes[name] = tokens[at + 2].strip('"')
                at += 3
            else:
                end = tokens.index(")", at)
                arguments = [t.strip('"') for t in tokens[at + 2:end] if t != ","]
                at = end + 1
                if at < len(tokens) and tokens[at] == "{":
                    at += 1
                    inner = group()
                    at += 1
                    groups.append((name, " ".join(arguments), *inner))
                else:
                    attributes[name] = arguments
        return attributes, groups

    return group()


def numbers(values):
    return [float(x) for x in re.split(r"[\s,]+", " ".join(values).strip()) if x]


def interpolate(axis, x):
    for i in range(len(axis) - 1):
        if x <= axis[i + 1] or i == len(axis) - 2:
            share = (x - axis[i]) / (axis[i + 1] - axis[i])
            return i, min(max(share, 0.0), 1.0)
    return 0, 0.0


class Table:
    def __init__(self, attributes):
        self.one, self.two = numbers(attributes["index_1"]), numbers(attributes.get("index_2", []))
        self.values = numbers(attributes["values"])

    def at(self, load, slew):
        if not self.two:
            i, s = interpolate(self.one, slew)
            return self.values[i] * (1 - s) + self.values[i + 1] * s
        i, s = interpolate(self.one, load)
        j, t = interpolate(self.two, slew)
        w = len(self.two)
        row = lambda k: self.values[k * w + j] * (1 - t) + self.values[k * w + j + 1] * t
        return row(i) * (1 - s) + row(i + 1) * s


class Cell:
    def __init__(self, name, attributes, groups, area):
        self.name, self.area = name, area
        self.leakage_nw = float(attributes.get("cell_leakage_power", 0))
        self.register = any(g[0] == "ff" for g in groups)
        self.inputs, self.outputs, self.functions, self.passive, self.internal = {}, [], {}, {}, {}
        for kind, pin, pin_attributes, pin_groups in groups:
            if kind != "pin":
                continue
            power = [[Table(t[2]) for t in g[3]] for g in pin_groups if g[0] == "internal_power"]
            if pin_attributes["direction"] == "input":
                self.inputs[pin] = float(pin_attributes["capacitance"])
                self.passive[pin] = power
            else:
                self.outputs.append(pin)
                self.functions[pin] = pin_attributes.get("function", "")
                self.internal[pin] = power

    def energy_pj(self, output, load):
        """Of a transition inside the cell, the mean over the inputs that can cause it and over rise and fall."""
        return mean([mean([t.at(load, SLEW_NS) for t in power]) for power in self.internal[output]])

    def passive_pj(self, pin):
        """Of a transition at an input that does not reach the output."""
        return mean([mean([t.at(0, SLEW_NS) for t in power]) for power in self.passive[pin]])

    def verilog(self):
        ports = ", ".join([f"input {p}" for p in self.inputs] + [f"output {'reg ' if self.register else ''}{p}" for p in self.outputs])
        if self.name == "DFFPOSX1":
            body = "always @(posedge CLK) Q <= D;"
        else:
            body = " ".join(f"assign {p} = {expression(f)};" for p, f in self.functions.items())
        return f"module {self.name} ({ports}); {body} endmodule\n"


def expression(function):
    function = re.sub(r"(?<=[\w)'])\s+(?=[\w(!])", " & ", function.strip())
    return function.replace("!", "~").replace("+", "|")


def mean(values):
    return sum(values) / len(values) if values else 0.0


# What synthesis may use: no tristate buffers, latches, clock buffers, negative-edge or set/reset flip-flops.
UNUSED = ("TBUFX1", "TBUFX2", "LATCH", "DFFNEGX1", "DFFSR", "CLKBUF1", "CLKBUF2", "CLKBUF3", "PADINC", "PADINOUT", "PADOUT")


def read():
    """{cell: Cell} of the cells that synthesis may use."""
    areas = footprints()
    _, groups = parse((FOLDER / "osu018_stdcells.lib").read_text())
    library = next(g for g in groups if g[0] == "library")
    return {c[1]: Cell(c[1], c[2], c[3], areas[c[1]]) for c in library[3] if c[0] == "cell" and c[1] in areas and c[1] not in UNUSED}


def write_liberty(path):
    """The library with the areas of its footprints and without the unused cells, for Yosys and OpenSTA."""
    text = (FOLDER / "osu018_stdcells.lib").read_text()
    for name in UNUSED:
        text = re.sub(r"\ncell \(%s\) \{\n.*?\n\}\n" % name, "\n", text, flags=re.S)
    for name, area in footprints().items():
        text = re.sub(r"(cell \(%s\) \{\s*area : )[\d.]+" % name, r"\g<1>%g" % area, text)
    path.write_text(text)
