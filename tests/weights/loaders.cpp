// The loaders: every file format stands for the same model, and no file, however broken, does more than fail with a
// message.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>

#include "harmonia/config/error.h"
#include "harmonia/testbench/infer/reference_llama.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"
#include "harmonia/testbench/weights/gguf.h"
#include "harmonia/testbench/weights/llama2c.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/model_files.h"
#include "tests/weights/allocations.h"

namespace harmonia::testbench {
namespace {

using test::Blob;
using test::GgufType;
using test::TinyModel;

Bytes view(const Blob& blob, const std::string& name = "test") { return {blob.data(), blob.size(), name}; }

std::vector<float> logits_of(std::shared_ptr<const ModelWeights> model) {
  ReferenceLlama engine(std::move(model));
  std::vector<float> logits;
  engine.step({1, 260, 261, 262, 100}, logits);
  return logits;
}

std::vector<float> logits_of_file(const std::string& path) {
  return logits_of(std::make_shared<const ModelWeights>(load_weights(path)));
}

/// Largest difference relative to the largest magnitude.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0, difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::fabs(a[i])));
    difference = std::max(difference, static_cast<double>(std::fabs(a[i] - b[i])));
  }
  return difference / largest;
}

TEST_CASE("llama2.c, GGUF and Hugging Face files of one model give the same logits") {
  const bool tied = GENERATE(true, false);
  const TinyModel m(7, tied);
  const test::TemporaryFolder folder;
  const std::vector<float> expected = logits_of_file(folder.write("model.bin", test::llama2c_bytes(m)));

  SECTION("GGUF keeps the adjacent pairing and the same arithmetic: equal bits") {
    for (const GgufType type : {GgufType::kF32, GgufType::kF16, GgufType::kBf16, GgufType::kQ8_0})
      REQUIRE(logits_of_file(folder.write("model.gguf", test::gguf_bytes(m, type))) == expected);
    REQUIRE(logits_of_file(folder.write("model.gguf", test::gguf_bytes(m, GgufType::kF32, false, 2))) == expected);
  }
  SECTION("Hugging Face rotates half-split pairs: the sums of a score come in another order") {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBf16}) {
      test::write_huggingface(m, folder.file("hf"), dtype);
      REQUIRE(distance(logits_of_file(folder.file("hf")), expected) < 1e-5);
      REQUIRE(distance(logits_of_file(folder.file("hf/model.safetensors")), expected) < 1e-5);
    }
    test::write_huggingface(m, folder.file("sharded"), Dtype::kF32, 3);
    REQUIRE(distance(logits_of_file(folder.file("sharded")), expected) < 1e-5);
  }
  SECTION("a checkpoint in the other pairing is another model") {
    TinyModel permuted = m;
    for (TinyModel::Layer& l : permuted.layers) l.q = test::half_split(l.q, 8);
    REQUIRE(distance(logits_of_file(folder.write("permuted.bin", test::llama2c_bytes(permuted))), expected) > 1e-3);
  }
}

TEST_CASE("Q4_0 blocks decode as ggml defines them") {
  const TinyModel m(3);
  const Blob bytes = test::gguf_bytes(m, GgufType::kQ4_0);
  const ModelWeights model = parse_gguf(view(bytes));
  const std::vector<float> q = model.layers[1][ModelTensor::q].read();
  for (std::size_t i = 0; i < q.size(); ++i) {
    const float exact = std::nearbyint(m.layers[1].q.values[i] * 8) / 8;
    REQUIRE(q[i] == std::min(7.0F / 8, std::max(-1.0F, exact)));
  }
}

/// What a loader says when it refuses, empty when it does not; anything but InputError escapes and fails the test.
template <typename F>
std::string refusal(const F& load) {
  try {
    load();
    return {};
  } catch (const config::InputError& e) {
    REQUIRE(std::string(e.what()).size() > 10);
    return e.what();
  }
}

