// What the tests of the whole machine share: small random models, scenarios, instruments on every connection, and a run
// of a functional machine beside the golden composition.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/system/functional.h"
#include "harmonia/testbench/system/machine.h"
#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stall.h"
#include "tests/support/catch.h"

namespace harmonia::test {

using accelerator::GoldenLlama;
using accelerator::GoldenModelWeights;
using accelerator::ModelShape;
using formats::CodebookKind;
using formats::Fp16;
using formats::LinearWeights;
using formats::WeightFormat;
using testbench::Host;
using testbench::Machine;
using testbench::Scenario;

struct SmallShape {
  int hidden = 256, layers = 1, heads = 8, kv_heads = 2, head_dim = 32, intermediate = 688, vocab = 96;
  int window = 0;              // tokens that a layer attends to; 0: all,
  std::vector<int> full = {};  // but for these layers
  bool bias = false, qk_norm = false;
  accelerator::Mixture mixture = {};
  bool gelu = false, multipliers = false;
  /// Further fields of the model's shape, set at last.
  std::function<void(ModelShape&)> more = {};
};

inline ModelShape shape_of(const SmallShape& s) {
  ModelShape m;
  m.name = "random";
  m.hidden_size = s.hidden;
  m.num_hidden_layers = s.layers;
  m.num_attention_heads = s.heads;
  m.num_key_value_heads = s.kv_heads;
  m.head_dim = s.head_dim;
  m.intermediate_size = s.intermediate;
  m.vocab_size = s.vocab;
  m.rope_theta = 10000.0;
  m.sliding_window = s.window;
  m.full_attention_layers = s.full;
  m.qkv_bias = s.bias;
  m.qk_norm = s.qk_norm;
  m.mixture = s.mixture;
  if (s.gelu) m.activation = accelerator::Activation::gelu;
  if (s.multipliers) {
    m.embedding_multiplier = 12.0;
    m.residual_multiplier = 0.22;
    m.attention_scale = 0.015625;
    m.logits_divisor = 8.0;
  }
  if (s.more) s.more(m);
  return m;
}

/// Gaussian weights, in the stored format asked for; `real` gets the same weights in FP32 where wanted, [out, in] each,
/// in the order of the layer's fields, layer by layer.
inline std::shared_ptr<GoldenModelWeights> random_model(const SmallShape& small, WeightFormat format, CodebookKind kind,
                                                        std::uint64_t seed,
                                                        WeightFormat lm_head = formats::weight_format("fp16"),
                                                        std::vector<std::vector<float>>* real = nullptr) {
  formats::GaussianSource random(seed);
  auto w = std::make_shared<GoldenModelWeights>();
  w->shape = shape_of(small);
  w->rope_pairing = seed % 2 != 0 ? formats::RopePairing::kAdjacent : formats::RopePairing::kHalfSplit;
  const auto gains = [&](int n) {
    std::vector<Fp16> out(static_cast<std::size_t>(n));
    for (Fp16& v : out) v = formats::to_fp16(1.0 + 0.2 * random.next());
    return out;
  };
  const auto linear = [&](WeightFormat f, int rows, int cols) {
    std::vector<float> values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols));
    for (float& v : values) v = static_cast<float>(random.next() / std::sqrt(cols));
    LinearWeights encoded =
        LinearWeights::encode(f, values.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), kind);
    if (real != nullptr) real->push_back(std::move(values));
    return encoded;
  };
  const ModelShape& s = w->shape;
  if (s.rotary_dim != 0 && seed % 3 == 0) {  // a scaled RoPE
    for (int c = 0; c < s.rotary_dim / 2; ++c) w->rope_frequencies.push_back(1.0f / static_cast<float>(1 + 3 * c));
    w->rope_magnitude = 1.125f;
  }
  w->embedding.resize(static_cast<std::size_t>(s.vocab_size) * static_cast<std::size_t>(s.hidden_size));
  for (Fp16& v : w->embedding) v = formats::to_fp16(random.next());
  for (int i = 0; i < s.num_hidden_layers; ++i) {
    using T = accelerator::ModelTensor;
    accelerator::GoldenLayerWeights l;
    const ModelShape own = s.of_layer(i);
    const std::vector<T> tensors = accelerator::layer_graph(s, i).layer_tensors();
    const auto has = [&](T tensor) { return std::find(tensors.begin(), tensors.end(), tensor) != tensors.end(); };
    if (s.norms_before() && !s.layer_norm)
      for (const T norm : {T::attention_norm, T::ffn_norm})
        if (has(norm)) l.gains[norm] = gains(s.hidden_size);
    const auto matrix = [&](T tensor) {
      l.matrices[tensor] = linear(accelerator::stays_16_bit(tensor) ? formats::weight_format("fp16") : format,
                                  static_cast<int>(size_of(accelerator::info_of(tensor).rows, own)),
                                  static_cast<int>(size_of(accelerator::info_of(tensor).columns, own)));
    };
    for (const T tensor : {T::q, T::k, T::v, T::o})
      if (has(tensor)) matrix(tensor);
    for (const T tensor : accelerator::layer_graph(s, i).layer_matrices())  // the feed-forward's
      if (l.matrices[tensor].rows() == 0) matrix(tensor);
    if (s.qkv_bias)
      for (const T tensor : {T::q_bias, T::k_bias, T::v_bias})
        for (std::uint64_t n = has(tensor) ? accelerator::info_of(tensor).elements(own) : 0; n > 0; --n)
          l.gains[tensor].push_back(formats::to_fp16(0.5 * random.next()));
    if (s.qk_norm && !s.qk_norm_all_heads)
      for (const T tensor : {T::q_norm, T::k_norm})
        if (has(tensor)) l.gains[tensor] = gains(s.head_dim);
    for (const T tensor : tensors)  // what the model has beside
      if (accelerator::info_of(tensor).kind == accelerator::TensorKind::gains && l.gains[tensor].empty())
        l.gains[tensor] = gains(static_cast<int>(accelerator::info_of(tensor).elements(own)));
    w->layers.push_back(std::move(l));
  }
  w->final_norm = gains(s.norm_width());
  w->lm_head = linear(lm_head, s.vocab_size, s.hidden_size);
  return w;
}

