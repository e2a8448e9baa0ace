// A Hugging Face config.json as a model.
//
// Models: the shape that fixes bytes and operations, RoPE and its scaling, and a list of what the file asks for beside a plain
//   Llama layer. Every key is read, known to make no difference, or refused with its place.
// Does not model: what the list names. Who asks for the cost of a model says it in the result; who computes values refuses it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/config/node.h"
#include "harmonia/hw/model/model_shape.h"

namespace harmonia::testbench {

/// Scaling of RoPE's frequencies: all divided by the factor (linear), by wavelength (llama3), or by the number of turns in the
/// original context, with a factor of sine and cosine (yarn).
struct RopeScaling {
  enum class Kind { none, linear, llama3, yarn } kind = Kind::none;
  double factor = 1.0;
  double magnitude = 1.0;  // yarn: of sine and cosine
  double beta_fast = 32.0,
         beta_slow = 1.0;  // yarn: turns of the fastest pair that is stretched, of the slowest that is not
  bool truncate = true;    // yarn: their pairs are whole numbers
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  double original_context = 8192.0;
};

/// Something that a model has and a plain Llama layer has not.
struct ModelFeature {
  config::Location where;
  std::string what;
  bool only_values = false;  // neither bytes nor operations of the machine follow from it
};

struct ModelConfig {
  accelerator::ModelShape shape;
  RopeScaling rope_scaling;
  bool half_split_rope = true;
  bool gains_less_one = false;  // norms are stored as what their gains exceed 1 by
  std::vector<ModelFeature> features;
  std::vector<std::string> notices;  // whole sentences about the file itself
  config::Node document;             // the shape as keys, each with its place in the file
};

/// Whether a document is a config.json: it names a model type or an architecture.
bool is_model_config(const config::Node& document);

/// Reads one. Throws InputError with the place of what is wrong, not modelled or not known; `allow_unknown`: a key that nothing
/// reads becomes a notice.
ModelConfig read_model_config(const config::Node& document, bool allow_unknown = false);

/// Gives a model's keys a head_dim of hidden_size / num_attention_heads where there is none. Throws InputError when it is no
/// whole number.
void derive_head_dim(config::Node& keys);

/// What a result about cost says of a model's features: one sentence each.
std::vector<std::string> cost_notices(const ModelConfig& model);

/// Throws InputError at the first feature that changes values: for readers of weights.
void require_plain_values(const ModelConfig& model);

}  // namespace harmonia::testbench
