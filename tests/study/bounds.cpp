// What bounds promise, held against runs of the same points.
#include <cmath>
#include <map>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

std::vector<Row> rows_of(const std::string& csv) {
  const std::vector<std::string> lines = lines_of(csv);
  const std::vector<std::string> head = cells_of(lines.at(0));
  std::vector<Row> rows;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> cells = cells_of(lines[i]);
    REQUIRE(cells.size() == head.size());
    Row row;
    for (std::size_t c = 0; c < cells.size(); ++c) row[head[c]] = cells[c];
    rows.push_back(row);
  }
  return rows;
}

double at(const Row& row, const std::string& key) { return std::stod(row.at(key)); }

/// Machines that are bound by each of memory, array, decoder and vector unit, other arrays, another memory with and without
/// currents, phases, batches, several devices, a GPU; one that the program refuses.
const char* kPoints =
    "name: bounds\n"
    "scenario: default\n"
    "set: {model: stories260k, workload: {tokens: 3, context: 40}}\n"
    "points:\n"
    "  - {weights: kmeans4}\n"
    "  - {weights: fp16, accelerator.dram.channels: 1}\n"
    "  - {weights: {format: kmeans1, codebook: int5}, accelerator.decoder.weights_per_cycle: 2}\n"
    "  - {accelerator.decoder.rates: [{bits: 4, weights_per_cycle: 3}]}\n"
    "  - {accelerator.pe.rows: 1, accelerator.pe.cols: 1, workload.batch: 8}\n"
    "  - {accelerator.vector.lanes: 1}\n"
    "  - {accelerator: anda, weights: int4, kv: fp16}\n"
    "  - {accelerator: fp-fp, kv: fp16}\n"
    "  - {accelerator: l40s, weights: int4, kv: fp16}\n"
    "  - {accelerator.dram.preset: HBM2-2000, kv: int8}\n"
    "  - {accelerator.dram.channel.devices: 0}\n"
    "  - {accelerator.dram.channel.power_down_idle_cycles: 20}\n"
    "  - {accelerator.energy.static_mw: 500, accelerator.energy.source: published}\n"
    "  - {accelerator.energy.static_mw: 100000}\n"  // of the published account, which is not counted
    "  - {workload.phase: prefill, workload.batch: 2}\n"
    "  - {workload.phase: prefill, workload.prefill_chunk_tokens: 16, workload.context: 50}\n"
    "  - {devices.tensor: 2, devices.link: ucie}\n"
    "  - {fidelity: sampled, workload.tokens: 12}\n"
    "  - {model: llama-3.2-1b, fidelity: sampled, workload.tokens: 2}\n"
    "  - {accelerator.dram.channel.rows: 64, workload.batch: 4096}\n";

TEST_CASE("no run is below its bounds, and what is exact is that of the run") {
  const Scratch s;
  s.write("sweep.yaml", kPoints);
  const Outcome o = run_harmonia(s, "sweep sweep.yaml --bounds");
  REQUIRE(o.status == 0);
  const std::vector<Row> bounds = rows_of(o.out);
  run_harmonia(s, "sweep sweep.yaml -j 2 -o out");
  const std::vector<Row> runs = rows_of(Scratch::read(s / "out/sweep.csv"));
  REQUIRE(bounds.size() == runs.size());
  double nearest = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Row &b = bounds[i], &r = runs[i];
    INFO("point " << i + 1 << ": " << r.at("reason") << " | " << b.at("reason"));
    REQUIRE(b.at("status") == r.at("status"));
    REQUIRE((r.at("status") == "ok") == (i + 1 < runs.size()));
    if (r.at("status") != "ok") {
      REQUIRE_THAT(b.at("reason"), ContainsSubstring("does not fit"));
      continue;
    }
    for (const char* least : {"time_per_token_s", "energy_per_token_j"}) {
      INFO(least);
      REQUIRE(at(b, least) > 0);
      REQUIRE(at(b, least) <= at(r, least) * (1 + 1e-9));
    }
    nearest = std::max(nearest, at(b, "time_per_token_s") / at(r, "time_per_token_s"));
    REQUIRE(at(b, "tokens_per_s") >= at(r, "tokens_per_s") * (1 - 1e-9));
    REQUIRE(at(b, "power_w") <= at(r, "energy_j") / at(r, "simulated_s") * (1 + 1e-9));
    REQUIRE(b.at("time_to_first_token_s").empty() == r.at("time_to_first_token_s").empty());
    if (!r.at("time_to_first_token_s").empty())
      REQUIRE(at(b, "time_to_first_token_s") <= at(r, "time_to_first_token_s") * (1 + 1e-9));
    for (const char* exact : {"area_mm2", "bits_per_weight", "snr_db", "effective_parameters"})
      REQUIRE(b.at(exact) == r.at(exact));
  }
  REQUIRE(nearest > 0.9);  // bounds that are far from every run would drop nothing
}

TEST_CASE("bounds are printed and write nothing") {
  const Scratch s;
  s.write("sweep.yaml", kPoints);
  for (const char* other : {"-o out", "-j 2", "--resume", "--shard 1/2", "--engine mpi"}) {
    const Outcome o = run_harmonia(s, std::string("sweep sweep.yaml --bounds ") + other);
    REQUIRE(o.status == 2);
    REQUIRE_THAT(o.err, ContainsSubstring("--bounds prints and writes nothing"));
  }
}

}  // namespace
}  // namespace harmonia::test
