// harmonia compare as a user meets it, on a tiny model.
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kTiny = "--set model=stories260k --set workload.context=40 --set workload.tokens=1 ";

TEST_CASE("compare: ratios of the weight paths, the winner, and why the speed-up falls short") {
  const Scratch s;
  // A hidden size that is a multiple of every group, so that no padding blurs the ratios.
  s.write("model.yaml",
          "{hidden_size: 256, num_hidden_layers: 3, num_attention_heads: 8, num_key_value_heads: 4, "
          "intermediate_size: 512, vocab_size: 512, head_dim: 32}");
  const Outcome o =
      run_harmonia(s,
                   "compare default --set model=model.yaml --set workload.context=64 --set workload.tokens=1 "
                   "--over weights=fp16,int4,kmeans4,kmeans2,kmeans1 -j 2 -o out");
  INFO(o.err << o.out);
  REQUIRE(o.status == 0);
  const Json j = Json::parse(Scratch::read(s / "out/compare.json"));
  const double bits[] = {16, 4.125, 4.25, 2.25, 1.25};
  for (std::size_t i = 0; i < 5; ++i) {
    const Json& v = j["variants"][i];
    // Each tensor stores its codebook once; that is the only thing beyond the format's own bits.
    REQUIRE(v["figures"]["bits_per_weight"].get<double>() == Approx(bits[i]).epsilon(0.002));
    REQUIRE(v["byte_ratio"].get<double>() == Approx(16 / bits[i]).epsilon(0.002));
    if (i == 0) continue;
    REQUIRE(v["speed_up"].get<double>() < v["byte_ratio"].get<double>());
    REQUIRE(v["because_of"] != "none");
    REQUIRE(v["quality"]["snr_db"].get<double>() < j["variants"][0]["quality"]["snr_db"].get<double>());
    double missing = 0;
    for (const auto& [cause, seconds] : v["shortfall_s_per_token"].items()) missing += seconds.get<double>();
    const double t0 = j["variants"][0]["figures"]["time_per_token_s"], t = v["figures"]["time_per_token_s"];
    REQUIRE(missing == Approx(t - t0 / v["byte_ratio"].get<double>()));
  }
  REQUIRE_THAT(o.out, ContainsSubstring("<- fastest") && ContainsSubstring("lm_head"));
  REQUIRE(lines_of(Scratch::read(s / "out/compare.csv")).size() == 6);
  REQUIRE(fs::exists(s / "out/variants/5/result.json"));
}

TEST_CASE("compare: a variant that cannot run is named with its reason, the others run") {
  const Scratch s;
  const Outcome o = run_harmonia(s, "compare default " + kTiny +
                                        "--over weights=fp16,kmeans9 --over workload.batch=1,4096 "
                                        "--set accelerator.dram.channel.rows=64 -o out");
  INFO(o.err << o.out);
  REQUIRE(o.status == 1);
  REQUIRE_THAT(o.out, ContainsSubstring("FAILED: weights=kmeans9, workload.batch=1:") &&
                          ContainsSubstring("weights.format is 'kmeans9'"));
  REQUIRE_THAT(o.out, ContainsSubstring("FAILED: weights=fp16, workload.batch=4096:") &&
                          ContainsSubstring("the model does not fit the DRAM"));
  REQUIRE_THAT(o.out, ContainsSubstring("weights=fp16, workload.batch=1  <- fastest"));
  REQUIRE_THAT(o.err, ContainsSubstring("3 of 4 variants failed"));
  const Json j = Json::parse(Scratch::read(s / "out/compare.json"));
  REQUIRE(j["variants"][0]["status"] == "ok");
  REQUIRE(j["variants"][1]["status"] == "failed");
}

TEST_CASE("compare and sweep: an unusable command line or file ends with 2 and nothing written") {
  const Scratch s;
  s.write("empty.yaml", "{scenario: default, grid: {weights: []}}");
  s.write("nogrid.yaml", "{scenario: default, grid: {}}");
  s.write("neither.yaml", "{scenario: default}");
  s.write("key.yaml", "{scenario: default, grid: {wieghts: [fp16]}}");
  s.write("top.yaml", "{scenario: default, gird: {weights: [fp16]}}");
  s.write("list.yaml", "[1, 2]");
  for (const char* arguments :
       {"compare default --over nosuch=1,2 -o out", "compare default --over weights= -o out", "compare default -o out",
        "compare default --over weights=[1 -o out", "compare nosuch --over weights=fp16 -o out",
        "compare default --over weights=fp16 --set nosuch=1 -o out", "compare default --over weights=fp16 -j 0 -o out",
        "sweep empty.yaml -o out", "sweep nogrid.yaml -o out", "sweep neither.yaml -o out", "sweep key.yaml -o out",
        "sweep top.yaml -o out", "sweep list.yaml -o out", "sweep absent.yaml -o out", "sweep -o out"}) {
    const Outcome o = run_harmonia(s, arguments);
    INFO(arguments << "\n" << o.err);
    REQUIRE(o.status == 2);
    REQUIRE_FALSE(o.err.empty());
    REQUIRE_FALSE(fs::exists(s / "out"));
    REQUIRE_FALSE(fs::exists(s / "out.partial"));
  }
}

TEST_CASE("compare: the result is there although nobody reads what is printed") {
  const Scratch s;
  // More text than the output buffers. The shell waits for both sides; the reader has long ended when the program prints.
  const std::string shell =
      "cd '" + s.path().string() + "' && (sleep 0.2; exec '" HARMONIA_PROGRAM "' compare default " + kTiny +
      "--over weights=fp16,int4,kmeans4,kmeans2,kmeans1,ternary --over seed=1,2 -o out) " + "2> err | true";
  REQUIRE(std::system(shell.c_str()) == 0);
  INFO(Scratch::read(s / "err"));
  REQUIRE(Scratch::read(s / "out/compare.txt").size() > 5000);
}

}  // namespace
}  // namespace harmonia::test
