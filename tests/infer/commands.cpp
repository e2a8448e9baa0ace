// harmonia quantize and harmonia infer as a user meets them.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/model_files.h"
#include "tests/support/scratch.h"

namespace harmonia::test {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void write(const Scratch& s, const std::string& name, const Blob& bytes) {
  s.write(name, std::string(bytes.begin(), bytes.end()));
}

/// model.bin, tokenizer.bin and model.gguf of one tiny model.
void write_tiny(const Scratch& s) {
  const TinyModel m(21);
  write(s, "model.bin", llama2c_bytes(m));
  write(s, "tokenizer.bin", llama2c_tokenizer_bytes());
  write(s, "model.gguf", gguf_bytes(m, GgufType::kF32));
}
const std::string kTiny = "infer --weights model.bin --tokenizer tokenizer.bin ";

TEST_CASE("infer: an option that would have no effect is refused") {
  const Scratch s;
  const auto refused = [&](const std::string& arguments, const std::string& said) {
    const Outcome o = run_harmonia(s, "infer --weights w.bin --tokenizer t.bin " + arguments);
    CHECK(o.status == 2);
    CHECK_THAT(o.err, ContainsSubstring(said));
  };
  refused("--markdown table.md", "--markdown has no effect without a table");
  refused("--over kv.format=fp16 --text a.txt --tokens 3 --expect b.txt", "--expect has no effect on a table");
}

TEST_CASE("infer continues a prompt, the same from llama2.c and GGUF files, and --expect compares") {
  const Scratch s;
  write_tiny(s);
  const Outcome plain = run_harmonia(s, kTiny + "--prompt 'ab ba' --tokens 8 --path fp32 --json");
  REQUIRE(plain.status == 0);
  const auto result = nlohmann::json::parse(plain.out);
  REQUIRE(result["tokens"].size() == result["prompt_tokens"].get<std::size_t>() + 8);
  REQUIRE(result["text"].get<std::string>().compare(0, 5, "ab ba") == 0);
  const Outcome gguf = run_harmonia(s, "infer --weights model.gguf --prompt 'ab ba' --tokens 8 --path fp32 --json");
  REQUIRE(nlohmann::json::parse(gguf.out)["tokens"] == result["tokens"]);

  // The tiny model's bytes are no UTF-8, so the text is taken from the plain output.
  const std::string again = kTiny + "--prompt 'ab ba' --tokens 8 --path fp32 --expect golden.txt";
  const std::string printed = run_harmonia(s, kTiny + "--prompt 'ab ba' --tokens 8 --path fp32").out;
  s.write("golden.txt", printed.substr(0, printed.find("\n\nFP32 reference")));
  REQUIRE(contains(run_harmonia(s, again).out, "equals golden.txt"));
  REQUIRE(run_harmonia(s, again).status == 0);

  // A model whose query rows were permuted loads: no file says so. Only its output does.
  TinyModel permuted(21);
  for (TinyModel::Layer& l : permuted.layers) l.q = half_split(l.q, 8);
  write(s, "model.bin", llama2c_bytes(permuted));
  const Outcome other = run_harmonia(s, again);
  REQUIRE(other.status == 1);
  REQUIRE(contains(other.err, "the output differs from golden.txt at byte"));
  REQUIRE(contains(other.err, "permuted"));
}

TEST_CASE("infer says how likely a text is, on every path and in a table over settings") {
  const Scratch s;
  write_tiny(s);
  s.write("text.txt", "ab ba abba\n<|endoftext|>\nbaab a b\n");
  for (const char* path : {"fp32", "golden"}) {
    const Outcome o = run_harmonia(s, kTiny + "--text text.txt --json --path " + path);
    REQUIRE(o.status == 0);
    const auto quality = nlohmann::json::parse(o.out)["quality"][0];
    REQUIRE(quality["perplexity"].get<double>() == Approx(std::exp(quality["nll_per_token"].get<double>())));
  }
  const Outcome o = run_harmonia(
      s, kTiny + "--text text.txt --over weights.format=fp16,kmeans4 --over kv.format=fp16,bfp4 --markdown table.md");
  REQUIRE(o.status == 0);
  const std::string table = Scratch::read(s / "table.md");
  REQUIRE(std::count(table.begin(), table.end(), '\n') == 7);  // head, rule, FP32, four settings
  REQUIRE(contains(table, "| kmeans4 | bfp4 |"));
}

TEST_CASE("the systemc path prints the golden path's text and says what it costs on the machine") {
  const Scratch s;
  write_tiny(s);
  const std::string rest = "--prompt 'ab ba' --tokens 6 --set weights.format=kmeans4 --json --path ";
  const Outcome golden = run_harmonia(s, kTiny + rest + "golden"), machine = run_harmonia(s, kTiny + rest + "systemc");
  INFO(machine.err);
  REQUIRE(machine.status == 0);
  const auto expected = nlohmann::json::parse(golden.out), got = nlohmann::json::parse(machine.out);
  REQUIRE(got["tokens"] == expected["tokens"]);
  REQUIRE_FALSE(expected.contains("predicted"));
  const auto& predicted = got["predicted"];
  REQUIRE(predicted["steps"].size() == 6);
  REQUIRE(predicted["time_per_output_token_s"].get<double>() > 0);
  REQUIRE(predicted["achieved_bytes_per_s"].get<double>() < predicted["peak_bytes_per_s"].get<double>());
  REQUIRE(predicted["energy"]["per_output_token_j"].get<double>() > 0);
  REQUIRE(predicted["assumptions"].size() > 10);

  s.write("text.txt", "ab ba abba");
  const Outcome text = run_harmonia(
      s, kTiny + "--text text.txt --prefill 4 --path systemc --set accelerator.pe.rows=4 --set dram.channels=2");
  REQUIRE(text.status == 0);
  REQUIRE(contains(text.out, "output head of the machine computes the last token"));
  REQUIRE(contains(text.out, "Energy"));
}

TEST_CASE(
    "compare measures each variant's quality on a real model, as infer does, and the report draws the Pareto plot") {
  const Scratch s;
  write_tiny(s);
  s.write("text.txt", "ab ba abba\n<|endoftext|>\nbaab a b\n");
  const std::string compare =
      "compare --set model=stories260k --set workload.context=40 --set workload.tokens=1 --over weights=int8,kmeans2 "
      "--over kv=bfp8,bfp4 --tokenizer tokenizer.bin ";
  const Outcome o = run_harmonia(s, compare + "--weights model.bin --text text.txt -o out");
  INFO(o.err);
  REQUIRE(o.status == 0);
  REQUIRE(contains(o.out, "Quality measured on model.bin"));
  const auto j = nlohmann::json::parse(Scratch::read(s / "out/compare.json"));
  REQUIRE(j["measured_on"]["texts"][0] == "text.txt");
  REQUIRE(j["measured_on"]["cost_of"] == "stories260k");
  REQUIRE(j["variants"].size() == 4);
  const auto infer = nlohmann::json::parse(
      run_harmonia(s, kTiny + "--text text.txt --json --set weights.format=kmeans2 --set kv.format=bfp4 "
                              "--set smoothing.online=true")
          .out)["quality"][0];
  const auto& last = j["variants"][3];
  REQUIRE(last["measured"]["weights"] == "kmeans2");
  REQUIRE(last["measured"]["kv"] == "bfp4");
  REQUIRE(last["measured"]["perplexity"].get<double>() == Approx(infer["perplexity"].get<double>()));
  REQUIRE(last["measured"]["nll_loss"].get<double>() ==
          Approx(infer["nll_per_token"].get<double>() - j["measured_on"]["fp32_nll"].get<double>()));
  REQUIRE(last["figures"]["energy_per_token_j"].get<double>() > 0);
  const std::string csv = Scratch::read(s / "out/compare.csv");
  REQUIRE(contains(csv, ",perplexity,nll,nll_loss,nll_loss_standard_error,agreement\n"));
  REQUIRE(run_harmonia(s, "report out").status == 0);
  REQUIRE(contains(Scratch::read(s / "out/report.html"), "Pareto plot: perplexity against time and energy"));

  // The PEs of a baseline by their own arithmetic; weights that they do not multiply are named.
  const Outcome designs =
      run_harmonia(s,
                   "compare --set model=stories260k --set workload.context=40 --set workload.tokens=1 --set kv=fp16 "
                   "--over accelerator=figna-m8,figna --over weights=int4,int8 --tokenizer tokenizer.bin --weights "
                   "model.bin --text text.txt -o designs");
  INFO(designs.err);
  REQUIRE(designs.status == 0);
  const auto d = nlohmann::json::parse(Scratch::read(s / "designs/compare.json"))["variants"];
  const auto alone = nlohmann::json::parse(
      run_harmonia(s, kTiny + "--text text.txt --json --set weights.format=int4 --set kv.format=fp16 "
                              "--set activations.format=figna_m8")
          .out)["quality"][0];
  REQUIRE(d[0]["measured"]["nll"].get<double>() == Approx(alone["nll_per_token"].get<double>()));
  REQUIRE(d[2]["measured"]["nll"] != d[0]["measured"]["nll"]);
  REQUIRE_FALSE(d[1].contains("measured"));
  REQUIRE(contains(designs.out, "not measured, accelerator=figna-m8, weights=int8: the PEs of figna_m8 multiply"));

  for (const auto& [arguments, message] : std::vector<std::pair<std::string, std::string>>{
           {compare + "--weights model.bin", "--weights needs --text"},
           {compare + "--text text.txt", "--tokenizer needs --weights"},
           {compare + "--weights tokenizer.bin --text text.txt -o bad", "tokenizer.bin"},
           {compare + "--weights model.bin --text nowhere.txt -o bad", "nowhere.txt"}}) {
    const Outcome wrong = run_harmonia(s, arguments);
    INFO(wrong.err);
    REQUIRE(wrong.status == 2);
    REQUIRE(contains(wrong.err, message));
    REQUIRE_FALSE(std::filesystem::exists(s / "bad"));
  }
}

TEST_CASE("sampling is a function of the seed") {
  const Scratch s;
  write_tiny(s);
  const auto tokens = [&](const std::string& seed) {
    const Outcome o = run_harmonia(s, kTiny + "--tokens 12 --temperature 1 --json --seed " + seed);
    REQUIRE(o.status == 0);
    return nlohmann::json::parse(o.out)["tokens"];
  };
  REQUIRE(tokens("5") == tokens("5"));
  REQUIRE(tokens("5") != tokens("6"));
}

TEST_CASE("quantize writes what infer reads, and says bits, SNR and bytes of each tensor") {
  const Scratch s;
  write_tiny(s);
  const Outcome o = run_harmonia(s, "quantize model.bin -o q.safetensors --format kmeans4");
  REQUIRE(o.status == 0);
  REQUIRE(contains(o.out, "model.layers.1.mlp.down_proj"));
  REQUIRE(contains(o.out, "bits/weight with scales and codebooks"));
  s.write("text.txt", "ab ba abba");
  const Outcome direct = run_harmonia(s, kTiny + "--text text.txt --json --set weights.format=kmeans4");
  const Outcome stored =
      run_harmonia(s, "infer --weights q.safetensors --tokenizer tokenizer.bin --text text.txt --json");
  REQUIRE(nlohmann::json::parse(stored.out)["quality"] == nlohmann::json::parse(direct.out)["quality"]);
  const Outcome smooth = run_harmonia(
      s, "quantize model.bin -o s.safetensors --format int4 --smooth text.txt --tokenizer tokenizer.bin --brief");
  REQUIRE(smooth.status == 0);
  REQUIRE_FALSE(contains(smooth.out, "down_proj"));
}

TEST_CASE("unusable input of quantize and infer ends with status 2, one line, and nothing written") {
  const Scratch s;
  write_tiny(s);
  s.write("text.txt", "ab");
  s.write("empty.txt", "");
  const Blob whole = llama2c_bytes(TinyModel(21));
  write(s, "cut.bin", {whole.begin(), whole.begin() + 1000});
  const auto says = [&](const std::string& arguments, const std::string& message) {
    const Outcome o = run_harmonia(s, arguments);
    INFO(arguments << ": " << o.err);
    CHECK(o.status == 2);
    CHECK(o.out.empty());
    CHECK(contains(o.err, message));
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
  };
  says("infer --weights nomodel", "neither a file nor a trained model");
  says("infer --weights nowhere.bin --tokenizer tokenizer.bin", "nowhere.bin");
  says("infer --weights cut.bin --tokenizer tokenizer.bin", "cut.bin");
  says("infer --weights model.bin", "model.bin");  // a llama2.c file holds no tokenizer
  says("infer --weights model.bin --tokenizer model.bin", "model.bin");
  says(kTiny + "--path simd", "unknown path 'simd', expected one of fp32, golden, systemc");
  says(kTiny + "--set weights.format=kmeans5", "weights.format");
  says(kTiny + "--set kv.fromat=fp16", "nearest");
  says(kTiny + "--set weights.codebook=bf16", "activations.format=fp16");
  says(kTiny + "--set activations.format=figna --set weights.format=int8",
       "the PEs of figna multiply integers of -15 to 15, expected weights.format int4");
  says(kTiny + "--set activations.format=bitmod --set weights.format=int4 --set weights.zero_point=true",
       "integers of -8 to 7, expected weights.format int4 without a zero-point");
  says(kTiny + "--set activations.format=anda --set weights.format=kmeans4", "with weights.codebook=int5");
  says(kTiny + "--set activations.format=fp_int", "weights are 16-bit words");  // as stored
  says(kTiny + "--set activations.format=figna --set activations.mantissa_bits=6", "mantissa_bits needs");
  says(kTiny + "--path systemc --set activations.format=figna --set weights.format=int4", "--path golden");
  says(kTiny + "--set smoothing.offline_exponent=0.5", "--calibrate FILE");
  says(kTiny + "--text nowhere.txt", "nowhere.txt");
  says(kTiny + "--text empty.txt", "holds no text");
  says(kTiny + "--over weights.format=fp16", "--over needs --text FILE");
  says(kTiny + "--text text.txt --over weights.format", "expected key=value");
  says(kTiny + "--text text.txt --over weights.format=fp16,int5", "int5");
  says(kTiny + "--set dram.channels=2", "needs --path systemc");
  says(kTiny + "--path systemc --accelerator nowhere", "nowhere");
  says(kTiny + "--path systemc --set accelerator.pe.rwos=4", "nearest");
  says(kTiny + "--path systemc --set weights.group_size=64 --set weights.format=int4", "128");
  says(kTiny + "--expect nowhere.txt", "nowhere.txt");
  says(kTiny + "--text text.txt --expect text.txt", "--expect needs tokens");
  says(kTiny + "--prompt 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", "--prompt has");
  says("quantize model.bin", "-o OUT is missing");
  says("quantize model.bin -o q.bin", "ends in .safetensors");
  says("quantize model.bin -o q.safetensors --format kmeans5", "unknown number format 'kmeans5'");
  says("quantize cut.bin -o q.safetensors", "cut.bin");
  says("quantize model.bin -o q.safetensors --smooth text.txt", "--smooth needs --tokenizer");
  says("quantize model.bin -o q.safetensors --smooth empty.txt --tokenizer tokenizer.bin", "calibration text is empty");
  REQUIRE_FALSE(std::filesystem::exists(s / "q.safetensors"));
  REQUIRE_FALSE(std::filesystem::exists(s / "q.bin"));
}

TEST_CASE("a tokenizer of another vocabulary is told by its size") {
  HARMONIA_REQUIRE_DATA(folder);
  const Scratch s;
  write_tiny(s);
  const std::string models = (folder / "data/models/").string();
  const Outcome o = run_harmonia(s, "infer --weights model.bin --tokenizer " + models + "tok512.bin");
  REQUIRE(o.status == 2);
  REQUIRE(contains(o.err, "the tokenizer belongs to another model"));
  const Outcome small = run_harmonia(s, "infer --weights " + models + "stories260K.bin --tokenizer tokenizer.bin");
  REQUIRE(small.status == 2);
  REQUIRE(contains(small.err, "vocabulary of 512 tokens"));
}

TEST_CASE("the program's greedy FP32 text of stories260K is llama2.c's, and a permuted model's is not") {
  HARMONIA_REQUIRE_DATA(folder);
  const Scratch s;
  const std::string models = (folder / "data/models/").string();
  const std::string rest = " --tokenizer " + models + "tok512.bin --path fp32 --tokens 257 --expect " + models +
                           "stories260K_greedy_golden.txt";
  REQUIRE(run_harmonia(s, "infer --weights " + models + "stories260K.bin" + rest).status == 0);
  // Rows 0 and 1 of the first layer's query projection swapped: header, embedding and five norms lie before it.
  std::string bytes = Scratch::read(models + "stories260K.bin");
  const std::size_t q = 28 + 4 * (512 * 64 + 5 * 64);
  std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(q), bytes.begin() + static_cast<std::ptrdiff_t>(q + 256),
                   bytes.begin() + static_cast<std::ptrdiff_t>(q + 256));
  const Outcome o = run_harmonia(s, "infer --weights " + s.write("permuted.bin", bytes) + rest);
  REQUIRE(o.status == 1);
  REQUIRE(contains(o.err, "the output differs"));
}

}  // namespace
}  // namespace harmonia::test