template <typename F>
bool refused(const F& load) {
  return !refusal(load).empty();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Loader {
  const char* name;
  Blob bytes;
  std::function<void(const Bytes&)> load;
};

std::vector<Loader> loaders() {
  const TinyModel m(5);
  return {{"llama2.c", test::llama2c_bytes(m), [](const Bytes& b) { parse_llama2c(b); }},
          {"GGUF", test::gguf_bytes(m, GgufType::kQ8_0), [](const Bytes& b) { parse_gguf(b); }},
          {"GGUF tokenizer", test::gguf_bytes(m, GgufType::kQ8_0), [](const Bytes& b) { parse_gguf_tokenizer(b); }},
          {"tokenizer.bin", test::llama2c_tokenizer_bytes(), [](const Bytes& b) { parse_llama2c_tokenizer(b, 263); }}};
}

TEST_CASE("a file cut at any 1/64 of its length is refused, or does not need what was cut") {
  for (const Loader& l : loaders()) {
    INFO(l.name);
    REQUIRE_FALSE(refused([&] { l.load(view(l.bytes)); }));
    int accepted = 0;
    for (std::size_t part = 0; part < 64; ++part) {
      const Blob cut(l.bytes.begin(), l.bytes.begin() + static_cast<std::ptrdiff_t>(l.bytes.size() * part / 64));
      accepted += refused([&] { l.load(view(cut)); }) ? 0 : 1;
    }
    // Only the tokenizer inside a GGUF lies wholly in the front of its file.
    REQUIRE((accepted == 0 || std::string(l.name) == "GGUF tokenizer"));
  }
  const TinyModel m(5);
  const test::TemporaryFolder folder;
  test::write_huggingface(m, folder.file("hf"), Dtype::kF16);
  std::ifstream in(folder.file("hf/model.safetensors"), std::ios::binary);
  const Blob whole((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (std::size_t part = 0; part < 64; ++part) {
    folder.write("hf/model.safetensors",
                 {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() * part / 64)});
    REQUIRE(refused([&] { load_weights(folder.file("hf")); }));
  }
  folder.write("hf/model.safetensors", whole);
  REQUIRE_FALSE(refused([&] { load_weights(folder.file("hf")); }));
}

TEST_CASE("safetensors: a number beyond the range of a double is refused, in the header and in an index") {
  const test::TemporaryFolder folder;
  const auto write = [&](const char* name, const std::string& text) {
    folder.write(name, Blob(text.begin(), text.end()));
  };
  const std::string header = R"({"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  write("huge.safetensors", file + header + std::string(4, '\0'));
  REQUIRE(contains(refusal([&] { load_weights(folder.file("huge.safetensors")); }),
                   "the header, at byte 45 of the file: a number that is out of range"));
  test::write_huggingface(TinyModel(5), folder.file("hf"), Dtype::kF16);
  std::filesystem::remove(folder.file("hf/model.safetensors"));
  write("hf/model.safetensors.index.json", R"({"weight_map": {"a": 1e999}})");
  REQUIRE(contains(refusal([&] { load_weights(folder.file("hf")); }),
                   "model.safetensors.index.json:1:26: a number that is out of range"));
}

TEST_CASE("safetensors: names of a file cannot steer the terminal") {
  const test::TemporaryFolder folder;
  const std::string header = R"({"norm.\u001bweight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})";
  std::string text(8, '\0');
  text[0] = static_cast<char>(header.size());
  text += header + std::string(4, '\0');
  folder.write("names.safetensors", Blob(text.begin(), text.end()));
  const SafetensorsFile file(folder.file("names.safetensors"));
  const std::string said = refusal([&] { file.at("norm.weight"); });
  REQUIRE(contains(said, "no tensor 'norm.weight', nearest: 'norm."));
  REQUIRE(said.find('\x1b') == std::string::npos);
}

TEST_CASE("safetensors: an index and the files it names say the same") {
  const test::TemporaryFolder folder;
  test::write_huggingface(TinyModel(5), folder.file("hf"), Dtype::kF16);
  std::filesystem::rename(folder.file("hf/model.safetensors"), folder.file("hf/a.safetensors"));
  std::string map;
  {
    const SafetensorsFile file(folder.file("hf/a.safetensors"));
    for (const TensorView& t : file.tensors()) map += "\"" + t.name + "\": \"a.safetensors\", ";
    const float one = 1;
    write_safetensors(folder.file("hf/b.safetensors"), {{"other", Dtype::kF32, {1}, &one}});
  }
  map.resize(map.size() - 2);
  const auto said = [&](const std::string& text) {
    const std::string index = "{\"weight_map\": {" + text + "}}";
    folder.write("hf/model.safetensors.index.json", Blob(index.begin(), index.end()));
    return refusal([&] { load_weights(folder.file("hf")); });
  };
  REQUIRE(said(map).empty());
  REQUIRE(contains(said(map + ", \"ghost\": \"a.safetensors\""), "names a file that has no tensor ghost"));
  REQUIRE(contains(said(map + ", \"other\": \"a.safetensors\", \"x\": \"b.safetensors\""),
                   "names another file than the one that has the tensor other"));
  REQUIRE(contains(said(map.substr(0, map.rfind(','))), "does not name the file of tensor"));
  REQUIRE(contains(said(map + ", " + map.substr(0, map.find(','))), "is there twice"));
}

