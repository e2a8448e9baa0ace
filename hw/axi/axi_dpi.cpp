// The DPI-C half of harmonia_axi_pkg.sv. The types are those that IEEE 1800-2017, annex H, gives to the imports: a bit is an
// unsigned char, a vector of bits an array of 32-bit words, a chandle a pointer. No simulator's svdpi.h is needed.
#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "harmonia/hw/axi/axi_checker.h"
#include "harmonia/hw/axi/axi_memory.h"

namespace axi = harmonia::axi;

namespace {

constexpr unsigned kWords = axi::kMaxBusBytes / 4;

struct Checker {
  explicit Checker(unsigned bus_bytes) : checker(bus_bytes) {}
  axi::AxiChecker checker;
  std::string text;  // handed to the simulator
};

axi::Burst burst_of(std::uint32_t id, std::uint64_t address, std::uint32_t shape) {
  axi::Burst burst;
  burst.id = id;
  burst.address = address;
  burst.length = static_cast<std::uint8_t>(shape & 0xff);
  burst.size = static_cast<std::uint8_t>(shape >> 8 & 7);
  burst.type = static_cast<axi::BurstType>(shape >> 11 & 3);
  return burst;
}

void bytes_of(const std::uint32_t* words, std::array<std::uint8_t, axi::kMaxBusBytes>& bytes) {
  for (unsigned i = 0; i < axi::kMaxBusBytes; ++i)
    bytes[i] = static_cast<std::uint8_t>(words[i / 4] >> (8 * (i % 4)) & 0xff);
}

void words_of(const std::array<std::uint8_t, axi::kMaxBusBytes>& bytes, std::uint32_t* words) {
  for (unsigned w = 0; w < kWords; ++w) {
    words[w] = 0;
    for (unsigned b = 0; b < 4; ++b) words[w] |= std::uint32_t{bytes[4 * w + b]} << (8 * b);
  }
}

std::array<std::uint64_t, 2> strobes_of(const std::uint32_t* words) {
  return {words[0] | std::uint64_t{words[1]} << 32, words[2] | std::uint64_t{words[3]} << 32};
}

}  // namespace