/// The machine `harmonia` with a small memory behind it, functional.
inline Scenario functional_scenario(const GoldenModelWeights& weights) {
  Scenario s;
  s.name = "test";
  testbench::adopt_weights(s, weights);
  s.fidelity.data = testbench::DataMode::functional;
  s.accelerator.dram.preset = "DDR4-3200";
  s.accelerator.dram.channels = 2;
  return s;
}

/// Puts a protocol checker on every connection of a machine, and on request a stall injector behind it.
class Instruments {
 public:
  explicit Instruments(double stall_probability = 0, std::uint64_t seed = 1)
      : stall_probability_(stall_probability), seed_(seed) {}

  accelerator::Connect connect() {
    return [this](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
      checkers_.push_back(std::make_unique<bus::ProtocolChecker<>>(("check_" + name).c_str()));
      bus::ProtocolChecker<>& checker = *checkers_.back();
      from.bind(checker.tsock);
      if (stall_probability_ == 0) {
        checker.isock.bind(to);
        return;
      }
      bus::StallConfig config;
      config.seed = seed_++;
      config.probability = stall_probability_;
      config.keep_response_order = true;
      stalls_.push_back(std::make_unique<bus::StallInjector<>>(("stall_" + name).c_str(), config));
      checker.isock.bind(stalls_.back()->tsock);
      stalls_.back()->isock.bind(to);
    };
  }
  void finish() {
    for (auto& c : checkers_) c->rules.finish();
  }
  std::uint64_t transactions() const {
    std::uint64_t sum = 0;
    for (const auto& c : checkers_) sum += c->rules.begun();
    return sum;
  }
  std::uint64_t stalls() const {
    std::uint64_t sum = 0;
    for (const auto& s : stalls_) sum += s->stalls();
    return sum;
  }
  std::size_t connections() const { return checkers_.size(); }