TEST_CASE("safetensors: a head beside a tied embedding has its values") {
  TinyModel m(5);
  m.shape.tie_word_embeddings = true;
  const test::TemporaryFolder folder;
  test::write_huggingface(m, folder.file("tied"), Dtype::kF32);
  const auto with_head = [&](float factor) {
    const SafetensorsFile file(folder.file("tied/model.safetensors"));
    std::vector<TensorToWrite> tensors;
    for (const TensorView& t : file.tensors()) tensors.push_back({t.name, t.dtype, t.shape, t.data});
    std::vector<float> head = to_float(file.at("model.embed_tokens.weight"));
    for (float& v : head) v *= factor;
    tensors.push_back({"lm_head.weight", Dtype::kF32, file.at("model.embed_tokens.weight").shape, head.data()});
    std::filesystem::create_directory(folder.file("head"));
    std::filesystem::copy_file(folder.file("tied/config.json"), folder.file("head/config.json"),
                               std::filesystem::copy_options::overwrite_existing);
    write_safetensors(folder.file("head/model.safetensors"), tensors);
    return refusal([&] { load_weights(folder.file("head")); });
  };
  REQUIRE(with_head(1).empty());
  REQUIRE(contains(with_head(2), "lm_head.weight differs from the embedding although tie_word_embeddings is true"));
}

TEST_CASE("absurd sizes anywhere in a header are refused without asking for memory") {
  for (const Loader& l : loaders()) {
    INFO(l.name);
    const std::size_t header = std::min<std::size_t>(l.bytes.size(), 2600);
    for (const std::uint64_t absurd :
         {~std::uint64_t{0}, std::uint64_t{0x7fffffffffffffff}, std::uint64_t{0x7fffffff7fffffff},
          std::uint64_t{1} << 40, std::uint64_t{0x8000000080000000}, std::uint64_t{0}}) {
      for (std::size_t at = 0; at + 8 <= header; ++at) {
        Blob broken = l.bytes;
        std::memcpy(broken.data() + at, &absurd, 8);
        test::largest_allocation = 0;
        refused([&] {
          l.load(view(broken));
        });  // weights and strings may hold anything; a crash or a wild allocation may not happen
        if (test::largest_allocation > 16 * l.bytes.size())
          FAIL("byte " << at << ": allocated " << test::largest_allocation.load());
      }
    }
  }
}

TEST_CASE("every header field of llama2.c is checked by itself") {
  const Blob good = test::llama2c_bytes(TinyModel());
  for (std::size_t field = 0; field < 7; ++field)
    for (const std::int32_t value : {0, -1, INT32_MIN, INT32_MAX, 3}) {
      Blob broken = good;
      std::memcpy(broken.data() + 4 * field, &value, 4);
      INFO("field " << field << " = " << value);
      REQUIRE(refused([&] { parse_llama2c(view(broken)); }));
    }
  Blob longer = good;
  longer.push_back(0);
  REQUIRE(refused([&] { parse_llama2c(view(longer)); }));
  Blob versioned = good;
  const std::uint32_t magic = 0x616b3432;
  std::memcpy(versioned.data(), &magic, 4);
  REQUIRE(contains(refusal([&] { parse_llama2c(view(versioned)); }), "expected 1 or 2"));
}

TEST_CASE("GGUF: the alignment that a file states leaves the place of its tensors as it is") {
  const TinyModel m;
  const std::vector<float> plain =
      parse_gguf(view(test::gguf_bytes(m, GgufType::kF32))).layers[0][ModelTensor::q].read();
  for (const bool first : {true, false}) {
    test::GgufExtra extra;
    extra.numbers = {{"general.alignment", 32}};
    extra.first = first;
    const Blob stated = test::gguf_bytes(m, GgufType::kF32, true, 3, extra);
    REQUIRE(parse_gguf(view(stated)).layers[0][ModelTensor::q].read() == plain);
  }
}

