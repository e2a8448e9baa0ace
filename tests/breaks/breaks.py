#!/usr/bin/env python3
"""One wrong fact in each room of the tree must be found by that room's own tests.

    tests/breaks/breaks.py [--copy FOLDER] [--only ROOM[,ROOM...]] [--list]

Works in a copy of the tree (FOLDER, kept for the next time; default: a temporary one). Each break of the table replaces one text of
one file, builds the room's test program and runs the named test cases, which must pass before and fail after. Prints a table.
Exit status 1: a break was not found, or a text that it replaces no longer stands exactly once.
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# room, file, text, wrong text, test program, test cases
BREAKS = [
    ("config", "config/fields.cpp", "value <= highest_ && value > above_", "value < highest_ && value > above_", "test_config", ""),
    ("hw/formats", "hw/formats/bfp.cpp", "(rest == half && (kept & 1) != 0) ? 1 : 0", "rest == half ? 1 : 0", "test_formats", "*BFP*,*bfp*"),
    ("tlm", "tlm/address_map.cpp", "folded ^= static_cast<unsigned>(row)", "folded |= static_cast<unsigned>(row)", "test_tlm", "*nterleave*,*address*"),
    ("hw/memory", "hw/memory/buffer.cpp", "const Cycle accept = begin + duration;", "const Cycle accept = begin + duration + 1;", "test_memory_timing", ""),
    ("hw/dram", "hw/dram/energy.cpp", "(i.IDD4R - i.IDD3N)", "(i.IDD4R - i.IDD2N)", "test_dram_engine", "*nergy*"),
    ("hw/rtl", "hw/rtl/stream.cpp", "if (holding_ && (!valid || !(result_ == held_)))", "if (holding_ && !valid)", "test_rtl", "a result that changes*"),
    ("hw/converter", "hw/converter/bfp_converter.cpp", "config.k_path_extra_cycles : 0", "config.k_path_extra_cycles : 1", "test_converter", ""),
    ("hw/decoder", "hw/decoder/lut_decoder.cpp", "(config_.reload_cycles_per_entry) << d.bits;", "(config_.reload_cycles_per_entry) << (d.bits - 1);",
     "test_decoder", ""),
    ("hw/smoother", "hw/smoother/outlier_smoother.cpp", "!d.measured ? 2 : 1", "!d.measured ? 1 : 1",
     "test_smoother", ""),
    ("hw/pe", "hw/pe/pe_array.cpp", "repeats = ceil_div(d.m, c.rows),", "repeats = d.m / c.rows + 1,", "test_pe", ""),
    ("hw/vector", "hw/vector/descriptor.h", "(config.exp_cycles_per_element), 1}", "(config.exp_cycles_per_element), 0}", "test_vector", ""),
    ("hw/model", "hw/model/layer_graph.cpp", "* of_layer + of_model;", "* of_layer;", "test_model", ""),
    ("hw/kv_cache", "hw/kv_cache/policy.cpp", "token + static_cast<std::uint64_t>(n_local) >= context",
     "token + static_cast<std::uint64_t>(n_local) > context", "test_kv_cache", ""),
    ("hw/golden", "hw/golden/operations/attention.cpp", "count = step.position + token + 1;", "count = step.position + token;", "test_golden", ""),
    ("hw/program", "hw/program/tiling.cpp", "column_first.a_bytes + column_first.b_bytes < row_first", "column_first.a_bytes < row_first", "test_program", ""),
    ("hw/program (conservation)", "hw/program/conservation.cpp", "e_.pe_slots += slots;", "e_.pe_slots += slots + 1;", "test_program", ""),
    ("hw/accelerator", "hw/accelerator/on_chip.cpp", "(c.sequencer.double_buffer ? 2 : 1)", "(c.sequencer.double_buffer ? 1 : 2)", "test_accelerator_limits", ""),
    ("hw/cosim", "hw/cosim/block_cores.cpp", "c.rate(4))) / 64, blocks", "c.rate(4))) / 128, blocks", "test_rtl_system", "layer with the decoder*"),
    ("testbench/files", "testbench/files/output_file.cpp", "if (!partial_.empty() && fs::exists(target_, error))", "if (false)", "test_files", ""),
    ("testbench/models", "testbench/models/model_config.cpp", 'type_->tied ? "true" : "false"', 'type_->tied ? "false" : "true"', "test_models", ""),
    ("testbench/weights", "testbench/weights/llama2c.cpp", "version != 1 && version != 2", "version != 1", "test_loaders", ""),
    ("testbench/tokenizer", "testbench/tokenizer/tokenizer.cpp", "digit = c - 'A' + 10;", "digit = c - 'A' + 9;", "test_tokenizer", ""),
    ("testbench/results", "testbench/results/percentiles.cpp", "std::ceil(p *", "std::floor(p *", "test_results", ""),
    ("testbench/replay", "testbench/replay/continuous_batching.cpp", "requests_[next_].request.arrival_s <= now", "requests_[next_].request.arrival_s < now",
     "test_replay", ""),
    ("testbench/runs", "testbench/runs/checks.cpp", "expected - kRounding * expected", "expected / 2", "test_runs", ""),
    ("testbench/scenario", "testbench/scenario/block_check.cpp", "s.model.head_dim > 256", "s.model.head_dim > 512", "test_scenario", "blocks:*"),
    ("testbench/system", "testbench/system/capacity.cpp", "(prefill ? 0 : static_cast<std::uint64_t>(w.tokens))", "0", "test_system", "capacity:*"),
    ("testbench/dram", "testbench/dram/traffic.cpp", "std::make_unique<Sequence>(requests, 4096, 64, window)", "std::make_unique<Sequence>(requests, 2048, 64, window)",
     "test_dram_engine", "*traffic*,*Traffic*,Acceptance*"),
    ("testbench/infer", "testbench/infer/reference_llama.cpp", "scores_[t] = score / root;", "scores_[t] = score / (root * root);", "test_infer", "*reference*,*greedy*"),
    ("testbench/quality", "testbench/quality/weight_quality.cpp", "std::exp(-bits / g)", "std::exp(bits / g)", "test_quality", "*effective parameters*"),
    ("testbench/quantize", "testbench/quantize/quantize.cpp", "return 2 * n;", "return n;", "test_quantize", ""),
    ("testbench/sweep", "testbench/sweep/grid.cpp", "c == ',' && open.empty()", "c == ';' && open.empty()", "test_sweep", "commas*"),
    ("testbench/compare", "testbench/compare/compare.cpp", 'if (o.bound == "decode") return "decoder";', "", "test_compare", ""),
    ("testbench/commands", "testbench/commands/arguments.cpp", "text.empty() || parsed < lowest ||", "text.empty() ||", "test_commands", ""),
    ("testbench/program", "testbench/program/program.cpp", "std::cerr << e.what() << '\\n';\n    return 2;", "std::cerr << e.what() << '\\n';\n    return 1;", "test_commands", "wrong arguments*"),
]


def copy_tree(folder):
    """The tracked files of the tree, and those that git does not ignore; files that are the same keep their time."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        source, target = ROOT / name, folder / name
        if source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                target.symlink_to(os.readlink(source))
        elif source.is_file() and not (target.is_file() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
            os.utime(target)


def run(words, folder, seconds=None):
    """Exit status and output; a program that takes longer than `seconds` has failed."""
    try:
        done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        return -1, f"took longer than {seconds} s"
    return done.returncode, done.stdout


def cases(folder, program, wanted):
    """The names of a program's test cases that match, each run in a process of its own (SystemC elaborates once)."""
    _, text = run([f"build/tests/bin/{program}", "--list-test-names-only", *([wanted] if wanted else [])], folder)
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("Matching", "All available", "matching"))
            and not line.strip().endswith(("matching test cases", "test cases"))]