 private:
  double stall_probability_;
  std::uint64_t seed_;
  std::vector<std::unique_ptr<bus::ProtocolChecker<>>> checkers_;
  std::vector<std::unique_ptr<bus::StallInjector<>>> stalls_;
};

/// Tokens that one sequence gets in a step.
struct Turn {
  std::size_t slot;
  std::size_t tokens;
};
using Step = std::vector<Turn>;

/// A prefill of `prompt` tokens in chunks of `chunk` (0: all at once), then `decode` single tokens, of every one of
/// `sequences` at the same time.
inline std::vector<Step> schedule(std::size_t sequences, std::size_t prompt, std::size_t decode,
                                  std::size_t chunk = 0) {
  std::vector<Step> steps;
  if (chunk == 0) chunk = prompt;
  for (std::size_t done = 0; done < prompt; done += chunk) {
    Step step;
    for (std::size_t s = 0; s < sequences; ++s) step.push_back({s, std::min(chunk, prompt - done)});
    steps.push_back(step);
  }
  for (std::size_t t = 0; t < decode; ++t) {
    Step step;
    for (std::size_t s = 0; s < sequences; ++s) step.push_back({s, 1});
    steps.push_back(step);
  }
  return steps;
}

struct StepTimes {
  sc_core::sc_time begin, end;
  bool resident = true;
};

struct Outcome {
  std::vector<StepTimes> steps;
  std::vector<std::vector<Fp16>> logits;  // by step: [sequence of the step][vocab]
  std::vector<std::vector<int>> tokens;   // by step and sequence of it, and the last layer's output, [token][hidden]
  std::vector<std::vector<Fp16>> outputs;
  accelerator::Expected expected;
  std::vector<std::uint64_t> bytes;  // requested at the channels, by class
};

inline void require_equal(const std::vector<Fp16>& is, const Fp16* expected, std::size_t count,
                          const std::string& what) {
  REQUIRE(is.size() >= count);
  for (std::size_t i = 0; i < count; ++i)
    if (is[i].bits != expected[i].bits) {
      INFO(what << ", value " << i << " of " << count << ": " << formats::to_float(is[i]) << " is not "
                << formats::to_float(expected[i]));
      REQUIRE(is[i].bits == expected[i].bits);
    }
}

