#include "harmonia/hw/link/config.h"

#include <fmt/format.h>

namespace harmonia::link {

void Config::describe(config::Fields& f) {
  f.add("name", name).says("name that results carry");
  f.add("description", description).says("one line for `harmonia list links`");
  f.add("bandwidth_gb_per_s", bandwidth_gb_per_s)
      .more_than(0)
      .range(0, 1e6)
      .unit("GB/s")
      .says("raw bandwidth of one device towards all others together, in each direction, headers included")
      .assumed("the DRAM bandwidth of the default machine");
  f.add("latency_ns", latency_ns)
      .range(0, 1e9)
      .unit("ns")
      .says("from the last byte of a message on the wires until the receiver can use it, switch included")
      .assumed("order of a short serial link with its controllers");
  f.add("payload_bytes", payload_bytes)
      .range(1, 1 << 20)
      .unit("bytes")
      .says("most data in a packet")
      .assumed("a common packet size of PCIe");
  f.add("header_bytes", header_bytes)
      .range(0, 1 << 16)
      .unit("bytes")
      .says("of each packet beside its data")
      .assumed("order of a header with its check sum");
  f.add("message_ns", message_ns)
      .range(0, 1e9)
      .unit("ns")
      .says("start of each message, in which the wires idle")
      .assumed("a hardware engine that begins the next message while one leaves");
  f.add("message_bytes", message_bytes)
      .range(1, 1 << 30)
      .unit("bytes")
      .says("largest message: transfers are cut into such")
      .assumed("large beside a packet");
  f.add("buffer_bytes", buffer_bytes)
      .range(1, std::int64_t{1} << 40)
      .unit("bytes")
      .says(
          "of the receiver, for each sender: no message leaves that it has no room for, and room that was freed is "
          "known to the sender a latency later")
      .assumed("covers bandwidth times latency");
  f.add("collective_us", collective_us)
      .range(0, 1e6)
      .unit("us")
      .says("start of a collective on every device: of a GPU, the launch and end of its kernel")
      .assumed("the sequencer starts it like any descriptor");
  f.add("eager_bytes", eager_bytes)
      .range(0, std::int64_t{1} << 40)
      .unit("bytes")
      .says("a ring or tree over more than this agrees about buffers before it begins, for rendezvous_us")
      .assumed("plays no part while rendezvous_us is 0");
  f.add("rendezvous_us", rendezvous_us)
      .range(0, 1e6)
      .unit("us")
      .says("for that agreement")
      .assumed("buffers are fixed when the machine is built");
  f.add("pj_per_bit", pj_per_bit)
      .range(0, 1e4)
      .unit("pJ/bit")
      .says("of sender and receiver together, headers included")
      .assumed("order of a board-level serial link");
  f.add("phy_mm2", phy_mm2)
      .range(0, 1e4)
      .unit("mm2")
      .says("area of the link's PHYs on one device")
      .assumed("not included");
  f.check("message_bytes", [this] {
    return message_bytes <= buffer_bytes ? std::string()
                                         : fmt::format(
                                               "is {}, expected at most buffer_bytes ({}), or no message of this "
                                               "size would ever leave",
                                               message_bytes, buffer_bytes);
  });
}

}  // namespace harmonia::link
