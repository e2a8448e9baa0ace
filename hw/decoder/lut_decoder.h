// K-means LUT decoder: from stored codes and scales to what the PE array multiplies.
//
// Models: expansion of 1- to 8-bit codes through the codebook registers, INT4/INT8 with and without zero-point, FP16
// words
//   converted on read to BFP8 or passed through; the rate of the decoder's lanes, codebook reload when the tensor
//   changes, pipeline latency, one chunk in work and one at the output.
// Does not model: lanes one by one, the byte order of the registers.
// Source: number formats specification, sections 2 and 3; rates are configuration values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/decoder/config.h"
#include "harmonia/hw/decoder/descriptor.h"
#include "harmonia/tlm/activity.h"
#include "harmonia/tlm/cycle.h"

namespace harmonia::decoder {

/// Bytes of one decoded row as it leaves: values, then the row's scales.
///   codebook, integer: row_elements int8, then 2-byte scales     to_bfp8: BFP8 groups     others: FP16 words
std::size_t decoded_row_bytes(const Descriptor& d);

/// The first field of a descriptor that is wrong, in words; empty: none.
std::string fault_of(const Descriptor& d);

/// Decodes one stored row. codes: d.index_row_bytes() bytes; scales: d.blocks_per_row() two-byte words, followed by as
/// many zero-points for integer codes that have one. out: decoded_row_bytes(d).
void decode_row(const Descriptor& d, const std::uint8_t* codes, const std::uint8_t* scales, std::uint8_t* out);

/// Cycles, without data. All arguments are absolute cycles of the decoder's clock.
class Timing {
 public:
  explicit Timing(const Config& config) : config_(config) {}

  void begin(const Descriptor& d);
  struct Slot {
    bus::Cycle start;       // the chunk leaves the input
    bus::Cycle done_alone;  // its last weight is decoded, were the output free
    bus::Cycle done;        // and can leave for the output
    bus::Cycle out;         // it stands at the output
  };
  /// A chunk of `elements` weights that arrives at `arrival`. The tail of a row fills its block of 64.
  Slot chunk(bus::Cycle arrival, std::uint64_t elements);
  /// The consumer took the last chunk at `when`; until then its successor cannot stand at the output.
  void taken(bus::Cycle when) { output_free_ = when; }
  /// Another datapath than the model's ended the last chunk's work at `done`.
  void correct(bus::Cycle done) {
    activity_.busy += done - free_;
    free_ = done;
  }

  const bus::Activity& activity() const { return activity_; }
  bus::Cycle free_at() const { return free_; }

 private:
  Config config_;
  std::uint32_t tensor_ = 0;
  double rate_ = 1;
  double backlog_ = 0;  // fraction of a cycle that decoded weights have taken beyond whole cycles
  std::uint64_t reload_ = 0;
  bus::Cycle free_ = 0, output_free_ = 0;
  bus::Activity activity_;
};

}  // namespace harmonia::decoder
