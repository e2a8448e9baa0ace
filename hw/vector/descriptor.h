// What the sequencer asks of the vector unit: one operation on the results of the PE array, or on its own scratch
// memory. Models: the fields that a command register file would hold. Does not model: register addresses or their
// encoding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace harmonia::vector {

enum class Kind : std::uint8_t {
  setup,       // the rows of the step: positions and sequences (a table follows)
  embed,       // operand -> residual stream
  norm,        // RMSNorm of residual rows; gamma is the operand
  rope_query,  // PE results -> rotated -> out
  rope_key,
  value,          // PE results -> out, unchanged (values; scores of unfused attention)
  softmax,        // scores -> probabilities -> out
  attention_out,  // P V results -> collected per row -> out when `emit`
  residual_add,   // PE results + residual -> residual
  silu_mul,       // gate and up results -> out
  logits,         // PE results -> host
  marker          // tells the host when everything before is done
};
const char* name_of(Kind kind);

/// Where a result goes: back into the scratch memory, or down the stream to smoother and converter.
struct Descriptor {
  std::uint32_t operation = 0;
  Kind kind = Kind::setup;
  std::uint8_t emit = 1;           // 0: keep the result in the scratch memory
  std::uint8_t spilled = 0;        // 1: the residual stream is not in the scratch memory but comes and goes as bytes;
                                   // softmax: the scores are the operand
  std::uint8_t half_split = 1;     // RoPE pairing: 1 (c, c + d/2), 0 adjacent
  std::uint32_t rows = 0;          // of the result, or of the scratch rows
  std::uint32_t columns = 0;       // of the result (silu_mul: of gate, and as many of up); setup: sequences
  std::uint32_t row_begin = 0;     // first row of the step that is meant
  std::uint32_t column_begin = 0;  // first column in the row that the results are part of
  std::uint32_t row_width = 0;     // columns of the whole row
  std::uint32_t head_dim = 0;
  std::uint32_t group = 1;          // softmax, attention_out: query heads per kv head; result rows are token-major
  std::uint32_t head_begin = 0;     // attention_out: first query head
  std::uint32_t visible = 0;        // softmax: keys that the first token sees
  std::uint32_t operand_bytes = 0;  // to be taken from the operand socket first
  std::uint8_t split = 0;           // what leaves as one chunk: 0 everything, 1 one head, 2 one head of one sequence
  std::uint32_t block_columns =
      0;                       // embed, norm: what leaves as one chunk is so many columns of all rows; 0: all columns
  std::uint8_t last_rows = 0;  // norm, logits: the rows meant are the last ones of the sequences that want logits, from
                               // number row_begin on
  float scale = 1.0f;          // softmax: 1/sqrt(head_dim); norm: epsilon
  double theta = 0.0;          // RoPE base
};

/// Rows of a step that belong to one sequence, in the setup table.
struct SequenceRows {
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;
  std::uint32_t first_position = 0;
  std::uint32_t slot = 0;
  std::uint32_t logits = 0;      // 1: the last row goes on to the output head
  std::uint32_t chunk_rows = 0;  // rope_query: at most so many rows in a chunk
};

}  // namespace harmonia::vector
