// A small functional machine: random shape, formats, mix of requests and stalls, against the golden model.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>

#include "harmonia/config/error.h"
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/program/tiling.h"
#include "harmonia/testbench/inject/small_machine.h"
#include "harmonia/testbench/random/benches.h"
#include "harmonia/testbench/system/functional.h"
#include "harmonia/tlm/protocol_checker.h"
#include "harmonia/tlm/stall.h"

namespace harmonia::testbench {
namespace {

using stimulus::draw;
using stimulus::draw_below;
using stimulus::Random;

/// Who gets how many tokens in a step.
struct Turn {
  std::size_t slot;
  std::vector<int> tokens;
};

/// The shapes and the mix that were met.
coverage::Group mix_group() {
  coverage::Group g("machine.steps", "machine");
  g.point("sequences", "sequences of a step").bin("1", 1).bin("2", 2).bin("3", 3);
  g.point("tokens", "tokens that a sequence gets")
      .bin("1, decode", 1)
      .bin("2 to 8, prefill", 2, 8)
      .bin("9 and more, prefill", 9, 64);
  g.point("cached", "tokens of the sequence before the step")
      .bin("none", 0)
      .bin("1 to 31", 1, 31)
      .bin("a group of 32 and more", 32, 4096);
  g.cross("tokens x cached", {"tokens", "cached"});
  return g;
}

/// What the program of a step decides by its sizes.
coverage::Group decisions_group() {
  coverage::Group g("machine.decisions", "machine");
  g.point("activations", "where the activations of the step are").bin("on chip", 0).bin("through memory, in strips", 1);
  g.point("order", "`sequencer.order`")
      .bin("fewest bytes", static_cast<std::int64_t>(accelerator::LoopOrder::fewest_bytes))
      .bin("row first", static_cast<std::int64_t>(accelerator::LoopOrder::row_first))
      .bin("column first", static_cast<std::int64_t>(accelerator::LoopOrder::column_first));
  g.point("window", "tokens of the sequence that the windows of `bfp4+windows` do not hold")
      .bin("none", 0)
      .bin("the first ones in this step", 1)
      .bin("some before the step", 2);
  g.cross("activations x order", {"activations", "order"});
  g.cross("activations x window", {"activations", "window"});
  return g;
}

/// A bin of the point "window"; no value for a cache without windows.
coverage::Group::Value window_value(const KvConfig& kv, std::uint64_t before, std::uint64_t after) {
  if (kv.format != "bfp4+windows") return std::nullopt;
  const auto held = static_cast<std::uint64_t>(kv.n_initial + kv.n_local);
  return before > held ? 2 : after > held ? 1 : 0;
}

}  // namespace

RandomOutcome random_machine(const stimulus::Stimulus& s, std::uint64_t seed) {
  Random random(seed);
  Scenario scenario;
  scenario.name = "random";
  const std::vector<std::string> formats = {"kmeans1", "kmeans2", "kmeans4", "int4"};
  scenario.weights.format = formats[drawn_mode(random, s, formats)];
  const std::vector<std::string> caches = {"bfp4+windows", "bfp8", "bfp4", "fp16", "int8"};
  scenario.kv.format = caches[draw_below(random, caches.size())];
  scenario.kv.n_initial = static_cast<int>(draw_below(random, 33));
  scenario.kv.n_local = static_cast<int>(draw_below(random, 65));
  scenario.accelerator.smoother.online = draw_below(random, 2) != 0;
  scenario.accelerator.dram.preset = "DDR4-3200";
  scenario.accelerator.dram.channels = 1 << draw_below(random, 2);
  SmallWork work;
  work.seed = seed;
  work.kv_heads = 1 + static_cast<int>(draw_below(random, 2));
  work.heads = work.kv_heads * (1 + static_cast<int>(draw_below(random, 2)));
  work.hidden = 32 * (1 + static_cast<int>(draw_below(random, 4)));
  work.intermediate = 32 * (1 + static_cast<int>(draw_below(random, 5)));
  work.layers = 1 + static_cast<int>(draw_below(random, 2));
  const auto weights = small_weights(scenario, work);

  // Steps: each sequence takes part or not, with a prompt at first and single tokens or further pieces later.
  RandomOutcome outcome;
  coverage::Group mix = mix_group();
  const std::size_t slots = 1 + draw_below(random, 3);
  const auto steps_wanted = static_cast<std::size_t>(std::clamp<std::int64_t>(s.transactions / 100, 2, 60));
  std::vector<std::vector<Turn>> steps;
  std::vector<std::uint64_t> cached(slots);
  Capacity capacity;
  capacity.slots = slots;
  capacity.tokens_per_slot = 1;
  while (steps.size() < steps_wanted) {
    std::vector<Turn> step;
    std::uint64_t tokens = 0;
    for (std::size_t slot = 0; slot < slots; ++slot) {
      if (draw_below(random, 4) == 0) continue;
      const std::int64_t length = s.lengths.empty()
                                      ? (cached[slot] == 0 ? draw(random, {{1, 1, 1}, {2, 8, 2}, {9, 40, 2}})
                                                           : draw(random, {{1, 1, 6}, {2, 8, 1}, {9, 20, 1}}))
                                      : std::clamp<std::int64_t>(draw(random, s.lengths), 1, 64);
      Turn turn{slot, {}};
      for (std::int64_t t = 0; t < length; ++t)
        turn.tokens.push_back(
            static_cast<int>(draw_below(random, static_cast<std::uint64_t>(weights->shape.vocab_size))));
      capacity.sequence_step_tokens = std::max<std::uint64_t>(capacity.sequence_step_tokens, turn.tokens.size());
      tokens += turn.tokens.size();
      step.push_back(std::move(turn));
    }
    if (step.empty()) continue;
    for (const Turn& t : step) {
      mix.sample({static_cast<std::int64_t>(step.size()), static_cast<std::int64_t>(t.tokens.size()),
                  static_cast<std::int64_t>(cached[t.slot])});
      cached[t.slot] += t.tokens.size();
      capacity.tokens_per_slot = std::max(capacity.tokens_per_slot, cached[t.slot]);
    }
    capacity.max_step_tokens = std::max(capacity.max_step_tokens, tokens);
    steps.push_back(std::move(step));
  }

  scenario.accelerator.sequencer.order = static_cast<accelerator::LoopOrder>(draw_below(random, 3));
  if (draw_below(random, 2) != 0)
    scenario.accelerator.activation_buffer.capacity_bytes = (4 + draw_below(random, 13)) * 1024;
  coverage::Group decisions = decisions_group();
  const std::uint64_t rows = accelerator::rows_on_chip(weights->shape, accelerator::on_chip(scenario.accelerator));
  cached.assign(slots, 0);
  for (const std::vector<Turn>& step : steps) {
    std::uint64_t tokens = 0;
    for (const Turn& t : step) tokens += t.tokens.size();
    for (const Turn& t : step) {
      const std::uint64_t before = cached[t.slot];
      cached[t.slot] += t.tokens.size();
      decisions.sample({tokens > rows ? 1 : 0, static_cast<std::int64_t>(scenario.accelerator.sequencer.order),
                        window_value(scenario.kv, before, cached[t.slot])});
    }
  }

  std::vector<std::unique_ptr<bus::ProtocolChecker<>>> checkers;
  std::vector<std::unique_ptr<bus::StallInjector<>>> stalls;
  const stimulus::StallPattern pattern = draw(random, s.stalls);
  bus::StallConfig stall;
  stall.probability = static_cast<double>(std::max(pattern.input, pattern.output)) / 1024;
  stall.keep_response_order = true;
  accelerator::MachineOptions options = functional_options(scenario, weights);
  std::string violation;
  options.connect = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name) {
    checkers.push_back(std::make_unique<bus::ProtocolChecker<>>(("check_" + name).c_str()));
    checkers.back()->rules.on_violation([&violation](bus::Rule, const std::string& text) {
      if (violation.empty()) violation = text;
    });
    from.bind(checkers.back()->tsock);
    if (stall.probability == 0) {
      checkers.back()->isock.bind(to);
      return;
    }
    stall.seed = random.next();
    stalls.push_back(std::make_unique<bus::StallInjector<>>(("stall_" + name).c_str(), stall));
    checkers.back()->isock.bind(stalls.back()->tsock);
    stalls.back()->isock.bind(to);
  };

