#include "harmonia/hw/accelerator/sequencer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "harmonia/config/error.h"
#include "harmonia/tlm/field_check.h"

namespace harmonia::accelerator {

namespace {

constexpr const char* queue_names[queue_count] = {
    "isock_weights", "isock_decoder",  "isock_pe",       "isock_vector",      "isock_converter",    "isock_operands",
    "isock_kv_read", "isock_residual", "isock_kv_write", "isock_vector_read", "isock_operand_read", "isock_out_write"};

constexpr std::uint32_t kKernelEnd = ~std::uint32_t{0};  // marker of a kernel that is not the last of its batch

std::size_t index(Queue q) { return static_cast<std::size_t>(q); }

std::vector<unsigned char> raw(const void* data, std::size_t bytes) {
  const auto* p = static_cast<const unsigned char*>(data);
  return {p, p + bytes};
}

/// Whether what comes before a batch's first kernel belongs to the last one of the batch before: an all-reduce has no descriptors, so
/// that a batch which begins with one goes on with the other half of a mixture layer.
bool begins_within_kernel(const Batch& batch) {
  return !batch.kernels.empty() && batch.kernels.front().operation_class == OperationClass::link;
}

template <class D>
std::vector<unsigned char> encoded(const D& d) {
  if constexpr (std::is_same_v<D, memory::DmaDescriptor> || std::is_same_v<D, decoder::Descriptor>)
    return raw(&d, d.encoded_bytes());
  else
    return raw(&d, sizeof d);
}

}  // namespace

std::vector<unsigned char> encode_step(const StepWork& work, std::uint32_t layers, std::uint32_t head_columns,
                                       bool single_linear) {
  StepHeader header;
  header.sequences = static_cast<std::uint32_t>(work.sequences.size());
  header.tokens = static_cast<std::uint32_t>(work.token_ids.size());
  header.layers = layers;
  header.head_columns = head_columns;
  header.single_linear = single_linear ? 1 : 0;
  const std::size_t sequences = work.sequences.size() * sizeof(SequenceStep),
                    tokens = work.token_ids.size() * sizeof(std::uint32_t);
  std::vector<unsigned char> bytes(sizeof header + sequences + tokens);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, work.sequences.data(), sequences);
  if (tokens != 0) std::memcpy(bytes.data() + sizeof header + sequences, work.token_ids.data(), tokens);
  return bytes;
}

Sequencer::Sequencer(sc_core::sc_module_name name, const SequencerConfig& config, const ModelShape& shape,
                     const MemoryMap& map, const OnChip& chip, const StepProgram::Settings& settings)
    : sc_module(name),
      host("tsock_host", [this] { host_chunk(); }),
      config_(config),
      clock_(config.clock_mhz),
      shape_(shape),
      map_(map),
      chip_(chip),
      settings_(settings),
      writes_done_([this](Queue& q) { written(q); }),
      markers_due_([this](Marker& m) { marker(m.number); }),
      routings_due_([this](int&) { routed(); }),
      overhead_done_([this](Due& due) {
        if (due == Due::kernel)
          begin_next_kernel();
        else
          push_next_batch();
      }) {
  for (std::size_t i = 0; i < queue_count; ++i) isock[i] = std::make_unique<bus::MemoryInitiator<>>(queue_names[i]);
  for (Queue q : {Queue::kv_write, Queue::out_write})
    isock[index(q)]->on_response([this, q](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
      if (payload.get_response_status() != tlm::TLM_OK_RESPONSE)
        SC_REPORT_ERROR("/harmonia/accelerator/sequencer", "a write descriptor was refused or failed");
      writes_done_.push(q, when);
    });
  tsock.on_request([this](auto& payload, const sc_core::sc_time& arrival) { return request(payload, arrival); });
  if (settings_.data_valid) settings_.routing = scored_ = std::make_shared<ScoredRouting>();
}

