// What the sequencer asks of smoother and converter: how the next chunk of FP16 rows is to be treated.
// Models: the fields that a command register file would hold. Does not model: register addresses or their encoding.
#pragma once

#include <cstdint>

namespace harmonia::converter {

enum class Path : std::uint8_t { row, key, value, pass };  // pass: FP16 words stay FP16
enum class Destination : std::uint8_t { activations, kv_write, out_write };
/// Where the online offsets of a kv head's keys come from, for the smoother.
enum class Keys : std::uint8_t {
  choose,    // from the chunk itself when it begins a sequence, else as chosen before
  measure,   // a chunk for the statistics only, it does not leave the smoother; one from position 0 begins them
  drop,      // does not leave the smoother either and counts for nothing
  measured,  // from the chunks measured before, when it begins a sequence
};

struct Descriptor {
  std::uint32_t operation = 0;  // A operand that the groups belong to, or the KV write
  Path path = Path::row;
  Destination destination = Destination::activations;
  std::uint8_t grouped = 1;  // 0: the KV cache is FP16 or INT8
  std::uint8_t bits = 8;     // of an ungrouped cache: 16 or 8
  Keys keys = Keys::choose;
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  // Where the rows stand in the operand: row r of the chunk is row `row_begin + r * row_stride`, at byte
  // `column_bytes`.
  std::uint32_t row_begin = 0;
  std::uint32_t row_stride = 1;
  std::uint32_t column_bytes = 0;
  std::uint32_t operand_row_bytes = 0;
  // KV: position of the first row, and which units (tokens of K, groups of V) get a low plane.
  std::uint32_t first_position = 0;
  std::uint32_t low_begin[2] = {0, 0};
  std::uint32_t low_end[2] = {0, 0};
  // V: the growing group that the new tokens go into. It comes from the residual socket (so many bytes), or from where
  // an earlier chunk left it in the converter; the chunk's own last group is left there when it is not full. Places
  // count from 1, 0 is none.
  std::uint32_t residual_bytes = 0;
  std::uint16_t growing_from = 0;
  std::uint16_t growing_to = 0;
  std::uint32_t slot = 0, layer = 0, head = 0;  // which smoother table entry
  std::uint32_t out_bytes = 0;                  // what leaves; 0: all of the chunk stays in the growing group

  bool leaves_smoother() const { return keys != Keys::measure && keys != Keys::drop; }
  bool grows() const { return residual_bytes != 0 || growing_from != 0; }
};

}  // namespace harmonia::converter
