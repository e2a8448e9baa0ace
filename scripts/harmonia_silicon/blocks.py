"""The blocks that are mapped to cells: RTL, parameters, stages, and operands that keep them busy."""
import random
from dataclasses import dataclass, field

from . import operands

PE = ["pe/pe.sv", "pe/pe_operand.sv", "pe/pe_lane.sv"]
BEHIND = ["baselines/group_accumulate.sv", "baselines/fp_accumulate.sv", "baselines/fp_scale.sv", "baselines/int_to_fp32.sv", "rtl/fp_add.sv"]
FP = ["baselines/fp_sum.sv", "baselines/fp_accumulate.sv", "baselines/fp_scale.sv", "rtl/fp_add.sv"]
DECODER = ["decoder/lut_decoder.sv", "decoder/lut_unpack.sv"]
CONVERTER = ["converter/bfp_converter.sv", "converter/bfp_unpack.sv", "converter/bfp_shift.sv"]
SMOOTHER = ["smoother/outlier_smoother.sv", "rtl/fp_add.sv"]
ALIGNER = ["baselines/aligner.sv", "baselines/align_lane.sv"]
MODES = ("M8W4", "M8M4", "M8M8", "M8L5", "M8L8", "M8B1")


@dataclass
class Block:
    name: str
    top: str
    files: list
    parameters: dict = field(default_factory=dict)
    stages: int = 0
    stimulus: object = None      # (mode, source) -> (ports, vectors, operations of a cycle)
    modes: tuple = ("",)         # measured apart
    kinds: tuple = operands.KINDS
    hierarchical: bool = False   # mapped module by module: trees of many equal adders
    handshake: tuple = ()        # names of valid and ready of a block that may let a vector wait
    operation: str = "multiply-accumulate"


def pack(values, width):
    word = 0
    for i, v in enumerate(values):
        word |= (v & ((1 << width) - 1)) << (i * width)
    return word


def control(n, r, scaled=True):
    """Scales of four groups, rows of four scales."""
    c = {"rst_n": n >= 2, "valid": n >= 2, "group_first": n % 4 == 0, "group_last": n % 4 == 3}
    if scaled:
        c["row_first"] = n % 16 < 4
        c["scale"] = 118 << 10 | r.randrange(1024)
    return c


CONTROL = [("rst_n", 1), ("valid", 1), ("group_first", 1), ("group_last", 1)]
SCALED = CONTROL + [("row_first", 1), ("scale", 19)]