std::optional<sc_core::sc_time> Sequencer::request(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
  if (payload.get_command() == tlm::TLM_READ_COMMAND) {
    const std::uint64_t offset = payload.get_address(), bytes = payload.get_data_length();
    if (offset + bytes > logits_.size() || offset + bytes < offset)
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    else
      std::memcpy(payload.get_data_ptr(), logits_.data() + offset, bytes);
    tsock.respond(payload, arrival);
    return std::nullopt;
  }
  StepHeader header;
  const std::uint64_t length = payload.get_data_length();
  bool good = payload.get_command() == tlm::TLM_WRITE_COMMAND && length >= sizeof header && !command_;
  if (good) {
    std::memcpy(&header, payload.get_data_ptr(), sizeof header);
    good = header.sequences > 0 && length == sizeof header + std::uint64_t{header.sequences} * sizeof(SequenceStep) +
                                                 std::uint64_t{header.tokens} * 4;
  }
  if (!good) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    tsock.respond(payload, arrival);
    return std::nullopt;
  }
  command_ = bus::PayloadPtr(payload);
  start(payload);
  return arrival;
}

void Sequencer::start(tlm::tlm_generic_payload& payload) {
  StepHeader header;
  const unsigned char* p = payload.get_data_ptr();
  std::memcpy(&header, p, sizeof header);
  p += sizeof header;
  work_.sequences.resize(header.sequences);
  std::memcpy(static_cast<void*>(work_.sequences.data()), p, header.sequences * sizeof(SequenceStep));
  p += header.sequences * sizeof(SequenceStep);
  work_.token_ids.resize(header.tokens);
  if (header.tokens != 0) std::memcpy(work_.token_ids.data(), p, header.tokens * 4ull);

  if (scored_) scored_->begin(shape_, work_);
  program_ = std::make_unique<StepProgram>(shape_, map_, chip_, settings_, work_);
  layers_ = header.layers == 0 ? static_cast<unsigned>(shape_.num_hidden_layers)
                               : std::min(header.layers, static_cast<std::uint32_t>(shape_.num_hidden_layers));
  single_linear_ = header.single_linear != 0;
  if (single_linear_) layers_ = 0;
  head_columns_ =
      std::uint64_t{3} * header.head_columns < static_cast<std::uint64_t>(shape_.vocab_size) ? header.head_columns : 0;
  if (program_->head_in_strips() || (single_linear_ && !program_->resident())) head_columns_ = 0;
  head_parts_ = head_columns_ == 0 ? 1 : 3;
  record_ = StepRecord{};
  record_.begin = sc_core::sc_time_stamp();
  record_.resident = program_->resident();
  next_batch_ = 0;
  due_.clear();
  routing_due_ = false;
  markers_ = 0;
  part_ends_.clear();
  all_pushed_ = last_marker_seen_ = false;
  kv_writes_ = out_writes_ = kv_written_ = out_written_ = 0;
  logit_rows_ = 0;
  for (const SequenceStep& s : work_.sequences) logit_rows_ += s.logits;
  logits_.assign(settings_.data_valid ? std::size_t{logit_rows_} * shape_.vocab_size * 2 : 0, 0);
  kernels_.clear();
  kernels_queued_ = kernels_begun_ = kernels_ended_ = 0;
  ends_kernel_.clear();
  push_next_batch();
  if (chip_.kernels.on()) {
    if (single_linear_) push_next_batch();
    return;
  }
  if (config_.layer_overhead_us > 0) return;
  for (unsigned i = 0; i < config_.layers_ahead; ++i) push_next_batch();
}

void Sequencer::add_marker(Batch& batch) { batch.vector.push_back({0, vector::Marker{markers_++}}); }

/// Adds the next batch, or as soon as the layer before it is whole.
void Sequencer::push_next_batch(double overhead_us) {
  due_.push_back(overhead_us);
  push_due();
}

void Sequencer::push_due() {
  for (; !due_.empty() && !routing_due_; due_.pop_front()) push_batch(due_.front());
}

/// The router's results are here: the rest of its layer.
void Sequencer::routed() {
  routing_due_ = false;
  end_part(program_->after_routing(static_cast<int>(next_batch_) - 1), 0);
  push_due();
}

