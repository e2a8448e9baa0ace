// What the sequencer asks of smoother and converter: how the next chunk of FP16 rows is to be treated.
//
// Models: the fields that a command register file would hold, one struct for each place where rows go and what they become
//   there. Does not model: register addresses or their encoding.
#pragma once

#include <cstdint>
#include <variant>

#include "harmonia/hw/formats/operand_format.h"
#include "harmonia/tlm/descriptor_kinds.h"

namespace harmonia::converter {

enum class PlainRow : std::uint8_t { fp16, int8 };  // of a KV cache that is not grouped

struct Rows {
  std::uint32_t rows = 0, columns = 0;
};

// ---- Activations ----

/// To the operand buffer: row r of the chunk is row `row_begin + r * row_stride` of the A operand, at byte `column_bytes` of
/// the `row_bytes` that it has. row_bytes 0: whole rows, one after the other.
struct ToOperand : Rows {
  formats::OperandFormat format = formats::OperandFormat::bfp8();
  std::uint32_t row_begin = 0;
  std::uint32_t row_stride = 1;
  std::uint32_t column_bytes = 0;
  std::uint32_t row_bytes = 0;
};
/// To the write DMA of activations.
struct ToMemory : Rows {
  formats::OperandFormat format = formats::OperandFormat::fp16();
};

// ---- The KV cache ----

/// Keys of one kv head, which the smoother knows by slot, layer and head.
struct HeadKeys : Rows {
  std::uint32_t slot = 0, layer = 0, head = 0;
  std::uint32_t first_position = 0;  // of the first row
};
/// Keys for the smoother's statistics alone, which do not leave it. From position 0 on they begin the statistics.
struct MeasuredKeys : HeadKeys {
  bool counts = true;  // otherwise the keys are dropped
};
/// Keys that are stored. At the beginning of a sequence the online offsets come from the chunk itself, or from keys that were
/// measured before.
struct StoredKeys : HeadKeys {
  bool measured = false;
};

/// Units (tokens of K, groups of V) that get a low plane.
struct LowPlanes {
  std::uint32_t begin[2] = {0, 0};
  std::uint32_t end[2] = {0, 0};

  bool contains(std::uint32_t unit) const {
    return (unit >= begin[0] && unit < end[0]) || (unit >= begin[1] && unit < end[1]);
  }
};

struct GroupedKeys : StoredKeys {
  LowPlanes low;
  std::uint32_t out_bytes = 0;
};
struct PlainKeys : StoredKeys {
  PlainRow row = PlainRow::fp16;
};
/// Values in groups of 32 tokens. The growing group that the new tokens go into comes from the residual socket (so many
/// bytes), or from where an earlier chunk left it in the converter; the chunk's own last group is left there when it is not
/// full. Places count from 1, 0 is none.
struct GroupedValues : Rows {
  std::uint32_t first_position = 0;
  LowPlanes low;
  std::uint32_t residual_bytes = 0;
  std::uint16_t growing_from = 0;
  std::uint16_t growing_to = 0;
  std::uint32_t out_bytes = 0;  // what leaves; 0: all of the chunk stays in the growing group

  bool grows() const { return residual_bytes != 0 || growing_from != 0; }
};
struct PlainValues : Rows {
  PlainRow row = PlainRow::fp16;
};

using Kind = std::variant<ToOperand, ToMemory, MeasuredKeys, GroupedKeys, PlainKeys, GroupedValues, PlainValues>;

struct Descriptor {
  std::uint32_t operation = 0;  // A operand that the groups belong to, or the operation of a write
  Kind kind;

  const Rows& rows() const { return *bus::as<Rows>(kind); }
  /// Null of what is no key.
  const HeadKeys* keys() const { return bus::as<HeadKeys>(kind); }
  bool leaves_smoother() const { return !std::holds_alternative<MeasuredKeys>(kind); }
};

}  // namespace harmonia::converter
