#include "harmonia/testbench/scenario/idle_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "harmonia/config/error.h"
#include "harmonia/hw/formats/weights/weight_format.h"

namespace harmonia::testbench {
namespace {

using config::Node;

/// A key that is idle, and the key whose value makes it so.
struct Idle {
  const char* key;
  const char* decided_by;
  std::string value;     // of that key
  const char* expected;  // what would give the idle key an effect
};

std::vector<Idle> idle_keys(const Scenario& s) {
  std::vector<Idle> idle;
  const auto add = [&](const char* key, bool is_idle, const char* decided_by, const std::string& value,
                       const char* expected) {
    if (is_idle) idle.push_back({key, decided_by, value, expected});
  };
  const formats::WeightFormat formats[] = {formats::weight_format(s.weights.format),
                                           formats::weight_format(s.weights.lm_head)};
  const auto none = [&](auto&& is) { return std::none_of(std::begin(formats), std::end(formats), is); };
  add("weights.codebook", none([](formats::WeightFormat f) { return f->is_codebook(); }), "weights.format",
      s.weights.format, "weights in a K-means format");
  add("weights.group_size",
      none([](formats::WeightFormat f) { return f->storage.coding == formats::Coding::integers; }), "weights.format",
      s.weights.format, "weights in int4 or int8");
  for (const char* key : {"kv.n_initial", "kv.n_local"})
    add(key, s.kv.format != "bfp4+windows", "kv.format", s.kv.format, "kv.format: bfp4+windows");
  add("kv.exponent_bits", s.kv.format.compare(0, 3, "bfp") != 0, "kv.format", s.kv.format,
      "a KV cache in block floating point");
  add("workload.prefill_chunk_tokens", !s.workload.is_trace() && s.workload.phase == Phase::decode, "workload.phase",
      "decode", "workload.phase: prefill, or a trace");
  for (const char* key : {"fidelity.sample_layers", "fidelity.sample_steps"})
    add(key, s.fidelity.mode != FidelityMode::sampled, "fidelity.mode", "full", "fidelity.mode: sampled");
  add("accelerator.sequencer.attention_block_tokens",
      s.accelerator.sequencer.attention != accelerator::AttentionScores::online, "accelerator.sequencer.attention",
      "another", "accelerator.sequencer.attention: online");
  add("accelerator.pe.mantissa_bits", s.accelerator.pe.kind != accelerator::PeKind::anda, "accelerator.pe.kind",
      "another", "accelerator.pe.kind: anda");
  const bool gemv = !s.workload.is_trace() && s.workload.phase == Phase::gemv;
  add("kv", gemv, "workload.phase", "gemv", "a phase with attention");
  return idle;
}

/// The value under a path of keys, and where its key stands; null when the document does not have it.
const config::Member* find(const Node& document, const std::string& path) {
  const Node* node = &document;
  const config::Member* found = nullptr;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    found = nullptr;
    for (const config::Member& m : node->members)
      if (m.key == key) found = &m;
    if (found == nullptr) return nullptr;
    node = &found->value;
    begin = end + 1;
  }
  return found;
}

}  // namespace

std::vector<std::string> settle_idle_keys(const Node& document, const Scenario& scenario) {
  std::vector<std::string> notices;
  for (const Idle& i : idle_keys(scenario)) {
    const config::Member* given = find(document, i.key);
    if (given == nullptr || given->value.is_null()) continue;
    const config::Member* decides = find(document, i.decided_by);
    const std::string saying = fmt::format("{} has no effect with {} {}", i.key, i.decided_by,
                                           decides != nullptr ? config::printable(decides->value.text) : i.value);
    const std::string& file = given->value.where.file;
    const auto overrides = [](const std::string& name) { return name.rfind("--set", 0) == 0; };
    const bool alone = overrides(file) && (decides == nullptr || !overrides(decides->value.where.file));
    if (alone || decides == nullptr || decides->value.where.file == file)
      throw config::InputError(given->where, saying + ", expected " + i.expected + ", or no such key");
    notices.push_back(saying + '.');
  }
  return notices;
}

void erase_idle_keys(Node& resolved, const Scenario& scenario) {
  for (const Idle& i : idle_keys(scenario)) {
    Node* section = &resolved;
    std::string path = i.key;
    for (std::size_t dot = 0; section != nullptr && (dot = path.find('.')) != std::string::npos; path.erase(0, dot + 1))
      section = section->find(path.substr(0, dot));
    // A whole section is read although nothing uses it.
    if (section != nullptr && section != &resolved) section->erase(path);
  }
}

}  // namespace harmonia::testbench