extern "C" {

#define HARMONIA_DPI __attribute__((visibility("default")))

HARMONIA_DPI void* harmonia_axi_memory_new(const char* configuration, std::uint32_t bus_bytes, long long clock_ps,
                                           std::uint32_t outstanding) try {
  axi::AxiMemoryConfig config;
  config.bus_bytes = bus_bytes;
  config.clock_ps = clock_ps;
  config.outstanding = outstanding;
  return new axi::AxiMemory(axi::channel_of(configuration), config);
} catch (const std::exception& error) {
  std::fprintf(stderr, "harmonia_axi_memory: %s\n", error.what());
  return nullptr;
}

HARMONIA_DPI void harmonia_axi_memory_delete(void* memory) { delete static_cast<axi::AxiMemory*>(memory); }

HARMONIA_DPI void harmonia_axi_memory_clock(void* memory, unsigned char aresetn, const std::uint32_t* ready,
                                            const std::uint32_t* valid, std::uint32_t* driven, std::uint32_t awid,
                                            unsigned long long awaddr, const std::uint32_t* awshape,
                                            const std::uint32_t* wdata, const std::uint32_t* wstrb, unsigned char wlast,
                                            std::uint32_t* bid, std::uint32_t* bresp, std::uint32_t arid,
                                            unsigned long long araddr, const std::uint32_t* arshape, std::uint32_t* rid,
                                            std::uint32_t* rdata, std::uint32_t* rresp, unsigned char* rlast) {
  axi::MasterPins in;
  in.b_ready = (*ready & 1) != 0;
  in.r_ready = (*ready & 2) != 0;
  in.aw_valid = (*valid & 1) != 0;
  in.w_valid = (*valid & 2) != 0;
  in.ar_valid = (*valid & 4) != 0;
  if (in.aw_valid) in.aw = burst_of(awid, awaddr, *awshape);
  if (in.ar_valid) in.ar = burst_of(arid, araddr, *arshape);
  if (in.w_valid) {
    bytes_of(wdata, in.w_data);
    in.w_strobes = strobes_of(wstrb);
    in.w_last = wlast != 0;
  }
  const axi::SlavePins& out = static_cast<axi::AxiMemory*>(memory)->clock(aresetn != 0, in);
  *driven = (out.aw_ready ? 1U : 0U) | (out.w_ready ? 2U : 0U) | (out.ar_ready ? 4U : 0U) | (out.b_valid ? 8U : 0U) |
            (out.r_valid ? 16U : 0U);
  *bid = out.b_id;
  *bresp = out.b_response;
  *rid = out.r_id;
  *rresp = out.r_response;
  *rlast = out.r_last ? 1 : 0;
  words_of(out.r_data, rdata);
}

HARMONIA_DPI int harmonia_axi_memory_peek(void* memory, unsigned long long address, std::uint32_t bytes,
                                          std::uint32_t* data) {
  std::array<std::uint8_t, axi::kMaxBusBytes> read{};
  const bool known =
      bytes <= axi::kMaxBusBytes && static_cast<axi::AxiMemory*>(memory)->storage().read(address, read.data(), bytes);
  words_of(read, data);
  return known ? 1 : 0;
}

HARMONIA_DPI int harmonia_axi_memory_poke(void* memory, unsigned long long address, std::uint32_t bytes,
                                          const std::uint32_t* data) {
  std::array<std::uint8_t, axi::kMaxBusBytes> written{};
  bytes_of(data, written);
  const bool known = bytes <= axi::kMaxBusBytes &&
                     static_cast<axi::AxiMemory*>(memory)->storage().write(address, written.data(), bytes);
  return known ? 1 : 0;
}

HARMONIA_DPI void* harmonia_axi_checker_new(std::uint32_t bus_bytes) try {
  return new Checker(bus_bytes);
} catch (const std::exception& error) {
  std::fprintf(stderr, "harmonia_axi_checker: %s\n", error.what());
  return nullptr;
}

HARMONIA_DPI void harmonia_axi_checker_delete(void* checker) { delete static_cast<Checker*>(checker); }

HARMONIA_DPI std::uint32_t harmonia_axi_checker_clock(
    void* checker, unsigned char aresetn, const std::uint32_t* ready, const std::uint32_t* valid, std::uint32_t awid,
    unsigned long long awaddr, const std::uint32_t* awshape, const std::uint32_t* wdata, const std::uint32_t* wstrb,
    unsigned char wlast, std::uint32_t bid, const std::uint32_t* bresp, std::uint32_t arid, unsigned long long araddr,
    const std::uint32_t* arshape, std::uint32_t rid, const std::uint32_t* rdata, const std::uint32_t* rresp,
    unsigned char rlast) {
  axi::MasterPins master;
  axi::SlavePins slave;
  slave.aw_ready = (*ready & 1) != 0;
  slave.w_ready = (*ready & 2) != 0;
  slave.ar_ready = (*ready & 4) != 0;
  master.b_ready = (*ready & 8) != 0;
  master.r_ready = (*ready & 16) != 0;
  master.aw_valid = (*valid & 1) != 0;
  master.w_valid = (*valid & 2) != 0;
  master.ar_valid = (*valid & 4) != 0;
  slave.b_valid = (*valid & 8) != 0;
  slave.r_valid = (*valid & 16) != 0;
  if (master.aw_valid) master.aw = burst_of(awid, awaddr, *awshape);
  if (master.ar_valid) master.ar = burst_of(arid, araddr, *arshape);
  if (master.w_valid) {
    bytes_of(wdata, master.w_data);
    master.w_strobes = strobes_of(wstrb);
    master.w_last = wlast != 0;
  }
  slave.b_id = bid;
  slave.b_response = static_cast<std::uint8_t>(*bresp & 3);
  slave.r_id = rid;
  slave.r_response = static_cast<std::uint8_t>(*rresp & 3);
  slave.r_last = rlast != 0;
  if (slave.r_valid) bytes_of(rdata, slave.r_data);
  return static_cast<Checker*>(checker)->checker.clock(aresetn != 0, master, slave);
}

HARMONIA_DPI const char* harmonia_axi_checker_violation(void* checker, unsigned long long i) {
  Checker& c = *static_cast<Checker*>(checker);
  const std::vector<axi::Violation>& all = c.checker.violations();
  c.text = i < all.size() ? "cycle " + std::to_string(all[i].cycle) + ": " + all[i].rule + ": " + all[i].text : "";
  return c.text.c_str();
}

}  // extern "C"
