// The port list of pe.sv for rtl::VerilatedDut: any Verilator model with the same ports can be bound with it.
//
// Models: names and widths of the ports at their default parameters. Does not model: what is behind them.
#pragma once

#include "harmonia/hw/rtl/verilated_dut.h"

namespace harmonia::pe {

template <class Model>
void bind_pe(Model& m, rtl::Ports& p) {
  p.clock(m.clk, m.rst_n);
  p.input("s_axis_a", m.s_axis_a_tvalid, m.s_axis_a_tready).data(m.s_axis_a_tdata, 296).last(m.s_axis_a_tlast);
  p.input("s_axis_w", m.s_axis_w_tvalid, m.s_axis_w_tready).data(m.s_axis_w_tdata, 296).user(m.s_axis_w_tuser, 19);
  p.output("m_axis", m.m_axis_tvalid, m.m_axis_tready).data(m.m_axis_tdata, 48).last(m.m_axis_tlast);
}

}  // namespace harmonia::pe
