#include "harmonia/hw/formats/format_registry.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "harmonia/hw/formats/random.h"
#include "harmonia/testbench/program/program.h"
#include "harmonia/testbench/weights/safetensors.h"
#include "tests/support/catch.h"

using namespace harmonia::formats;

namespace {

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};

// Runs `harmonia ARGUMENTS` in this process.
Outcome harmonia_program(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
  std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
  const int status = harmonia::testbench::run_program(arguments);
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  return {status, out.str(), err.str()};
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

double snr_db(const std::string& name, const std::vector<float>& w, std::size_t rows, std::size_t cols) {
  const RoundTrip r = round_trip(storage_format(name), w.data(), rows, cols);
  return quantisation_error(w.data(), r.values.data(), w.size()).snr_db;
}

}  // namespace

TEST_CASE("Formats by name: bits per value with metadata") {
  const std::map<std::string, double> bits = {
      {"fp16", 16},         {"bf16", 16},        {"bfp4", 5.25},    {"bfp8", 9.25},     {"bfp4:e5", 5.15625},
      {"bfp8:e5", 9.15625}, {"bfp8:g64", 9.125}, {"bfp11", 12.25},  {"int8", 8.125},    {"int4", 4.125},
      {"int4z", 4.15625},   {"int3", 3.125},     {"int2", 2.125},   {"int4:g64", 4.25}, {"kmeans1", 1.25},
      {"kmeans2", 2.25},    {"kmeans3", 3.25},   {"kmeans4", 4.25}, {"kmeans8", 8.25},  {"kmeans4:int5", 4.25},
      {"nf4", 4.25},        {"fp4", 4.25},       {"ternary", 2.25}, {"mxint8", 8.25},   {"mxint4", 4.25},
      {"mxfp4:even", 4.25}};
  for (const auto& [name, expected] : bits) {
    INFO(name);
    CHECK(storage_format(name).bits_per_value() == expected);
  }
  for (const StorageFormatInfo& f : storage_formats())
    CHECK(storage_format(f.name).bits_per_value() == f.bits_per_value);
}

TEST_CASE("Formats by name: what is stored has the stated size, and codes count every value") {
  const std::size_t rows = 16;
  const std::size_t cols = 640;  // full groups of every format
  std::vector<float> w(rows * cols);
  fill_gaussian(9, w.size(), w.data());
  for (const StorageFormatInfo& f : storage_formats()) {
    INFO(f.name);
    const RoundTrip r = round_trip(storage_format(f.name), w.data(), rows, cols);
    REQUIRE(r.values.size() == w.size());
    std::uint64_t counted = 0;
    for (const CodeCount& c : r.histogram) counted += c.count;
    CHECK(counted == w.size());
    const double codebook_bits = f.name.rfind("kmeans", 0) == 0 ? 32.0 * static_cast<double>(r.codebook.size()) : 0;
    CHECK(static_cast<double>(r.stored_bits) == f.bits_per_value * static_cast<double>(w.size()) + codebook_bits);
    CHECK(quantisation_error(w.data(), r.values.data(), w.size()).snr_db > 1.5);
    // Lengths that do not divide.
    for (const std::size_t odd : {1U, 3U, 31U, 65U, 129U}) {
      const RoundTrip part = round_trip(storage_format(f.name), w.data(), 2, odd);
      CHECK(part.values.size() == 2 * odd);
      CHECK(static_cast<double>(part.stored_bits) >= static_cast<double>(2 * odd) * std::floor(f.bits_per_value));
    }
  }
}

TEST_CASE("Formats by name: more bits, less noise; suffixes do what they say") {
  const std::size_t rows = 64;
  const std::size_t cols = 1024;
  std::vector<float> w(rows * cols);
  fill_gaussian(10, w.size(), w.data());
  for (int m = 2; m <= 11; ++m)
    CHECK(snr_db("bfp" + std::to_string(m), w, rows, cols) > snr_db("bfp" + std::to_string(m - 1), w, rows, cols) + 4);
  CHECK(snr_db("bfp4:ne", w, rows, cols) > snr_db("bfp4", w, rows, cols) + 4);
  CHECK(snr_db("bfp8:e5", w, rows, cols) == snr_db("bfp8", w, rows, cols));
  CHECK(snr_db("int4:g32", w, rows, cols) > snr_db("int4", w, rows, cols) + 1);
  CHECK(snr_db("kmeans4:int5", w, rows, cols) < snr_db("kmeans4:int8", w, rows, cols) - 0.5);
  CHECK(snr_db("kmeans4:int8", w, rows, cols) > snr_db("kmeans4", w, rows, cols) - 0.03);
  CHECK(std::abs(snr_db("kmeans4:bf16", w, rows, cols) - snr_db("kmeans4", w, rows, cols)) < 0.02);
  CHECK(snr_db("mxfp4:floor", w, rows, cols) < snr_db("mxfp4:even", w, rows, cols) - 3);
  CHECK(snr_db("fp16", w, rows, cols) > 70);
  CHECK(quantisation_error(w.data(), w.data(), w.size()).snr_db == std::numeric_limits<double>::infinity());
}

