// harmonia_axi_memory.sv under Verilator: random transactions against the checker, the bytes and the TLM channel; a broken
// master is caught.
#include <memory>

#include "Vaxi_memory_512.h"
#include "Vaxi_memory_64.h"
#include "harmonia/hw/axi/axi_memory.h"
#include "tests/axi/link.h"
#include "tests/axi/tlm_times.h"
#include "tests/support/catch.h"
#include "tests/support/long.h"

namespace {

using namespace harmonia;

void set_bytes(QData& pins, const std::uint8_t* bytes) {
  pins = 0;
  for (unsigned i = 0; i < 8; ++i) pins |= QData{bytes[i]} << (8 * i);
}
void get_bytes(const QData& pins, std::uint8_t* bytes) {
  for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(pins >> (8 * i));
}
template <std::size_t words>
void set_bytes(VlWide<words>& pins, const std::uint8_t* bytes) {
  for (unsigned w = 0; w < words; ++w) {
    pins[w] = 0;
    for (unsigned i = 0; i < 4; ++i) pins[w] |= std::uint32_t{bytes[4 * w + i]} << (8 * i);
  }
}
template <std::size_t words>
void get_bytes(const VlWide<words>& pins, std::uint8_t* bytes) {
  for (unsigned i = 0; i < 4 * words; ++i) bytes[i] = static_cast<std::uint8_t>(pins[i / 4] >> (8 * (i % 4)));
}

template <typename Dut>
class Slave {
 public:
  axi::SlavePins operator()(bool resetn, const axi::MasterPins& m) {
    Dut& d = *dut_;
    d.aresetn = resetn;
    d.awvalid = m.aw_valid;
    d.awid = static_cast<CData>(m.aw.id);
    d.awaddr = static_cast<IData>(m.aw.address);
    d.awlen = m.aw.length;
    d.awsize = m.aw.size;
    d.awburst = static_cast<CData>(m.aw.type);
    d.arvalid = m.ar_valid;
    d.arid = static_cast<CData>(m.ar.id);
    d.araddr = static_cast<IData>(m.ar.address);
    d.arlen = m.ar.length;
    d.arsize = m.ar.size;
    d.arburst = static_cast<CData>(m.ar.type);
    d.wvalid = m.w_valid;
    set_bytes(d.wdata, m.w_data.data());
    d.wstrb = static_cast<decltype(d.wstrb + 0)>(m.w_strobes[0]);
    d.wlast = m.w_last;
    d.bready = m.b_ready;
    d.rready = m.r_ready;
    d.aclk = 0;
    d.eval();
    d.aclk = 1;
    d.eval();
    axi::SlavePins s;
    s.aw_ready = d.awready;
    s.w_ready = d.wready;
    s.ar_ready = d.arready;
    s.b_valid = d.bvalid;
    s.b_id = d.bid;
    s.b_response = d.bresp;
    s.r_valid = d.rvalid;
    s.r_id = d.rid;
    s.r_response = d.rresp;
    s.r_last = d.rlast;
    get_bytes(d.rdata, s.r_data.data());
    return s;
  }

 private:
  std::unique_ptr<VerilatedContext> context_ = std::make_unique<VerilatedContext>();
  std::unique_ptr<Dut> dut_ = std::make_unique<Dut>(context_.get());
};

template <typename Dut>
void check(const test::MasterOptions& options, std::int64_t clock_ps) {
  test::RandomMaster master(options);
  axi::AxiChecker checker(options.bus_bytes);
  Slave<Dut> slave;
  test::run_link(master, checker, slave, static_cast<std::int64_t>(options.transactions) * 2000);
  const test::Comparison times = test::compare_with_tlm(master.seen(), axi::channel_of("DDR4-3200"), clock_ps);
  for (const std::string& difference : times.differences) UNSCOPED_INFO(difference);
  CHECK(times.differences.empty());
  CHECK(times.compared == options.transactions);
  CHECK(times.at_once > options.transactions / 20);
}

}  // namespace

TEST_CASE("AXI memory under Verilator: random transactions keep rules and bytes and times") {
  test::MasterOptions options;
  options.transactions = test::count(10000, 1000000);
  check<Vaxi_memory_64>(options, 0);
}

TEST_CASE("AXI memory under Verilator: a bus of 512 bits at 1 GHz keeps rules and bytes and times") {
  test::MasterOptions options;
  options.bus_bytes = 64;
  options.ids = 64;
  options.transactions = test::count(5000, 100000);
  check<Vaxi_memory_512>(options, 1000);
}

TEST_CASE("AXI memory under Verilator: a master that changes an address while it waits is caught with rule and cycle") {
  test::MasterOptions options;
  options.start = 1;
  options.outstanding = 300;  // more than the memory takes, so that addresses wait
  options.transactions = 100000;
  test::RandomMaster master(options);
  axi::AxiChecker checker(8);
  Slave<Vaxi_memory_64> slave;
  axi::SlavePins driven;
  bool waited = false;
  std::uint64_t broken_at = 0;
  for (std::int64_t edge = 0; broken_at == 0 && edge < 100000; ++edge) {
    axi::MasterPins pins = edge > 4 ? master.drive() : axi::MasterPins{};
    // The fault: the second edge of a wait has another address.
    if (edge > 1000 && waited) {
      pins.aw.address ^= 8;
      broken_at = static_cast<std::uint64_t>(edge);
    }
    waited = pins.aw_valid && !driven.aw_ready;
    checker.clock(edge >= 4, pins, driven);
    const axi::SlavePins next = slave(edge >= 4, pins);
    if (edge > 4) master.sampled(edge, driven);
    driven = next;
  }
  REQUIRE(broken_at != 0);
  REQUIRE(checker.violations().size() == 1);
  CHECK(checker.violations()[0].rule == "AW_STABLE");
  CHECK(checker.violations()[0].cycle == broken_at);
}
