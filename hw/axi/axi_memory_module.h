// A DRAM channel behind the pins of an AXI4 slave, as a SystemC module: axi::AxiMemory at the rising edges of aclk.
//
// Models and does not model: what axi_memory.h says. Outputs change a delta cycle after the edge. Pin types are those that
// Verilator gives to ports: integers up to 64 bits, sc_bv above; DATA and STROBES are wide enough for the bus.
#pragma once

#include <cstdint>
#include <systemc>

#include "harmonia/hw/axi/axi_memory.h"
#include "harmonia/tlm/axis_transactor.h"

namespace harmonia::axi {

template <unsigned DATA_WIDTH, typename DATA = sc_dt::sc_bv<DATA_WIDTH>,
          typename STROBES = sc_dt::sc_bv<DATA_WIDTH / 8>, typename ADDRESS = std::uint64_t>
class AxiMemoryModule : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(AxiMemoryModule);
  /// `clock_ps` and `outstanding` as in AxiMemoryConfig; clock_ps is the period of what is bound to aclk.
  AxiMemoryModule(const sc_core::sc_module_name& name, const dram::Config& channel, std::int64_t clock_ps = 0,
                  unsigned outstanding = 64)
      : sc_core::sc_module(name), memory_(channel, {DATA_WIDTH / 8, clock_ps, outstanding}) {
    SC_METHOD(clock);
    sensitive << aclk.pos();
    dont_initialize();
  }

  sc_core::sc_in<bool> aclk{"aclk"}, aresetn{"aresetn"};
  sc_core::sc_in<bool> awvalid{"awvalid"};
  sc_core::sc_out<bool> awready{"awready"};
  sc_core::sc_in<std::uint32_t> awid{"awid"}, awlen{"awlen"}, awsize{"awsize"}, awburst{"awburst"};
  sc_core::sc_in<ADDRESS> awaddr{"awaddr"};
  sc_core::sc_in<bool> wvalid{"wvalid"}, wlast{"wlast"};
  sc_core::sc_out<bool> wready{"wready"};
  sc_core::sc_in<DATA> wdata{"wdata"};
  sc_core::sc_in<STROBES> wstrb{"wstrb"};
  sc_core::sc_out<bool> bvalid{"bvalid"};
  sc_core::sc_in<bool> bready{"bready"};
  sc_core::sc_out<std::uint32_t> bid{"bid"}, bresp{"bresp"};
  sc_core::sc_in<bool> arvalid{"arvalid"};
  sc_core::sc_out<bool> arready{"arready"};
  sc_core::sc_in<std::uint32_t> arid{"arid"}, arlen{"arlen"}, arsize{"arsize"}, arburst{"arburst"};
  sc_core::sc_in<ADDRESS> araddr{"araddr"};
  sc_core::sc_out<bool> rvalid{"rvalid"}, rlast{"rlast"};
  sc_core::sc_in<bool> rready{"rready"};
  sc_core::sc_out<std::uint32_t> rid{"rid"}, rresp{"rresp"};
  sc_core::sc_out<DATA> rdata{"rdata"};

  AxiMemory& memory() { return memory_; }

 private:
  static Burst burst(std::uint32_t id, std::uint64_t address, std::uint32_t length, std::uint32_t size,
                     std::uint32_t type) {
    Burst b;
    b.id = id;
    b.address = address;
    b.length = static_cast<std::uint8_t>(length);
    b.size = static_cast<std::uint8_t>(size);
    b.type = static_cast<BurstType>(type & 3);
    return b;
  }
  void clock() {
    MasterPins in;
    in.aw_valid = awvalid.read();
    in.w_valid = wvalid.read();
    in.b_ready = bready.read();
    in.ar_valid = arvalid.read();
    in.r_ready = rready.read();
    if (in.aw_valid) in.aw = burst(awid.read(), awaddr.read(), awlen.read(), awsize.read(), awburst.read());
    if (in.ar_valid) in.ar = burst(arid.read(), araddr.read(), arlen.read(), arsize.read(), arburst.read());
    if (in.w_valid) {
      const DATA& data = wdata.read();
      const STROBES& strobes = wstrb.read();
      for (unsigned lane = 0; lane < DATA_WIDTH / 8; ++lane) {
        in.w_data[lane] = bus::axis::get_byte(data, lane);
        if (bus::axis::get_bit(strobes, lane)) set_strobe(in, lane);
      }
      in.w_last = wlast.read();
    }
    drive(memory_.clock(aresetn.read(), in));
  }
  void drive(const SlavePins& out) {
    awready.write(out.aw_ready);
    wready.write(out.w_ready);
    arready.write(out.ar_ready);
    bvalid.write(out.b_valid);
    bid.write(out.b_id);
    bresp.write(out.b_response);
    rvalid.write(out.r_valid);
    rid.write(out.r_id);
    rresp.write(out.r_response);
    rlast.write(out.r_last);
    if (!out.r_valid) return;
    DATA data{};
    for (unsigned lane = 0; lane < DATA_WIDTH / 8; ++lane) bus::axis::set_byte(data, lane, out.r_data[lane]);
    rdata.write(data);
  }

  AxiMemory memory_;
};

}  // namespace harmonia::axi
