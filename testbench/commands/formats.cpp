#include "harmonia/testbench/commands/formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/hw/formats/format_registry.h"
#include "harmonia/hw/formats/random.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/weights/safetensors.h"

namespace harmonia::testbench {
namespace {

using config::InputError;
using config::Location;

const Location kCommandLine = {"command line", 0, 0};

// Four GiB of FP32: a mistyped size must not become an allocation that takes the machine down.
constexpr std::size_t kMostValues = std::size_t{1} << 30;

struct Tensor {
  std::string source;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> values;
};

struct Request {
  std::string format;
  std::string tensor;
  bool gaussian = false;
  bool student_t = false;
  bool outlier = false;
  std::int64_t rows = 1024;
  std::int64_t cols = 1024;
  std::int64_t seed = 0;
  std::int64_t degrees = 4;
  std::int64_t outlier_every = 128;
  double outlier_factor = 20;
  bool json = false;
};

// FILE or FILE:NAME. A file whose own name has a colon is taken whole.
Tensor read_tensor(const std::string& what) {
  std::string path = what;
  std::string name;
  const std::size_t colon = what.rfind(':');
  std::error_code ignored;
  if (colon != std::string::npos && !std::filesystem::exists(what, ignored)) {
    path = what.substr(0, colon);
    name = what.substr(colon + 1);
  }
  const SafetensorsFile file(path);
  if (name.empty()) {
    if (file.tensors().size() != 1) {
      std::string names;
      for (const TensorView& t : file.tensors()) names += ' ' + t.name;
      throw InputError({path, 0, 0}, fmt::format("holds {} tensors, expected FILE:NAME with one of:{}",
                                                 file.tensors().size(), names));
    }
    name = file.tensors().front().name;
  }
  const TensorView& view = file.at(name);
  if (view.elements() == 0) throw InputError({path, 0, 0}, "tensor '" + name + "' is empty");
  if (view.elements() > kMostValues) throw InputError({path, 0, 0}, "tensor '" + name + "' has more than 2^30 values");
  Tensor tensor;
  tensor.source = path + ':' + name;
  tensor.cols = view.shape.empty() ? 1 : view.shape.back();
  tensor.rows = view.elements() / tensor.cols;
  tensor.values = to_float(view);
  return tensor;
}

Tensor make_tensor(const Request& request) {
  Tensor tensor;
  tensor.rows = static_cast<std::size_t>(request.rows);
  tensor.cols = static_cast<std::size_t>(request.cols);
  if (tensor.rows > kMostValues / tensor.cols)
    throw InputError(kCommandLine, "--rows times --cols is more than 2^30 values");
  tensor.values.resize(tensor.rows * tensor.cols);
  const auto seed = static_cast<std::uint64_t>(request.seed);
  if (request.gaussian) {
    tensor.source = "Gaussian";
    formats::fill_gaussian(seed, tensor.values.size(), tensor.values.data());
  } else if (request.student_t) {
    tensor.source = fmt::format("Student's t, {} degrees of freedom", request.degrees);
    formats::fill_student_t(seed, static_cast<int>(request.degrees), tensor.values.size(), tensor.values.data());
  } else {
    const auto every = static_cast<std::size_t>(request.outlier_every);
    tensor.source = fmt::format("Gaussian with 1 outlier channel in {}, times {}", every,
                                nlohmann::json(request.outlier_factor).dump());
    formats::fill_outlier_channels(seed, tensor.rows, tensor.cols, every, static_cast<float>(request.outlier_factor),
                                   tensor.values.data());
  }
  tensor.source += fmt::format(", seed {}", request.seed);
  return tensor;
}

formats::StorageFormat known_format(const std::string& argument) {
  const std::string name = config::printable(argument);
  try {
    return formats::storage_format(name);
  } catch (const std::invalid_argument& e) {
    std::vector<std::string> names;
    for (const formats::StorageFormatInfo& f : formats::storage_formats()) names.push_back(f.name);
    const std::string nearest = config::nearest(name.substr(0, name.find(':')), names);
    // A known family with a wrong suffix says itself what would be right.
    const bool family_known =
        std::find(names.begin(), names.end(), nearest) != names.end() && nearest == name.substr(0, name.find(':'));
    if (nearest.empty() || family_known) throw InputError(kCommandLine, e.what());
    throw InputError(kCommandLine, "unknown number format '" + name + "'; nearest known format is '" + nearest + "'");
  }
}

std::string text(const char* form, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, form, value);
  return buffer;
}

// JSON has no infinity.
nlohmann::ordered_json finite_or_null(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

void print_json(const Tensor& tensor, const formats::StorageFormat& format, const formats::RoundTrip& stored,
                const formats::QuantisationError& error) {
  nlohmann::ordered_json out;
  out["format"] = format.name;
  out["tensor"] = tensor.source;
  out["rows"] = tensor.rows;
  out["cols"] = tensor.cols;
  out["bits_per_value"] = format.bits_per_value();
  out["stored_bits"] = stored.stored_bits;
  out["snr_db"] = finite_or_null(error.snr_db);
  out["max_error"] = finite_or_null(error.max_error);
  out["mean_square_error"] = finite_or_null(error.mean_square);
  if (!stored.codebook.empty()) out["codebook"] = stored.codebook;
  out["code_meaning"] = format.code_meaning();
  out["histogram"] = nlohmann::ordered_json::array();
  for (const formats::CodeCount& c : stored.histogram)
    out["histogram"].push_back({{"code", c.code}, {"count", c.count}});
  std::cout << out.dump(2) << '\n';
}

// At most `kLines` lines: neighbouring codes share one when there are more.
void print_histogram(const formats::RoundTrip& stored) {
  constexpr int kLines = 32;
  constexpr double kBar = 50;
  const int first = stored.histogram.front().code;
  const int span = stored.histogram.back().code - first + 1;
  const int width = (span + kLines - 1) / kLines;
  std::vector<std::uint64_t> count(static_cast<std::size_t>((span + width - 1) / width));
  std::uint64_t total = 0;
  for (const formats::CodeCount& c : stored.histogram) {
    count[static_cast<std::size_t>((c.code - first) / width)] += c.count;
    total += c.count;
  }
  const auto most = static_cast<double>(*std::max_element(count.begin(), count.end()));
  for (std::size_t i = 0; i < count.size(); ++i) {
    const int low = first + static_cast<int>(i) * width;
    std::string label = std::to_string(low);
    if (width > 1) label += fmt::format("..{}", low + width - 1);
    const double share = static_cast<double>(count[i]) / static_cast<double>(total);
    std::string line = "  " + std::string(label.size() < 12 ? 12 - label.size() : 0, ' ') + label;
    line += text(" %8.4f %%  ", 100 * share);
    line += std::string(static_cast<std::size_t>(std::ceil(kBar * static_cast<double>(count[i]) / most)), '#');
    std::cout << line << '\n';
  }
}

void print_text(const Tensor& tensor, const formats::StorageFormat& format, const formats::RoundTrip& stored,
                const formats::QuantisationError& error) {
  const double values = static_cast<double>(tensor.rows) * static_cast<double>(tensor.cols);
  std::cout << "format          " << format.name << '\n'
            << "tensor          " << tensor.source << ", [" << tensor.rows << ", " << tensor.cols << "]\n"
            << "bits per value  " << text("%.5g", format.bits_per_value()) << " with metadata ("
            << text("%.5g", static_cast<double>(stored.stored_bits) / values) << " as stored here)\n"
            << "SNR             " << text("%.2f", error.snr_db) << " dB\n"
            << "max error       " << text("%.6g", error.max_error) << '\n';
  if (!stored.codebook.empty() && stored.codebook.size() <= 16) {
    std::cout << "codebook       ";
    for (const float c : stored.codebook) std::cout << ' ' << text("%.4f", c);
    std::cout << '\n';
  }
  std::cout << "codes           " << format.code_meaning() << ", " << stored.histogram.size() << " in use\n";
  print_histogram(stored);
}

}  // namespace

int formats_command(const std::vector<std::string>& arguments) {
  Request request;
  Arguments a(kFormatsCommand);
  a.positional("FORMAT", request.format,
               "number format such as kmeans4, bfp8:e5 or mxfp4:even (`harmonia list formats`)", true)
      .text("tensor", request.tensor, "FILE[:NAME]", "tensor of a safetensors file; the last dimension is the row")
      .flag("gaussian", request.gaussian, "synthetic tensor of standard normal values")
      .flag("student-t", request.student_t, "synthetic tensor of Student's t, with heavier tails")
      .flag("outlier", request.outlier, "synthetic tensor of normal values with outlier columns")
      .integer("rows", request.rows, 1, std::int64_t{1} << 30, "R", "rows of a synthetic tensor")
      .integer("cols", request.cols, 1, std::int64_t{1} << 30, "C", "columns of a synthetic tensor")
      .integer("seed", request.seed, 0, std::numeric_limits<std::int64_t>::max(), "S",
               "seed of the values and of codebook training")
      .integer("degrees", request.degrees, 1, 1000, "N", "degrees of freedom of --student-t")
      .integer("outlier-every", request.outlier_every, 1, std::int64_t{1} << 30, "N", "one column in N is an outlier")
      .number("outlier-factor", request.outlier_factor, 0, 1e6, "F", "factor by which outlier columns are larger")
      .flag("json", request.json, "print JSON");
  if (!a.parse(arguments)) return 0;
  const formats::StorageFormat format = known_format(request.format);
  if (!request.tensor.empty() + request.gaussian + request.student_t + request.outlier != 1)
    throw InputError(kCommandLine, "expected exactly one of --tensor, --gaussian, --student-t and --outlier");

  const Tensor tensor = request.tensor.empty() ? make_tensor(request) : read_tensor(request.tensor);
  formats::RoundTrip stored;
  try {
    stored = formats::round_trip(format, tensor.values.data(), tensor.rows, tensor.cols,
                                 static_cast<std::uint64_t>(request.seed));
  } catch (const std::invalid_argument& e) {
    throw InputError({tensor.source, 0, 0}, e.what());
  }
  const formats::QuantisationError error =
      formats::quantisation_error(tensor.values.data(), stored.values.data(), tensor.values.size());
  if (request.json)
    print_json(tensor, format, stored, error);
  else
    print_text(tensor, format, stored, error);
  return 0;
}

const Command kFormatsCommand = {"formats", "FORMAT (--tensor FILE[:NAME] | --gaussian | --student-t | --outlier)",
                                 "Print bits, signal-to-noise ratio, error and codes of a tensor in a number format",
                                 formats_command, "harmonia formats kmeans4 --gaussian --rows 256 --cols 256"};

}  // namespace harmonia::testbench
