// The port list of lut_decoder.sv for rtl::VerilatedDut: any Verilator model with the same ports can be bound with it.
//
// Models: names and widths of the ports at their default parameters. Does not model: what is behind them.
#pragma once

#include "harmonia/hw/rtl/verilated_dut.h"

namespace harmonia::decoder {

template <class Model>
void bind_lut_decoder(Model& m, rtl::Ports& p) {
  p.clock(m.clk, m.rst_n);
  p.input("s_axis_codebook", m.s_axis_codebook_tvalid, m.s_axis_codebook_tready)
      .data(m.s_axis_codebook_tdata, 8)
      .user(m.s_axis_codebook_tuser, 3)
      .last(m.s_axis_codebook_tlast);
  p.input("s_axis_index", m.s_axis_index_tvalid, m.s_axis_index_tready)
      .data(m.s_axis_index_tdata, 256)
      .keep(m.s_axis_index_tkeep, 32)
      .last(m.s_axis_index_tlast);
  p.input("s_axis_scale", m.s_axis_scale_tvalid, m.s_axis_scale_tready)
      .data(m.s_axis_scale_tdata, 16)
      .user(m.s_axis_scale_tuser, 4);
  p.output("m_axis", m.m_axis_tvalid, m.m_axis_tready)
      .data(m.m_axis_tdata, 512)
      .keep(m.m_axis_tkeep, 64)
      .user(m.m_axis_tuser, 16)
      .last(m.m_axis_tlast);
}

}  // namespace harmonia::decoder
