// `harmonia dram` as users call it: traffic, traces, outputs, and every way to be wrong.
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "harmonia/testbench/dram/dram_result.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/scratch.h"

namespace fs = std::filesystem;
using harmonia::test::Outcome;
using harmonia::test::run_harmonia;
using harmonia::test::Scratch;
using Json = nlohmann::json;

namespace {

std::string gzipped(const std::string& text) {
  const Scratch s;
  const std::string file = s / "x.gz";
  gzFile out = gzopen(file.c_str(), "wb");
  gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
  gzclose(out);
  return Scratch::read(file);
}

/// What the command says is wrong; it must end with status 2, print nothing and write nothing.
std::string error(const Scratch& s, const std::string& arguments) {
  const auto files = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(s.path()))
      if (entry.path().filename().string().rfind(".std", 0) != 0) names.push_back(entry.path().string());
    std::sort(names.begin(), names.end());
    return names;
  };
  const std::vector<std::string> before = files();
  const Outcome o = run_harmonia(s, "dram " + arguments);
  CAPTURE(arguments, o.err, o.out);
  CHECK(o.status == 2);
  CHECK(o.out.empty());
  CHECK(files() == before);
  return o.err;
}

Json run(const Scratch& s, const std::string& arguments) {
  const Outcome o = run_harmonia(s, "dram --json " + arguments);
  CAPTURE(arguments, o.err);
  REQUIRE(o.status == 0);
  REQUIRE(o.err.empty());
  return Json::parse(o.out);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("dram: the shortest runs stay below what activates and refreshes leave") {
  const Scratch s;
  for (const char* config : {"DDR4-3200", "LPDDR5X-8533", "HBM2-2000", "DDR5-4800"})
    for (const char* traffic : {"seq", "rand", "mix"})
      for (const int requests : {1, 3, 5, 17, 100, 1000}) {
        CAPTURE(config, traffic, requests);
        const Json j = run(s, std::string("--config ") + config + " --traffic " + traffic + " --requests " +
                                  std::to_string(requests) + " --in-flight 64");
        REQUIRE(j["bandwidth"]["ceiling"]["achieved_share"].get<double>() <= 1);
      }
}

TEST_CASE("dram: a run says what it delivered, and its counts agree with each other") {
  const Scratch s;
  const Json j = run(s, "--config DDR4-3200 --traffic mix --requests 20000 --in-flight 64");
  REQUIRE(j["schema"] == 1);
  REQUIRE(j["complete"] == true);
  REQUIRE(j["traffic"]["reads"].get<int>() + j["traffic"]["writes"].get<int>() == 20000);
  REQUIRE(j["traffic"]["bytes"] == 64 * 20000);
  REQUIRE(j["traffic"]["bytes_read"].get<int>() + j["traffic"]["bytes_written"].get<int>() == 64 * 20000);
  REQUIRE(j["commands"]["RD"] == j["traffic"]["reads"]);
  REQUIRE(j["commands"]["WR"] == j["traffic"]["writes"]);
  // Every activate is a miss or a conflict; a row that refresh closed under a waiting burst is opened twice for it.
  REQUIRE(j["row_misses"].get<int>() + j["row_conflicts"].get<int>() == j["commands"]["ACT"].get<int>());
  REQUIRE(j["row_hits"].get<int>() + j["commands"]["ACT"].get<int>() >= 20000);
  REQUIRE(j["latency"]["read_s"]["count"] == j["traffic"]["reads"]);
  REQUIRE(j["latency"]["write_s"]["count"] == j["traffic"]["writes"]);
  for (const char* op : {"read_s", "write_s", "read_cycles", "write_cycles"}) {
    const Json& d = j["latency"][op];
    for (const auto& [low, high] : std::map<std::string, std::string>{
             {"min", "p50"}, {"p50", "p95"}, {"p95", "p99"}, {"p99", "max"}, {"mean", "max"}})
      REQUIRE(d[low].get<double>() <= d[high].get<double>());
  }
  REQUIRE(j["latency"]["read_s"]["max"].get<double>() ==
          Approx(j["latency"]["read_cycles"]["max"].get<double>() * 625e-12));
  const double seconds = j["simulated_seconds"].get<double>();
  const Json& b = j["bandwidth"];
  REQUIRE(b["peak_bytes_per_s"].get<double>() == Approx(25.6e9));
  REQUIRE(b["achieved_bytes_per_s"].get<double>() == Approx(64 * 20000 / seconds));
  REQUIRE(b["utilisation"].get<double>() == Approx(64 * 20000 / seconds / 25.6e9));
  REQUIRE(b["ceiling"]["achieved_share"].get<double>() < 1);
  // One activate a request, 8.5 cycles apart (FAW 34 / 4), against 4 on the bus; refresh takes 560 of 12480.
  REQUIRE(b["ceiling"]["utilisation"].get<double>() == Approx((1 - 560.0 / 12480) * 4 / 8.5).epsilon(0.01));
  REQUIRE(j["refresh_share"].get<double>() == Approx(560.0 / 12480).epsilon(0.1));
  double joules = 0;
  for (const Json& c : j["energy"]["components"]) joules += c["joules"].get<double>();
  REQUIRE(joules == Approx(j["energy"]["total_j"].get<double>()));
  REQUIRE(j["queue_occupancy"]["read"]["max"].get<int>() <= 64);
  REQUIRE_FALSE(j["assumptions"].empty());
  for (const Json& a : j["assumptions"]) REQUIRE_FALSE(a["source"].get<std::string>().empty());
  REQUIRE(j["provenance"]["resolved"]["CL"] == "22");
  // The same again is the same.
  Json again = run(s, "--config DDR4-3200 --traffic mix --requests 20000 --in-flight 64");
  again["wall_seconds"] = j["wall_seconds"];
  REQUIRE(again == j);
}

TEST_CASE("dram: every kind of traffic on every preset") {
  const Scratch s;
  const std::string list = run_harmonia(s, "list drams").out;
  std::vector<std::string> presets;
  for (const std::string& line : lines_of(list)) {
    if (line.empty()) break;
    presets.push_back(line.substr(0, line.find(' ')));
  }
  presets.erase(presets.begin());
  REQUIRE(presets.size() >= 14);
  const std::vector<std::string> kinds = {"seq", "stride", "rand", "mix", "decode64", "decode4k"};
  for (std::size_t i = 0; i < presets.size(); ++i) {
    const std::string& kind = kinds[i % kinds.size()];
    const Json j = run(s, "--config " + presets[i] + " --traffic " + kind + " --requests 3000");
    CAPTURE(presets[i], kind);
    CHECK(j["traffic"]["requests"] == 3000);
    CHECK(j["bandwidth"]["utilisation"].get<double>() > 0.1);
    CHECK(j["bandwidth"]["utilisation"].get<double>() <= 1);
    double joules = 0;
    for (const Json& c : j["energy"]["components"]) {
      CHECK(c["joules"].get<double>() >= 0);
      joules += c["joules"].get<double>();
    }
    CHECK(joules == Approx(j["energy"]["total_j"].get<double>()));
    REQUIRE(j["checks"].size() == 10);
    for (const Json& c : j["checks"]) CHECK(c["passed"] == true);
  }
}

TEST_CASE("dram: a channel smaller than the window of generated traffic gets a window that it holds") {
  const Scratch s;
  for (const auto& [rows, window] : {std::pair<int, std::uint64_t>{2048, 256 << 20}, {8, 1 << 20}}) {
    s.write("c.yaml", "base: DDR4-3200\nrows: " + std::to_string(rows) + "\n");
    for (const std::string kind : {"seq", "stride", "rand", "mix", "decode64", "decode4k"}) {
      CAPTURE(rows, kind);
      const Json j = run(s, "--config c.yaml --traffic " + kind + " --requests 9000 --per-request r.csv");
      CHECK(j["traffic"]["window_bytes"] == window);
      CHECK(j["traffic"]["requests"] == 9000);
      std::uint64_t highest = 0;
      const std::vector<std::string> lines = lines_of(Scratch::read(s / "r.csv"));
      REQUIRE(lines.size() == 9001);
      for (std::size_t i = 1; i < lines.size(); ++i)
        highest = std::max<std::uint64_t>(
            highest, std::stoull(lines[i].substr(lines[i].find(',', lines[i].find(',') + 1) + 1), nullptr, 16));
      CHECK(highest < window);
    }
  }
  CHECK(run(s, "--config DDR4-3200 --traffic seq --requests 100")["traffic"]["window_bytes"] == 512 << 20);
}

TEST_CASE("dram: an energy below 0 or a time below bytes / peak fails the run") {
  harmonia::testbench::DramResult r;
  r.channel.config = harmonia::dram::find_preset("DDR4-3200");
  r.run.bytes = 6400;
  r.run.statistics.bursts[0] = 100;
  r.run.last_done = 400;
  REQUIRE_NOTHROW(harmonia::testbench::require_checks(r));
  r.run.last_done = 399;
  CHECK_THROWS_WITH(harmonia::testbench::require_checks(r),
                    ContainsSubstring("check 'time >= bytes / peak bandwidth' failed"));
  r.run.last_done = 400;
  r.run.statistics.energy.activate = -1;
  r.run.statistics.energy.read = 2;
  CHECK_THROWS_WITH(harmonia::testbench::require_checks(r),
                    ContainsSubstring("check 'energy of activate' failed: -1e-12 J"));
}

TEST_CASE("dram: one read, to the clock") {
  const Scratch s;
  s.write("one.trace", "0x0 READ 0\n");
  const Json j = run(s, "--config ddr4_3200.bgi.noref --trace one.trace");
  REQUIRE(j["simulated_cycles"] == 1 + 22 + 22 + 4);
  REQUIRE(j["latency"]["read_cycles"]["mean"] == 49);
  REQUIRE(j["commands"] == Json({{"ACT", 1}, {"RD", 1}}));
}

TEST_CASE("dram: the same requests in each format of trace give the same commands") {
  const Scratch s;
  // Rows 0 and 1 of two bank groups; DDR4-3200 bgi: bank group bits 6-7, column 8-14, bank 15-16, row from 17.
  struct R {
    bool write;
    unsigned bg, bank, row, column;
  };
  std::vector<R> requests;
  for (unsigned i = 0; i < 400; ++i) requests.push_back({i % 3 == 0, i % 4, (i / 7) % 4, (i / 31) % 8, (i * 5) % 128});
  std::string dramsim3, load_store, vector, stl, csv = "op,addr_hex\n";
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const R& r = requests[i];
    const unsigned long long address = r.bg * 64ull + r.column * 256ull + r.bank * 32768ull + r.row * 131072ull;
    char hex[32];
    std::snprintf(hex, sizeof hex, "%llx", address);
    dramsim3 += "0x" + std::string(hex) + (r.write ? " WRITE " : " READ ") + std::to_string(i) + "\n";
    load_store +=
        std::string(r.write ? "ST " : "LD ") + (i % 2 ? "0x" + std::string(hex) : std::to_string(address)) + "\n";
    vector += std::string(r.write ? "W " : "R ") + "0,0," + std::to_string(r.bg) + "," + std::to_string(r.bank) + "," +
              std::to_string(r.row) + "," + std::to_string(r.column) + "\n";
    stl +=
        std::to_string(i) + ":\t" + (r.write ? "write\t0x" : "read\t0x") + hex + (r.write ? "\t0xdeadbeef" : "") + "\n";
    csv += std::string(r.write ? "W," : "R,") + hex + "\n";
  }
  s.write("a.trace", "# a comment\n\n" + dramsim3);
  s.write("b.trace", load_store);
  s.write("c.trace", vector);
  s.write("d.stl", stl);
  s.write("e.csv", csv);
  s.write("f", gzipped(dramsim3));
  std::string first;
  for (const char* file : {"a.trace", "b.trace", "c.trace", "d.stl", "e.csv", "f"}) {
    CAPTURE(file);
    const Json j = run(s, std::string("--config ddr4_3200.bgi --commands commands.csv --trace ") + file);
    REQUIRE(j["traffic"]["requests"] == 400);
    const std::string commands = Scratch::read(s / "commands.csv");
    if (first.empty()) first = commands;
    REQUIRE(commands == first);
    const Outcome check = run_harmonia(s, std::string("check ") + file);
    REQUIRE(check.status == 0);
    REQUIRE(check.out.find("400 requests, 134 of them writes") != std::string::npos);
  }
  // The vector's indices are those of the commands.
  const std::vector<std::string> lines = lines_of(first);
  REQUIRE(lines[0] == "cycle,cmd,rank_or_pc,bankgroup,bank_in_group,row,col");
  REQUIRE(std::count_if(lines.begin(), lines.end(), [](const std::string& l) {
            return l.find(",RD,") != std::string::npos || l.find(",WR,") != std::string::npos;
          }) == 400);
  REQUIRE(std::any_of(lines.begin(), lines.end(),
                      [](const std::string& l) { return l.find(",WR,0,0,0,0,0") != std::string::npos; }));
}

