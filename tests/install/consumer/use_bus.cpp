// An initiator and a target on the bus's sockets.
#include <harmonia/tlm/memory_initiator.h>
#include <harmonia/tlm/memory_target.h>
#include <harmonia/tlm/payload_pool.h>
#include <harmonia/tlm/protocol_checker.h>

#include <cstdio>
#include <optional>
#include <systemc>

namespace bus = harmonia::bus;

struct Memory : sc_core::sc_module {
  bus::MemoryTarget<> tsock{"tsock"};
  explicit Memory(sc_core::sc_module_name name) : sc_core::sc_module(name) {
    tsock.on_request([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
      tsock.respond(payload, arrival + sc_core::sc_time(10, sc_core::SC_NS));
      return std::optional<sc_core::sc_time>();
    });
  }
};

struct Reader : sc_core::sc_module {
  bus::MemoryInitiator<> isock{"isock"};
  bus::PayloadPool pool;
  int answers = 0;
  explicit Reader(sc_core::sc_module_name name) : sc_core::sc_module(name) {
    isock.on_response([this](tlm::tlm_generic_payload& payload, const sc_core::sc_time&) {
      answers += payload.is_response_ok() ? 1 : 0;
    });
    SC_HAS_PROCESS(Reader);
    SC_THREAD(run);
  }
  void run() {
    for (int i = 0; i < 3; ++i) {
      isock.send(pool.make(tlm::TLM_READ_COMMAND, 64u * static_cast<unsigned>(i), 64, bus::Data::buffer),
                 sc_core::sc_time_stamp());
      wait(100, sc_core::SC_NS);
    }
  }
};

int sc_main(int, char**) {
  Reader reader("reader");
  bus::ProtocolChecker<> checker("checker");
  Memory memory("memory");
  reader.isock.bind(checker.tsock);
  checker.isock.bind(memory.tsock);
  sc_core::sc_start();
  std::printf("%d answers", reader.answers);
  return reader.answers == 3 ? 0 : 1;
}
