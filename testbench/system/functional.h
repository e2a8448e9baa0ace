// The functional machine: real weights in its memory, real tokens through it, and what it holds read back.
//
// Models: a loader that writes every tensor of a model where the address map says, in its stored layout, through debug
//   transport; the tables that the decoder's registers get; the golden settings that say the same as a scenario; the KV
//   cache read back group by group.
// Does not model: how weights get into the memory of a real machine, which takes time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harmonia/hw/golden/golden_llama.h"
#include "harmonia/testbench/system/machine.h"

namespace harmonia::testbench {

/// Format of the linears, the codebook's integers and the output head's format of `scenario` set to those that the
/// weights have. Throws std::invalid_argument when linears of one model differ in format: the machine runs one.
void adopt_weights(Scenario& scenario, const accelerator::GoldenModelWeights& weights);

/// The golden model's settings for what a scenario describes.
accelerator::GoldenSettings golden_settings(const Scenario& scenario);

/// Options of a functional machine with these weights: payloads carry bytes, the decoder's tables and the RoPE
/// frequencies are those of the model. Throws config::InputError when the array has no mode for the weights.
accelerator::MachineOptions functional_options(const Scenario& scenario,
                                               const std::shared_ptr<const accelerator::GoldenModelWeights>& weights);

/// Writes embedding, norms, codes, scales, zero-points and output head into the machine's memory. Takes no simulated
/// time; call it before the first step. Throws std::invalid_argument when shape or formats are not the map's.
void load_weights(Machine& machine, const accelerator::GoldenModelWeights& weights);

/// One stored piece of the KV cache, put together from its planes: of the BFP formats the 21 or 37 bytes of a group of
/// 32, of the others a token's row. `context`: tokens in the cache, which decide what is kept at 8 bit.
std::vector<std::uint8_t> key_group(Machine& machine, const accelerator::KvCacheLayout::Place& place,
                                    std::uint64_t token, std::uint64_t group, std::uint64_t context);
std::vector<std::uint8_t> value_group(Machine& machine, const accelerator::KvCacheLayout::Place& place,
                                      std::uint64_t channel, std::uint64_t group, std::uint64_t context);
std::vector<std::uint8_t> key_row(Machine& machine, const accelerator::KvCacheLayout::Place& place,
                                  std::uint64_t token);
std::vector<std::uint8_t> value_row(Machine& machine, const accelerator::KvCacheLayout::Place& place,
                                    std::uint64_t token);

/// Compares a sequence slot's cache of one layer with a golden one, every live byte that the layer's window holds. Empty when they agree, otherwise
/// what differs first.
std::string compare_kv(Machine& machine, std::uint64_t slot, int layer, const accelerator::GoldenKvCache& golden);

}  // namespace harmonia::testbench