TEST_CASE("dram: vectors name pseudo channels on HBM and pass through flipped bank bits") {
  const Scratch s;
  s.write("hbm.trace", "R 0,0,3,2,17,31\nR 0,0,1,0,18,5\n");
  run(s, "--config HBM2-2000 --set bank_xor=\"[[0,16],[3,17]]\" --trace hbm.trace --commands c.csv");
  const std::string commands = Scratch::read(s / "c.csv");
  CAPTURE(commands);
  REQUIRE(commands.find("RD,0,3,2,17,124") != std::string::npos);  // columns count beats in a command trace
  REQUIRE(commands.find("RD,0,1,0,18,20") != std::string::npos);
  s.write("hbm.trace", "R 0,0,7,2,17,31\n");
  CHECK(error(s, "--config DDR4-3200 --trace hbm.trace") == "hbm.trace:1:7: bank group 7, expected less than 4\n");
  s.write("short.trace", "R 0,0,3,2,17\n");
  CHECK(error(s, "--config HBM2-2000 --trace short.trace") ==
        "short.trace:1:3: 5 indices, expected 6: channel,pseudo channel,bank group,bank,row,column\n");
}

TEST_CASE("dram: rows opened for reads do not stand in the way of writes for ever") {
  // Without refresh nothing else closes them: the bus turned to reads, opened rows, and turned back before it used
  // them.
  const Scratch s;
  s.write("t.stl",
          "0: (4308) write 0xc09f\n"
          "0: (114) read 0xbf1d\n"
          "0: (4316) read 0xafd8\n"
          "0: (49) read 0x6f1b\n"
          "0: (85) write 0x2b12\n"
          "0: (22) read 0x5d15\n"
          "0: (1421) read 0x9c5c\n"
          "0: (359) read 0x29b1\n"
          "0: (1151) read 0xc963\n"
          "0: (57) write 0x8ec9\n"
          "0: (3353) write 0x88a0\n"
          "0: (110) read 0x9ed9\n"
          "0: (39) read 0x40a2\n"
          "0: (97) read 0xa032\n");
  const Json j = run(s, "--config HBM2-2000 --set refresh=none --trace t.stl");
  REQUIRE(j["traffic"]["requests"] == 14);
  REQUIRE(j["simulated_cycles"].get<int>() < 3000);
}

