// FP16-to-BFP converter: rows, keys, values (with the growing group), or FP16 passed on.
//
// Models: groups of 32 on `lanes` lanes, one group per cycle and lane; pipeline stages, more on the key path; the V path's
//   merge of new tokens into the growing group, which comes from memory or was kept from an earlier chunk; planes in the
//   order in which the KV layout stores them (all main parts, then the low planes that stay).
// Does not model: the transposition memory of the V path beyond its latency.
// Source: number formats specification, section 1; lanes and stages are configuration values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "harmonia/hw/converter/config.h"
#include "harmonia/hw/converter/descriptor.h"
#include "harmonia/hw/formats/fp16.h"

namespace harmonia::converter {

/// What a chunk of rows x columns FP16 values becomes. residual: the growing V group's main parts then low planes, for
/// values whose group grows. Appends to `out`; returns how many values were infinite or NaN.
std::size_t convert(const Descriptor& d, const formats::Fp16* rows, const std::uint8_t* residual,
                    std::vector<std::uint8_t>& out);

/// Cycles on the lanes: groups of 32 over lanes. A growing V group takes its newcomers one after another.
std::uint64_t convert_cycles(const Config& config, const Descriptor& d);

/// Bytes of a chunk that leave the converter.
std::uint64_t out_bytes(const Descriptor& d);

/// The first field of a descriptor that is wrong, in words; empty: none. shape_fault: of those that the smoother needs too.
std::string shape_fault(const Descriptor& d);
std::string fault_of(const Descriptor& d);
/// What is wrong with a chunk of FP16 rows for a descriptor; empty: nothing.
std::string chunk_fault(const Descriptor& d, std::uint64_t bytes, std::uint64_t elements);
/// Bytes of a growing V group of so many channels, main parts and low planes.
std::uint64_t growing_bytes(std::uint64_t columns);

/// Takes the last V group's main parts and low planes out of a converted chunk: what a residual read would bring for the
/// chunk that goes on with the group.
std::vector<std::uint8_t> take_growing(const GroupedValues& d, std::vector<std::uint8_t>& bytes);

/// Cycles from the end of a chunk's work on the lanes to its last byte at the output.
std::uint64_t latency_cycles(const Config& config, const Descriptor& d);

}  // namespace harmonia::converter
