#include "harmonia/hw/accelerator/pipeline.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "harmonia/hw/link/network.h"

namespace harmonia::accelerator {

std::vector<StepWork> micro_batches(const StepWork& work, std::size_t count) {
  std::vector<StepWork> parts(std::min(count, work.sequences.size()));
  std::size_t row = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const link::Piece piece =
        link::piece_of(work.sequences.size(), static_cast<unsigned>(parts.size()), static_cast<unsigned>(p));
    for (std::uint64_t i = piece.begin; i < piece.begin + piece.count; ++i) {
      const SequenceStep& s = work.sequences[i];
      parts[p].sequences.push_back(s);
      for (std::uint64_t t = 0; t < s.tokens; ++t, ++row)
        if (row < work.token_ids.size()) parts[p].token_ids.push_back(work.token_ids[row]);
    }
  }
  return parts;
}

Pipeline::Pipeline(sc_core::sc_module_name name, const PipelineConfig& config, std::vector<PipelineStage> stages,
                   const Connect& connect)
    : sc_module(name),
      config_(config),
      stages_(std::move(stages)),
      state_(stages_.size()),
      hops_(stages_.size() - 1),
      due_([this](std::pair<std::size_t, bool>& what) {
        if (what.second)
          arrived(what.first);
        else
          act(what.first);
      }) {
  const auto join = [&](tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& pair) {
    if (connect)
      connect(from, to, pair);
    else
      from.bind(to);
  };
  tsock.on_request([this](auto& payload, const sc_core::sc_time& arrival) { return request(payload, arrival); });
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    isock_.push_back(std::make_unique<bus::MemoryInitiator<>>(("isock" + std::to_string(s)).c_str()));
    isock_[s]->on_response(
        [this, s](tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) { answered(s, payload, when); });
    isock_[s]->bind(*stages_[s].command);
  }
  for (std::size_t s = 0; s < hops_.size(); ++s)
    for (std::size_t d = 0; d < stages_[s].units.size(); ++d) {
      const std::string device = "_device" + std::to_string(d), from = "stage" + std::to_string(s) + device,
                        to = "stage" + std::to_string(s + 1) + device;
      Hop& hop = hops_[s];
      const auto unit = [&](const std::string& of, unsigned own) {
        hop.units.push_back(
            std::make_unique<link::CollectiveUnit>(of.c_str(), config.link, own, 2, link::Topology::switched));
        return hop.units.back().get();
      };
      link::CollectiveUnit *sender = unit(from + "_sends", 0), *receiver = unit(to + "_receives", 1);
      hop.links.push_back(std::make_unique<link::Link>((from + "_link").c_str(), config.link));
      link::Link& there = *hop.links.back();
      hop.links.push_back(std::make_unique<link::Link>((from + "_link_back").c_str(), config.link));
      link::Link& back = *hop.links.back();
      join(*sender->isock[1], there.tsock, from + "_to_link");
      join(there.isock, *receiver->tsock[0], "link_to_" + to);
      receiver->isock[0]->bind(back.tsock);
      back.isock.bind(*sender->tsock[1]);
      receiver->on_done = [this, s](const sc_core::sc_time& when) {
        if (--hops_[s].missing == 0) due_.push({s, true}, when);
      };
    }
}

std::uint64_t Pipeline::payload_bytes() const {
  std::uint64_t sum = 0;
  for (const Hop& hop : hops_)
    for (const auto& l : hop.links) sum += l->timing().payload_bytes();
  return sum;
}

void Pipeline::refuse(tlm::tlm_response_status status, const sc_core::sc_time& when) {
  const bus::PayloadPtr refused = std::move(asked_);
  asked_.reset();
  refused->set_response_status(status);
  tsock.respond(*refused, when);
}

std::optional<sc_core::sc_time> Pipeline::request(tlm::tlm_generic_payload& payload, const sc_core::sc_time& arrival) {
  if (asked_) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    tsock.respond(payload, arrival);
    return std::nullopt;
  }
  asked_ = bus::PayloadPtr(payload);
  const unsigned length = payload.get_data_length();
  if (payload.get_command() == tlm::TLM_READ_COMMAND) {
    if (payload.get_address() != 0 || length > logits_.size() || length % (2 * config_.vocabulary) != 0) {
      refuse(tlm::TLM_ADDRESS_ERROR_RESPONSE, arrival);
      return std::nullopt;
    }
    std::memcpy(payload.get_data_ptr(), logits_.data(), length);
    const bus::PayloadPtr done = std::move(asked_);
    asked_.reset();
    tsock.respond(*done, arrival);
    return std::nullopt;
  }
  StepHeader header;
  bool good = payload.get_command() == tlm::TLM_WRITE_COMMAND && length >= sizeof header;
  if (good) {
    std::memcpy(&header, payload.get_data_ptr(), sizeof header);
    good = header.sequences > 0 && header.single_linear == 0 &&
           length == sizeof header + std::uint64_t{header.sequences} * sizeof(SequenceStep) +
                         std::uint64_t{header.tokens} * 4;
  }
  if (!good) {
    refuse(tlm::TLM_GENERIC_ERROR_RESPONSE, arrival);
    return std::nullopt;
  }
  StepWork work;
  const unsigned char* p = payload.get_data_ptr() + sizeof header;
  work.sequences.resize(header.sequences);
  std::memcpy(static_cast<void*>(work.sequences.data()), p, header.sequences * sizeof(SequenceStep));
  work.token_ids.resize(header.tokens);
  if (header.tokens != 0)
    std::memcpy(work.token_ids.data(), p + header.sequences * sizeof(SequenceStep), header.tokens * 4ull);
  layers_ = header.layers;
  head_columns_ = header.head_columns;
  batches_ = micro_batches(work, config_.micro_batches);
  logits_.clear();
  finished_ = 0;
  failed_ = false;
  step_begin_ = std::max(arrival, sc_core::sc_time_stamp());
  for (Stage& s : state_) s = Stage{};
  due_.push({0, false}, step_begin_);
  return arrival;
}