TEST_CASE("dram: times of a trace are kept, also of a clock of its own") {
  const Scratch s;
  s.write("slow.trace", "0x0 READ 0\n0x40 READ 1000\n0x80 WRITE 2000\n");
  run(s, "--config ddr4_3200.bgi.noref --trace slow.trace --per-request r.csv");
  REQUIRE(Scratch::read(s / "r.csv") ==
          "id,op,addr_hex,arrive_cycle,done_cycle\n"
          "0,R,0,0,49\n1,R,40,1000,1049\n2,W,80,2000,2043\n");  // a write's data begins CWL 16 after WR
  run(s, "--config ddr4_3200.bgi.noref --trace slow.trace --trace-mhz 800 --per-request r.csv");
  REQUIRE(Scratch::read(s / "r.csv").find("1,R,40,2000,2049\n") != std::string::npos);
  run(s, "--config ddr4_3200.bgi.noref --trace slow.trace --requests 2 --gap 5000 --per-request r.csv");
  REQUIRE(Scratch::read(s / "r.csv") == "id,op,addr_hex,arrive_cycle,done_cycle\n0,R,0,0,49\n1,R,40,5000,5049\n");
}

TEST_CASE("dram: a result folder is complete, and files named in it are written with it") {
  const Scratch s;
  const Outcome o = run_harmonia(s,
                                 "dram --config DDR4-3200 --traffic rand --requests 500 -o out --commands "
                                 "out/commands.csv.gz --per-request r.csv");
  REQUIRE(o.status == 0);
  REQUIRE(fs::exists(s / "out/result.json"));
  REQUIRE(fs::exists(s / "out/commands.csv.gz"));
  REQUIRE(fs::exists(s / "r.csv"));
  REQUIRE(o.out.find(Scratch::read(s / "out/summary.txt")) == 0);
  REQUIRE(Json::parse(Scratch::read(s / "out/result.json"))["traffic"]["requests"] == 500);
  REQUIRE(lines_of(Scratch::read(s / "r.csv")).size() == 501);
  // Requests come in their own order although they are answered in another.
  const auto lines = lines_of(Scratch::read(s / "r.csv"));
  for (std::size_t i = 1; i < lines.size(); ++i) REQUIRE(lines[i].rfind(std::to_string(i - 1) + ",", 0) == 0);
  for (const auto& entry : fs::directory_iterator(s.path()))
    REQUIRE(entry.path().string().find("partial") == std::string::npos);
}