def lanes_of(groups, lanes):
    """Groups of `lanes` made of those of 32."""
    for n in range(0, len(groups) - (lanes + 31) // 32 + 1):
        a, w = [], []
        for k in range((lanes + 31) // 32):
            a += groups[n + k][0]
            w += groups[n + k][1]
        yield a[:lanes], w[:lanes]


def fp_fp(lanes=32):
    def stimulus(mode, source):
        r = random.Random(1)
        vectors = [{**control(n, r, False), "a": pack(a, 16), "w": pack(map(operands.fp16, w), 16)}
                   for n, (a, w) in enumerate(lanes_of(source.groups, lanes))]
        return CONTROL + [("a", 16 * lanes), ("w", 16 * lanes)], vectors, lanes
    return stimulus


def integers(source, w):
    """Weights of -7..7; a random testbench applies -15..15."""
    return operands.quantize(w, 15 if source.kind == "random" else 7)


def fp_int(lanes=32):
    def stimulus(mode, source):
        r = random.Random(1)
        vectors = [{**control(n, r), "a": pack(a, 16), "w": pack(integers(source, w), 5)}
                   for n, (a, w) in enumerate(lanes_of(source.groups, lanes))]
        return SCALED + [("a", 16 * lanes), ("w", 5 * lanes)], vectors, lanes
    return stimulus


def aligned(m, weight, width, lanes=32):
    def stimulus(mode, source):
        r = random.Random(1)
        vectors = []
        for n, (a, w) in enumerate(lanes_of(source.groups, lanes)):
            exponent, sign, magnitude = operands.align(a, m)
            q = integers(source, w)
            vectors.append({**control(n, r), "exponent": exponent, "sign": pack(sign, 1), "magnitude": pack(magnitude, m),
                            weight: pack(q if weight == "w" else [(min(7, max(-8, x)) + 8) for x in q], width)})
        return SCALED + [("exponent", 5), ("sign", lanes), ("magnitude", m * lanes), (weight, width * lanes)], vectors, lanes
    return stimulus


def anda(mode, source):
    m = int(mode[1:])
    r = random.Random(1)
    vectors = []
    for g, (a, w) in enumerate(source.groups):
        exponent, sign, magnitude = operands.align(a, m)
        for bit in range(m - 1, -1, -1):
            vectors.append({**control(g, r), "rst_n": len(vectors) >= 2, "valid": len(vectors) >= 2,
                            "plane_first": bit == m - 1, "plane_last": bit == 0, "exponent": exponent - 14 - m,
                            "sign": pack(sign, 1), "plane": pack([x >> bit for x in magnitude], 1), "w": pack(integers(source, w), 5)})
    ports = SCALED + [("plane_first", 1), ("plane_last", 1), ("exponent", 10), ("sign", 32), ("plane", 32), ("w", 160)]
    return ports, vectors[:len(source.groups)], 32 / m


def bitmod(mode, source):
    r = random.Random(1)
    vectors = []
    for g, (a, w) in enumerate(source.groups):
        for digit in (0, 1):
            vectors.append({**control(g, r), "rst_n": len(vectors) >= 2, "valid": len(vectors) >= 2, "digit": digit,
                            "a": pack(a, 16), "w": pack([min(7, max(-8, x)) for x in integers(source, w)], 4)})
    return SCALED + [("digit", 1), ("a", 512), ("w", 128)], vectors[:len(source.groups)], 16


def stored(bits, m, lanes=32):
    """A stored BFP group of 8 or 4 bits, as the PE's streams take it."""
    exponent, sign, magnitude = operands.align(bits, m)
    word = exponent | pack(sign, 1) << 8
    if m == 8:
        return word | pack([x >> 4 for x in magnitude], 4) << (8 + lanes) | pack([x & 15 for x in magnitude], 4) << (8 + 5 * lanes)
    return word | pack(magnitude, 4) << (8 + lanes)


def harmonia(lanes=32):
    def stimulus(mode, source):
        r = random.Random(1)
        number = MODES.index(mode)
        vectors = []
        groups = list(lanes_of(source.groups, lanes))
        for n, (a, w) in enumerate(groups):
            user = number
            if mode in ("M8M4", "M8M8"):
                # The other operand of attention is an activation too: that of a group far away.
                second = stored(groups[(n + len(groups) // 2) % len(groups)][0], 4 if mode == "M8M4" else 8, lanes)
            elif mode == "M8B1":
                second = pack([(x >= 0) & 1 for x in w], 8)
                user |= (-90 & 255) << 3 | 90 << 11
            else:
                second = pack(operands.quantize(w, {"M8W4": 7, "M8L5": 15, "M8L8": 127}[mode]), 8)
            vectors.append({**control(n, r), "a": stored(a, 8, lanes), "w": second, "user": user})
        bits = 8 * (1 + lanes // 8 + lanes)
        return SCALED + [("a", bits), ("w", bits), ("user", 19)], vectors, lanes / (2 if mode in ("M8M8", "M8L8") else 1)
    return stimulus


def mac(mode, source):
    vectors = []
    for a, w in source.groups:
        for k in range(32):
            vectors.append({"rst_n": len(vectors) >= 2, "valid": 1, "first": k == 0, "a": a[k], "b": operands.fp16(w[k])})
    return [("rst_n", 1), ("valid", 1), ("first", 1), ("a", 16), ("b", 16)], vectors[:len(source.groups)], 1


def aligner(mode, source):
    vectors = [{"rst_n": n >= 2, "valid": 1, "a": pack(a, 16)} for n, (a, _) in enumerate(source.groups)]
    return [("rst_n", 1), ("valid", 1), ("a", 512)], vectors, 32


def converter(mode, source):
    vectors = [{"rst_n": n >= 2, "s_axis_tvalid": 1, "m_axis_tready": 1, "s_axis_tdata": pack(a, 16)}
               for n, (a, _) in enumerate(source.groups)]
    return [("rst_n", 1), ("s_axis_tvalid", 1), ("m_axis_tready", 1), ("s_axis_tlast", 1), ("s_axis_tuser", 7), ("s_axis_tdata", 512)], vectors, 32


def smoother(heads):
    def stimulus(mode, source):
        vectors = []
        for n, (a, _) in enumerate(source.groups):
            load = 2 <= n < WARM
            head, entry = (n - 2) // 4 % heads, (n - 2) % 4
            table = operands.fp16(1.5) | (7 * n % 128) << 16 | head << 24 | entry << 32 | 1 << 40
            vectors.append({"rst_n": n >= 2, "s_axis_table_tvalid": load, "s_axis_table_tdata": table if load else 0, "s_axis_tvalid": not load,
                            "m_axis_tready": 1, "s_axis_tuser": (n % 4) | (n // 4 % heads) << 8, "s_axis_tdata": pack(a, 16)})
        return [("rst_n", 1), ("s_axis_table_tvalid", 1), ("s_axis_table_tdata", 41), ("s_axis_tvalid", 1), ("m_axis_tready", 1), ("s_axis_tlast", 1),
                ("s_axis_tuser", 16), ("s_axis_tdata", 512)], vectors, 32
    return stimulus


WARM = 20


def decoder(lanes=64):
    def stimulus(mode, source):
        bits = int(mode[1:])
        vectors, r = [], random.Random(2)
        entries = 1 << bits
        weights = [x for _, w in source.groups for x in w]
        per_beat = 4 * lanes // bits
        for n in range(len(source.groups)):
            load = 2 <= n < 2 + entries
            part = [weights[(n * per_beat + i) % len(weights)] for i in range(per_beat)]
            scale = max(map(abs, part))
            codes = [min(entries - 1, int((x / scale + 1) / 2 * entries)) for x in part]
            word = pack(codes, bits)
            vectors.append({"rst_n": n >= 2, "s_axis_codebook_tvalid": load, "s_axis_codebook_tdata": round(-100 + 200 * (n - 2) / max(1, entries - 1)),
                            "s_axis_codebook_tuser": {1: 0, 2: 1, 4: 2}[bits], "s_axis_codebook_tlast": n == 1 + entries,
                            "s_axis_index_tvalid": n >= 2 + entries, "s_axis_index_tdata": word, "s_axis_index_tkeep": (1 << lanes // 2) - 1,
                            "s_axis_scale_tvalid": 1, "s_axis_scale_tdata": r.randrange(1 << 16) & 0xBFFF, "m_axis_tready": 1})
        return [("rst_n", 1), ("s_axis_codebook_tvalid", 1), ("s_axis_codebook_tdata", 8), ("s_axis_codebook_tuser", 3), ("s_axis_codebook_tlast", 1),
                ("s_axis_index_tvalid", 1), ("s_axis_index_tlast", 1), ("s_axis_index_tkeep", lanes // 2), ("s_axis_index_tdata", 4 * lanes), ("s_axis_scale_tvalid", 1),
                ("s_axis_scale_tdata", 16), ("s_axis_scale_tuser", 4), ("m_axis_tready", 1)], vectors, lanes
    return stimulus


def all_blocks():
    blocks = [
        Block("fp16_mac", "fp16_mac", ["rtl/fp16_mac.sv", "rtl/fp16_product.sv", "rtl/fp_add.sv"], {}, 3, mac),
        Block("fp_fp", "fp_fp_pe", ["baselines/fp_fp_pe.sv", "rtl/fp16_product.sv", *FP], {}, 8, fp_fp(), hierarchical=True),
        Block("fp_int", "fp_int_pe", ["baselines/fp_int_pe.sv", "baselines/fp_int_product.sv", *FP], {}, 10, fp_int(), hierarchical=True),
        Block("ifpu", "ifpu_pe", ["baselines/ifpu_pe.sv", "baselines/int_sum.sv", *BEHIND], {}, 9, aligned(14, "code", 4)),
        Block("anda_unit", "anda_unit", ["baselines/anda_unit.sv", "baselines/int_sum.sv", *BEHIND], {}, 9, anda, modes=("M4", "M8", "M13")),
        Block("bitmod", "bitmod_pe", ["baselines/bitmod_pe.sv", "baselines/align_lane.sv", "baselines/int_sum.sv", *BEHIND], {}, 11, bitmod),
    ]
    for m in (14, 11, 8):
        blocks.append(Block("figna" if m == 14 else f"figna_m{m}", "figna_pe", ["baselines/figna_pe.sv", "baselines/int_sum.sv", *BEHIND], {"M": m}, 9,
                            aligned(m, "w", 5)))
    for name, modes in (("harmonia_m8w4", "6'b000001"), ("harmonia", "6'b111111")):
        built = tuple(m for i, m in enumerate(MODES) if modes[-1 - i] == "1")
        blocks.append(Block(name, "harmonia_pe", ["baselines/harmonia_pe.sv", *PE, *BEHIND], {"MODES": modes}, 11, harmonia(), modes=built, handshake=("valid", "ready")))
    for m in (14, 8):
        blocks.append(Block(f"aligner_m{m}", "aligner", ALIGNER, {"M": m}, 3, aligner, operation="value"))
    for bits in (1, 2, 4):
        blocks.append(Block(f"decoder_n{bits}", "lut_decoder", DECODER, {"MAX_BITS": bits}, 3, decoder(), modes=tuple(f"n{b}" for b in (1, 2, 4) if b <= bits),
                            handshake=("s_axis_index_tvalid", "s_axis_index_tready"), operation="weight"))
    blocks.append(Block("converter", "bfp_converter", CONVERTER, {}, 4, converter, operation="value"))
    blocks.append(Block("smoother", "outlier_smoother", SMOOTHER, {}, 3, smoother(8), operation="value"))
    return blocks + sizes()


def sizes():
    """The accumulator alone, and other sizes of the same blocks, for the size laws: area, speed and leakage only."""
    pe = ["baselines/harmonia_pe.sv", *PE, *BEHIND]
    return [
        Block("accumulator", "group_accumulate", BEHIND, {}, 4),
        Block("harmonia_lanes16", "harmonia_pe", pe, {"MODES": "6'b111111", "LANES": 16}, 11),
        Block("decoder_n4_lanes32", "lut_decoder", DECODER, {"MAX_BITS": 4, "LANES": 32}, 3),
        Block("smoother_entries2", "outlier_smoother", SMOOTHER, {"ENTRIES": 2}, 3),
    ]
