// The assertions on streams: each rule fires when it is broken, none does in the four blocks under heavy stalls, and those bound into a
// block see its pins.
#include <Vassertion_probe.h>
#include <Vbroken_converter.h>
#include <Vbroken_decoder.h>
#include <Vbroken_pe.h>
#include <Vbroken_smoother.h>
#include <Vbroken_unpack.h>
#include <Vchecked_converter.h>
#include <Vchecked_decoder.h>
#include <Vchecked_pe.h>
#include <Vchecked_smoother.h>

#include <functional>
#include <map>
#include <set>
#include <string>

#include "harmonia/hw/converter/bfp_converter_ports.h"
#include "harmonia/hw/converter/bfp_converter_rtl.h"
#include "harmonia/hw/decoder/lut_decoder_ports.h"
#include "harmonia/hw/decoder/lut_decoder_rtl.h"
#include "harmonia/hw/pe/pe_ports.h"
#include "harmonia/hw/pe/pe_rtl.h"
#include "harmonia/hw/smoother/outlier_smoother_ports.h"
#include "harmonia/hw/smoother/outlier_smoother_rtl.h"
#include "tests/rtl/random.h"
#include "tests/support/catch.h"

namespace {
std::map<std::string, std::set<std::string>> broken;  // rule: where
}  // namespace

extern "C" void harmonia_assertion_failed(const char* where, const char* rule) { broken[rule].insert(where); }