TEST_CASE("GGUF: what changes a model's values is refused by name, and neutral values are not") {
  const TinyModel m;
  const auto says = [&](const test::GgufExtra& extra, const std::string& message) {
    const Blob file = test::gguf_bytes(m, GgufType::kF32, true, 3, extra);
    const std::string is = refusal([&] { parse_gguf(view(file)); });
    INFO(is);
    REQUIRE((message.empty() ? is.empty() : contains(is, message)));
  };
  const auto with = [](auto member, auto value) {
    test::GgufExtra extra;
    (extra.*member).push_back(value);
    return extra;
  };
  using Real = std::pair<std::string, float>;
  using Number = std::pair<std::string, std::uint32_t>;
  using Text = std::pair<std::string, std::string>;
  says(with(&test::GgufExtra::reals, Real("llama.rope.scale_linear", 4.0F)), "llama.rope.scale_linear is 4");
  says(with(&test::GgufExtra::reals, Real("llama.rope.scale_linear", 1.0F)), "");
  says(with(&test::GgufExtra::reals, Real("llama.final_logit_softcapping", 30.0F)),
       "llama.final_logit_softcapping is 30");
  says(with(&test::GgufExtra::reals, Real("llama.embedding_scale", 12.0F)), "llama.embedding_scale");
  says(with(&test::GgufExtra::texts, Text("llama.rope.scaling.type", "linear")), "llama.rope.scaling.type is 'linear'");
  says(with(&test::GgufExtra::texts, Text("llama.rope.scaling.type", "none")), "");
  says(with(&test::GgufExtra::numbers, Number("llama.expert_count", 8)), "llama.expert_used_count");
  says(with(&test::GgufExtra::numbers, Number("llama.attention.value_length", 4)), "llama.attention.value_length is 4");
  says(with(&test::GgufExtra::numbers, Number("llama.new_thing", 1)), "llama.new_thing is not known");
  says(with(&test::GgufExtra::texts, Text("general.type", "adapter")), "general.type is 'adapter'");
  says(with(&test::GgufExtra::texts, Text("general.license", "mit")), "");
  says(with(&test::GgufExtra::tensors, std::make_pair(std::string("blk.0.attn_q.bias"), &m.final_norm)),
       "blk.0.attn_k.bias");
  says(with(&test::GgufExtra::tensors, std::make_pair(std::string("blk.0.attn_q_norm.weight"), &m.final_norm)),
       "tensor blk.0.attn_q_norm.weight");
  test::GgufExtra other;
  other.architecture = "gemma";
  says(other, "expected 'llama', 'qwen2', 'qwen3', 'qwen2moe'");
}

TEST_CASE("GGUF: biases of q, k and v, norms of heads, windows, and the pairing of each architecture") {
  const TinyModel m;
  test::NamedTensor q, kv, head;
  q.values = std::vector<float>(32, 0.5F);
  q.cols = 32;
  kv.values = std::vector<float>(16, 0.25F);
  kv.cols = 16;
  head.values = std::vector<float>(8, 1.5F);
  head.cols = 8;
  test::GgufExtra extra;
  extra.architecture = GENERATE(std::string("qwen2"), std::string("qwen3"), std::string("llama"));
  const bool norms = extra.architecture == "qwen3";
  for (const char* layer : {"blk.0.", "blk.1."}) {
    for (const auto& [name, tensor] : {std::pair("attn_q.bias", &q), {"attn_k.bias", &kv}, {"attn_v.bias", &kv}})
      extra.tensors.emplace_back(std::string(layer) + name, tensor);
    if (norms)
      for (const char* name : {"attn_q_norm.weight", "attn_k_norm.weight"})
        extra.tensors.emplace_back(std::string(layer) + name, &head);
  }
  extra.numbers = {{extra.architecture + ".attention.sliding_window", 5}};
  const Blob file = test::gguf_bytes(m, GgufType::kF32, true, 3, extra);
  const testbench::ModelWeights read = parse_gguf(view(file));
  CHECK(read.info.shape.qkv_bias);
  CHECK(read.info.shape.qk_norm == norms);
  CHECK(read.info.shape.sliding_window == 5);
  CHECK((read.info.rope_pairing == formats::RopePairing::kAdjacent) == (extra.architecture == "llama"));
  CHECK(read.layers[1][ModelTensor::k_bias].read() == kv.values);
  if (norms) CHECK(read.layers[1][ModelTensor::q_norm].read() == head.values);
  extra.numbers = {{extra.architecture + ".attention.sliding_window", 4096}};
  CHECK(parse_gguf(view(test::gguf_bytes(m, GgufType::kF32, true, 3, extra))).info.shape.sliding_window == 0);
}

