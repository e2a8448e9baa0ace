// Writes the seed inputs of every fuzz target into folders of their names: valid files of every kind, small ones.
//
//   fuzz_seeds FOLDER
#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/model_files.h"

namespace {

using namespace harmonia;
namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}
void write(const fs::path& file, const test::Blob& bytes) { write(file, std::string(bytes.begin(), bytes.end())); }

test::Blob with_choice(std::uint8_t choice, test::Blob bytes) {
  bytes.insert(bytes.begin(), choice);
  return bytes;
}

test::Blob file_bytes(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// The smallest model that is a model: fuzzing wants inputs of a few kilobytes.
test::TinyModel smallest() {
  accelerator::ModelShape shape = test::TinyModel::tiny_shape(true);
  shape.num_hidden_layers = 1;
  // Every width is a multiple of 32, which GGUF's blocks need.
  shape.hidden_size = 32;
  shape.intermediate_size = 32;
  shape.vocab_size = 3;
  return {1, shape, 4};
}

void huggingface(const fs::path& folder) {
  const test::TinyModel m = smallest();
  write(folder / "config", test::config_json(m));
  const test::TemporaryFolder scratch;
  for (const auto dtype : {testbench::Dtype::kF16, testbench::Dtype::kBf16}) {
    test::write_huggingface(m, scratch.file("hf"), dtype);
    // The description goes from config.json to the metadata.
    const testbench::SafetensorsFile plain(scratch.file("hf/model.safetensors"));
    std::vector<testbench::TensorToWrite> tensors;
    for (const testbench::TensorView& t : plain.tensors()) tensors.push_back({t.name, t.dtype, t.shape, t.data});
    const std::string out = scratch.file("one.safetensors");
    testbench::write_safetensors(out, tensors, {{testbench::kModelMetadataKey, test::config_json(m)}});
    write(folder / testbench::dtype_name(dtype), file_bytes(out));

    // Packed codes, integers, block floating point, microscaling in place of some linears.
    const std::vector<std::uint8_t> codes(32 * 40);
    const std::vector<float> centroids = {-1, 0, 1, 2};
    std::map<std::string, std::string> metadata = {{testbench::kModelMetadataKey, test::config_json(m)}};
    const std::string layer = "model.layers.0.";
    const auto replace = [&](const std::string& name, const std::vector<testbench::TensorToWrite>& by,
                             const std::vector<std::pair<std::string, std::string>>& about) {
      tensors.erase(std::remove_if(tensors.begin(), tensors.end(),
                                   [&](const auto& t) { return t.name == layer + name + ".weight"; }),
                    tensors.end());
      for (testbench::TensorToWrite t : by) {
        t.name = layer + name + t.name;
        tensors.push_back(t);
      }
      for (const auto& [key, value] : about) metadata[layer + name + key] = value;
    };
    using testbench::Dtype;
    replace("mlp.gate_proj",
            {{".weight_packed", Dtype::kU8, {32, 8}, codes.data()},
             {".scales", Dtype::kBf16, {32, 1}, codes.data()},
             {".centroids", Dtype::kF32, {4}, centroids.data()}},
            {{".weight_packed.cols", "32"}});
    replace("mlp.up_proj",
            {{".weight_int", Dtype::kU8, {32, 16}, codes.data()},
             {".scales", Dtype::kF16, {32, 1}, codes.data()},
             {".zeros", Dtype::kU8, {32, 1}, codes.data()}},
            {{".weight_int.cols", "32"}, {".weight_int.bits", "4"}, {".weight_int.group", "32"}});
    replace("mlp.down_proj", {{".weight_bfp", Dtype::kU8, {32, 37}, codes.data()}},
            {{".weight_bfp.cols", "32"}, {".weight_bfp.bits", "8"}, {".weight_bfp.group", "32"}});
    replace("self_attn.o_proj",
            {{".weight_mx", Dtype::kU8, {32, 16}, codes.data()}, {".scales", Dtype::kU8, {32, 1}, codes.data()}},
            {{".weight_mx.cols", "32"}, {".weight_mx.element", "fp4"}});
    testbench::write_safetensors(out, tensors, metadata);
    write(folder / (std::string("packed-") + testbench::dtype_name(dtype)), file_bytes(out));
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const fs::path folder = argv[1], workloads = fs::path(HARMONIA_SOURCE) / "workloads";
  const test::TinyModel m = smallest();
  write(folder / "llama2c/model", with_choice(0, test::llama2c_bytes(m)));
  write(folder / "llama2c/tokenizer", with_choice(1, test::llama2c_tokenizer_bytes()));
  for (const auto type : {test::GgufType::kF32, test::GgufType::kF16, test::GgufType::kBf16, test::GgufType::kQ8_0,
                          test::GgufType::kQ4_0})
    write(folder / "gguf" / std::to_string(static_cast<int>(type)),
          test::gguf_bytes(m, type, type == test::GgufType::kF16, type == test::GgufType::kF32 ? 2 : 3));
  huggingface(folder / "huggingface");
  for (const char* kind : {"scenarios", "models", "accelerators"})
    for (const auto& entry : fs::directory_iterator(workloads / kind))
      if (entry.is_regular_file())
        write(folder / "scenario" / (std::string(kind) + "-" + entry.path().filename().string()),
              file_bytes(entry.path()));
  write(folder / "request_trace/azure", std::string("TIMESTAMP,ContextTokens,GeneratedTokens\n"
                                                    "2023-11-16 18:15:46.6805900,374,44\n"
                                                    "2023-11-16 18:15:50.9951690,396,109\n"));
  write(folder / "request_trace/arrival", std::string("arrival_s,prompt_tokens,output_tokens\n0.5,10,20\n0.75,1,2\n"));
  write(folder / "request_trace/mooncake",
        std::string("{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}\n"));
  const fs::path compressed = folder / "request_trace/gzip";
  gzFile file = gzopen(compressed.c_str(), "wb");
  gzputs(file, "arrival_s,prompt_tokens,output_tokens\n0,1,2\n");
  gzclose(file);
  const fs::path addresses = folder / "address_trace";
  write(addresses / "dramsim3", std::string("0x12340 READ 0\n0x80 WRITE 10\n# remark\n0x12380 READ 12\n"));
  write(addresses / "load-store", std::string("LD 0x40\nST 128\n"));
  write(addresses / "vector", std::string("R 0,0,1,2,100,5\nW 0,0,1,2,100,6\n"));
  write(addresses / "stl", std::string("0: read 0x40\n7: (64) write 0x80 0123\n"));
  write(addresses / "csv", std::string("op,addr_hex\nR,40\nW,80\n"));
  return 0;
}