TEST_CASE("dram: a channel of one's own is a file, based on a preset or not") {
  const Scratch s;
  s.write("mine.yaml",
          "base: DDR4-3200\nCL: 24\nRCD: 24\nmapping: rbc\nqueue_entries: 16\n"
          "sources: {CL: \"a data sheet\", RCD: \"assumed: as CL\"}\n");
  Json j = run(s, "--config mine.yaml --traffic rand --requests 1000 --set RCD=26");
  REQUIRE(j["config"] == "mine");
  REQUIRE(j["provenance"]["resolved"]["CL"] == "24");
  REQUIRE(j["provenance"]["resolved"]["RCDRD"] == "26");
  REQUIRE(j["provenance"]["resolved"]["RCDWR"] == "26");
  REQUIRE(j["provenance"]["resolved"]["write_high_watermark"] == "11");  // 70 % of the file's own depth
  const auto assumed = [&](const std::string& key) -> Json {
    for (const Json& a : j["assumptions"])
      if (a["key"] == key) return a;
    return nullptr;
  };
  REQUIRE(assumed("CL").is_null());
  REQUIRE(assumed("RCDRD")["source"] == "assumed: as CL");
  REQUIRE(assumed("queue_entries").is_null());  // given, not assumed
  REQUIRE(assumed("IDD0")["source"] == "assumed in preset DDR4-3200");

  // A chain of files, relative to each other, and one of several in a file.
  s.write("deep/top.yaml",
          "base: ../mine.yaml\nname: top\naddress_bits: {bg: [6, 7], co: [8, 9, 10, 11, 12, 13, 14], "
          "ba: [15, 16], ro: [17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]}\n");
  j = run(s, "--config deep/top.yaml --traffic seq --requests 1000");
  REQUIRE(j["config"] == "top");
  REQUIRE(j["provenance"]["resolved"]["address_bits.bg"] == "[6,7]");
  REQUIRE(j["provenance"]["resolved"]["CL"] == "24");
  s.write("several.json", "{\"a\": {\"base\": \"DDR4-3200\", \"CL\": 20}, \"b\": {\"base\": \"HBM2-2000\"}}");
  REQUIRE(run(s, "--config several.json:a --traffic seq --requests 10")["provenance"]["resolved"]["CL"] == "20");
  REQUIRE(error(s, "--config several.json --traffic seq")
              .find("several.json: holds several configurations, expected "
                    "FILE:NAME with one of: a, b") == 0);
  REQUIRE(run_harmonia(s, "check several.json").out.find("2 DRAM channels") != std::string::npos);

  // Scenarios and accelerators take the file too, and `check` knows it.
  REQUIRE(run_harmonia(s, "check mine.yaml").out.find("mine.yaml: a DRAM channel: mine, DDR4, 25.6 GB/s") == 0);
  s.write("scenario.yaml", "model: llama-3-8b\ndram: {preset: ./mine.yaml, channels: 2}\n");
  const Outcome check = run_harmonia(s, "check scenario.yaml");
  CAPTURE(check.err);
  REQUIRE(check.status == 0);
  s.write("broken.yaml", "model: llama-3-8b\ndram: {preset: HBM2-2000, channel: {CLL: 3}}\n");
  REQUIRE(run_harmonia(s, "check broken.yaml").err ==
          "broken.yaml:2:37: unknown key 'CLL'; nearest known key is 'CL'\n");
  REQUIRE(run_harmonia(s, "check '" HARMONIA_SOURCE "'/workloads/dram/*.yaml").status == 0);
}

