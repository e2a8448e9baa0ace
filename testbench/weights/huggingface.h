// Hugging Face checkpoints: config.json and one or several .safetensors files with the names of LlamaForCausalLM.
//
// Models: F32, F16 and BF16 tensors; K-means checkpoints as the 1-bit paper releases them (X.weight_packed uint8
// [out, in*n/8], X.scales bf16 [out, in/64], X.centroids fp32 [2^n] instead of X.weight); shards listed in
// model.safetensors.index.json; RoPE in half-split pairs, with Llama-3 scaling when config.json asks for it. A file
// that `harmonia quantize` wrote (any format of quantize.h) carries the shape in its own metadata and needs no
// config.json. Does not model:
// biases, tokenizer.json, mixture of experts, checkpoints quantised by other tools; refused by name.
#pragma once

#include <filesystem>

#include "harmonia/testbench/weights/model_weights.h"

namespace harmonia::testbench {

/// Key of the safetensors metadata under which a model's description is kept, as JSON in the words of config.json with
/// the addition "harmonia_rope_pairing": "adjacent" | "half_split".
inline constexpr const char* kModelMetadataKey = "harmonia.model";

/// Key beside it of a model that is no plain Llama: its shape, as JSON in the words of `model` of a scenario. Tensors of its layers then
/// have the names of written_name, and those of all experts of a layer are one matrix, one expert behind the other.
inline constexpr const char* kShapeMetadataKey = "harmonia.shape";

/// Names of microscaling elements in the metadata of written files, by formats::MxElement.
inline constexpr const char* kMxElementNames[] = {"int8", "int4", "fp4"};

/// `path` is a folder, or a .safetensors file. Throws config::InputError.
ModelWeights load_huggingface(const std::filesystem::path& path);

/// What the names of a layer's tensors begin with: "model.layers.3.".
std::string huggingface_layer(std::size_t layer);
/// Name of a tensor, behind that of its layer when it belongs to one and without a suffix such as ".weight".
std::string huggingface_name(ModelTensor tensor);

/// The same in files that this program writes: what has no name of one pattern there has its own, "expert_gate".
std::string written_name(ModelTensor tensor);
/// Whether a shape is one that huggingface_config has words for: a plain Llama's.
bool is_plain_llama(const ModelInfo& info);

/// Reads the shape fields of a config.json. `text` is its content, `file` its name for messages (line and column
/// follow).
ModelInfo parse_huggingface_config(const std::string& text, const std::string& file, const char* model_type = nullptr);
/// The inverse, for the metadata of written files.
std::string huggingface_config(const ModelInfo& info);

}  // namespace harmonia::testbench
