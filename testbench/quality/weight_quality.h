// What a weight path costs in quality, beside what it costs in time: so that neither is read without the other.
//
// Models: the signal-to-noise ratio of a format on one fixed synthetic tensor (Gaussian, the same for every format);
// the
//   effective parameters of the 1-bit paper's scaling law; the paper's published accuracy, where the model and format
//   are one of its three.
// Does not model: the accuracy of a given model in a given format. For a real small model: `harmonia infer --settings`,
//   docs/quality.md.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harmonia/hw/model/model_shape.h"
#include "harmonia/testbench/scenario/library.h"
#include "harmonia/testbench/scenario/scenario.h"

namespace harmonia::testbench {

struct PublishedAccuracy {
  std::vector<std::pair<std::string, double>> percent;  // benchmark, percent correct
};

struct WeightQuality {
  std::string format;     // as the format registry names it, "kmeans4:int8"
  double snr_db = 0;      // on the synthetic tensor; capped at kExactSnrDb
  double parameters = 0;  // of the quantised linears
  double effective_parameters = 0;
  std::optional<PublishedAccuracy> published;
};

/// What a format that loses nothing is reported as.
inline constexpr double kExactSnrDb = 200;

/// The registry's name of a weight path.
std::string registry_name(const WeightsConfig& weights);

/// Quality of the scenario's weight path. `library` finds published/one-bit-wonder.json; without that file there are no
/// published figures. Throws config::InputError when that file is damaged.
WeightQuality weight_quality(const Scenario& scenario, const Library& library);

/// SNR in dB of a registry format on a fixed 256 x 1024 tensor of independent normal values.
double synthetic_snr_db(const std::string& format);

/// N (1 - exp(-bits / g)).
double effective_parameters(double parameters, double bits, double g);

}  // namespace harmonia::testbench