TEST_CASE("dram: a file that is written is none of those that are read or written too") {
  const Scratch s;
  const std::string trace = "0x0 READ 0\n";
  s.write("in.trace", trace);
  const auto refused = [&](const std::string& arguments, const std::string& said) {
    const Outcome o = run_harmonia(s, "dram --config DDR4-3200 " + arguments);
    CHECK(o.status == 2);
    CHECK_THAT(o.err, ContainsSubstring(said));
  };
  refused("--trace in.trace --commands ./in.trace", "--commands names the file of --trace ('./in.trace')");
  refused("--trace in.trace --per-request out.csv --commands out.csv", "--commands names the file of --per-request");
  CHECK(Scratch::read(s / "in.trace") == trace);
  CHECK(
      run_harmonia(s, "dram --config DDR4-3200 --trace in.trace --per-request /dev/null --commands /dev/null").status ==
      0);
}

TEST_CASE("dram: a scenario runs on a channel of one's own, and its result says what that rests on and reads back") {
  const Scratch s;
  s.write("mine.yaml", "base: DDR4-3200\nCL: 24\nRC: 70\nsources: {CL: \"assumed: for the test\"}\n");
  s.write(
      "whole.yaml",
      "standard: DDR4\ntCK_ps: 625\nrate_MTs: 3200\nwidth_bits: 64\nBL: 8\nbankgroups: 4\nbanks_per_group: 4\nrows: "
      "65536\ncolumns: 1024\nCL: 22\nCWL: 16\nRCD: 22\nRP: 22\nRAS: 52\nRC: 74\nWR: 24\nRTP: 12\nCCD_S: 4\nCCD_L: "
      "8\nRRD_S: 4\nRRD_L: 8\nWTR_S: 4\nWTR_L: 12\nFAW: 34\nRFC: 560\nREFI: 12480\nmapping: bgi\n");
  for (const std::string file : {"mine.yaml", "whole.yaml"}) {
    CAPTURE(file);
    s.write("s.yaml", "model: stories260k\naccelerator: harmonia-small\ndram: {preset: ./" + file +
                          ", channels: 1}\nworkload: {context: 16, tokens: 1}\n");
    const Outcome o = run_harmonia(s, "run s.yaml -o out");
    CAPTURE(o.err);
    REQUIRE(o.status == 0);
    const Json j = Json::parse(Scratch::read(s / "out/result.json"));
    const auto assumed = [&](const std::string& key) {
      for (const Json& a : j["assumptions"])
        if (a["key"] == "accelerator.dram.channel." + key) return true;
      return false;
    };
    CHECK(assumed("queue_entries"));
    CHECK(assumed("CL") == (file == "mine.yaml"));
    if (file == "mine.yaml") CHECK(o.out.find("mine.yaml:3: RC < RAS + RP (70 < 52 + 22)") != std::string::npos);
    // The resolved configuration is a scenario: the same channel, the same time.
    s.write("again.json", j["provenance"]["config"].dump());
    REQUIRE(run_harmonia(s, "run again.json -o again").status == 0);
    CHECK(Json::parse(Scratch::read(s / "again/result.json"))["simulated_seconds"] == j["simulated_seconds"]);
  }
}

