// One device's part of a model: what is divided, what is on every device, and what does not divide.
#include "harmonia/hw/accelerator/on_chip.h"
#include "harmonia/hw/model/model_split.h"
#include "harmonia/hw/program/conservation.h"
#include "tests/support/catch.h"
#include "tests/support/message_of.h"

using namespace harmonia;
using namespace harmonia::accelerator;

namespace {

ModelShape small() {
  ModelShape s;
  s.hidden_size = 512;
  s.num_hidden_layers = 3;
  s.num_attention_heads = 8;
  s.num_key_value_heads = 4;
  s.head_dim = 64;
  s.intermediate_size = 1024;
  s.vocab_size = 1024;
  return s;
}

Expected step(const ModelShape& shape, const StepWork& work, const Routing* routing) {
  const StoredFormats formats{formats::weight_format("kmeans4"), formats::weight_format("fp16"), {}};
  AcceleratorConfig config;
  return expected_of_step(shape, formats, formats::CodebookKind::kInt8, on_chip(config), work, StepExtent::whole(shape),
                          routing);
}
Expected step(const ModelShape& shape) {
  StepWork work;
  work.sequences = {{0, 100, 1, true}, {1, 100, 1, true}};
  return step(shape, work, nullptr);
}

std::uint64_t bytes(const Expected& e, bus::TrafficClass c) { return e.bytes[static_cast<std::size_t>(c)]; }

}  // namespace

TEST_CASE("split: heads, feed-forward and vocabulary are divided, the residual stream is not") {
  const ModelShape part = part_of(small(), 4);
  CHECK(part.hidden_size == 512);
  CHECK(part.num_attention_heads == 2);
  CHECK(part.num_key_value_heads == 1);
  CHECK(part.intermediate_size == 256);
  CHECK(part.vocab_size == 256);
  CHECK(part.tensor_devices == 4);
  CHECK(part_of(small(), 1).tensor_devices == 1);
}

TEST_CASE("split: all devices together move the bytes of one, and what each of them has") {
  const Expected whole = step(small());
  for (const int devices : {2, 4}) {
    const Expected part = step(part_of(small(), devices));
    const auto n = static_cast<std::uint64_t>(devices);
    // On every device: gains of two norms a layer and of the last, and the rows of two tokens of the embedding.
    const std::uint64_t replicated = 2 * 512 * (2 * 3 + 1) + 2 * 2 * 512;
    CHECK(n * bytes(part, bus::TrafficClass::weights) ==
          bytes(whole, bus::TrafficClass::weights) + (n - 1) * replicated);
    CHECK(n * bytes(part, bus::TrafficClass::scales) == bytes(whole, bus::TrafficClass::scales));
    CHECK(n * bytes(part, bus::TrafficClass::kv_read) == bytes(whole, bus::TrafficClass::kv_read));
    CHECK(n * bytes(part, bus::TrafficClass::kv_write) == bytes(whole, bus::TrafficClass::kv_write));
    CHECK(n * part.macs == whole.macs);
    // Two rows: behind the embedding and twice a layer.
    CHECK(part.reduced_values == 2 * 512 * (1 + 2 * 3));
    CHECK(whole.reduced_values == 0);
  }
}

TEST_CASE("split: kv heads are on several devices where there are fewer than devices") {
  ModelShape shape = small();
  shape.num_key_value_heads = 2;
  const ModelShape part = part_of(shape, 4);
  CHECK(part.num_key_value_heads == 1);
  CHECK(part.num_attention_heads == 2);
  CHECK(4 * bytes(step(part), bus::TrafficClass::kv_read) == 2 * bytes(step(shape), bus::TrafficClass::kv_read));
}

TEST_CASE("split: every device has a part of each expert, and all of the router") {
  ModelShape shape = small();
  shape.mixture.experts = 8;
  shape.mixture.experts_per_token = 2;
  shape.mixture.expert_width = 512;
  shape.mixture.shared_width = 256;
  shape.intermediate_size = 1023;  // no layer has it
  const ModelShape part = part_of(shape, 4);
  CHECK(part.mixture.experts == 8);
  CHECK(part.mixture.expert_width == 128);
  CHECK(part.mixture.shared_width == 64);
  CHECK(part.intermediate_size == 1023);
  // Three layers: attention's matrices and those of all experts are divided, 512 x 8 of the router are not.
  const auto matrices = [](const ModelShape& s) {
    const auto heads = static_cast<std::uint64_t>(2 * s.num_attention_heads + 2 * s.num_key_value_heads);
    return 512 * 64 * heads + s.mixture.layer_weights(512) - 512 * 8;
  };
  CHECK(4 * matrices(part) == matrices(shape));
}