/// Adds embedding, a layer, or head. A marker ends each. overhead_us: before its first kernel.
void Sequencer::push_batch(double overhead_us) {
  if (all_pushed_) return;
  Batch batch;
  if (next_batch_ == 0) {
    batch = single_linear_ ? program_->input() : program_->embedding();
  } else if (next_batch_ <= layers_) {
    const int layer = static_cast<int>(next_batch_) - 1;
    if (shape_.is_mixture(layer)) {
      routing_due_ = true;
      batch = program_->before_routing(layer);
      mark_kernels(batch);
      push(std::move(batch), 0);
      return;
    }
    batch = program_->layer(layer);
  } else {
    const std::uint64_t part = next_batch_ - layers_ - 1;
    all_pushed_ = part + 1 == head_parts_;
    batch = head_columns_ == 0 ? program_->head()
                               : program_->head(part * head_columns_, (part + 1) * head_columns_, !all_pushed_);
  }
  end_part(std::move(batch), overhead_us);
}

void Sequencer::end_part(Batch&& batch, double overhead_us) {
  ++next_batch_;
  part_ends_.push_back(program_->operations());
  mark_kernels(batch);
  add_marker(batch);
  ends_kernel_.push_back(!batch.kernels.empty());
  push(std::move(batch), overhead_us);
}

/// A marker behind each kernel but the last, whose end the batch's own marker shows, or that of the batch in which it goes on.
void Sequencer::mark_kernels(Batch& batch) const {
  std::size_t markers = 0;
  for (KernelStart& k : batch.kernels) {
    std::size_t& first = k.first[index(Queue::vector)];
    first += markers;
    if (&k == &batch.kernels.front() && !begins_within_kernel(batch)) continue;
    batch.vector.insert(batch.vector.begin() + static_cast<std::ptrdiff_t>(first), {0, vector::Marker{kKernelEnd}});
    ++first;
    ++markers;
  }
}

std::uint64_t Sequencer::kernel_of(const Batch& batch, Queue q, std::size_t item) const {
  std::uint64_t n = 0;
  const bool within = begins_within_kernel(batch);
  for (const KernelStart& k : batch.kernels) n += k.first[index(q)] <= item || (n == 0 && !within) ? 1 : 0;
  return n == 0 && !within ? 0 : kernels_queued_ + n;
}

/// The next kernel begins behind its constant, or with the sum of the devices' parts.
void Sequencer::await_kernel() {
  const Kernel& next = kernels_.front();
  if (next.operation_class == OperationClass::link && all_reduce)
    all_reduce(next.reduced_values, [this](const sc_core::sc_time& when) { overhead_done_.push(Due::kernel, when); });
  else
    overhead_done_.push(Due::kernel, sc_core::sc_time_stamp() + sc_core::sc_time(next.us, sc_core::SC_US));
}

/// The next kernel's descriptors may go to their blocks.
void Sequencer::begin_next_kernel() {
  kernel_class_ = kernels_.front().operation_class;
  if (kernel_class_ == OperationClass::link) all_reduces_.push_back(kernels_.front().reduced_values);
  kernels_.pop_front();
  ++kernels_begun_;
  pump_all();
}

/// The kernel at work has ended: the next one begins behind its constant.
void Sequencer::end_kernel() {
  ++kernels_ended_;
  if (on_kernel) on_kernel(kernel_class_, record_.layer_begin.size());
  if (!kernels_.empty()) await_kernel();
}

template <class D>
void Sequencer::queue_all(Queue q, const std::vector<D>& list, const Batch& batch) {
  base_[index(q)] = items_[index(q)].size();
  [[maybe_unused]] std::size_t picked = 0;
  for (const D& d : list) {
    Item item;
    item.bytes = encoded(d);
    item.kernel = kernel_of(batch, q, static_cast<std::size_t>(&d - list.data()));
    if constexpr (std::is_same_v<D, memory::OperandDescriptor>) {
      if (d.picks()) {
        const std::vector<unsigned char> rows = raw(batch.picked.data() + picked, d.rows * sizeof(std::uint32_t));
        item.bytes.insert(item.bytes.end(), rows.begin(), rows.end());
        picked += d.rows;
      }
    }
    if constexpr (std::is_same_v<D, vector::Descriptor>) {
      if (std::holds_alternative<vector::Setup>(d.kind)) {
        const std::vector<unsigned char> table = program_->setup_table();
        item.bytes.insert(item.bytes.end(), table.begin(), table.end());
      }
    }
    items_[index(q)].push_back(std::move(item));
  }
}