/// Runs the steps on the machine and on golden functions, one GoldenLlama a sequence, and requires equality: of the
/// residual stream after the last layer (all tokens of the step, where it stays on chip), of the logits of each
/// sequence's last token, and at the end of every live byte of the KV cache. expect_resident: whether steps of more
/// than a token a sequence must find room on chip, or must not; nullopt: either.
inline Outcome run_beside_golden(const Scenario& scenario, std::shared_ptr<GoldenModelWeights> weights,
                                 const std::vector<Step>& steps, Instruments* instruments = nullptr,
                                 std::optional<bool> expect_resident = true) {
  testbench::Capacity capacity;
  capacity.slots = 1;
  std::map<std::size_t, std::uint64_t> total;
  for (const Step& step : steps) {
    std::uint64_t tokens = 0;
    for (const Turn& turn : step) {
      total[turn.slot] += turn.tokens;
      tokens += turn.tokens;
      capacity.sequence_step_tokens = std::max<std::uint64_t>(capacity.sequence_step_tokens, turn.tokens);
      capacity.slots = std::max<std::uint64_t>(capacity.slots, turn.slot + 1);
    }
    capacity.max_step_tokens = std::max(capacity.max_step_tokens, tokens);
  }
  for (const auto& [slot, tokens] : total) capacity.tokens_per_slot = std::max(capacity.tokens_per_slot, tokens);

  accelerator::MachineOptions options = testbench::functional_options(scenario, weights);
  if (instruments != nullptr) options.connect = instruments->connect();
  Outcome outcome;
  const ModelShape& shape = weights->shape;
  const auto hidden = static_cast<std::size_t>(shape.hidden_size), vocab = static_cast<std::size_t>(shape.vocab_size);
  std::vector<std::unique_ptr<GoldenLlama>> golden;
  for (std::uint64_t s = 0; s < capacity.slots; ++s)
    golden.push_back(std::make_unique<GoldenLlama>(weights, testbench::golden_settings(scenario)));

  Machine* machine = nullptr;
  auto body = [&](Host& host) {
    std::vector<std::uint64_t> cached(capacity.slots);
    std::uint32_t random = 12345;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      accelerator::StepWork work;
      std::vector<std::vector<int>> tokens;
      for (const Turn& turn : steps[i]) {
        work.sequences.push_back({turn.slot, cached[turn.slot], turn.tokens, true});
        tokens.emplace_back();
        for (std::size_t t = 0; t < turn.tokens; ++t) {
          random = random * 1664525u + 1013904223u;
          tokens.back().push_back(static_cast<int>((random >> 8) % static_cast<std::uint32_t>(vocab)));
          work.token_ids.push_back(static_cast<std::uint32_t>(tokens.back().back()));
        }
        cached[turn.slot] += turn.tokens;
      }
      host.step(work);
      const accelerator::StepRecord& record = machine->accelerator->sequencer.record();
      // A prefill that does not fit must go through memory; a decode step of the same run may fit.
      if (expect_resident == true) REQUIRE(record.resident);
      if (expect_resident == false && work.tokens() > steps[i].size()) REQUIRE_FALSE(record.resident);
      outcome.steps.push_back({record.begin, record.end, record.resident});
      outcome.logits.push_back(host.logits(steps[i].size() * vocab));
      std::size_t row = 0;
      for (std::size_t q = 0; q < steps[i].size(); ++q) {
        const std::string what = "step " + std::to_string(i) + ", slot " + std::to_string(steps[i][q].slot);
        std::vector<Fp16> residual, logits(vocab);
        GoldenLlama& g = *golden[steps[i][q].slot];
        g.set_tap([&](const accelerator::TapRecord& tap) {
          // The output of the last layer: what its last addition leaves.
          if (tap.stage != accelerator::TapStage::added || tap.layer != shape.num_hidden_layers - 1) return;
          residual.resize(tap.bytes / 2);
          std::memcpy(static_cast<void*>(residual.data()), tap.data, tap.bytes);
        });
        g.step(tokens[q].data(), tokens[q].size(), logits.data(), true);
        if (record.resident) {
          const std::vector<Fp16>& all = machine->accelerator->vector_unit.residual();
          REQUIRE(all.size() >= (row + tokens[q].size()) * hidden);
          const auto first = all.begin() + static_cast<std::ptrdiff_t>(row * hidden);
          require_equal({first, first + static_cast<std::ptrdiff_t>(residual.size())}, residual.data(), residual.size(),
                        what + ": output of the last layer");
        }
        const auto first = outcome.logits.back().begin() + static_cast<std::ptrdiff_t>(q * vocab);
        require_equal({first, first + static_cast<std::ptrdiff_t>(vocab)}, logits.data(), vocab, what + ": logits");
        row += tokens[q].size();
        outcome.tokens.push_back(tokens[q]);
        outcome.outputs.push_back(residual);
      }
    }
    // Answers that a stall injector still holds.
    if (instruments != nullptr) sc_core::wait(10, sc_core::SC_US);
  };
  Machine m(scenario, capacity, body, options);
  machine = &m;
  testbench::load_weights(m, *weights);
  m.simulate();
  for (std::uint64_t s = 0; s < capacity.slots; ++s)
    for (int l = 0; l < shape.num_hidden_layers; ++l)
      REQUIRE(testbench::compare_kv(m, s, l, golden[s]->layer(static_cast<std::size_t>(l)).cache()) == "");
  if (instruments != nullptr) instruments->finish();

  outcome.expected = m.accelerator->sequencer.expected();
  outcome.bytes.assign(bus::traffic_class_count, 0);
  for (const auto& channel : m.accelerator->channels)
    for (std::size_t c = 0; c < bus::traffic_class_count; ++c) outcome.bytes[c] += channel->counts().request_bytes[c];
  for (std::size_t c = 0; c < bus::traffic_class_count; ++c) {
    INFO("traffic class " << bus::name_of(static_cast<bus::TrafficClass>(c)));
    REQUIRE(outcome.bytes[c] == outcome.expected.bytes[c]);
  }
  REQUIRE(m.accelerator->pe_array.macs() == outcome.expected.macs);
  REQUIRE(m.accelerator->pe_array.slots() == outcome.expected.pe_slots);
  return outcome;
}

