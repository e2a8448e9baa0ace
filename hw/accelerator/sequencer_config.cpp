#include "harmonia/hw/accelerator/sequencer_config.h"

namespace harmonia::accelerator {

void SequencerConfig::describe(config::Fields& f) {
  f.add("cycles_per_decision", cycles_per_decision)
      .range(0, 100000)
      .unit("cycles")
      .says("to choose and write the descriptors of an operation")
      .assumed(config::kUnpublished);
  f.add("order", order,
        {{"fewest_bytes", LoopOrder::fewest_bytes},
         {"row_first", LoopOrder::row_first},
         {"column_first", LoopOrder::column_first}})
      .says("loop order of each GEMM: the one that moves fewest bytes outside, or a forced one");
  f.add("attention", attention,
        {{"online", AttentionScores::online}, {"fused", AttentionScores::fused}, {"unfused", AttentionScores::unfused}})
      .says(
          "online softmax over blocks of keys; scores of whole rows on chip; or through DRAM between QK^T, softmax and "
          "PV");
  f.add("attention_block_tokens", attention_block_tokens)
      .range(32, 65536)
      .multiple_of(32)
      .unit("tokens")
      .says(
          "keys of a block of online softmax, in whole groups of the cache's values; without effect unless attention "
          "is "
          "online")
      .assumed("accumulators of 512 queries of Llama-3.1-8B fit 2 MiB beside their scores");
  f.add("double_buffer", double_buffer)
      .says("the next tile loads while the present one computes")
      .assumed("as every published design");
  f.add("layer_overhead_us", layer_overhead_us)
      .range(0, 1e6)
      .unit("us")
      .says("idle time added to each layer: kernel launches and the like of a software-driven machine");
  f.add("layers_ahead", layers_ahead)
      .range(1, 1024)
      .unit("layers")
      .says("layers whose descriptors are made ahead of the one at work")
      .assumed("descriptor queues never run dry between two layers");
}

}  // namespace harmonia::accelerator