namespace {

ModelShape mixture() {
  ModelShape shape = small();
  shape.mixture.experts = 8;
  shape.mixture.experts_per_token = 2;
  shape.mixture.expert_width = 511;  // which is not divided
  shape.mixture.shared_width = 256;
  return shape;
}

/// A step of so many sequences of one token each, whose experts are drawn.
accelerator::Expected mixture_step(const ModelShape& shape, std::uint64_t sequences) {
  const accelerator::DrawnRouting routing(shape.mixture, 0.0, 7);
  accelerator::StepWork work;
  for (std::uint64_t s = 0; s < sequences; ++s) work.sequences.push_back({s, 40, 1, true});
  return step(shape, work, &routing);
}

}  // namespace

TEST_CASE("split: placed experts are whole on one device each, in blocks of as many") {
  const ModelShape part = part_of(mixture(), 4, accelerator::ExpertSplit::placed);
  CHECK(part.mixture.experts == 8);  // the router has all
  CHECK(part.mixture.expert_width == 511);
  CHECK(part.mixture.shared_width == 64);
  CHECK(part.own_experts() == 2);
  for (int d = 0; d < 4; ++d) CHECK(part_of_device(part, d).first_expert() == 2 * d);
  // What is not a mixture's is the same on every device.
  CHECK(part_of_device(part_of(small(), 4), 3).device == 0);
  // Two of the eight experts, the router, and a quarter of the shared ones.
  CHECK(part.mixture.layer_weights(512) - 6 * part.mixture.expert_weights(512) ==
        3 * 512 * 511 * 2 + 8 * 512 + 3 * 512 * 64);
}

TEST_CASE("split: what all devices take for placed experts is what one device takes that has all") {
  for (const std::uint64_t sequences : {1, 3, 16}) {
    ModelShape part = part_of(mixture(), 4, accelerator::ExpertSplit::placed);
    const accelerator::ExpertWork whole = mixture_step(mixture(), sequences).experts;
    CHECK(whole.rows == 2 * 3 * sequences);
    accelerator::ExpertWork sum;
    std::uint64_t most = 0;
    for (int d = 0; d < 4; ++d) {
      const accelerator::Expected own = mixture_step(part_of_device(part, d), sequences);
      sum.add(own.experts, 1);
      most = std::max(most, own.experts.experts);
      CHECK(own.placed.bytes == whole.bytes);
      CHECK(own.placed.experts == whole.experts);
    }
    CHECK(sum.experts == whole.experts);
    CHECK(sum.rows == whole.rows);
    CHECK(sum.bytes == whole.bytes);
    CHECK(sum.macs == whole.macs);
    CHECK(sum.weights == whole.weights);
    // The device that stands for all is in each layer the one with the most, so that it reads as much as any or more.
    part.device = ModelShape::busiest;
    const accelerator::Expected busiest = mixture_step(part, sequences);
    CHECK(busiest.experts.experts >= most);
    CHECK(busiest.experts.experts == busiest.most_experts);
    CHECK(4 * busiest.experts.experts >= whole.experts);
  }
}

TEST_CASE("split: the busiest device has the most experts to read, and of those with as many the most rows") {
  const ModelShape part = part_of(mixture(), 4, accelerator::ExpertSplit::placed);
  const auto busiest = [&](accelerator::RowsOfExperts rows) { return accelerator::busiest_device(part, rows); };
  CHECK(busiest({{0, 1, 2}, {}, {}, {}, {3}, {4}, {}, {}}) == 2);
  CHECK(busiest({{0}, {1}, {}, {}, {3, 4}, {4}, {}, {}}) == 2);
  CHECK(busiest({{}, {}, {0}, {1}, {2}, {3}, {}, {}}) == 1);
}