/// What a run of `steps` costs, without weights, with `before` tokens in every slot already: begin and end of every
/// step in picoseconds, then the bytes at the channels by class. For children (tests/support/child.h).
inline std::vector<std::uint64_t> timing_of(const Scenario& scenario, const std::vector<Step>& steps,
                                            const std::shared_ptr<GoldenModelWeights>& functional = nullptr,
                                            std::uint64_t before = 0) {
  testbench::Capacity capacity;
  std::map<std::size_t, std::uint64_t> total;
  for (const Step& step : steps) {
    std::uint64_t tokens = 0;
    for (const Turn& turn : step) {
      total[turn.slot] += turn.tokens;
      tokens += turn.tokens;
      capacity.sequence_step_tokens = std::max<std::uint64_t>(capacity.sequence_step_tokens, turn.tokens);
      capacity.slots = std::max<std::uint64_t>(capacity.slots, turn.slot + 1);
    }
    capacity.max_step_tokens = std::max(capacity.max_step_tokens, tokens);
  }
  for (const auto& [slot, tokens] : total)
    capacity.tokens_per_slot = std::max(capacity.tokens_per_slot, before + tokens);
  std::vector<std::uint64_t> out;
  Machine* machine = nullptr;
  auto body = [&](Host& host) {
    std::vector<std::uint64_t> cached(capacity.slots, before);
    for (const Step& step : steps) {
      accelerator::StepWork work;
      for (const Turn& turn : step) {
        work.sequences.push_back({turn.slot, cached[turn.slot], turn.tokens, true});
        cached[turn.slot] += turn.tokens;
        // The embedding's rows are read where the tokens say, so both modes get the same.
        for (std::size_t t = 0; t < turn.tokens; ++t)
          work.token_ids.push_back(static_cast<std::uint32_t>((t * 31 + turn.slot) % 50));
      }
      host.step(work);
      out.push_back(machine->accelerator->sequencer.record().begin.value());
      out.push_back(machine->accelerator->sequencer.record().end.value());
    }
  };
  Scenario s = scenario;
  if (!functional) s.fidelity.data = testbench::DataMode::timing_only;
  Machine m(s, capacity, body,
            functional ? testbench::functional_options(s, functional) : testbench::machine_options(s));
  machine = &m;
  if (functional) testbench::load_weights(m, *functional);
  m.simulate();
  for (std::size_t c = 0; c < bus::traffic_class_count; ++c) {
    std::uint64_t bytes = 0;
    for (const auto& channel : m.accelerator->channels) bytes += channel->counts().request_bytes[c];
    if (bytes != m.accelerator->sequencer.expected().bytes[c])
      throw std::runtime_error(std::string("bytes of ") + bus::name_of(static_cast<bus::TrafficClass>(c)) + ": " +
                               std::to_string(bytes) + " moved, " +
                               std::to_string(m.accelerator->sequencer.expected().bytes[c]) + " by the formula");
    out.push_back(bytes);
  }
  return out;
}

}  // namespace harmonia::test
