// The port list of bfp_converter.sv for rtl::VerilatedDut: any Verilator model with the same ports can be bound with
// it.
//
// Models: names and widths of the ports at their default parameters. Does not model: what is behind them.
#pragma once

#include "harmonia/hw/rtl/verilated_dut.h"

namespace harmonia::converter {

template <class Model>
void bind_bfp_converter(Model& m, rtl::Ports& p) {
  p.clock(m.clk, m.rst_n);
  p.input("s_axis", m.s_axis_tvalid, m.s_axis_tready)
      .data(m.s_axis_tdata, 512)
      .user(m.s_axis_tuser, 7)
      .last(m.s_axis_tlast);
  p.output("m_axis", m.m_axis_tvalid, m.m_axis_tready)
      .data(m.m_axis_tdata, 296)
      .keep(m.m_axis_tkeep, 37)
      .last(m.m_axis_tlast);
  p.status(m.nonfinite_count);
}

}  // namespace harmonia::converter
