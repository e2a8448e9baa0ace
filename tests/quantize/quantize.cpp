// Quantising: what is written loads back as the format defines it, in the names and layout that others read.
#include "harmonia/testbench/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>

#include "harmonia/config/error.h"
#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/weights/huggingface.h"
#include "harmonia/testbench/weights/llama2c.h"
#include "harmonia/testbench/weights/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/model_files.h"

namespace harmonia::testbench {
namespace {

using test::TinyModel;

std::shared_ptr<const ModelWeights> tiny(const test::TemporaryFolder& folder, const TinyModel& m = TinyModel(11)) {
  return std::make_shared<const ModelWeights>(load_weights(folder.write("model.bin", test::llama2c_bytes(m))));
}

std::vector<float> logits_of(std::shared_ptr<const ModelWeights> model) {
  ReferenceLlama engine(std::move(model));
  std::vector<float> logits;
  engine.step({1, 260, 261, 262, 100, 7}, logits);
  return logits;
}

TEST_CASE("every storage format is written and loads back with the values that the format defines") {
  const test::TemporaryFolder folder;
  const auto model = tiny(folder);
  std::vector<std::string> names = {"bfp8:e5", "bfp4:ne:g16", "int4:g32", "int8z:g64", "kmeans4:int5", "mxfp4:floor"};
  for (const formats::StorageFormatInfo& f : formats::storage_formats()) names.push_back(f.name);
  for (const std::string& name : names) {
    INFO(name);
    QuantizeOptions options;
    options.format = formats::storage_format(name);
    options.seed = 3;
    const std::string file = folder.file("out.safetensors");
    const QuantizeReport report = quantize_model(*model, options, file);
    const ModelWeights back = load_weights(file);
    REQUIRE(back.info.rope_pairing == formats::RopePairing::kAdjacent);
    REQUIRE(report.tensors.size() == 14);
    std::size_t at = 0;
    for (std::size_t i = 0; i < model->layers.size(); ++i)
      for (const ModelTensor tensor : {ModelTensor::q, ModelTensor::k, ModelTensor::v, ModelTensor::o,
                                       ModelTensor::gate, ModelTensor::up, ModelTensor::down}) {
        const WeightView& original = model->layers[i][tensor];
        const std::vector<float> w = original.read();
        const formats::RoundTrip expected =
            formats::round_trip(options.format, w.data(), static_cast<std::size_t>(original.rows),
                                static_cast<std::size_t>(original.cols), options.seed);
        REQUIRE(back.layers[i][tensor].read() == expected.values);
        const TensorReport& r = report.tensors[at++];
        // Suffixes that hold the codebook in few bits, and fixed codebooks, are stored as FP32 centroids all the same.
        const std::size_t codebook = 32 * expected.codebook.size();
        REQUIRE(8 * r.bytes <= expected.stored_bits + codebook + 7);
        REQUIRE(8 * r.bytes + codebook >= expected.stored_bits);
        const double snr = formats::quantisation_error(w.data(), expected.values.data(), w.size()).snr_db;
        REQUIRE((r.snr_db == snr || std::abs(r.snr_db - snr) < 1e-9));
      }
    // What is not quantised keeps its values, those of the tiny model being exact in FP16, and takes 16 bits.
    const auto plain = [](const WeightView& v) { return 2 * static_cast<std::size_t>(v.rows * v.cols); };
    std::size_t others = plain(model->embedding) + plain(model->final_norm) +
                         (model->lm_head.data == model->embedding.data ? 0 : plain(model->lm_head));
    for (const LayerWeights& l : model->layers)
      others += plain(l[ModelTensor::attention_norm]) + plain(l[ModelTensor::ffn_norm]);
    REQUIRE(report.other_bytes == others);
    REQUIRE(back.embedding.read() == model->embedding.read());
    REQUIRE(back.layers[1][ModelTensor::ffn_norm].read() == model->layers[1][ModelTensor::ffn_norm].read());
  }
}

TEST_CASE("K-means files have the names, types and shapes of the released checkpoints, and such checkpoints load") {
  const test::TemporaryFolder folder;
  const TinyModel m(12, false);
  const auto model = tiny(folder, m);
  for (const int bits : {1, 2, 3, 4, 8}) {
    INFO(bits << " bits");
    QuantizeOptions options;
    options.format = formats::storage_format("kmeans" + std::to_string(bits));
    const std::string file = folder.file("out.safetensors");
    quantize_model(*model, options, file);
    const SafetensorsFile written(file);
    const std::string x = "model.layers.1.mlp.down_proj";  // [32, 64]
    written.at(x + ".weight_packed", Dtype::kU8, {32, 64 * static_cast<std::size_t>(bits) / 8});
    written.at(x + ".scales", Dtype::kBf16, {32, 1});
    const TensorView& centroids = written.at(x + ".centroids", Dtype::kF32, {std::size_t{1} << bits});
    const std::vector<float> values = to_float(centroids);
    REQUIRE(std::is_sorted(values.begin(), values.end()));

    // A checkpoint by somebody else: the same tensors, no metadata, config.json beside it, half-split RoPE pairs.
    std::vector<TensorToWrite> tensors;
    for (const TensorView& t : written.tensors()) tensors.push_back({t.name, t.dtype, t.shape, t.data});
    std::filesystem::create_directories(folder.file("released"));
    write_safetensors(folder.file("released/model.safetensors"), tensors);
    std::ofstream(folder.file("released/config.json")) << test::config_json(m);
    const ModelWeights own = load_weights(file), released = load_weights(folder.file("released"));
    REQUIRE(released.info.rope_pairing == formats::RopePairing::kHalfSplit);
    REQUIRE(released.layers[1][ModelTensor::down].code_bits == bits);
    REQUIRE(released.layers[1][ModelTensor::down].read() == own.layers[1][ModelTensor::down].read());
    REQUIRE(released.layers[0][ModelTensor::q].read() == own.layers[0][ModelTensor::q].read());
  }
}

TEST_CASE("the first packed element is in the most significant bits, and w = scale * centroid") {
  const test::TemporaryFolder folder;
  const auto model = tiny(folder);
  QuantizeOptions options;
  options.format = formats::storage_format("kmeans2");
  const std::string file = folder.file("out.safetensors");
  quantize_model(*model, options, file);
  const SafetensorsFile written(file);
  const std::string x = "model.layers.0.mlp.gate_proj";
  const TensorView& packed = written.at(x + ".weight_packed");
  const std::vector<float> scales = to_float(written.at(x + ".scales")),
                           centroids = to_float(written.at(x + ".centroids"));
  const std::vector<float> values = load_weights(file).layers[0][ModelTensor::gate].read();
  for (std::size_t o = 0; o < 64; ++o)
    for (std::size_t i = 0; i < 32; ++i) {
      const int index = packed.data[o * 8 + i / 4] >> (6 - 2 * (i % 4)) & 3;
      REQUIRE(values[o * 32 + i] == scales[o] * centroids[static_cast<std::size_t>(index)]);
    }
}

TEST_CASE("offline smoothing changes the weights of Q and K, not what the model computes") {
  const test::TemporaryFolder folder;
  for (const bool half_split : {false, true}) {
    const TinyModel m(13);
    std::shared_ptr<const ModelWeights> model = tiny(folder, m);
    if (half_split) {
      test::write_huggingface(m, folder.file("hf"), Dtype::kF32);
      model = std::make_shared<const ModelWeights>(load_weights(folder.file("hf")));
    }
    QuantizeOptions options;
    options.format = formats::storage_format("fp16");
    options.smoothing = calibrate_smoothing(model, {{1, 100, 120, 260, 261, 262, 9}}, 0.5);
    const std::string file = folder.file("smooth.safetensors");
    quantize_model(*model, options, file);
    const auto smooth = std::make_shared<const ModelWeights>(load_weights(file));
    REQUIRE(smooth->layers[0][ModelTensor::k].read() != model->layers[0][ModelTensor::k].read());
    REQUIRE(smooth->layers[0][ModelTensor::v].read() == model->layers[0][ModelTensor::v].read());
    const std::vector<float> expected = logits_of(model), got = logits_of(smooth);
    float largest = 0, error = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      largest = std::max(largest, std::fabs(expected[i]));
      error = std::max(error, std::fabs(expected[i] - got[i]));
    }
    REQUIRE(error < 0.01F * largest);  // FP16 rounding of the folded weights
  }
}

TEST_CASE("a weight that is not finite is named and nothing is written") {
  const test::TemporaryFolder folder;
  TinyModel m(14);
  m.layers[1].up.values[33] = INFINITY;
  REQUIRE_THROWS_WITH(tiny(folder, m), ContainsSubstring("tensor layers.1.w3 holds inf in row 1, column 1"));
  // A model that does not come from a file has not been looked through.
  const auto blob = test::llama2c_bytes(m);
  const auto model = std::make_shared<const ModelWeights>(parse_llama2c({blob.data(), blob.size(), "test"}));
  for (const char* name : {"fp16", "bfp8", "int4", "kmeans4", "mxfp4"}) {
    QuantizeOptions options;
    options.format = formats::storage_format(name);
    try {
      quantize_model(*model, options, folder.file("out.safetensors"));
      FAIL("expected an error");
    } catch (const config::InputError& e) {
      REQUIRE(std::string(e.what()).find("value [1, 1] is not finite") != std::string::npos);
    }
    REQUIRE_FALSE(std::filesystem::exists(folder.file("out.safetensors")));
    REQUIRE_FALSE(std::filesystem::exists(folder.file("out.safetensors.partial")));
  }
}

TEST_CASE("written files with metadata or shapes that do not fit together are refused") {
  const test::TemporaryFolder folder;
  const auto model = tiny(folder);
  for (const char* format : {"int4", "bfp4", "mxfp4", "kmeans3"}) {
    QuantizeOptions options;
    options.format = formats::storage_format(format);
    const std::string file = folder.file("out.safetensors");
    quantize_model(*model, options, file);
    const SafetensorsFile written(file);
    std::vector<TensorToWrite> tensors;
    for (const TensorView& t : written.tensors()) tensors.push_back({t.name, t.dtype, t.shape, t.data});
    for (const auto& [key, value] : written.metadata()) {
      if (key.find("layers.0.self_attn.q_proj") == std::string::npos) continue;
      for (const std::string& wrong :
           {std::string(), std::string("0"), std::string("7"), std::string("-1"), std::string("99999999999999999999"),
            std::string("2147483647"), std::string("x")}) {
        INFO(key << " = '" << wrong << "'");
        auto metadata = written.metadata();
        metadata[key] = wrong;
        write_safetensors(folder.file("broken.safetensors"), tensors, metadata);
        // "0" and what is no number count as absent; the columns of 3-bit planes then follow from the packed width. An
        // integer group that is wider than the row fits: the row has one scale then, as it has here.
        const bool fits = (std::string(format) == "kmeans3" && wrong != "7" && wrong != "2147483647") ||
                          (key.find("weight_int.group") != std::string::npos && wrong == "2147483647");
        if (fits)
          REQUIRE_NOTHROW(load_weights(folder.file("broken.safetensors")));
        else
          REQUIRE_THROWS_AS(load_weights(folder.file("broken.safetensors")), config::InputError);
      }
    }
  }
}

}  // namespace
}  // namespace harmonia::testbench