/// Begins what can begin, until nothing can.
void Pipeline::advance() {
  if (advancing_) return;
  advancing_ = true;
  for (bool progress = true; progress;) {
    progress = false;
    for (std::size_t s = stages_.size(); s-- > 0;) progress = advance(s) || progress;
  }
  advancing_ = false;
}

bool Pipeline::advance(std::size_t s) {
  Stage& stage = state_[s];
  bool progress = false;
  if (stage.holds && !stage.leaves) {
    stage.holds = false;
    stage.leaves = true;
    stage.leaving = stage.done - 1;
    if (config_.functional) {
      stage.out.clear();
      for (const vector::VectorUnit* unit : stages_[s].units) stage.out.push_back(unit->residual());
    }
    progress = true;
  }
  if (stage.leaves && !stage.under_way && !state_[s + 1].came) {
    send(s);
    progress = true;
  }
  if (!stage.busy && !stage.holds && stage.begun < batches_.size() && (s == 0 || stage.came)) {
    begin(s);
    progress = true;
  }
  return progress;
}

void Pipeline::begin(std::size_t s) {
  Stage& stage = state_[s];
  StepWork own = batches_[stage.begun];
  if (s > 0) own.token_ids.clear();
  if (!last(s))
    for (SequenceStep& sequence : own.sequences) sequence.logits = false;
  if (s > 0 && config_.functional)
    for (std::size_t d = 0; d < stage.in.size(); ++d) stages_[s].units[d]->put_rows(std::move(stage.in[d]));
  stage.came = false;
  stage.busy = true;
  if (on_begin) on_begin(s, stage.begun);
  ++stage.begun;
  const std::vector<unsigned char> bytes = encode_step(own, layers_, last(s) ? head_columns_ : 0);
  bus::PayloadPtr command =
      pool_.make(tlm::TLM_WRITE_COMMAND, 0, static_cast<unsigned>(bytes.size()), bus::Data::buffer);
  std::memcpy(command->get_data_ptr(), bytes.data(), bytes.size());
  isock_[s]->send(std::move(command), sc_core::sc_time_stamp());
}

void Pipeline::send(std::size_t s) {
  Stage& stage = state_[s];
  Hop& hop = hops_[s];
  stage.under_way = true;
  link::Request request;
  request.collective = link::Collective::send_receive;
  request.algorithm = link::Algorithm::direct;
  request.elements = batches_[stage.leaving].tokens() * config_.hidden;
  hop.missing = stages_[s].units.size();
  for (std::size_t d = 0; d < stages_[s].units.size(); ++d) {
    std::vector<float> rows(request.elements);
    if (config_.functional) formats::to_float(stage.out[d].data(), request.elements, rows.data());
    hop.units[2 * d + 1]->begin(request, std::vector<float>(request.elements));
    hop.units[2 * d]->begin(request, std::move(rows));
  }
}

/// What stage `s` sent is in the next one.
void Pipeline::arrived(std::size_t s) {
  Stage &from = state_[s], &to = state_[s + 1];
  from.leaves = from.under_way = false;
  to.came = true;
  to.in.clear();
  if (config_.functional)
    for (std::size_t d = 0; d < stages_[s].units.size(); ++d) {
      std::vector<formats::Fp16> rows;
      for (const float x : hops_[s].units[2 * d + 1]->values()) rows.push_back(formats::to_fp16(x));
      to.in.push_back(std::move(rows));
    }
  advance();
}

void Pipeline::answered(std::size_t s, const tlm::tlm_generic_payload& payload, const sc_core::sc_time& when) {
  failed_ = failed_ || payload.get_response_status() != tlm::TLM_OK_RESPONSE;
  if (payload.get_command() == tlm::TLM_READ_COMMAND)
    logits_.insert(logits_.end(), payload.get_data_ptr(), payload.get_data_ptr() + payload.get_data_length());
  due_.push({s, false}, when);
}

/// A stage's command is done, or the first one has one to begin with.
void Pipeline::act(std::size_t s) {
  Stage& stage = state_[s];
  if (!stage.busy) {
    advance();
    return;
  }
  if (!last(s) || !logits_asked_) {
    if (on_done) on_done(s, stage.done);
    const std::uint64_t rows = last(s) ? batches_[stage.done].logit_rows() : 0;
    if (config_.functional && rows > 0) {
      logits_asked_ =
          pool_.make(tlm::TLM_READ_COMMAND, 0, static_cast<unsigned>(2 * rows * config_.vocabulary), bus::Data::buffer);
      isock_[s]->send(logits_asked_, sc_core::sc_time_stamp());
      return;
    }
  }
  if (last(s)) logits_asked_.reset();
  stage.busy = false;
  ++stage.done;
  if (!last(s)) {
    stage.holds = true;
  } else if (++finished_ == batches_.size()) {
    finish_step();
    return;
  }
  advance();
}

void Pipeline::finish_step() {
  step_end_ = sc_core::sc_time_stamp();
  const bus::PayloadPtr done = std::move(asked_);
  asked_.reset();
  if (failed_) done->set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  tsock.respond(*done, step_end_);
}

}  // namespace harmonia::accelerator
