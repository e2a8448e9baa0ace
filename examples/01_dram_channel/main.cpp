// One DRAM channel and an initiator of your own.
//
// The channel is a plain TLM-2.0 target. Three reads show what a row costs: the first opens it, the second hits it, the third
// conflicts with it; then a stream of 4 KiB reads shows the bandwidth. Reads are blocking here (b_transport), so that each time is
// that of one request alone; example 02 keeps several under way.
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdio>
#include <systemc>
#include <vector>

#include "harmonia/hw/dram/dram_channel_module.h"

namespace dram = harmonia::dram;

struct Reader : sc_core::sc_module {
  SC_HAS_PROCESS(Reader);
  explicit Reader(sc_core::sc_module_name name) : sc_module(name) { SC_THREAD(run); }

  tlm_utils::simple_initiator_socket<Reader> isock{"isock"};

  /// Reads `bytes` bytes at `address` and returns the nanoseconds that it took.
  double read(std::uint64_t address, unsigned bytes) {
    std::vector<unsigned char> data(bytes);
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_READ_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(data.data());
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    isock->b_transport(payload, delay);
    if (payload.is_response_error()) SC_REPORT_ERROR("/example/reader", payload.get_response_string().c_str());
    wait(delay);
    return delay.to_seconds() * 1e9;
  }

  void run() {
    const double closed = read(0, 64), hit = read(0, 64), conflict = read(std::uint64_t{1} << 24, 64);
    std::printf("one burst: row closed %.1f ns, row hit %.1f ns, row conflict %.1f ns\n", closed, hit, conflict);
    double ns = 0;
    constexpr int requests = 1000;
    for (int i = 0; i < requests; ++i) ns += read(static_cast<std::uint64_t>(i) * 4096, 4096);
    std::printf("%d reads of 4 KiB one after the other: %.1f GB/s\n", requests, requests * 4096.0 / ns);
    sc_core::sc_stop();
  }
};

int sc_main(int, char**) {
  dram::DramChannel<> channel("channel", dram::find_preset("DDR4-3200"), dram::Contents::kNone);
  Reader reader("reader");
  reader.isock.bind(channel.tsock);
  sc_core::sc_start();
  std::printf("the channel's account: %llu requests, peak %.1f GB/s\n",
              static_cast<unsigned long long>(channel.counts().requests), channel.config().peak_GBs());
  return channel.counts().errors == 0 ? 0 : 1;
}