TEST_CASE("dram: contradictory parameters are errors or warnings that name the rule") {
  const Scratch s;
  const std::string run_it = " --traffic seq --requests 10";
  const auto warning = [&](const std::string& set) {
    const Json j = run(s, "--config DDR4-3200" + run_it + set);
    return j["warnings"].empty() ? std::string() : j["warnings"][0].get<std::string>();
  };
  CHECK(warning("").empty());
  CHECK(warning(" --set RC=70") == "--set RC=70: RC < RAS + RP (70 < 52 + 22): RC never binds");
  CHECK(warning(" --set FAW=15") == "--set FAW=15: FAW < 4 RRD_S (15 < 4 x 4): FAW never binds");
  CHECK(error(s, "--config DDR4-3200" + run_it + " --set FAW=3").find("--set FAW=3: FAW: FAW < RRD_S") == 0);
  CHECK(error(s, "--config DDR4-3200" + run_it + " --set CCD_S=2").find("--set CCD_S=2: CCD_S: CCD_S < burst") == 0);
  CHECK(error(s, "--config DDR4-3200" + run_it + " --set RFC=13000").find("--set RFC=13000: RFC: RFC >= REFI") == 0);
  s.write("rc.yaml", "base: DDR4-3200\nRAS: 60\n");
  REQUIRE(run_harmonia(s, "check rc.yaml").out.find("note: warning: rc.yaml:2: RC < RAS + RP (74 < 60 + 22)") !=
          std::string::npos);
}

TEST_CASE("dram: wrong inputs are told with their place, and nothing is written") {
  const Scratch s;
  const std::string ddr4 = "--config DDR4-3200 -o out --commands c.csv ";
  CHECK(error(s, "") ==
        "command line: --config is missing, expected a DRAM preset (`harmonia list drams`) or a file\n");
  CHECK(error(s, ddr4) == "command line: expected --trace FILE or --traffic KIND\n");
  s.write("a.trace", "0x0 READ 0\n");
  CHECK(error(s, ddr4 + "--trace a.trace --traffic seq") ==
        "command line: --trace and --traffic are both given, expected one of them\n");
  CHECK(error(s, ddr4 + "--trace none.trace") == "none.trace: cannot be opened, expected a readable file\n");
  CHECK(error(s, ddr4 + "--traffic sek") == "command line: unknown traffic 'sek'; nearest known traffic is 'seq'\n");
  CHECK(
      error(s, ddr4 + "--traffic seq --requests 0").find("command line: --requests is '0', expected a whole number") ==
      0);
  CHECK(error(s, ddr4 + "--traffic seq --in-flight -1").find("command line: --in-flight is '-1', expected") == 0);
  CHECK(error(s, ddr4 + "--traffic seq --gap -2").find("command line: --gap is '-2', expected") == 0);
  CHECK(error(s, ddr4 + "--traffic seq --gap 1e9 --requests 1000000").find("command line: --gap times --requests") ==
        0);
  CHECK(error(s, ddr4 + "--traffic rand --request-bytes 128") ==
        "command line: traffic 'rand' has requests of 64 bytes\n");
  CHECK(error(s, ddr4 + "--traffic seq --wrap") ==
        "command line: --wrap and --trace-mhz are of a trace, expected --trace\n");
  CHECK(error(s, "--config DDR4-3201 --traffic seq") ==
        "command line: unknown DRAM preset 'DDR4-3201'; nearest known preset is 'DDR4-3200'\n");
  CHECK(error(s, "--config ./none.yaml --traffic seq").find("command line: DRAM file './none.yaml' does not exist") ==
        0);
  CHECK(error(s, ddr4 + "--traffic seq --set CLL=3") == "--set CLL=3: unknown key 'CLL'; nearest known key is 'CL'\n");
  CHECK(error(s, ddr4 + "--traffic seq --set CL=-3")
            .find("--set CL=-3: CL is '-3', expected a whole number from 0 to 16777216 (cycles)") == 0);
  CHECK(error(s, ddr4 + "--traffic seq --set CL=[3,4]").find("--set CL=[3,4]: CL is a list, expected a whole number") ==
        0);
  s.write("notes.txt", "hello\n");
  CHECK(error(s, "--config DDR4-3200 --traffic seq -o notes.txt").find("notes.txt: exists and is no result") == 0);
  CHECK(error(s, "--config DDR4-3200 --traffic seq --commands no/such/folder.csv")
            .find("no/such/folder.csv: cannot be created") == 0);
}