namespace harmonia {
namespace {

using formats::Fp16;

using Rules = std::set<std::string>;
Rules rules() {
  Rules names;
  for (const auto& [rule, where] : broken) names.insert(rule);
  return names;
}

/// The probe with legal levels; a test changes them cycle by cycle.
struct Probe {
  Probe() {
    broken.clear();
    p.tkeep = 15;
    p.tlast = 1;
    cycle();
    p.rst_n = 1;
    cycle();
  }
  void cycle() {
    p.clk = 0;
    p.eval();
    p.clk = 1;
    p.eval();
  }
  /// Two legal cycles in which a beat waits.
  void offer() {
    p.tvalid = 1;
    cycle();
    cycle();
    REQUIRE(rules() == Rules{});
  }
  Vassertion_probe p;
};

template <class Model, class Bind>
rtl::VerilatedDut<Model> dut_of(const char* name, Bind bind) {
  broken.clear();
  return rtl::VerilatedDut<Model>(name, bind);
}

constexpr rtl::Stalls kHeavy = {500, 500, 3};

}  // namespace

TEST_CASE("assertions: legal beats that wait, are taken and follow each other break no rule") {
  Probe probe;
  probe.offer();
  probe.p.tready = 1;
  probe.cycle();
  for (int i = 0; i < 8; ++i) {
    probe.p.tdata = static_cast<unsigned char>(i);
    probe.p.tlast = i % 2;
    probe.cycle();
  }
  REQUIRE(rules() == Rules{});
}

TEST_CASE("assertions: a reset of one cycle, in which a waiting beat vanishes, breaks no rule") {
  Probe probe;
  probe.offer();
  probe.p.rst_n = 0;
  probe.cycle();
  probe.p.rst_n = 1;
  probe.p.tvalid = 0;
  probe.cycle();
  probe.p.tvalid = 1;
  probe.cycle();
  REQUIRE(rules() == Rules{});
}

TEST_CASE("assertions: TVALID that falls before TREADY") {
  Probe probe;
  probe.offer();
  probe.p.tvalid = 0;
  probe.cycle();
  probe.cycle();
  REQUIRE(rules() == Rules{"valid stays"});
}

TEST_CASE("assertions: data, TKEEP, TUSER or TLAST that change while they wait") {
  using Change = std::function<void(Vassertion_probe&)>;
  for (const Change& change : {Change([](auto& p) { p.tdata ^= 1; }), Change([](auto& p) { p.tkeep = 7; }),
                               Change([](auto& p) { p.tuser ^= 1; }), Change([](auto& p) { p.tlast ^= 1; })}) {
    Probe probe;
    probe.offer();
    change(probe.p);
    probe.cycle();
    REQUIRE(rules() == Rules{"data stable"});
  }
}

TEST_CASE("assertions: TKEEP with a hole, or with no byte") {
  for (const int keep : {0, 2, 5, 13}) {
    Probe probe;
    probe.p.tkeep = static_cast<unsigned char>(keep);
    probe.p.tvalid = 1;
    probe.cycle();
    REQUIRE(rules() == Rules{"TKEEP legal"});
  }
}

TEST_CASE("assertions: a partial beat that is not the last of its packet") {
  Probe probe;
  probe.p.tkeep = 3;
  probe.p.tlast = 0;
  probe.p.tvalid = 1;
  probe.cycle();
  REQUIRE(rules() == Rules{"only the last beat is partial"});
}

TEST_CASE("assertions: a beat that is offered out of reset") {
  Probe probe;
  probe.p.rst_n = 0;
  probe.cycle();
  probe.p.rst_n = 1;
  probe.p.tvalid = 1;
  probe.cycle();
  REQUIRE(rules() == Rules{"no beat after reset"});
}

TEST_CASE("assertions: packets that leave out of order, and beats that nothing came in for") {
  {
    Probe probe;
    probe.p.in_taken = 1;
    probe.p.in_last = 1;
    probe.cycle();
    probe.p.in_taken = 0;
    probe.p.out_taken = 1;
    probe.p.out_last = 0;
    probe.cycle();
    REQUIRE(rules() == Rules{"packet order"});
  }
  Probe probe;
  probe.p.out_taken = 1;
  probe.cycle();
  REQUIRE(rules() == Rules{"no beat of nothing"});
}

TEST_CASE("assertions: a packet that ends at the output before it ended at the input") {
  Probe probe;
  probe.p.in_ends = 1;
  probe.cycle();
  probe.p.in_ends = 0;
  probe.p.out_ends = 1;
  probe.cycle();
  REQUIRE(rules() == Rules{});
  probe.cycle();
  REQUIRE(rules() == Rules{"no packet ends early"});
}

void convert(rtl::StreamDriver& driver, int groups) {
  test::Random random(1);
  std::array<Fp16, 32> x;
  for (int i = 0; i < groups; ++i) {
    test::random_fp16(random, x.data(), x.size());
    driver.push(0, converter::row_beat(i % 2 ? formats::kBfp8 : formats::kBfp4, x.data(), 32, random() & 1));
  }
  driver.run(static_cast<std::size_t>(groups), [](const rtl::Beat&) {});
}

TEST_CASE("assertions: a converter that ends packets elsewhere breaks their order") {
  auto dut = dut_of<Vbroken_converter>("broken", converter::bind_bfp_converter<Vbroken_converter>);
  rtl::StreamDriver driver(dut, kHeavy);
  convert(driver, 20);
  REQUIRE(rules() == Rules{"packet order"});
}

TEST_CASE("assertions: the converter keeps every rule, and a beat withdrawn from its input is seen there") {
  auto dut = dut_of<Vchecked_converter>("checked", converter::bind_bfp_converter<Vchecked_converter>);
  rtl::StreamDriver driver(dut, kHeavy);
  convert(driver, 300);
  REQUIRE(rules() == Rules{});
  std::array<Fp16, 32> x{};
  // Four stages fill up, the fifth beat waits, and vanishes.
  const rtl::Beat beat = converter::row_beat(formats::kBfp8, x.data(), 32);
  dut.drive_ready(false);
  for (int i = 0; i < 10; ++i) {
    dut.drive(0, i < 8 ? &beat : nullptr);
    dut.settle();
    dut.clock();
  }
  REQUIRE(rules() == Rules{"valid stays"});
  REQUIRE(broken["valid stays"].size() == 1);
  REQUIRE(broken["valid stays"].begin()->find("check_s_axis") != std::string::npos);
}

/// 40 rows of random codes in three modes, with a codebook in front of each. What the values are is not looked at.
void decode_rows(rtl::StreamDut& dut) {
  rtl::StreamDriver driver(dut);
  test::Random random(2);
  const std::array<std::int8_t, 16> table{};
  for (int row = 0; row < 40; ++row) {
    const auto mode = static_cast<decoder::LutDecoderRtlMode>(row % 3);
    driver.set_stalls({});
    for (const rtl::Beat& b : decoder::codebook_beats(mode, table.data())) driver.push(decoder::kCodebookStream, b);
    while (driver.pending(decoder::kCodebookStream)) driver.cycle();
    driver.set_stalls({kHeavy.input, kHeavy.output, static_cast<std::uint64_t>(row)});
    const std::size_t cols = 1 + random() % 500;
    std::vector<std::uint8_t> packed(cols / 2 + 1);
    for (std::uint8_t& byte : packed) byte = static_cast<std::uint8_t>(random());
    const std::vector<std::uint16_t> scales(cols / 64 + 1);
    const auto beats = decoder::row_beats(mode, packed.data(), cols, scales.data(), nullptr);
    for (const rtl::Beat& b : beats.index) driver.push(decoder::kIndexStream, b);
    for (const rtl::Beat& b : beats.scale) driver.push(decoder::kScaleStream, b);
    driver.run(decoder::golden_row(mode, table.data(), packed.data(), cols, scales.data(), nullptr).size(),
               [](const rtl::Beat&) {});
  }
}

TEST_CASE("assertions: the decoder keeps every rule, and its codes are those of the proof's specification") {
  auto dut = dut_of<Vchecked_decoder>("checked", decoder::bind_lut_decoder<Vchecked_decoder>);
  Verilated::fatalOnError(false);
  decode_rows(dut);
  REQUIRE(rules() == Rules{});
  REQUIRE(!Verilated::gotError());
}

TEST_CASE(
    "assertions: a decoder whose unpacking is wrong breaks the proof's specification, and no rule of its streams") {
  auto dut = dut_of<Vbroken_unpack>("broken", decoder::bind_lut_decoder<Vbroken_unpack>);
  Verilated::fatalOnError(false);
  decode_rows(dut);
  REQUIRE(rules() == Rules{});
  REQUIRE(Verilated::gotError());
}

TEST_CASE("assertions: a decoder that ends a row with each block breaks the order of packets") {
  auto dut = dut_of<Vbroken_decoder>("broken", decoder::bind_lut_decoder<Vbroken_decoder>);
  decode_rows(dut);
  REQUIRE(rules() == Rules{"no packet ends early"});
}

void multiply(rtl::StreamDriver& driver, int groups) {
  test::Random random(3);
  std::array<std::uint8_t, 37> a;
  std::array<std::int8_t, 32> w{};
  for (int i = 0; i < groups; ++i) {
    test::random_group(random, formats::kBfp8, a.data());
    driver.push(pe::kFirstOperand, pe::first_operand(a.data(), random() & 1));
    driver.push(pe::kSecondOperand,
                pe::integer_operand(i % 2 ? formats::PeMode::kM8W4 : formats::PeMode::kM8L8, w.data()));
  }
  driver.run(static_cast<std::size_t>(groups), [](const rtl::Beat&) {});
}

TEST_CASE("assertions: the PE keeps every rule") {
  auto dut = dut_of<Vchecked_pe>("checked", pe::bind_pe<Vchecked_pe>);
  rtl::StreamDriver driver(dut, kHeavy);
  multiply(driver, 300);
  REQUIRE(rules() == Rules{});
}

TEST_CASE("assertions: a PE whose result does not wait is seen at its output") {
  auto dut = dut_of<Vbroken_pe>("broken", pe::bind_pe<Vbroken_pe>);
  rtl::StreamDriver driver(dut, kHeavy);
  // The driver looks at the handshake too, in its own way.
  REQUIRE_THROWS_AS(multiply(driver, 300), rtl::Difference);
  for (int i = 0; i < 10; ++i) {
    dut.drive_ready(false);
    dut.settle();
    dut.clock();
  }
  REQUIRE(rules().count("valid stays") == 1);
  for (const auto& [rule, where] : broken)
    for (const std::string& place : where) REQUIRE(place.find("check_m_axis") != std::string::npos);
}

void smooth(rtl::StreamDriver& driver, int keys) {
  test::Random random(4);
  std::array<Fp16, 32> x;
  for (int i = 0; i < keys; ++i) {
    test::random_fp16(random, x.data(), x.size());
    driver.push(smoother::kTableStream, smoother::table_beat(random() % 8, random() % 4, true, random() % 128, x[0]));
    driver.push(smoother::kKeyStream,
                smoother::key_beat(random() % 8, 32 * (random() % 4), x.data(), 32, random() & 1));
  }
  driver.run(static_cast<std::size_t>(keys), [](const rtl::Beat&) {});
}

TEST_CASE("assertions: the smoother keeps every rule") {
  auto dut = dut_of<Vchecked_smoother>("checked", smoother::bind_outlier_smoother<Vchecked_smoother>);
  rtl::StreamDriver driver(dut, kHeavy);
  smooth(driver, 300);
  REQUIRE(rules() == Rules{});
}

TEST_CASE("assertions: a smoother that offers a result out of reset") {
  auto dut = dut_of<Vbroken_smoother>("broken", smoother::bind_outlier_smoother<Vbroken_smoother>);
  REQUIRE(rules() == Rules{"no beat after reset"});
}

}  // namespace harmonia