TEST_CASE("GGUF: mixtures of experts, one tensor for the matrices of all of a layer") {
  const TinyModel m;
  formats::SplitMix64 random(7);
  std::vector<test::NamedTensor> kept;
  kept.reserve(64);
  const auto tensor = [&](std::size_t matrices, std::size_t rows, std::size_t cols) {
    test::NamedTensor t;
    t.matrices = matrices;
    t.rows = matrices * rows;
    t.cols = cols;
    for (std::size_t i = 0; i < t.rows * cols; ++i)
      t.values.push_back(static_cast<float>(static_cast<int>(random.next() % 65) - 32) / 64);
    kept.push_back(std::move(t));
    return &kept.back();
  };
  test::GgufExtra extra;
  extra.architecture =
      GENERATE(std::string("llama"), std::string("qwen2moe"), std::string("qwen3moe"), std::string("olmoe"));
  extra.without_feed_forward = true;
  const std::string own = extra.architecture + ".";
  const bool shared = extra.architecture == "qwen2moe", all_heads = extra.architecture == "olmoe",
             norms = all_heads || extra.architecture == "qwen3moe";
  extra.numbers = {{own + "expert_count", 3}, {own + "expert_used_count", 2}, {own + "expert_feed_forward_length", 40}};
  if (shared) extra.numbers.emplace_back(own + "expert_shared_feed_forward_length", 24);
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    extra.tensors.emplace_back(layer + "ffn_gate_inp.weight", tensor(1, 3, 32));
    extra.tensors.emplace_back(layer + "ffn_gate_exps.weight", tensor(3, 40, 32));
    extra.tensors.emplace_back(layer + "ffn_up_exps.weight", tensor(3, 40, 32));
    extra.tensors.emplace_back(layer + "ffn_down_exps.weight", tensor(3, 32, 40));
    if (norms) {  // of a head of 8 channels, or of all 4 and 2 heads
      extra.tensors.emplace_back(layer + "attn_q_norm.weight", tensor(1, 1, all_heads ? 32 : 8));
      extra.tensors.emplace_back(layer + "attn_k_norm.weight", tensor(1, 1, all_heads ? 16 : 8));
    }
    if (!shared) continue;
    extra.tensors.emplace_back(layer + "ffn_gate_inp_shexp.weight", tensor(1, 1, 32));
    extra.tensors.emplace_back(layer + "ffn_gate_shexp.weight", tensor(1, 24, 32));
    extra.tensors.emplace_back(layer + "ffn_up_shexp.weight", tensor(1, 24, 32));
    extra.tensors.emplace_back(layer + "ffn_down_shexp.weight", tensor(1, 32, 24));
  }
  const Blob file = test::gguf_bytes(m, GgufType::kF32, true, 3, extra);
  const testbench::ModelWeights read = parse_gguf(view(file));
  const accelerator::Mixture& mixture = read.info.shape.mixture;
  CHECK(mixture.experts == 3);
  CHECK(mixture.experts_per_token == 2);
  CHECK(mixture.expert_width == 40);
  CHECK(mixture.normalised == (!shared && !all_heads));
  CHECK(read.info.shape.qk_norm == norms);
  CHECK(read.info.shape.qk_norm_all_heads == all_heads);
  CHECK((read.info.rope_pairing == formats::RopePairing::kAdjacent) == (extra.architecture == "llama"));
  if (norms) CHECK(read.layers[1][ModelTensor::k_norm].read() == kept.back().values);
  CHECK(mixture.shared_width == (shared ? 24 : 0));
  CHECK(mixture.shared_gate == shared);
  // The last row of the third expert's up projection.
  std::vector<float> row(32);
  read.layers[1][ModelTensor::expert_up].read_row(119, row.data());
  const std::vector<float>& up = kept[shared ? 10 : norms ? 8 : 6].values;
  CHECK(row == std::vector<float>(up.end() - 32, up.end()));
  extra.numbers[1].second = 4;
  CHECK(contains(refusal([&] { parse_gguf(view(test::gguf_bytes(m, GgufType::kF32, true, 3, extra))); }),
                 "expert_used_count is 4, expected 1 to the 3 experts"));
}

