#include "harmonia/testbench/runs/recording.h"

#include <fmt/format.h>

#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/tlm/records/ftr_writer.h"
#include "harmonia/tlm/records/json_lines.h"

namespace harmonia::testbench {
namespace {

bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

/// By the connection's name: "weight_dma_to_memory", "interconnect_to_channel0", "sequencer_to_pe_array", or a stream.
records::SocketKind kind_of(const std::string& connection) {
  const std::string to_memory = "_to_memory";
  if (starts_with(connection, "interconnect_to_") ||
      (connection.size() > to_memory.size() &&
       connection.compare(connection.size() - to_memory.size(), to_memory.size(), to_memory) == 0))
    return records::SocketKind::memory;
  return starts_with(connection, "sequencer_to_") ? records::SocketKind::command : records::SocketKind::stream;
}

}  // namespace

Recording::Recording(const std::string& folder) {
  try {
    if (records::ftr_available())
      recorder_.add(std::make_unique<records::FtrWriter>(folder + "/transactions.ftr", recorder_.schema()));
    recorder_.add(std::make_unique<records::JsonLinesWriter>(folder + "/transactions.jsonl", recorder_.schema()));
  } catch (const std::runtime_error& e) {
    throw config::RunError(e.what());
  }
}

accelerator::Connect Recording::connect() {
  return [this](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    monitors_.push_back(
        std::make_unique<bus::Monitor<>>(("monitor_" + name).c_str(), static_cast<unsigned>(monitors_.size())));
    bus::Monitor<>& monitor = *monitors_.back();
    from.bind(monitor.tsock);
    monitor.isock.bind(to);
    monitor.transactions.bind(recorder_.socket(name, kind_of(name)));
  };
}

void Recording::step_ends(std::uint64_t now_ps, const accelerator::Sequencer& sequencer) {
  recorder_.step_ends(now_ps,
                      [&](std::uint32_t operation) { return accelerator::name_of(sequencer.class_of(operation)); });
}

std::vector<std::string> Recording::finish() {
  try {
    recorder_.close();
  } catch (const std::runtime_error& e) {
    throw config::RunError(e.what());
  }
  std::vector<std::string> notes;
  if (!records::ftr_available()) notes.emplace_back("transactions.ftr was skipped: this build has no libcbor");
  if (recorder_.left_out() > 0)
    notes.push_back(fmt::format("the recorded transactions are the first {} of {}", recorder_.recorded(),
                                recorder_.recorded() + recorder_.left_out()));
  return notes;
}

}  // namespace harmonia::testbench
