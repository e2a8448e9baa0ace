// Attention of every sequence and kv head, strip of queries by strip: scores, softmax, values; with scores on chip
// (fused) or through memory (unfused), or block of keys by block with a running softmax (online).
#include <algorithm>
#include <cmath>
#include <optional>

#include "harmonia/config/error.h"
#include "harmonia/hw/program/attention_kernel.h"
#include "harmonia/hw/program/operations.h"

namespace harmonia::accelerator {
namespace {

using bus::TrafficClass;

/// A strip of one sequence's queries against one kv head.
struct Job {
  std::size_t sequence;
  int head;
  std::uint64_t strip, first_token, tokens;
  std::uint64_t context;  // tokens in the cache
  std::uint64_t begin;    // first that is read
  std::uint64_t visible;  // behind the last that the last token sees
  std::uint32_t m;        // rows of the products: tokens times query heads of the group
  KvCacheLayout::Place place;

  std::uint64_t keys() const { return visible - begin; }
};

/// Online: keys [begin, end) of a job, the end as the last token sees it. Blocks lie at multiples of their length, so that
/// they are the same for each of the job's queries, wherever its window begins.
struct Block {
  std::size_t job;
  std::uint64_t begin, end;
  bool last;
};

/// Online: a product of a block. Scores take the queries that the array has, or have them brought (again).
struct Product {
  std::size_t block;
  bool scores;
  bool brings = false, again = false, keep = false;
};

class AttentionGenerator {
 public:
  AttentionGenerator(Generation& g, const LayerOperation& operation, int layer);
  void generate();

 private:
  struct UnderWay {  // of a job, between its two products
    std::uint32_t operand = 0;
    // Unfused: what turns scores into probabilities, and how many descriptors of out_write bring either.
    vector::Softmax softmax;
    std::uint64_t scores_written = 0, probabilities_written = 0;
  };

  void scores(std::size_t i);
  void values(std::size_t i);
  void fused();
  void unfused();
  void online();
  void find_blocks();
  std::vector<Product> order_of_blocks() const;
  bool room_for_two(const Block& a, const Block& b) const;
  void block_scores(const Product& product);
  void block_values(std::size_t block);
  void collect(const Job& j, bool last_job, vector::AccumulateAttention v);
  std::uint32_t bring_queries(const Job& j);
  void bring_probabilities(std::size_t i);
  void softmax(std::size_t i);
  void see(vector::KeysSeen& v, const Job& j, std::uint64_t first_key) const;
  void bring_sinks(const Job& j);
  void write_scores(std::size_t i);
  void softmax_of_scores(std::size_t i);
  void collect(const Job& j, bool last);
  void fill(vector::CollectAttention& v, const Job& j, bool last) const;
  void take_away(const Job& j, bool last);
  void write_attended(const Job& j);
  pe::Descriptor product(std::uint32_t operation, std::uint32_t operand, const Job& j) const;
  template <class Grouped, class Plain>
  pe::Factor cached(const WideUnits& wide, std::uint64_t keys) const;