TEST_CASE("GGUF: metadata that are there twice, guessed, or of a tokenizer that is not this one") {
  const TinyModel m(5);
  const auto said = [&](const test::GgufExtra& extra) {
    const Blob bytes = test::gguf_bytes(m, GgufType::kF16, true, 3, extra);
    return refusal([&] {
      parse_gguf(view(bytes));
      parse_gguf_tokenizer(view(bytes));
    });
  };
  REQUIRE(said({}).empty());
  test::GgufExtra extra;
  extra.reals = {{"llama.rope.freq_base", 5e5F}};
  REQUIRE(contains(said(extra), "metadata key llama.rope.freq_base is there twice"));
  extra.reals = {{"llama.attention.layer_norm_epsilon", 1e-5F}};
  REQUIRE(contains(said(extra), "llama.attention.layer_norm_epsilon is not known"));
  extra.reals.clear();
  extra.texts = {{"general.type", "\x1b[31mmodel"}};
  REQUIRE(contains(said(extra), "\\x1b[31m"));

  // What a GGUF of only these bytes lacks or repeats, by changing names of the same length.
  const auto renamed = [&](const std::string& from, const std::string& to, const std::string& key = {}) {
    Blob bytes = test::gguf_bytes(m, GgufType::kF16);
    const auto at = std::search(bytes.begin(), bytes.end(), from.begin(), from.end());
    REQUIRE(at != bytes.end());
    std::copy(to.begin(), to.end(), at);
    return refusal([&] {
      if (key.empty()) parse_gguf(view(bytes));
      parse_gguf_tokenizer(view(bytes));
    });
  };
  REQUIRE(contains(renamed("llama.attention.layer_norm_rms_epsilon", "other.attention.layer_norm_rms_epsilon"),
                   "has no metadata value llama.attention.layer_norm_rms_epsilon"));
}

TEST_CASE("GGUF: kinds of tokens and their scores") {
  const TinyModel m(5);
  const auto with_kinds = [&](std::vector<std::int32_t> kinds) {
    test::GgufExtra extra;
    extra.kinds = std::move(kinds);
    const Blob bytes = test::gguf_bytes(m, GgufType::kF16, true, 3, extra);
    return refusal([&] { parse_gguf_tokenizer(view(bytes)); });
  };
  std::vector<std::int32_t> kinds(test::tiny_pieces().size(), 1);
  kinds[0] = 2;
  kinds[1] = 3;
  REQUIRE(with_kinds(kinds).empty());
  kinds[259] = 4;
  REQUIRE(contains(with_kinds(kinds), "token 259 was added by a user"));
  kinds[259] = 9;
  REQUIRE(contains(with_kinds(kinds), "of token 259 is 9, expected 0 to 6"));
  kinds.pop_back();
  REQUIRE(contains(with_kinds(kinds), "expected one for each of the 263 tokens"));
  Blob bytes = test::llama2c_tokenizer_bytes();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(bytes.data() + 4, &nan, sizeof nan);
  REQUIRE(contains(refusal([&] { parse_llama2c_tokenizer(view(bytes), 263); }),
                   "byte 4: the score of token 0 of 263 is nan"));
}

TEST_CASE("GGUF: tensors off the alignment or on each other's bytes are refused") {
  const TinyModel m;
  const auto message = [&](const std::string& tensor, std::uint64_t offset) {
    test::GgufExtra extra;
    extra.offsets[tensor] = offset;
    const Blob file = test::gguf_bytes(m, GgufType::kF32, true, 3, extra);
    return refusal([&] { parse_gguf(view(file)); });
  };
  REQUIRE(contains(message("blk.0.attn_k.weight", 2), "begins at offset 2, expected a multiple of the alignment (32)"));
  REQUIRE(contains(message("blk.0.attn_k.weight", 0), "reaches into tensor"));
}

TEST_CASE("weights that are not finite are refused, the tensor named") {
  TinyModel m;
  m.layers[1].up.values[7] = std::numeric_limits<float>::quiet_NaN();
  const Blob file = test::llama2c_bytes(m);
  const ModelWeights weights = parse_llama2c(view(file));
  REQUIRE(contains(refusal([&] { weights.require_finite(); }), "tensor layers.1.w3 holds nan in row 0, column 7"));
}