  std::vector<std::unique_ptr<accelerator::GoldenLlama>> golden;
  for (std::size_t slot = 0; slot < slots; ++slot)
    golden.push_back(std::make_unique<accelerator::GoldenLlama>(weights, golden_settings(scenario)));
  const auto vocab = static_cast<std::size_t>(weights->shape.vocab_size);
  std::string message;
  auto body = [&](Host& host) {
    std::vector<std::uint64_t> before(slots);
    for (std::size_t i = 0; i < steps.size() && message.empty(); ++i) {
      accelerator::StepWork step;
      for (const Turn& t : steps[i]) {
        step.sequences.push_back({t.slot, before[t.slot], t.tokens.size(), true});
        step.token_ids.insert(step.token_ids.end(), t.tokens.begin(), t.tokens.end());
        before[t.slot] += t.tokens.size();
      }
      host.step(step);
      const std::vector<formats::Fp16> logits = host.logits(steps[i].size() * vocab);
      for (std::size_t q = 0; q < steps[i].size() && message.empty(); ++q) {
        std::vector<formats::Fp16> expected(vocab);
        const Turn& t = steps[i][q];
        golden[t.slot]->step(t.tokens.data(), t.tokens.size(), expected.data(), true);
        for (std::size_t v = 0; v < vocab && message.empty(); ++v)
          if (logits[q * vocab + v].bits != expected[v].bits)
            message = fmt::format(
                "machine: a logit differs from the golden model's\nstep {}, sequence {}, logit {}: {}, expected {}", i,
                t.slot, v, formats::to_float(logits[q * vocab + v]), formats::to_float(expected[v]));
      }
      ++outcome.transactions;
    }
    sc_core::wait(10, sc_core::SC_US);  // answers that a stall still holds
  };
  try {
    Machine machine(scenario, capacity, body, options);
    load_weights(machine, *weights);
    machine.simulate();
    for (std::size_t slot = 0; slot < slots && message.empty(); ++slot)
      for (int l = 0; l < weights->shape.num_hidden_layers && message.empty(); ++l) {
        const std::string d = compare_kv(machine, slot, l, golden[slot]->layer(static_cast<std::size_t>(l)).cache());
        if (!d.empty()) message = "machine: the KV cache differs from the golden model's\n" + d;
      }
    for (auto& c : checkers) c->rules.finish();
  } catch (const std::exception& e) {
    if (message.empty()) message = e.what();
  }
  if (message.empty()) message = violation;
  outcome.passed = message.empty();
  outcome.message = message;
  outcome.groups.push_back(mix);
  outcome.groups.push_back(decisions);
  return outcome;
}

}  // namespace harmonia::testbench