TEST_CASE("dram: wrong configuration files are told with line and column") {
  const Scratch s;
  const auto check = [&](const std::string& text) {
    s.write("c.yaml", text);
    return error(s, "--config c.yaml --traffic seq --requests 10");
  };
  CHECK(check("base: DDR4-3200\nRASS: 3\n") == "c.yaml:2:1: unknown key 'RASS'; nearest known key is 'RAS'\n");
  CHECK(check("base: DDR4-3200\nRAS: many\n").find("c.yaml:2:6: RAS is 'many', expected a whole number") == 0);
  CHECK(check("base: DDR9\n").find("c.yaml:1:7: unknown DRAM preset 'DDR9'") == 0);
  CHECK(check("base: [a]\n").find("c.yaml:1:7: base is a list, expected a DRAM preset") == 0);
  CHECK(check("base: ./c.yaml\n").find("9th in a chain") != std::string::npos);
  CHECK(check("CL: 3\n").find("c.yaml:1:1: standard is missing") == 0);
  CHECK(check("standard: DDR4\nCL: 22\n") == "c.yaml:1:1: tCK_ps: missing\n");
  CHECK(check("standard: DDR7\n").find("c.yaml:1:11: standard is 'DDR7', expected one of: DDR4") == 0);
  CHECK(check("base: DDR4-3200\nburst_bytes: 32\n").find("c.yaml:2:14: burst_bytes is '32', expected 64") == 0);
  CHECK(check("base: DDR4-3200\naddress_bits: {bx: [1]}\n").find("c.yaml:2:16: unknown key 'address_bits.bx'") == 0);
  CHECK(check("base: DDR4-3200\naddress_bits: {bg: [6]}\n").find("c.yaml:2:16: address_bits lack columns or rows") ==
        0);
  CHECK(check("base: DDR4-3200\nmapping: custom\n") ==
        "c.yaml:2:10: mapping is 'custom', expected address_bits beside it\n");
  CHECK(check("base: DDR4-3200\nassumed: [CL, CLL]\n") ==
        "c.yaml:2:15: assumed: 'CLL' is no key; nearest known key is 'CL'\n");
  // A contradiction is told at the first of its keys that is given.
  CHECK(check("base: DDR4-3200\nRRD_S: 40\nRRD_L: 40\n").find("c.yaml:2:8: FAW: FAW < RRD_S") == 0);
  CHECK(check("base: DDR4-3200\nqueue_entries: 16\nwrite_high_watermark: 20\n") ==
        "c.yaml:3:23: write_high_watermark: expected at most queue_entries\n");
  CHECK(check("base: DDR4-3200\nsources: {CLL: x}\n").find("c.yaml:2:11: unknown key 'CLL'") == 0);
  CHECK(check("- 1\n").find("c.yaml:1:1: this is a list, expected a map of keys that describes a DRAM channel") == 0);
  CHECK(check("base: DDR4-3200\nCL: 22\nCL: 23\n").find("c.yaml:3:1: key 'CL' appears twice") == 0);
  // A contradiction between currents stands where the first of them does.
  CHECK(check("base: DDR4-3200\nsource: mine\nIDD4R: 40\n").find("c.yaml:3:8: IDD4R: IDD4R < IDD3N (40 < 52 mA)") == 0);
  CHECK(check("base: DDR4-3200\nIDD3N: 200\n").find("c.yaml:2:8: IDD4R: IDD4R < IDD3N (168 < 200 mA)") == 0);
  CHECK(check("base: DDR4-3200\nrho: 1.5\n").find("c.yaml:2:6: rho is '1.5', expected a number from 0 to 1") == 0);
  CHECK(check("base: DDR5-4800\nrho: 0.5\n").find("c.yaml:2:6: IDD0: 103 mA is less than the 112.8") == 0);
  CHECK(check("base: DDR4-3200\nrows: 4\n")
            .find("command line: the channel holds 524288 bytes, expected at least 1 MiB for generated traffic") == 0);
}