void Sequencer::push(Batch&& batch, double overhead_us) {
  queue_all(Queue::weights, batch.weights, batch);
  queue_all(Queue::decoder, batch.decoder, batch);
  queue_all(Queue::pe, batch.pe, batch);
  queue_all(Queue::vector, batch.vector, batch);
  queue_all(Queue::converter, batch.converter, batch);
  queue_all(Queue::operands, batch.operands, batch);
  queue_all(Queue::kv_read, batch.kv_read, batch);
  queue_all(Queue::residual, batch.residual, batch);
  queue_all(Queue::kv_write, batch.kv_write, batch);
  queue_all(Queue::vector_read, batch.vector_read, batch);
  queue_all(Queue::operand_read, batch.operand_read, batch);
  queue_all(Queue::out_write, batch.out_write, batch);
  kv_writes_ += batch.kv_write.size();
  out_writes_ += batch.out_write.size();
  for (const Gate& g : batch.gates) {
    const std::size_t at = base_[index(g.queue)] + g.item;
    if (at >= items_[index(g.queue)].size()) continue;  // nothing came after the gate
    Item& item = items_[index(g.queue)][at];
    // Of two gates at one descriptor the later one is stricter within a queue; different queues are not mixed.
    item.gated = true;
    item.on = g.on;
    item.count = std::max(item.count, g.count);
  }
  const bool waits = kernels_.empty() && kernels_begun_ == kernels_ended_;
  for (const KernelStart& k : batch.kernels)
    kernels_.push_back(
        {k.operation_class, k.us + (&k == &batch.kernels.front() ? overhead_us : 0.0), k.reduced_values});
  kernels_queued_ += batch.kernels.size();
  if (waits && !kernels_.empty()) await_kernel();
  pump_all();
}

void Sequencer::pump_all() {
  for (std::size_t i = 0; i < queue_count; ++i) pump(static_cast<Queue>(i));
}

void Sequencer::pump(Queue q) {
  std::deque<Item>& items = items_[index(q)];
  // Their order in their queues is the same, and buffers hold them back.
  const bool ahead = settings_.weights_ahead && !chip_.kernels.on() && (q == Queue::weights || q == Queue::decoder);
  while (!items.empty()) {
    const Item& item = items.front();
    if (item.kernel > kernels_begun_ && !ahead) return;
    if (item.gated && (item.on == Queue::kv_write ? kv_written_ : out_written_) < item.count) return;
    send(q, item.bytes);
    items.pop_front();
  }
}

void Sequencer::send(Queue q, const std::vector<unsigned char>& bytes) {
  sc_core::sc_time& free = free_[index(q)];
  const bus::Cycle now = clock_.cycle(sc_core::sc_time_stamp());
  const auto at = std::max(now, clock_.cycle(free)) + static_cast<std::uint64_t>(config_.cycles_per_decision);
  free = clock_.time(at);
  auto command = [&] {
    bus::PayloadPtr payload =
        pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(bytes.size()), bus::Data::buffer);
    std::memcpy(payload->get_data_ptr(), bytes.data(), bytes.size());
    bus::PayloadPool::chunk(payload).traffic = bus::TrafficClass::commands;
    return payload;
  };
  if (q == Queue::converter) isock_smoother.send(command(), free);
  isock[index(q)]->send(command(), free);
}

void Sequencer::written(Queue q) {
  ++(q == Queue::kv_write ? kv_written_ : out_written_);
  pump_all();
  finish_if_done();
}

