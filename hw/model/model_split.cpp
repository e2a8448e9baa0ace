#include "harmonia/hw/model/model_split.h"

#include <algorithm>
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

int placed_on(int devices, int experts) {
  if (experts % devices != 0)
    throw config::InputError("devices.experts: " + std::to_string(experts) + " experts (mixture.experts) cannot be " +
                             "placed on " + std::to_string(devices) + " devices, as many on each, expected a number " +
                             "of devices that divides them, or divided");
  return devices;
}

}  // namespace

ModelShape part_of(const ModelShape& whole, int devices, ExpertSplit experts) {
  if (devices == 1) return whole;
  if (whole.qk_norm_all_heads)
    throw config::InputError(
        "devices.tensor: norms over all heads across devices are not modelled, expected 1, or a model without "
        "qk_norm_all_heads");
  if (!whole.layers.empty())
    throw config::InputError(
        "devices.tensor: listed layers (model.architecture: custom) across devices are not modelled, expected 1");
  ModelShape part = whole;
  part.tensor_devices = devices;
  part.num_attention_heads = divided("num_attention_heads", whole.num_attention_heads, devices);
  if (whole.num_key_value_heads < devices && devices % whole.num_key_value_heads == 0)
    part.num_key_value_heads = 1;
  else
    part.num_key_value_heads = divided("num_key_value_heads", whole.num_key_value_heads, devices);
  Mixture& mixture = part.mixture;
  if (mixture.experts > 0) {
    if (experts == ExpertSplit::placed)
      part.expert_devices = placed_on(devices, mixture.experts);
    else
      mixture.expert_width = divided("mixture.expert_width", mixture.expert_width, devices);
    mixture.shared_width = divided("mixture.shared_width", mixture.shared_width, devices);
  }
  // Where every layer is a mixture nothing has this width.
  if (whole.mixture_layers() < whole.num_hidden_layers)
    part.intermediate_size = divided("intermediate_size", whole.intermediate_size, devices);
  part.vocab_size = divided("vocab_size", whole.vocab_size, devices);
  return part;
}

ModelShape part_of_device(const ModelShape& part, int number) {
  ModelShape other = part;
  if (part.expert_devices > 1) other.device = number;
  return other;
}

int layers_of_stage(int layers, int stages, int stage) { return layers / stages + (stage < layers % stages ? 1 : 0); }

ModelShape stage_of(const ModelShape& model, int stages, int stage) {
  if (stages > model.num_hidden_layers)
    throw config::InputError("devices.pipeline: is " + std::to_string(stages) + ", expected at most the model's " +
                             std::to_string(model.num_hidden_layers) + " layers");
  ModelShape part = model;
  part.num_hidden_layers = layers_of_stage(model.num_hidden_layers, stages, stage);
  for (int s = 0; s < stage; ++s) part.first_layer += layers_of_stage(model.num_hidden_layers, stages, s);
  // Of listed layers those that the stage has.
  int left = part.first_layer;
  part.layers.clear();
  for (const LayerRun& run : model.layers) {
    const int skipped = std::min(left, run.count);
    left -= skipped;
    if (run.count == skipped) continue;
    part.layers.push_back(run);
    part.layers.back().count -= skipped;
  }
  part.stage_before = stage > 0;
  part.stage_behind = stage + 1 < stages;
  return part;
}

bool alike(const ModelShape& a, const ModelShape& b) {
  if (a.num_hidden_layers != b.num_hidden_layers || a.stage_before != b.stage_before ||
      a.stage_behind != b.stage_behind || a.mixture_layers() > 0 || b.mixture_layers() > 0)
    return false;
  for (int l = 0; l < a.num_hidden_layers; ++l) {
    const LayerRun *of_a = a.run_of(l), *of_b = b.run_of(l);
    if (a.window_of(l) != b.window_of(l) || a.rotated(l) != b.rotated(l) || (of_a == nullptr) != (of_b == nullptr) ||
        (of_a != nullptr && !of_a->alike(*of_b)))
      return false;
  }
  return true;
}

}  // namespace harmonia::accelerator