  Generation& g_;
  const StepPlan& plan_;
  const KvCacheLayout& kv_;
  const std::uint32_t d_, group_;
  const std::uint64_t window_;  // tokens that each attends to; 0: all
  const std::uint32_t score_op_, value_op_;
  const std::uint32_t attended_;
  const std::optional<std::uint64_t> sinks_;  // their address, where heads have some
  std::vector<Job> jobs_;
  std::vector<UnderWay> under_way_;
  double cycles_per_key_ = 0;  // least that each product takes for each of its keys: of a GPU's kernel
  // Online:
  std::vector<Block> blocks_;
  std::vector<memory::OperandDescriptor> queries_;  // of each job
  std::vector<std::uint32_t> probabilities_;        // operand of each block
};

/// Ranges of wide units counted from unit `first` on.
WideUnits within(WideUnits wide, std::uint64_t first) {
  for (UnitRange* range : {&wide.initial, &wide.local}) {
    range->from -= first;
    range->to -= first;
  }
  return wide;
}

std::vector<Job> jobs_of(const StepPlan& plan, int layer) {
  const auto group = static_cast<std::uint32_t>(plan.shape.queries_per_kv_head());
  std::vector<Job> jobs;
  for (std::size_t s = 0; s < plan.work.sequences.size(); ++s) {
    const SequenceStep& sequence = plan.work.sequences[s];
    const std::vector<Strip> strips = strips_of(sequence.tokens, plan.query_strip[s]);
    for (int head = 0; head < plan.shape.num_key_value_heads; ++head)
      for (std::size_t i = 0; i < strips.size(); ++i)
        jobs.push_back({s,
                        head,
                        i,
                        strips[i].first,
                        strips[i].rows,
                        sequence.context(),
                        first_token_read(sequence.cached + strips[i].first, plan.shape.window_of(layer)),
                        sequence.cached + strips[i].first + strips[i].rows,
                        static_cast<std::uint32_t>(strips[i].rows) * group,
                        {sequence.slot, layer, head}});
  }
  return jobs;
}

AttentionGenerator::AttentionGenerator(Generation& g, const LayerOperation& operation, int layer)
    : g_(g),
      plan_(g.plan),
      kv_(g.plan.map.kv),
      d_(static_cast<std::uint32_t>(g.plan.shape.head_dim)),
      group_(static_cast<std::uint32_t>(g.plan.shape.queries_per_kv_head())),
      window_(g.plan.shape.window_of(layer)),
      score_op_(g.out.next_operation(operation.products.at(0).operation_class)),
      value_op_(g.out.next_operation(operation.products.at(1).operation_class)),
      attended_(g.operand[operation.result]),
      sinks_(operation.parameters ? std::optional(g.plan.map.gains(*operation.parameters, layer)) : std::nullopt),
      jobs_(jobs_of(g.plan, layer)),
      under_way_(jobs_.size()) {
  const KernelConfig& kernels = plan_.chip.kernels;
  if (!kernels.on()) return;
  double keys = 0;
  for (const Job& j : jobs_) keys += static_cast<double>(j.keys());
  const AttentionGrid grid = attention_grid(kernels, attention_work(plan_.shape, plan_.work, layer));
  cycles_per_key_ = attention_work_us(kernels, grid) * plan_.chip.clock_mhz / (2 * keys);
}

void AttentionGenerator::generate() {
  g_.out.gate(Queue::kv_read, Queue::kv_write, g_.out.kv_writes());
  if (plan_.chip.online_block != 0)
    online();
  else if (plan_.chip.fused_attention)
    fused();
  else
    unfused();
}

/// Scores of the next strip run on the array while the vector unit does the softmax of this one, where its queries fit
/// beside this one's probabilities: those come before their turn, and what has to be used earlier must not wait for
/// them (operand_buffer_module.h).
void AttentionGenerator::fused() {
  const auto query_bytes = [&](const Job& j) { return j.m * plan_.attention_row(d_); };
  const auto probability_bytes = [&](const Job& j) { return j.m * plan_.attention_row(j.keys()); };
  std::size_t next = 0;  // whose values are to come
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    const bool fits =
        plan_.resident || i == 0 || probability_bytes(jobs_[i - 1]) + query_bytes(jobs_[i]) <= plan_.chip.operand_bytes;
    while (next < i && (!fits || next + 1 < i)) values(next++);
    scores(i);
  }
  while (next < jobs_.size()) values(next++);
}

/// With scores through memory a strip more is under way: one's scores leave while another's come back and a third's
/// probabilities do.
void AttentionGenerator::unfused() {
  for (std::size_t i = 0; i < jobs_.size() + 2; ++i) {
    if (i < jobs_.size()) scores(i);
    if (i >= 1 && i <= jobs_.size()) softmax_of_scores(i - 1);
    if (i >= 2) values(i - 2);
  }
}

/// An operand of all queries of a strip; returns its number.
std::uint32_t AttentionGenerator::bring_queries(const Job& j) {
  const auto row_bytes = static_cast<std::uint32_t>(plan_.attention_row(d_));
  memory::OperandDescriptor q;
  q.row_bytes = row_bytes;
  q.rows = j.m;
  if (plan_.resident) {
    q.operand = g_.query_operand[j.sequence][static_cast<std::size_t>(j.head)][j.strip];
  } else {  // head by head, put back token by token
    q.operand = g_.out.next_operand();
    const Strip rows{plan_.first_row[j.sequence] + j.first_token, j.tokens};
    g_.out.read_rows(Queue::operand_read, plan_.map.spilled(Value::query, j.place.layer),
                     static_cast<std::uint64_t>(j.head) * group_, group_, rows, row_bytes, q.operand);
    q.from_memory = 1;
    q.block_bytes = row_bytes;
    q.block_rows = static_cast<std::uint32_t>(j.tokens);
  }
  g_.out.batch.operands.push_back(q);
  return q.operand;
}

pe::Descriptor AttentionGenerator::product(std::uint32_t operation, std::uint32_t operand, const Job& j) const {
  pe::Descriptor p;
  p.operation = operation;
  p.a_operand = operand;
  p.m = j.m;
  p.load_a = true;
  return p;
}

/// The cache as a factor of a product with `keys` tokens: in BFP groups, or plain rows.
template <class Grouped, class Plain>
pe::Factor AttentionGenerator::cached(const WideUnits& wide, std::uint64_t keys) const {
  const bool bfp = plan_.chip.attention_operand.bfp();
  const auto least = static_cast<std::uint64_t>(std::llround(cycles_per_key_ * static_cast<double>(keys)));
  if (kv_.policy().grouped()) {
    Grouped b;
    b.bfp_a = bfp;
    b.least_cycles = least;
    b.wide_initial = static_cast<std::uint32_t>(wide.initial.to);
    b.wide_local = static_cast<std::uint32_t>(wide.local.from);
    return b;
  }
  Plain b;
  b.bfp_a = bfp;
  b.least_cycles = least;
  b.int8 = kv_.policy().format == KvFormat::kInt8;
  return b;
}

void AttentionGenerator::scores(std::size_t i) {
  const Job& j = jobs_[i];
  const std::uint32_t queries = bring_queries(j);
  KvPieces pieces;
  const UnitRange keys{j.begin, j.visible};
  kv_.k_read(j.place, j.context, keys, pieces.main, pieces.low);
  g_.out.move_kv(Queue::kv_read, pieces, kv_.policy().grouped(), score_op_);

  pe::Descriptor p = product(score_op_, queries, j);
  p.n = static_cast<std::uint32_t>(keys.count());
  p.k = d_;
  p.b = cached<pe::Keys, pe::PlainKeys>(within(kv_.head().wide_keys(keys, j.context), j.begin), keys.count());
  g_.out.batch.pe.push_back(p);
  softmax(i);
}

/// Which of the keys from `first_key` on each of a job's rows sees.
void AttentionGenerator::see(vector::KeysSeen& v, const Job& j, std::uint64_t first_key) const {
  v.group = group_;
  v.head_dim = d_;
  v.scale = static_cast<float>(g_.plan.shape.attention_scale);
  v.cap = static_cast<float>(g_.plan.shape.attention_cap);
  v.sinks = sinks_.has_value();
  v.visible = static_cast<std::uint32_t>(plan_.work.sequences[j.sequence].cached + j.first_token + 1);
  v.window = static_cast<std::uint32_t>(window_);
  v.first_key = static_cast<std::uint32_t>(first_key);
}

void AttentionGenerator::softmax(std::size_t i) {
  const Job& j = jobs_[i];
  vector::Softmax v;
  v.rows = j.m;
  v.columns = static_cast<std::uint32_t>(j.keys());
  see(v, j, j.begin);
  UnderWay& u = under_way_[i];
  u.operand = g_.out.next_operand();
  if (!plan_.chip.fused_attention) {
    u.softmax = v;
    write_scores(i);
    return;
  }
  bring_sinks(j);
  g_.out.batch.vector.push_back({score_op_, v});
  converter::ToOperand c;
  c.format = plan_.attention_format();
  c.rows = j.m;
  c.columns = v.columns;
  c.row_bytes = static_cast<std::uint32_t>(plan_.attention_row(j.keys()));
  g_.out.batch.converter.push_back({u.operand, c});
}

/// The scores of their own that a group's heads have.
void AttentionGenerator::bring_sinks(const Job& j) {
  if (sinks_)
    g_.out.read_piece(Queue::vector_read, *sinks_ + 2ull * group_ * static_cast<std::uint64_t>(j.head), 2ull * group_,
                      TrafficClass::weights, score_op_);
}

/// A strip's scores to memory. Strips take two places in turn: the vector unit has read a strip's scores before it
/// gives out those of the strip after the next.
void AttentionGenerator::write_scores(std::size_t i) {
  UnderWay& u = under_way_[i];
  const std::uint64_t bytes = u.softmax.row_bytes();
  if (bytes > plan_.map.score_bytes)
    throw config::InputError("unfused attention: the scores of " + std::to_string(u.softmax.rows) + " queries and " +
                             std::to_string(u.softmax.columns) + " tokens take " + std::to_string(bytes) +
                             " bytes and the address map has room for " + std::to_string(plan_.map.score_bytes));
  vector::PassScores scores;
  scores.rows = u.softmax.rows;
  scores.columns = u.softmax.columns;
  g_.out.batch.vector.push_back({score_op_, scores});
  converter::ToMemory pass;
  pass.rows = u.softmax.rows;
  pass.columns = u.softmax.columns;
  g_.out.batch.converter.push_back({score_op_, pass});
  g_.out.write_piece(plan_.map.scores[i % 2], bytes, score_op_);
  u.scores_written = g_.out.out_writes();
}

/// They come back for the softmax, and the probabilities go to memory, to two places in turn: the array has read a
/// strip's before the vector unit gives out those of the strip after the next.
void AttentionGenerator::softmax_of_scores(std::size_t i) {
  UnderWay& u = under_way_[i];
  const std::uint64_t bytes = u.softmax.row_bytes();
  bring_sinks(jobs_[i]);
  g_.out.gate(Queue::vector_read, Queue::out_write, u.scores_written);
  g_.out.read_piece(Queue::vector_read, plan_.map.scores[i % 2], bytes, TrafficClass::activations, score_op_);
  u.softmax.from_memory = true;
  g_.out.batch.vector.push_back({score_op_, u.softmax});

  converter::ToMemory probabilities;
  probabilities.format = plan_.attention_format();
  probabilities.rows = u.softmax.rows;
  probabilities.columns = u.softmax.columns;
  g_.out.batch.converter.push_back({score_op_, probabilities});
  g_.out.write_piece(plan_.map.probabilities[i % 2], u.softmax.rows * plan_.attention_row(u.softmax.columns),
                     score_op_);
  u.probabilities_written = g_.out.out_writes();
}

void AttentionGenerator::bring_probabilities(std::size_t i) {
  const Job& j = jobs_[i];
  const UnderWay& u = under_way_[i];
  memory::OperandDescriptor o;
  o.operand = u.operand;
  o.row_bytes = static_cast<std::uint32_t>(plan_.attention_row(j.keys()));
  o.rows = j.m;
  if (!plan_.chip.fused_attention) {
    o.from_memory = 1;
    g_.out.gate(Queue::operand_read, Queue::out_write, u.probabilities_written);
    g_.out.read_piece(Queue::operand_read, plan_.map.probabilities[i % 2], o.bytes(), TrafficClass::activations,
                      o.operand);
  }
  g_.out.batch.operands.push_back(o);
}

void AttentionGenerator::values(std::size_t i) {
  const Job& j = jobs_[i];
  bring_probabilities(i);
  const UnitRange read{j.begin, values_read(kv_.policy().grouped(), plan_.chip, j.visible, j.context)};
  KvPieces pieces;
  kv_.v_read(j.place, j.context, read, pieces.main, pieces.low);
  g_.out.move_kv(Queue::kv_read, pieces, kv_.policy().grouped(), value_op_);

  pe::Descriptor p = product(value_op_, under_way_[i].operand, j);
  p.n = d_;
  p.k = static_cast<std::uint32_t>(read.count());
  p.b = cached<pe::Values, pe::PlainValues>(
      within(kv_.head().wide_groups(UnitRange{j.begin, j.visible}, j.context), j.begin / kv_group), j.keys());
  g_.out.batch.pe.push_back(p);
  collect(j, i + 1 == jobs_.size());
}

// ---- Online softmax ----

void AttentionGenerator::find_blocks() {
  for (std::size_t i = 0; i < jobs_.size(); ++i)
    for (std::uint64_t begin = jobs_[i].begin, end = 0; begin < jobs_[i].visible; begin = end) {
      end = std::min((begin / plan_.chip.online_block + 1) * plan_.chip.online_block, jobs_[i].visible);
      blocks_.push_back({i, begin, end, end == jobs_[i].visible});
    }
}

/// Whether queries and probabilities of two blocks fit at the same time.
bool AttentionGenerator::room_for_two(const Block& a, const Block& b) const {
  const auto bytes = [&](const Block& block) {
    return jobs_[block.job].m * (plan_.attention_row(d_) + plan_.attention_row(block.end - block.begin));
  };
  const std::uint64_t queries = plan_.resident ? plan_.rows * query_row_bytes(plan_.shape, plan_.chip) : 0;
  return queries + bytes(a) + bytes(b) <= plan_.chip.operand_bytes;
}

/// Scores of a block run on the array while the vector unit works on those before, where there is room. The array has an
/// operand at a time, so that queries come again after probabilities.
std::vector<Product> AttentionGenerator::order_of_blocks() const {
  std::vector<Product> order;
  std::size_t next = 0;  // whose values are to come
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (next < i && !room_for_two(blocks_[i - 1], blocks_[i])) order.push_back({next++, false});
    order.push_back({i, true});
    if (next < i) order.push_back({next++, false});
  }
  while (next < blocks_.size()) order.push_back({next++, false});