def failing(folder, program, wanted, first_only):
    """Names of the cases that fail."""
    failed = []
    for name in cases(folder, program, wanted):
        escaped = name.replace("\\", "\\\\").replace(",", "\\,").replace("[", "\\[")
        status, _ = run([f"build/tests/bin/{program}", escaped], folder, 300)
        if status != 0:
            failed.append(name)
            if first_only:
                break
    return failed


def try_break(folder, file, text, wrong, program, wanted):
    """What the break did: an empty text when a test found it."""
    path = folder / file
    whole = path.read_text(encoding="utf-8")
    if whole.count(text) != 1:
        return f"the text stands {whole.count(text)} times in {file}, expected once", ""
    status, output = run(["ninja", "-C", "build", program], folder)
    if status != 0:
        return f"{program} does not build: {output[-400:]}", ""
    if not cases(folder, program, wanted):
        return f"{program} has no test case '{wanted}'", ""
    before = failing(folder, program, wanted, True)
    if before:
        return f"'{before[0]}' fails without the break", ""
    path.write_text(whole.replace(text, wrong), encoding="utf-8")
    try:
        status, output = run(["ninja", "-C", "build", program], folder)
        if status != 0:
            return f"does not build with the break: {output[-400:]}", ""
        after = failing(folder, program, wanted, True)
        return ("", after[0]) if after else ("NOT FOUND", "")
    finally:
        path.write_text(whole, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copy", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    only = [o for o in args.only.split(",") if o]
    chosen = [b for b in BREAKS if not only or b[0] in only]
    if args.list:
        for room, file, text, wrong, program, _ in chosen:
            print(f"{room}: {file}: `{text}` -> `{wrong}` ({program})")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = (args.copy or pathlib.Path(scratch) / "tree").resolve()
        copy_tree(folder)
        status, output = run(["cmake", "--preset", "release"], folder)
        if status != 0:
            sys.exit(output)
        missed = 0
        print("| room | break | found by |\n|---|---|---|")
        for room, file, text, wrong, program, wanted in chosen:
            fault, found = try_break(folder, file, text, wrong, program, wanted)
            missed += bool(fault)
            print(f"| {room} | `{file}`: `{text.splitlines()[0] if text else ''}` | {found or '**' + fault + '**'} |", flush=True)
        print(f"{len(chosen) - missed} of {len(chosen)} breaks found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