/// What is wrong with a chunk for the host; empty: nothing.
std::string Sequencer::host_fault(const bus::Chunk& chunk, std::uint64_t bytes) const {
  const auto* result = std::get_if<bus::HostResult>(&chunk.header);
  if (result == nullptr) return "the chunk's header is not a HostResult";
  bus::FieldCheck check;
  check.kind("HostResult::kind", result->kind, bus::HostResult::Kind::routing);
  if (result->kind == bus::HostResult::Kind::routing)
    check.require(routing_due_, "HostResult::kind", static_cast<unsigned>(result->kind),
                  "a layer that waits for a routing");
  if (!check.good() || !chunk.data_valid) return check.fault();
  if (result->kind == bus::HostResult::Kind::routing) {
    check.equal("HostResult::rows", result->rows, program_->rows(), "the step's");
    check.equal("HostResult::columns", result->columns, static_cast<std::uint64_t>(shape_.mixture.experts_per_token),
                "experts of a token");
    check.equal("the data length", bytes, 4ull * result->rows * result->columns, "32 bits for each expert");
  }
  if (result->kind != bus::HostResult::Kind::logits) return check.fault();
  const auto vocabulary = static_cast<std::uint64_t>(shape_.vocab_size);
  check.require(result->row_begin <= logit_rows_ && result->rows <= logit_rows_ - result->row_begin,
                "HostResult::row_begin", result->row_begin, "rows inside the step's ", logit_rows_);
  check.require(std::uint64_t{result->column_begin} + result->columns <= vocabulary, "HostResult::column_begin",
                result->column_begin, "columns inside the vocabulary's ", vocabulary);
  check.equal("the data length", bytes, 2ull * result->rows * result->columns, "FP16 values of rows and columns");
  return check.fault();
}

void Sequencer::host_chunk() {
  const tlm::tlm_generic_payload& payload = *host.waiting();
  const bus::Chunk& c = bus::chunk_of(payload);
  const sc_core::sc_time when = host.arrival();
  const std::string fault = host_fault(c, payload.get_data_length());
  if (!fault.empty()) {
    host.refuse(fault);
    return;
  }
  const auto& result = bus::header_of<bus::HostResult>(c);
  if (result.kind == bus::HostResult::Kind::marker) {
    markers_due_.push({c.operation}, when);
  } else if (result.kind == bus::HostResult::Kind::routing) {
    if (c.data_valid) {
      std::vector<std::uint32_t> experts(std::size_t{result.rows} * result.columns);
      std::memcpy(experts.data(), payload.get_data_ptr(), experts.size() * sizeof(std::uint32_t));
      scored_->set(shape_.first_layer + static_cast<int>(next_batch_) - 1, std::move(experts));
    }
    routings_due_.push(0, when);
  } else if (c.data_valid) {
    const std::size_t bytes = std::size_t{result.columns} * 2;
    for (std::size_t r = 0; r < result.rows; ++r)
      std::memcpy(logits_.data() + ((result.row_begin + r) * shape_.vocab_size + result.column_begin) * 2,
                  payload.get_data_ptr() + r * bytes, bytes);
  }
  host.accept(when);
}

void Sequencer::marker(std::uint32_t number) {
  if (number == kKernelEnd) {
    end_kernel();
    return;
  }
  if (number < ends_kernel_.size() && ends_kernel_[number]) end_kernel();
  // Markers stand behind the embedding, behind each layer and behind the head.
  if (number <= layers_) record_.layer_begin.push_back(sc_core::sc_time_stamp());
  if (on_marker) on_marker(number);
  if (number == layers_ + head_parts_) {
    last_marker_seen_ = true;
    finish_if_done();
    return;
  }
  const double overhead_us = number < layers_ ? config_.layer_overhead_us : 0.0;
  if (config_.layer_overhead_us > 0 && !chip_.kernels.on())
    overhead_done_.push(Due::batch, sc_core::sc_time_stamp() + sc_core::sc_time(overhead_us, sc_core::SC_US));
  else
    push_next_batch(overhead_us);
}

void Sequencer::finish_if_done() {
  if (!last_marker_seen_ || kv_written_ < kv_writes_ || out_written_ < out_writes_) return;
  last_marker_seen_ = false;
  record_.end = sc_core::sc_time_stamp();
  StepExtent extent = StepExtent::whole(shape_);
  extent.layers = layers_;
  extent.single_linear = single_linear_;
  if (head_columns_ != 0) extent.head_columns = head_columns_ * head_parts_;
  record_.expected =
      expected_of_step(shape_, map_.formats(), settings_.codebook, chip_, work_, extent, settings_.routing.get());
  expected_ += record_.expected;
  ++steps_;
  bus::PayloadPtr done = std::move(command_);
  command_.reset();
  tsock.respond(*done, sc_core::sc_time_stamp());
}

}  // namespace harmonia::accelerator