TEST_CASE("Formats by name: unknown names and unusable tensors are refused") {
  for (const char* name : {"",
                           "fp17",
                           "bfp",
                           "bfp0",
                           "bfp12",
                           "bfp8:e6",
                           "bfp8:g48",
                           "bfp8:",
                           "int5",
                           "intz",
                           "int",
                           "int4:g0",
                           "int4:gx",
                           "kmeans5",
                           "kmeans",
                           "kmeans4:int4",
                           "nf4:e5",
                           "mxfp4:up",
                           "fp16:e5",
                           "mxint2",
                           "kmeans99999999999",
                           "bfp8:g99999999999"}) {
    INFO(name);
    CHECK_THROWS_AS(storage_format(name), std::invalid_argument);
  }
  std::vector<float> w = {1, 2, std::numeric_limits<float>::infinity(), 4};
  for (const StorageFormatInfo& f : storage_formats()) {
    CHECK_THROWS_AS(round_trip(storage_format(f.name), w.data(), 1, 4), std::invalid_argument);
    CHECK_THROWS_AS(round_trip(storage_format(f.name), w.data(), 0, 4), std::invalid_argument);
  }
}

TEST_CASE("harmonia formats: text and JSON") {
  const Outcome text =
      harmonia_program({"formats", "kmeans2", "--gaussian", "--rows", "256", "--cols", "256", "--seed", "3"});
  INFO(text.out << text.err);
  CHECK(text.status == 0);
  CHECK(contains(text.out, "bits per value  2.25 with metadata"));
  CHECK(contains(text.out, "SNR             9.3"));
  CHECK(contains(text.out, "codebook index, 4 in use"));
  const std::vector<std::string> json_arguments = {"formats", "mxfp4",  "--student-t", "--rows",
                                                   "8",       "--cols", "64",          "--json"};
  const Outcome json = harmonia_program(json_arguments);
  CHECK(json.status == 0);
  const auto parsed = nlohmann::json::parse(json.out);
  CHECK(parsed["bits_per_value"] == 4.25);
  CHECK(parsed["stored_bits"] == 8 * 64 * 4.25);
  CHECK(parsed["histogram"].size() > 4);
  CHECK(harmonia_program(json_arguments).out == json.out);
  CHECK(harmonia_program({"formats", "bfp8", "--outlier", "--cols", "300", "--rows", "2"}).status == 0);
}

TEST_CASE("harmonia formats: a tensor of a file") {
  const auto path =
      std::filesystem::temp_directory_path() / ("harmonia-formats-" + std::to_string(::getpid()) + ".safetensors");
  const std::vector<float> w = {1, -2, 3, 4, 5, std::numeric_limits<float>::quiet_NaN()};
  using harmonia::testbench::Dtype;
  harmonia::testbench::write_safetensors(
      path, {{"good", Dtype::kF32, {2, 2}, w.data()}, {"bad", Dtype::kF32, {6}, w.data()}});
  const std::string file = path.string();
  const Outcome good = harmonia_program({"formats", "fp16", "--tensor", file + ":good", "--json"});
  CHECK(good.status == 0);
  CHECK(nlohmann::json::parse(good.out)["snr_db"].is_null());  // nothing is lost: infinite
  CHECK(nlohmann::json::parse(good.out)["rows"] == 2);
  const struct {
    std::vector<std::string> arguments;
    std::string expected;
  } cases[] = {{{"formats", "fp16", "--tensor", file + ":bad"}, "value [0, 5] is not finite"},
               {{"formats", "fp16", "--tensor", file + ":goad"}, "no tensor 'goad', nearest: 'good'"},
               {{"formats", "fp16", "--tensor", file}, "holds 2 tensors"},
               {{"formats", "fp16", "--tensor", file + "x:good"}, "no such file"},
               {{"formats", "kmean4", "--gaussian"}, "nearest known format is 'kmeans4'"},
               {{"formats", "kmeans4:int4", "--gaussian"}, "expected int8, int5 or bf16 after 'kmeans4'"},
               {{"formats", "zzzzzzzzzz", "--gaussian"}, "expected one of fp16 bf16"},
               {{"formats", "kmeans4"}, "exactly one of"},
               {{"formats", "kmeans4", "--gaussian", "--outlier"}, "exactly one of"},
               {{"formats", "kmeans4", "--gaussian", "--rows", "1000000", "--cols", "1000000"}, "more than 2^30"},
               {{"formats", "kmeans4", "--gaussian", "--rows", "0"}, "rows"},
               {{"formats"}, "FORMAT"}};
  for (const auto& c : cases) {
    const Outcome refused = harmonia_program(c.arguments);
    INFO(refused.err);
    CHECK(refused.status == 2);
    CHECK(refused.out.empty());
    CHECK(contains(refused.err, c.expected));
  }
  std::filesystem::remove(path);
}
