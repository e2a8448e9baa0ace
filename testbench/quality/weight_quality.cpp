#include "harmonia/testbench/quality/weight_quality.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "harmonia/config/error.h"
#include "harmonia/config/json_values.h"
#include "harmonia/config/yaml.h"
#include "harmonia/hw/formats/format_registry.h"
#include "harmonia/hw/formats/linear_weights.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/hw/model/layer_graph.h"

namespace harmonia::testbench {

std::string registry_name(const WeightsConfig& w) {
  if (w.format == "fp16") return w.format;
  if (formats::is_codebook(formats::weight_format(w.format))) return w.format + ":" + w.codebook;
  return w.format + (w.zero_point ? "z" : "") + (w.group_size == 128 ? "" : ":g" + std::to_string(w.group_size));
}

double synthetic_snr_db(const std::string& name) {
  static std::map<std::string, double> known;
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  constexpr std::size_t rows = 256, cols = 1024;
  std::vector<float> tensor(rows * cols);
  formats::fill_gaussian(1, tensor.size(), tensor.data());
  const formats::RoundTrip back = formats::round_trip(formats::storage_format(name), tensor.data(), rows, cols, 1);
  const double snr = formats::quantisation_error(tensor.data(), back.values.data(), tensor.size()).snr_db;
  return known[name] = std::min(snr, kExactSnrDb);
}

double effective_parameters(double parameters, double bits, double g) { return parameters * (1 - std::exp(-bits / g)); }

WeightQuality weight_quality(const Scenario& s, const Library& library) {
  WeightQuality q;
  q.format = registry_name(s.weights);
  q.snr_db = synthetic_snr_db(q.format);
  const accelerator::ModelShape& m = s.model.tensor_devices > 1 ? s.whole : s.model;
  for (int l = 0; l < m.num_hidden_layers; ++l) {
    const accelerator::ModelShape own = m.of_layer(l);
    for (const accelerator::ModelTensor tensor : accelerator::layer_graph(m, l).layer_matrices())
      if (!accelerator::stays_16_bit(tensor))
        q.parameters += static_cast<double>(accelerator::info_of(tensor).elements(own));
  }
  const formats::WeightFormat format = formats::weight_format(s.weights.format);

  const std::filesystem::path file = library.folder() / "published" / "one-bit-wonder.json";
  double g = formats::is_codebook(format) ? 3.32 : 3.71;
  if (std::filesystem::exists(file)) {
    try {
      const nlohmann::json published =
          config::parse_json_values(config::read_text_file(file.string(), 1 << 20), file.string());
      g = published.at("g").at(formats::is_codebook(format) ? "kmeans" : "uniform");
      for (const auto& point : published.at("accuracy")) {
        if (point.at("model") != m.name || point.at("weights") != s.weights.format) continue;
        PublishedAccuracy accuracy;
        for (const char* benchmark : {"mmlu", "gsm8k", "mbpp", "hellaswag"})
          accuracy.percent.emplace_back(benchmark, point.at(benchmark));
        q.published = accuracy;
      }
    } catch (const nlohmann::json::exception& e) {
      throw config::InputError({file.string()}, e.what());
    }
  }
  q.effective_parameters = effective_parameters(q.parameters, formats::code_bits(format), g);
  return q;
}

}  // namespace harmonia::testbench