TEST_CASE("split: what does not divide is refused by name") {
  const auto refusal = [](const ModelShape& shape, int devices) {
    return test::message_of([&] { part_of(shape, devices); });
  };
  CHECK_THAT(refusal(small(), 3),
             ContainsSubstring("devices.tensor: 3 devices do not divide the model's num_attention_heads (8)"));
  ModelShape odd = small();
  odd.vocab_size = 1022;
  CHECK_THAT(refusal(odd, 4), ContainsSubstring("vocab_size (1022)"));
  odd = small();
  odd.num_attention_heads = 12;
  odd.num_key_value_heads = 3;
  CHECK_THAT(refusal(odd, 2), ContainsSubstring("num_key_value_heads (3)"));
  odd = small();
  odd.mixture.experts = 8;
  odd.mixture.expert_width = 255;
  CHECK_THAT(refusal(odd, 2), ContainsSubstring("mixture.expert_width (255)"));
  odd.mixture.experts = 6;
  CHECK_THAT(test::message_of([&] { part_of(odd, 4, accelerator::ExpertSplit::placed); }),
             ContainsSubstring("devices.experts: 6 experts (mixture.experts) cannot be placed on 4 devices"));
}

TEST_CASE("split: stages have whole layers, and the first ones one more where they do not divide") {
  ModelShape shape = small();
  shape.num_hidden_layers = 11;
  shape.sliding_window = 64;
  shape.full_attention_layers = {3, 9};
  int layers = 0;
  for (int s = 0; s < 4; ++s) {
    const ModelShape stage = stage_of(shape, 4, s);
    CHECK(stage.num_hidden_layers == (s < 3 ? 3 : 2));
    CHECK(stage.first_layer == layers);
    CHECK(stage.stage_before == (s > 0));
    CHECK(stage.stage_behind == (s < 3));
    for (int l = 0; l < stage.num_hidden_layers; ++l) CHECK(stage.window_of(l) == shape.window_of(layers + l));
    layers += stage.num_hidden_layers;
  }
  CHECK(layers == 11);
  CHECK_THAT(test::message_of([&] { stage_of(shape, 12, 0); }),
             ContainsSubstring("devices.pipeline: is 12, expected at most the model's 11 layers"));
}

TEST_CASE("split: stages in the middle are alike when their layers are") {
  ModelShape shape = small();
  shape.num_hidden_layers = 8;
  CHECK(alike(stage_of(shape, 4, 1), stage_of(shape, 4, 2)));
  CHECK_FALSE(alike(stage_of(shape, 4, 0), stage_of(shape, 4, 1)));  // the embedding
  CHECK_FALSE(alike(stage_of(shape, 4, 2), stage_of(shape, 4, 3)));  // lm_head
  shape.sliding_window = 64;
  shape.full_attention_layers = {3};
  CHECK_FALSE(alike(stage_of(shape, 4, 1), stage_of(shape, 4, 2)));
}

TEST_CASE("split: all stages together move the bytes of one device, and work as much") {
  for (const int tensor : {1, 2}) {
    const ModelShape part = part_of(small(), tensor);
    Expected sum;
    for (int s = 0; s < 3; ++s) sum += step(stage_of(part, 3, s));
    const Expected whole = step(part);
    CHECK(sum.bytes == whole.bytes);
    CHECK(sum.macs == whole.macs);
    CHECK(sum.reduced_values == whole.reduced_values);
  }
}

TEST_CASE("split: a stage of a model with listed layers has those that are its own") {
  ModelShape shape = small();
  shape.architecture = Architecture::custom;
  shape.num_hidden_layers = 5;
  LayerRun wide, narrow;
  wide.count = 3;
  narrow.count = 2;
  narrow.intermediate_size = 512;
  shape.layers = {wide, narrow};
  const ModelShape first = stage_of(shape, 2, 0), second = stage_of(shape, 3, 1), last = stage_of(shape, 2, 1);
  CHECK(first.run_of(2)->intermediate_size == 0);
  CHECK(second.run_of(0)->intermediate_size == 0);  // layers 2 and 3
  CHECK(second.run_of(1)->intermediate_size == 512);
  CHECK(last.run_of(0)->intermediate_size == 512);
  CHECK(last.layers.size() == 1);
}