  std::vector<std::size_t> brought(jobs_.size(), order.size());  // where a job's queries were brought last
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!order[i].scores) continue;
    const std::size_t job = blocks_[order[i].block].job;
    if (i > 0 && order[i - 1].scores && blocks_[order[i - 1].block].job == job) continue;
    order[i].brings = true;
    order[i].again = brought[job] != order.size();
    if (order[i].again) order[brought[job]].keep = true;
    brought[job] = i;
  }
  return order;
}

void AttentionGenerator::online() {
  find_blocks();
  queries_.resize(jobs_.size());
  probabilities_.resize(blocks_.size());
  for (const Product& p : order_of_blocks())
    if (p.scores)
      block_scores(p);
    else
      block_values(p.block);
}

void AttentionGenerator::block_scores(const Product& product_) {
  const Block& block = blocks_[product_.block];
  const Job& j = jobs_[block.job];
  const UnitRange keys{block.begin, block.end};
  if (product_.again) {
    g_.out.batch.operands.push_back(queries_[block.job]);
  } else if (product_.brings) {
    bring_queries(j);
    queries_[block.job] = g_.out.batch.operands.back();
  }
  if (product_.brings) {
    g_.out.batch.operands.back().keep = product_.keep;
    g_.out.batch.operands.back().again = product_.again;
  }
  KvPieces pieces;
  kv_.k_read(j.place, j.context, keys, pieces.main, pieces.low);
  g_.out.move_kv(Queue::kv_read, pieces, kv_.policy().grouped(), score_op_);
  pe::Descriptor p = product(score_op_, queries_[block.job].operand, j);
  p.load_a = product_.brings;
  p.n = static_cast<std::uint32_t>(keys.count());
  p.k = d_;
  p.b = cached<pe::Keys, pe::PlainKeys>(within(kv_.head().wide_keys(keys, j.context), block.begin), keys.count());
  g_.out.batch.pe.push_back(p);

  vector::OnlineSoftmax v;
  v.rows = j.m;
  v.columns = p.n;
  see(v, j, block.begin);
  v.first = block.begin == j.begin;
  if (v.first) bring_sinks(j);
  g_.out.batch.vector.push_back({score_op_, v});
  converter::ToOperand c;
  c.format = plan_.attention_format();
  c.rows = j.m;
  c.columns = v.columns;
  c.row_bytes = static_cast<std::uint32_t>(plan_.attention_row(v.columns));
  probabilities_[product_.block] = g_.out.next_operand();
  g_.out.batch.converter.push_back({probabilities_[product_.block], c});
}