TEST_CASE("llama2.c version 2: 8-bit integers with a scale per group, and version 1") {
  HARMONIA_REQUIRE_DATA(data);
  const ModelWeights fp32 = load_weights((data / "data/models/stories260K.bin").string());
  const ModelWeights q80 = load_weights((data / "data/models/stories260K_q80.bin").string());
  REQUIRE(q80.info.shape.hidden_size == fp32.info.shape.hidden_size);
  REQUIRE(q80.layers[0][ModelTensor::q].type == ElementType::kInt8Float);
  REQUIRE(q80.layers[0][ModelTensor::attention_norm].read() == fp32.layers[0][ModelTensor::attention_norm].read());
  // Half a percent of the root mean square, as the data's notes say.
  const std::vector<float> a = fp32.layers[0][ModelTensor::q].read(), b = q80.layers[0][ModelTensor::q].read();
  double error = 0, power = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += (a[i] - b[i]) * (a[i] - b[i]);
    power += a[i] * a[i];
  }
  REQUIRE(std::sqrt(error / power) == Approx(0.005).margin(0.001));
}

TEST_CASE("Hugging Face configs: what is missing, wrong or unsupported is named") {
  const std::string good = test::config_json(TinyModel());
  REQUIRE(parse_huggingface_config(good, "config.json").shape.head_dim == 8);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    return text;
  };
  const auto says = [&](const std::string& text, const std::string& message) {
    const std::string is = refusal([&] { parse_huggingface_config(text, "config.json"); });
    INFO(is);
    REQUIRE((!is.empty() && contains(is, message)));
  };
  says(with("\"hidden_size\": 32", "\"hidden_size\": -32"), "hidden_size is '-32'");
  says(with("\"hidden_size\": 32", "\"hidden_size\": 1e300"), "hidden_size");
  says(with("\"hidden_size\": 32", "\"hidden_size\": \"32\""), "hidden_size");
  says(with("\"vocab_size\"", "\"vocabulary\""), "key 'vocabulary' is not known");
  says(with("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"yarn\"}"), "yarn");
  says(with("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"), "multiple");
  says("[1, 2]", "a list");
  says("{\n \"hidden_size\": 32,\n oops", "config.json:3:");
  says(std::string(100000, '['), "");
  // Written and read back, Llama-3 scaling included.
  ModelInfo info = parse_huggingface_config(
      with("\"rope_scaling\": null",
           "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "
           "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}"),
      "config.json");
  const ModelInfo back = parse_huggingface_config(huggingface_config(info), "back");
  for (std::int64_t i = 0; i < 4; ++i) REQUIRE(rope_frequency(back, i) == rope_frequency(info, i));
  REQUIRE(back.rope_pairing == formats::RopePairing::kHalfSplit);
}

TEST_CASE("Llama-3 RoPE scaling leaves short wavelengths, divides long ones by the factor, blends between") {
  ModelInfo info;
  info.shape.head_dim = 128;
  info.shape.rope_theta = 500000.0;
  ModelInfo plain = info;
  info.rope_scaling.kind = RopeScaling::Kind::llama3;
  info.rope_scaling.factor = 8.0;
  REQUIRE(rope_frequency(info, 0) == rope_frequency(plain, 0));
  REQUIRE(rope_frequency(info, 63) == Approx(rope_frequency(plain, 63) / 8));
  int between = 0;
  for (std::int64_t i = 0; i < 64; ++i) {
    const double ratio = rope_frequency(info, i) / rope_frequency(plain, i);
    REQUIRE(ratio >= 0.125 - 1e-12);
    REQUIRE(ratio <= 1.0);
    between += ratio > 0.1251 && ratio < 0.999 ? 1 : 0;
  }
  REQUIRE(between > 0);
}

TEST_CASE("random damage to a whole file never does more than fail") {
  const std::uint64_t seed = 20240607;
  INFO("seed " << seed);
  formats::SplitMix64 random(seed);
  for (const Loader& l : loaders()) {
    for (int round = 0; round < 400; ++round) {
      Blob broken = l.bytes;
      for (std::uint64_t hits = random.next() % 8 + 1; hits > 0; --hits)
        broken[random.next() % std::min<std::size_t>(broken.size(), 8192)] = static_cast<std::uint8_t>(random.next());
      if (random.next() % 4 == 0) broken.resize(random.next() % broken.size());
      test::largest_allocation = 0;
      refused([&] { l.load(view(broken)); });
      REQUIRE(test::largest_allocation <= 16 * l.bytes.size());
    }
  }
}

}  // namespace
}  // namespace harmonia::testbench
