// The pin module: the same pins as the memory without SystemC, edge by edge.
#include "harmonia/hw/axi/axi_memory_module.h"
#include "tests/axi/link.h"
#include "tests/support/catch.h"

namespace {

using namespace harmonia;

template <typename T>
using Signal = sc_core::sc_signal<T>;

struct Pins : sc_core::sc_module {
  explicit Pins(const sc_core::sc_module_name& name) : sc_module(name), slave("slave", axi::channel_of("DDR4-3200")) {
    slave.aclk(aclk), slave.aresetn(aresetn);
    slave.awvalid(awvalid), slave.awready(awready), slave.awid(awid), slave.awaddr(awaddr), slave.awlen(awlen);
    slave.awsize(awsize), slave.awburst(awburst);
    slave.wvalid(wvalid), slave.wready(wready), slave.wdata(wdata), slave.wstrb(wstrb), slave.wlast(wlast);
    slave.bvalid(bvalid), slave.bready(bready), slave.bid(bid), slave.bresp(bresp);
    slave.arvalid(arvalid), slave.arready(arready), slave.arid(arid), slave.araddr(araddr), slave.arlen(arlen);
    slave.arsize(arsize), slave.arburst(arburst);
    slave.rvalid(rvalid), slave.rready(rready), slave.rid(rid), slave.rdata(rdata), slave.rresp(rresp),
        slave.rlast(rlast);
  }

  axi::SlavePins clock(bool resetn, const axi::MasterPins& m) {
    aresetn = resetn;
    awvalid = m.aw_valid, awid = m.aw.id, awaddr = m.aw.address, awlen = m.aw.length, awsize = m.aw.size;
    awburst = static_cast<std::uint32_t>(m.aw.type);
    arvalid = m.ar_valid, arid = m.ar.id, araddr = m.ar.address, arlen = m.ar.length, arsize = m.ar.size;
    arburst = static_cast<std::uint32_t>(m.ar.type);
    sc_dt::sc_bv<128> data;
    for (unsigned i = 0; i < 16; ++i) bus::axis::set_byte(data, i, m.w_data[i]);
    wvalid = m.w_valid, wdata = data, wstrb = static_cast<std::uint32_t>(m.w_strobes[0]), wlast = m.w_last;
    bready = m.b_ready, rready = m.r_ready;
    step();
    aclk = true;
    step();
    aclk = false;
    step();
    axi::SlavePins s;
    s.aw_ready = awready, s.w_ready = wready, s.ar_ready = arready;
    s.b_valid = bvalid, s.b_id = bid, s.b_response = static_cast<std::uint8_t>(bresp.read());
    s.r_valid = rvalid, s.r_id = rid, s.r_response = static_cast<std::uint8_t>(rresp.read()), s.r_last = rlast;
    for (unsigned i = 0; i < 16; ++i) s.r_data[i] = bus::axis::get_byte(rdata.read(), i);
    return s;
  }
  static void step() { sc_core::sc_start(sc_core::sc_time(100, sc_core::SC_PS)); }

  Signal<bool> aclk, aresetn, awvalid, awready, wvalid, wready, wlast, bvalid, bready, arvalid, arready, rvalid, rready,
      rlast;
  Signal<std::uint32_t> awid, awlen, awsize, awburst, wstrb, bid, bresp, arid, arlen, arsize, arburst, rid, rresp;
  Signal<std::uint64_t> awaddr, araddr;
  Signal<sc_dt::sc_bv<128>> wdata, rdata;
  axi::AxiMemoryModule<128, sc_dt::sc_bv<128>, std::uint32_t> slave;
};

}  // namespace

TEST_CASE("AXI memory: the SystemC module drives the same pins as the memory, edge by edge") {
  test::MasterOptions options;
  options.bus_bytes = 16;
  options.transactions = 500;
  Pins pins("pins");
  axi::AxiMemory memory(axi::channel_of("DDR4-3200"), {16, 0, 64});
  test::RandomMaster master(options);
  axi::AxiChecker checker(16);
  std::uint64_t different = 0;
  test::run_link(
      master, checker,
      [&](bool resetn, const axi::MasterPins& driven) {
        const axi::SlavePins a = pins.clock(resetn, driven), &b = memory.clock(resetn, driven);
        const bool same = a.aw_ready == b.aw_ready && a.w_ready == b.w_ready && a.ar_ready == b.ar_ready &&
                          a.b_valid == b.b_valid && a.r_valid == b.r_valid;
        if (!same) ++different;
        return a;
      },
      200000);
  CHECK(different == 0);
}
