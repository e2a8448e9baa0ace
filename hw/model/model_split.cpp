#include "harmonia/hw/model/model_split.h"

#include <string>

#include "harmonia/config/error.h"

namespace harmonia::accelerator {
namespace {

int divided(const char* key, int size, int devices) {
  if (size % devices != 0)
    throw config::InputError("devices.tensor: " + std::to_string(devices) + " devices do not divide the model's " +
                             key + " (" + std::to_string(size) + "), expected a number that does: nothing is padded");
  return size / devices;
}

}  // namespace

ModelShape part_of(const ModelShape& whole, int devices) {
  if (devices == 1) return whole;
  if (whole.qk_norm_all_heads)
    throw config::InputError(
        "devices.tensor: norms over all heads across devices are not modelled, expected 1, or a model without "
        "qk_norm_all_heads");
  ModelShape part = whole;
  part.tensor_devices = devices;
  part.num_attention_heads = divided("num_attention_heads", whole.num_attention_heads, devices);
  if (whole.num_key_value_heads < devices && devices % whole.num_key_value_heads == 0)
    part.num_key_value_heads = 1;
  else
    part.num_key_value_heads = divided("num_key_value_heads", whole.num_key_value_heads, devices);
  Mixture& mixture = part.mixture;
  if (mixture.experts > 0) {
    mixture.expert_width = divided("mixture.expert_width", mixture.expert_width, devices);
    mixture.shared_width = divided("mixture.shared_width", mixture.shared_width, devices);
  }
  // Where every layer is a mixture nothing has this width.
  if (whole.mixture_layers() < whole.num_hidden_layers)
    part.intermediate_size = divided("intermediate_size", whole.intermediate_size, devices);
  part.vocab_size = divided("vocab_size", whole.vocab_size, devices);
  return part;
}

}  // namespace harmonia::accelerator
