#include "harmonia/hw/cosim/block_pins.h"

#include <Vbfp_converter_pins.h>
#include <Vlut_decoder_pins.h>
#include <Voutlier_smoother_pins.h>
#include <Vpe_pins.h>

#include <string>

#include "harmonia/hw/rtl/pin_instance.h"

namespace harmonia::rtl {
namespace {

using Signal = sc_core::sc_signal<bool>;

struct Streams {
  std::vector<std::unique_ptr<PinInput>> inputs;
  std::unique_ptr<PinOutput> output;
  template <class In>
  In& input(const char* name) {
    auto stream = std::make_unique<In>(name);
    In& reference = *stream;
    inputs.push_back(std::move(stream));
    return reference;
  }
  template <class Out>
  Out& out(bool has_keep) {
    auto stream = std::make_unique<Out>("m_axis", has_keep);
    Out& reference = *stream;
    output = std::move(stream);
    return reference;
  }
};

struct ConverterPins : Streams {
  ConverterPins(Signal& clk, Signal& rst_n) {
    dut.clk(clk);
    dut.rst_n(rst_n);
    auto& s = input<PinStreamIn<512>>("s_axis").signals;
    dut.s_axis_tvalid(s.tvalid);
    dut.s_axis_tready(s.tready);
    dut.s_axis_tdata(s.tdata);
    dut.s_axis_tuser(s.tuser);
    dut.s_axis_tlast(s.tlast);
    auto& m = out<PinStreamOut<296, sc_dt::sc_bv<296>, std::uint64_t>>(true).signals;
    dut.m_axis_tvalid(m.tvalid);
    dut.m_axis_tready(m.tready);
    dut.m_axis_tdata(m.tdata);
    dut.m_axis_tkeep(m.tkeep);
    dut.m_axis_tlast(m.tlast);
    dut.nonfinite_count(nonfinite);
  }
  Vbfp_converter_pins dut{"bfp_converter"};
  sc_core::sc_signal<std::uint32_t> nonfinite{"nonfinite"};
  std::uint64_t status() const { return nonfinite.read(); }
};

struct DecoderPins : Streams {
  DecoderPins(Signal& clk, Signal& rst_n) {
    dut.clk(clk);
    dut.rst_n(rst_n);
    auto& c = input<PinStreamIn<8, std::uint32_t, bool>>("s_axis_codebook").signals;
    dut.s_axis_codebook_tvalid(c.tvalid);
    dut.s_axis_codebook_tready(c.tready);
    dut.s_axis_codebook_tdata(c.tdata);
    dut.s_axis_codebook_tuser(c.tuser);
    dut.s_axis_codebook_tlast(c.tlast);
    auto& x = input<PinStreamIn<256, sc_dt::sc_bv<256>, std::uint32_t>>("s_axis_index").signals;
    dut.s_axis_index_tvalid(x.tvalid);
    dut.s_axis_index_tready(x.tready);
    dut.s_axis_index_tdata(x.tdata);
    dut.s_axis_index_tkeep(x.tkeep);
    dut.s_axis_index_tlast(x.tlast);
    auto& s = input<PinStreamIn<16, std::uint32_t, std::uint32_t>>("s_axis_scale").signals;
    dut.s_axis_scale_tvalid(s.tvalid);
    dut.s_axis_scale_tready(s.tready);
    dut.s_axis_scale_tdata(s.tdata);
    dut.s_axis_scale_tuser(s.tuser);
    auto& m = out<PinStreamOut<512, sc_dt::sc_bv<512>, std::uint64_t>>(true).signals;
    dut.m_axis_tvalid(m.tvalid);
    dut.m_axis_tready(m.tready);
    dut.m_axis_tdata(m.tdata);
    dut.m_axis_tkeep(m.tkeep);
    dut.m_axis_tuser(m.tuser);
    dut.m_axis_tlast(m.tlast);
  }
  Vlut_decoder_pins dut{"lut_decoder"};
  std::uint64_t status() const { return 0; }
};

struct PePins : Streams {
  PePins(Signal& clk, Signal& rst_n) {
    dut.clk(clk);
    dut.rst_n(rst_n);
    auto& a = input<PinStreamIn<296>>("s_axis_a").signals;
    dut.s_axis_a_tvalid(a.tvalid);
    dut.s_axis_a_tready(a.tready);
    dut.s_axis_a_tdata(a.tdata);
    dut.s_axis_a_tlast(a.tlast);
    auto& w = input<PinStreamIn<296>>("s_axis_w").signals;
    dut.s_axis_w_tvalid(w.tvalid);
    dut.s_axis_w_tready(w.tready);
    dut.s_axis_w_tdata(w.tdata);
    dut.s_axis_w_tuser(w.tuser);
    auto& m = out<PinStreamOut<48, std::uint64_t, std::uint32_t>>(false).signals;
    dut.m_axis_tvalid(m.tvalid);
    dut.m_axis_tready(m.tready);
    dut.m_axis_tdata(m.tdata);
    dut.m_axis_tlast(m.tlast);
    m.tkeep.write(0x3f);
  }
  Vpe_pins dut{"pe"};
  std::uint64_t status() const { return 0; }
};

struct SmootherPins : Streams {
  SmootherPins(Signal& clk, Signal& rst_n) {
    dut.clk(clk);
    dut.rst_n(rst_n);
    auto& t = input<PinStreamIn<48, std::uint64_t, std::uint32_t>>("s_axis_table").signals;
    dut.s_axis_table_tvalid(t.tvalid);
    dut.s_axis_table_tready(t.tready);
    dut.s_axis_table_tdata(t.tdata);
    auto& s = input<PinStreamIn<512>>("s_axis").signals;
    dut.s_axis_tvalid(s.tvalid);
    dut.s_axis_tready(s.tready);
    dut.s_axis_tdata(s.tdata);
    dut.s_axis_tuser(s.tuser);
    dut.s_axis_tlast(s.tlast);
    auto& m = out<PinStreamOut<512, sc_dt::sc_bv<512>, std::uint64_t>>(false).signals;
    dut.m_axis_tvalid(m.tvalid);
    dut.m_axis_tready(m.tready);
    dut.m_axis_tdata(m.tdata);
    dut.m_axis_tlast(m.tlast);
    m.tkeep.write(~std::uint64_t{0});
  }
  Voutlier_smoother_pins dut{"outlier_smoother"};
  std::uint64_t status() const { return 0; }
};

template <class Pins>
InstanceFactory factory(const char* name, double clock_mhz, std::string vcd) {
  // The kernel adds the suffix itself.
  if (vcd.size() > 4 && vcd.compare(vcd.size() - 4, 4, ".vcd") == 0) vcd.resize(vcd.size() - 4);
  return [=](unsigned index) -> std::unique_ptr<Instance> {
    return std::make_unique<PinInstance<Pins>>((std::string(name) + std::to_string(index)).c_str(), clock_mhz,
                                               index == 0 ? vcd : std::string());
  };
}

}  // namespace

InstanceFactory pin_bfp_converter(double clock_mhz, const std::string& vcd) {
  return factory<ConverterPins>("converter_pins", clock_mhz, vcd);
}
InstanceFactory pin_lut_decoder(double clock_mhz, const std::string& vcd) {
  return factory<DecoderPins>("decoder_pins", clock_mhz, vcd);
}
InstanceFactory pin_pe(double clock_mhz, const std::string& vcd) { return factory<PePins>("pe_pins", clock_mhz, vcd); }
InstanceFactory pin_outlier_smoother(double clock_mhz, const std::string& vcd) {
  return factory<SmootherPins>("smoother_pins", clock_mhz, vcd);
}

}  // namespace harmonia::rtl
