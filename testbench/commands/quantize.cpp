// `harmonia quantize IN -o OUT --format FMT`: real weights to packed codes, scales and codebooks.
#include "harmonia/testbench/quantize/quantize.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <variant>

#include "harmonia/config/error.h"
#include "harmonia/config/node.h"
#include "harmonia/config/yaml.h"
#include "harmonia/testbench/commands/arguments.h"
#include "harmonia/testbench/commands/commands.h"
#include "harmonia/testbench/files/interrupt.h"
#include "harmonia/testbench/files/progress.h"
#include "harmonia/testbench/infer/evaluate.h"
#include "harmonia/testbench/results/text.h"
#include "harmonia/testbench/tokenizer/tokenizer.h"

namespace harmonia::testbench {
namespace {

constexpr std::size_t kLargestText = 64U << 20;

std::string fixed(double value, int digits) {
  if (std::isinf(value)) return "exact";
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

formats::StorageFormat format_argument(const std::string& option, const std::string& name, std::int64_t group) {
  try {
    formats::StorageFormat format = formats::storage_format(name);
    if (auto* integer = std::get_if<formats::IntFormat>(&format.format))
      if (group > 0 && name.find(':') == std::string::npos) integer->group = static_cast<std::size_t>(group);
    return format;
  } catch (const std::invalid_argument& e) {
    throw config::InputError({"command line"}, option + ": " + e.what());
  }
}

int run(const std::vector<std::string>& arguments) {
  std::string in, out, format = "kmeans4", lm_head = "fp16", codebook = "int8", calibration, tokenizer_file;
  std::int64_t group = 0, seed = 1;
  double exponent = 0.5;
  bool brief = false;
  Arguments a(kQuantizeCommand);
  a.positional("IN", in, "llama2.c .bin, .safetensors (or its folder), GGUF", true)
      .text("output,o", out, "OUT", "the .safetensors file to write")
      .text("format", format, "FMT",
            "format of the seven linear layers, with or without a suffix: any of `harmonia list formats`")
      .text("lm-head", lm_head, "FMT", "format of the output head; fp16 leaves it unquantised")
      .text("codebook", codebook, "KIND", "integer codebook of the second SNR column: int8 or int5")
      .choices({"int8", "int5"})
      .integer("group-size", group, 1, 65536, "N", "integer formats: columns that share a scale (the suffix :gN)")
      .text("smooth", calibration, "TEXT",
            "fold offline key smoothing, calibrated on this text file (needs --tokenizer)")
      .number("smooth-exponent", exponent, 0, 1, "X", "exponent of the key maxima in the smoothing factors")
      .text("tokenizer", tokenizer_file, "FILE", "tokenizer of the calibration text: tokenizer.bin or GGUF")
      .integer("seed", seed, 0, INT64_MAX, "N", "seed of codebook training")
      .flag("brief", brief, "print totals only, without a line for each tensor");
  if (!a.parse(arguments)) return 0;
  if (out.empty()) throw config::InputError({"command line"}, "-o OUT is missing: the .safetensors file to write");
  if (std::filesystem::path(out).extension() != ".safetensors")
    throw config::InputError({"command line"},
                             "-o " + config::printable(out) + ": expected a name that ends in .safetensors");
  if (codebook != "int8" && codebook != "int5")
    throw config::InputError({"command line"}, "--codebook is neither int8 nor int5");

  QuantizeOptions options;
  options.format = format_argument("--format", format, group);
  options.lm_head = format_argument("--lm-head", lm_head, group);
  options.codebook = codebook == "int8" ? formats::CodebookKind::kInt8 : formats::CodebookKind::kInt5;
  options.seed = static_cast<std::uint64_t>(seed);
  const auto model = std::make_shared<const ModelWeights>(load_weights(in));
  if (!calibration.empty()) {
    if (tokenizer_file.empty()) throw config::InputError({"command line"}, "--smooth needs --tokenizer");
    const Tokenizer tokenizer = load_tokenizer(tokenizer_file, model->info.shape.vocab_size);
    options.smoothing = calibrate_smoothing(
        model, documents(tokenizer, config::read_text_file(calibration, kLargestText), model->info.max_context),
        exponent);
  }

  QuantizeReport report;
  {
    const InterruptGuard guard;
    Progress progress("tensors", static_cast<double>(model->layers.size() * 7 + 1));
    report = quantize_model(*model, options, out, [&](std::size_t done, std::size_t) {
      if (interrupted()) throw config::RunError("interrupted: nothing was written");
      progress.update(static_cast<double>(done));
    });
  }

  std::vector<std::vector<std::string>> rows = {
      {"tensor", "shape", "format", "bits/weight", "SNR dB", "SNR dB with " + codebook, "bytes"}};
  double signal_share = 0, worst = INFINITY;
  for (const TensorReport& t : report.tensors) {
    if (!brief)
      rows.push_back({t.name, fmt::format("{} x {}", t.rows, t.cols), t.format, fixed(t.bits_per_weight, 3),
                      fixed(t.snr_db, 2), fixed(t.machine_snr_db, 2), std::to_string(t.bytes)});
    worst = std::min(worst, t.snr_db);
    signal_share += std::isinf(t.snr_db) ? 0.0 : std::pow(10.0, -t.snr_db / 10.0);
  }
  if (!brief) std::cout << table(rows) << '\n';
  const double mean = -10.0 * std::log10(signal_share / static_cast<double>(report.tensors.size()));
  std::cout << out << ": " << report.tensors.size() << " tensors in " << options.format.name << ", "
            << fixed(8.0 * static_cast<double>(report.quantized_bytes) / static_cast<double>(report.quantized_weights),
                     3)
            << " bits/weight with scales and codebooks, SNR " << fixed(mean, 2)
            << " dB (mean noise share), worst tensor " << fixed(worst, 2) << " dB\n"
            << "bytes: " << report.quantized_bytes << " quantised, " << report.other_bytes << " 16-bit, "
            << report.quantized_bytes + report.other_bytes << " in all\n";
  return 0;
}

}  // namespace

const Command kQuantizeCommand = {"quantize", "IN -o OUT.safetensors [--format FMT] [--smooth TEXT --tokenizer FILE]",
                                  "Store a real model's weights in a number format and print the signal-to-noise ratio",
                                  run, "harmonia quantize stories260K.bin --format kmeans4 -o stories.safetensors"};

}  // namespace harmonia::testbench
