// Recorded transactions: what monitors see is in the files, and an independent reader of FTR finds the same as the JSON lines.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <systemc>
#include <vector>

#include "harmonia/tlm/monitor.h"
#include "harmonia/tlm/records/ftr_writer.h"
#include "harmonia/tlm/records/json_lines.h"
#include "harmonia/tlm/records/transaction_recorder.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"
#include "tests/tlm/models.h"

using namespace harmonia;
using harmonia::test::ns;
using Json = nlohmann::json;

namespace {

using test::Scratch;

void add_files(records::TransactionRecorder& recorder, const Scratch& folder) {
  recorder.add(std::make_unique<records::JsonLinesWriter>(folder / "t.jsonl", recorder.schema()));
  if (records::ftr_available()) recorder.add(std::make_unique<records::FtrWriter>(folder / "t.ftr", recorder.schema()));
}

std::vector<Json> lines(const Scratch& folder) {
  std::vector<Json> all;
  std::ifstream file(folder / "t.jsonl");
  for (std::string line; std::getline(file, line);) all.push_back(Json::parse(line));
  return all;
}

/// Holds the FTR file to the JSON lines with the reader in Python; its counts. Empty when this build writes no FTR.
std::string read_by_python(const Scratch& folder) {
  if (!records::ftr_available()) {
    std::puts("SKIPPED: FTR, this build has no libcbor");
    return {};
  }
  const std::string command = std::string("python3 " HARMONIA_SOURCE "/tests/tlm/read_ftr.py ") + (folder / "t.ftr") +
                              " " + (folder / "t.jsonl") + " > " + (folder / "out") + " 2>&1";
  const int status = std::system(command.c_str());
  const std::string text = Scratch::read(folder / "out");
  INFO(text);
  REQUIRE(status == 0);
  return text;
}

bus::TransactionRecord transaction(double begin, double accepted, double response, std::uint32_t operation) {
  bus::TransactionRecord r;
  r.command = tlm::TLM_READ_COMMAND;
  r.status = tlm::TLM_OK_RESPONSE;
  r.address = 0x123456789aULL;
  r.length_bytes = 64;
  r.begin = ns(begin);
  r.accepted = ns(accepted);
  r.response = ns(response);
  r.chunk.operation = operation;
  r.chunk.traffic = bus::TrafficClass::weights;
  return r;
}

}  // namespace

TEST_CASE("records: a transaction with its phases, its operation and its step") {
  const Scratch folder;
  records::TransactionRecorder recorder;
  add_files(recorder, folder);
  auto& socket = recorder.socket("dma_to_memory", records::SocketKind::memory);
  recorder.step_begins(0);
  socket.write(transaction(1, 3, 10, 5));
  socket.write(transaction(4, 4, 6, 5));
  recorder.step_ends(20000, [](std::uint32_t) { return "qkv"; });
  recorder.close();

  const std::vector<Json> all = lines(folder);
  const Json read = {{"fiber", "dma_to_memory"}, {"kind", "read"},          {"id", 1},     {"begin_ps", 1000},
                     {"end_ps", 10000},          {"address", 0x123456789a}, {"bytes", 64}, {"class", "weights"},
                     {"status", "ok"},           {"operation", 5}};
  REQUIRE(all[0] == read);
  REQUIRE(all[1]["kind"] == "request");  // two nanoseconds until END_REQ
  REQUIRE(all[1]["stall"] == "back-pressure");
  REQUIRE(all[1]["end_ps"] == 3000);
  REQUIRE(all[2] == Json{{"relation", "phase of"}, {"from", 2}, {"to", 1}});
  REQUIRE(all[3]["kind"] == "response");
  REQUIRE(all[3]["begin_ps"] == 3000);
  REQUIRE(all[5] == Json{{"relation", "part of"}, {"from", 1}, {"to", 4}});
  REQUIRE(all[6]["kind"] == "read");  // accepted at once: no phases
  REQUIRE(all[7] == Json{{"relation", "part of"}, {"from", 5}, {"to", 4}});
  REQUIRE(all[8] ==
          Json{{"fiber", "steps"}, {"kind", "step"}, {"id", 6}, {"begin_ps", 0}, {"end_ps", 20000}, {"step", 0}});
  REQUIRE(all[9] == Json{{"fiber", "operations"},
                         {"kind", "qkv"},
                         {"id", 4},
                         {"begin_ps", 1000},
                         {"end_ps", 10000},
                         {"operation", 5}});
  REQUIRE(all[10] == Json{{"relation", "part of"}, {"from", 4}, {"to", 6}});
  REQUIRE(all.size() == 11);
  const std::string counts = read_by_python(folder);
  REQUIRE((counts.empty() || counts == "3 fibers, 6 generators, 6 transactions, 5 relations\n"));
}