TEST_CASE("dram: broken traces are told with line and column") {
  const Scratch s;
  const auto check = [&](const std::string& text, const std::string& more = {}) {
    s.write("t.trace", text);
    return error(s, "--config DDR4-3200 --trace t.trace -o out --commands c.csv " + more);
  };
  CHECK(check("") == "t.trace: holds no request, expected an address trace\n");
  CHECK(check("# only a comment\n") == "t.trace: holds no request, expected an address trace\n");
  CHECK(check("op,addr_hex\n").find("t.trace:1: holds no request, expected R|W,ADDR_HEX") == 0);
  CHECK(check("hello world\n").find("t.trace:1:1: this is no request, expected one of: 0xADDR READ|WRITE CYCLE") == 0);
  CHECK(check("0x0 READ 0\n0x40 REED 1\n") == "t.trace:2:6: 'REED', expected READ or WRITE\n");
  CHECK(check("0x0 READ 0\n0x40\n") == "t.trace:2:1: '0x40' is no request, expected 0xADDR READ|WRITE CYCLE\n");
  CHECK(check("0x0 READ 0\n0xzz READ 1\n") == "t.trace:2:1: '0xzz', expected a hexadecimal address, 0x...\n");
  CHECK(check("0x0 READ 0\n0x40 READ -1\n") == "t.trace:2:11: '-1', expected a cycle: a whole number\n");
  CHECK(check("0x0 READ 5\n0x40 READ 4\n").find("t.trace:2:11: cycle 4 is before the line above's 5") == 0);
  CHECK(check("0x0 READ 5 6\n") == "t.trace:1:12: '6', expected the line to end here\n");
  CHECK(check("0x0 READ 99999999999999\n").find("t.trace:1:10: cycle 99999999999999, expected at most") == 0);
  CHECK(check("0x11112222333344445 READ 0\n").find("t.trace:1:1:") == 0);  // more than 64 bits
  CHECK(check("0x200000000 READ 0\n")
            .find("t.trace:1:1: address 0x200000000 with 64 bytes ends beyond the channel's "
                  "0x200000000 bytes") == 0);
  CHECK(check("0: read 0x1fffffff0\n").find("t.trace:1:9: address 0x1fffffff0 with 64 bytes ends beyond") == 0);
  CHECK(check("LD 0x40\nLD\n") == "t.trace:2:1: 'LD' is no request, expected LD|ST ADDR\n");
  CHECK(check("LD 0x40\nLX 0x40\n") == "t.trace:2:1: 'LX', expected LD or ST\n");
  CHECK(check("R 0,0,0,0,0,0\nR 0,0,0,0,x,0\n") == "t.trace:2:11: 'x', expected the row: a whole number\n");
  CHECK(check("R 1,0,0,0,0,0\n") == "t.trace:1:3: channel 1, expected less than 1\n");
  CHECK(check("3: read 0x40\n4: reed 0x40\n") == "t.trace:2:4: 'reed', expected read or write\n");
  CHECK(check("3: read 0x40\nx: read 0x40\n") == "t.trace:2:1: 'x', expected a cycle: a whole number\n");
  CHECK(check("3: (0) read 0x40\n").find("t.trace:1:4: '(0)', expected a length in bytes") == 0);
  CHECK(check("op,addr_hex\nR,40\nX,40\n") == "t.trace:3:1: 'X', expected R or W\n");
  CHECK(check("op,addr_hex\nR\n") == "t.trace:2:1: 'R' is no request, expected R|W,ADDR_HEX\n");
  const std::string zipped = gzipped("0x0 READ 0\n" + std::string(20000, '#') + "\n0x40 READ 1\n");
  CHECK(check(zipped.substr(0, zipped.size() / 2)).find("the gzip stream is cut off") != std::string::npos);
  // --wrap takes what lies beyond, and says so.
  s.write("w.trace", "0x200000040 READ 0\n");
  const Json j = run(s, "--config DDR4-3200 --trace w.trace --wrap");
  REQUIRE(j["traffic"]["wrapped"] == 1);
}

TEST_CASE("dram: the reference's own request lists replay as the generated traffic") {
  HARMONIA_REQUIRE_DATA(data);
  const Scratch s;
  const std::string traces = "'" + (data / "reference/dram/traces").string() + "'/";
  for (const auto& [kind, file] :
       std::map<std::string, std::string>{{"rand", "rand_100k.csv.gz"}, {"mix", "mix_100k.csv.gz"}}) {
    run(s, "--config hbm2_2000.rbc --requests 20000 --traffic " + kind + " --per-request a.csv");
    run(s, "--config hbm2_2000.rbc --requests 20000 --trace " + traces + file + " --per-request b.csv");
    REQUIRE(Scratch::read(s / "a.csv") == Scratch::read(s / "b.csv"));
  }
}

TEST_CASE("dram: the command file passes the independent checker, on configurations as the reference states them") {
  HARMONIA_REQUIRE_DATA(data);
  const Scratch s;
  const std::string configs = (data / "reference/dram/configs.json").string();
  const std::string checker = (data / "tools/dram_timing_check.py").string();
  for (const std::string name : {"ddr4_3200.bgi", "hbm2_2000.rbc", "lpddr4_3200.rbc", "lpddr5_6400.cbg"}) {
    run(s, "--config '" + configs + ":" + name + "' --traffic mix --requests 10000 --commands c.csv");
    const std::string command = "python3 '" + checker + "' '" + configs + "' " + name + " '" + (s / "c.csv") + "'" +
                                (name.rfind("hbm", 0) == 0 ? " --act-second-edge" : "") + " > '" + (s / ".stdout") +
                                "'";
    CAPTURE(name, Scratch::read(s / ".stdout"));
    REQUIRE(std::system(command.c_str()) == 0);
    // And with a precharge left out it does not.
    std::string broken;
    bool moved = false;
    for (const std::string& line : lines_of(Scratch::read(s / "c.csv"))) {
      if (!moved && line.find(",PRE,") != std::string::npos)
        moved = true;
      else
        broken += line + "\n";
    }
    REQUIRE(moved);
    s.write("c.csv", broken);
    REQUIRE(std::system(command.c_str()) != 0);
  }
}