void AttentionGenerator::block_values(std::size_t number) {
  const Block& block = blocks_[number];
  const Job& j = jobs_[block.job];
  const auto keys = static_cast<std::uint32_t>(block.end - block.begin);
  g_.out.batch.operands.push_back({probabilities_[number], static_cast<std::uint32_t>(plan_.attention_row(keys)), j.m});
  const UnitRange read{block.begin, values_read(kv_.policy().grouped(), plan_.chip, block.end, j.context)};
  KvPieces pieces;
  kv_.v_read(j.place, j.context, read, pieces.main, pieces.low);
  g_.out.move_kv(Queue::kv_read, pieces, kv_.policy().grouped(), value_op_);
  pe::Descriptor p = product(value_op_, probabilities_[number], j);
  p.n = d_;
  p.k = static_cast<std::uint32_t>(read.count());
  p.b = cached<pe::Values, pe::PlainValues>(
      within(kv_.head().wide_groups(UnitRange{block.begin, block.end}, j.context), block.begin / kv_group), keys);
  g_.out.batch.pe.push_back(p);
  vector::AccumulateAttention v;
  v.first = block.begin == j.begin;
  v.last = block.last;
  collect(j, number + 1 == blocks_.size(), v);
}

/// Results of the second product to their rows; the last of a layer that stays on chip makes them an operand.
void AttentionGenerator::collect(const Job& j, bool last) {
  vector::CollectAttention v;
  fill(v, j, last);
  g_.out.batch.vector.push_back({value_op_, v});
  take_away(j, last);
}