TEST_CASE("records: everything beyond the limit is counted") {
  records::TransactionRecorder recorder(3);
  auto& socket = recorder.socket("a", records::SocketKind::stream);
  for (int i = 0; i < 5; ++i) socket.write(transaction(i, i, i + 1, 0));
  REQUIRE(recorder.recorded() == 3);
  REQUIRE(recorder.left_out() == 2);
}

TEST_CASE("records: texts of every kind read back") {
  const Scratch folder;
  records::TransactionRecorder recorder;
  add_files(recorder, folder);
  for (const char* name : {"a \"quoted\" name", "back\\slash", "tab\there", "caf\xc3\xa9"})
    recorder.socket(name, records::SocketKind::stream).write(transaction(1, 1, 2, 0));
  recorder.close();
  REQUIRE(lines(folder)[1]["fiber"] == "back\\slash");
  REQUIRE(lines(folder)[3]["fiber"] == "caf\xc3\xa9");
  read_by_python(folder);
}

TEST_CASE("records: random traffic through a monitor, in blocks of several fibers") {
  const Scratch folder;
  test::TrafficDriver::Config traffic;
  traffic.transactions = 20000;
  test::MemoryModel::Config slow;
  slow.jitter = ns(30);
  slow.depth = 4;
  test::TrafficDriver driver("driver", traffic);
  bus::Monitor<> first("first"), second("second", 1);
  test::MemoryModel memory("memory", slow);
  driver.isock.bind(first.tsock);
  first.isock.bind(second.tsock);
  second.isock.bind(memory.tsock);
  records::TransactionRecorder recorder;
  add_files(recorder, folder);
  first.transactions.bind(recorder.socket("near", records::SocketKind::memory));
  second.transactions.bind(recorder.socket("far", records::SocketKind::memory));
  driver.start();
  sc_core::sc_start();
  REQUIRE(driver.done());
  REQUIRE(driver.mismatches == 0);
  recorder.close();
  REQUIRE(recorder.recorded() == 2 * traffic.transactions);
  std::uint64_t reads = 0, writes = 0, stalls = 0;
  for (const Json& l : lines(folder)) {
    if (l.value("fiber", "") != "near") continue;
    reads += l["kind"] == "read";
    writes += l["kind"] == "write";
    stalls += l.contains("stall");
  }
  REQUIRE(reads + writes == traffic.transactions);
  REQUIRE(stalls > 100);
  read_by_python(folder);
}

TEST_CASE("records: a file that cannot be written is an error") {
  records::TransactionRecorder recorder;
  REQUIRE_THROWS_WITH(records::JsonLinesWriter("/nonexistent/t.jsonl", recorder.schema()),
                      ContainsSubstring("cannot write /nonexistent/t.jsonl"));
  if (!std::filesystem::exists("/dev/full")) return;
  recorder.add(std::make_unique<records::JsonLinesWriter>("/dev/full", recorder.schema()));
  auto& socket = recorder.socket("a", records::SocketKind::stream);
  for (int i = 0; i < 1000; ++i) socket.write(transaction(i, i, i + 1, 0));
  REQUIRE_THROWS_WITH(recorder.close(), ContainsSubstring("No space left"));
}