void AttentionGenerator::collect(const Job& j, bool last_job, vector::AccumulateAttention v) {
  fill(v, j, last_job);
  g_.out.batch.vector.push_back({value_op_, v});
  if (v.last) take_away(j, last_job);
}

void AttentionGenerator::fill(vector::CollectAttention& v, const Job& j, bool last) const {
  v.rows = j.m;
  v.columns = d_;
  v.group = group_;
  v.head_begin = static_cast<std::uint32_t>(j.head) * group_;
  v.row_begin = static_cast<std::uint32_t>(plan_.first_row[j.sequence] + j.first_token);
  v.width = static_cast<std::uint32_t>(plan_.shape.q_width());
  if (!plan_.resident)
    v.leaves = vector::CollectAttention::Leaves::heads;
  else if (last)
    v.leaves = vector::CollectAttention::Leaves::all_rows;
}

void AttentionGenerator::take_away(const Job& j, bool last) {
  if (!plan_.resident) return write_attended(j);
  if (!last) return;
  converter::ToOperand c;
  c.format = plan_.operand_format();
  c.rows = static_cast<std::uint32_t>(plan_.rows);
  c.columns = static_cast<std::uint32_t>(plan_.shape.q_width());
  c.row_bytes = static_cast<std::uint32_t>(plan_.operand_row(c.columns));
  g_.out.batch.converter.push_back({attended_, c});
}

void AttentionGenerator::write_attended(const Job& j) {
  const auto head_begin = static_cast<std::uint32_t>(j.head) * group_;
  const std::uint64_t row_begin = plan_.first_row[j.sequence] + j.first_token;
  converter::ToMemory c;
  c.format = plan_.operand_format();
  c.rows = static_cast<std::uint32_t>(j.tokens);
  c.columns = d_;
  for (std::uint32_t head = head_begin; head < head_begin + group_; ++head) {
    g_.out.batch.converter.push_back({value_op_, c});
    g_.out.write_rows(plan_.map.spilled(Value::attended, j.place.layer), head, {row_begin, j.tokens},
                      static_cast<std::uint32_t>(plan_.operand_row(d_)), value_op_);
  }
}

void generate_attention(Generation& g, const LayerOperation& operation, int layer) {
  AttentionGenerator(g, operation, layer).generate();
}

}  // namespace

namespace operations {
void attention(Generators& all) { all.operation("attention", generate_attention); }
}  // namespace operations

}  // namespace harmonia::accelerator
