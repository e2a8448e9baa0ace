#include "harmonia/tlm/pftrace.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace harmonia::bus {
namespace {

// Field numbers of the messages used, by message.
namespace field {
constexpr unsigned trace_packet = 1;
namespace packet {
constexpr unsigned timestamp = 8, sequence_id = 10, track_event = 11, interned_data = 12, sequence_flags = 13,
                   track_descriptor = 60;
}
namespace descriptor {
constexpr unsigned uuid = 1, name = 2, process = 3, parent_uuid = 5, counter = 8;
}
namespace process {
constexpr unsigned pid = 1, name = 6;
}
namespace counter {
constexpr unsigned unit_name = 6;
}
namespace event {
constexpr unsigned annotations = 4, type = 9, name_iid = 10, track_uuid = 11, double_value = 44;
}
namespace annotation {
constexpr unsigned uint_value = 3, name = 10;
}
namespace interned {
constexpr unsigned event_names = 2;
}
namespace event_name {
constexpr unsigned iid = 1, name = 2;
}
}  // namespace field

constexpr std::uint64_t slice_begin = 1, slice_end = 2, counter_sample = 4;
constexpr std::uint64_t state_cleared = 1, needs_state = 2;
constexpr std::uint64_t sequence = 1;
constexpr std::size_t buffer_bytes = 64 * 1024;

}  // namespace

/// One protocol-buffer message under construction.
class PftraceWriter::Message {
 public:
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }
  void number(unsigned field, std::uint64_t value) {
    varint(std::uint64_t{field} << 3);
    varint(value);
  }
  void real(unsigned field, double value) {
    varint(std::uint64_t{field} << 3 | 1);
    std::uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<char>(bits >> (8 * i)));  // little endian on every host
  }
  void text(unsigned field, std::string_view value) {
    varint(std::uint64_t{field} << 3 | 2);
    varint(value.size());
    bytes_.append(value);
  }
  void message(unsigned field, const Message& value) { text(field, value.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

PftraceWriter::PftraceWriter(const std::string& path, std::uint64_t ps_per_tick)
    : path_(path), ps_per_tick_(ps_per_tick == 0 ? 1 : ps_per_tick) {
  file_ = std::fopen(path.c_str(), "wb");
  if (!file_) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
  buffer_.reserve(buffer_bytes + 1024);
  Message packet;
  packet.number(field::packet::sequence_id, sequence);
  packet.number(field::packet::sequence_flags, state_cleared);
  write(packet);
}

PftraceWriter::~PftraceWriter() {
  if (!file_) return;
  flush();
  std::fclose(file_);
}

PftraceWriter::Track PftraceWriter::add_group(std::string_view name) {
  Message process;
  process.number(field::process::pid, static_cast<std::uint64_t>(next_pid_++));
  process.text(field::process::name, name);
  Message descriptor;
  descriptor.number(field::descriptor::uuid, next_uuid_);
  descriptor.text(field::descriptor::name, name);
  descriptor.message(field::descriptor::process, process);
  Message packet;
  packet.number(field::packet::sequence_id, sequence);
  packet.message(field::packet::track_descriptor, descriptor);
  write(packet);
  return next_uuid_++;
}

PftraceWriter::Track PftraceWriter::add_track(std::string_view name, Track group) {
  Message descriptor;
  descriptor.number(field::descriptor::uuid, next_uuid_);
  descriptor.text(field::descriptor::name, name);
  descriptor.number(field::descriptor::parent_uuid, group);
  Message packet;
  packet.number(field::packet::sequence_id, sequence);
  packet.message(field::packet::track_descriptor, descriptor);
  write(packet);
  return next_uuid_++;
}

PftraceWriter::Track PftraceWriter::add_counter(std::string_view name, std::string_view unit_name, Track group) {
  Message counter;
  counter.text(field::counter::unit_name, unit_name);
  Message descriptor;
  descriptor.number(field::descriptor::uuid, next_uuid_);
  descriptor.text(field::descriptor::name, name);
  descriptor.number(field::descriptor::parent_uuid, group);
  descriptor.message(field::descriptor::counter, counter);
  Message packet;
  packet.number(field::packet::sequence_id, sequence);
  packet.message(field::packet::track_descriptor, descriptor);
  write(packet);
  return next_uuid_++;
}

std::uint64_t PftraceWriter::intern(std::string_view name, Message& packet) {
  key_.assign(name);
  const auto [entry, is_new] = names_.try_emplace(key_, names_.size() + 1);
  if (is_new) {
    Message event_name;
    event_name.number(field::event_name::iid, entry->second);
    event_name.text(field::event_name::name, name);
    Message interned;
    interned.message(field::interned::event_names, event_name);
    packet.message(field::packet::interned_data, interned);
  }
  return entry->second;
}

void PftraceWriter::slice(Track track, std::string_view name, std::uint64_t begin_ps, std::uint64_t end_ps,
                          std::uint64_t detail) {
  Message packet;
  packet.number(field::packet::timestamp, ticks(begin_ps));
  packet.number(field::packet::sequence_id, sequence);
  packet.number(field::packet::sequence_flags, needs_state);
  Message event;
  event.number(field::event::type, slice_begin);
  event.number(field::event::track_uuid, track);
  event.number(field::event::name_iid, intern(name, packet));
  if (detail != 0) {
    Message annotation;
    annotation.number(field::annotation::uint_value, detail);
    annotation.text(field::annotation::name, "operation");
    event.message(field::event::annotations, annotation);
  }
  packet.message(field::packet::track_event, event);
  write(packet);

  Message end_packet;
  end_packet.number(field::packet::timestamp, ticks(end_ps));
  end_packet.number(field::packet::sequence_id, sequence);
  end_packet.number(field::packet::sequence_flags, needs_state);
  Message end_event;
  end_event.number(field::event::type, slice_end);
  end_event.number(field::event::track_uuid, track);
  end_packet.message(field::packet::track_event, end_event);
  write(end_packet);
}

void PftraceWriter::counter(Track track, std::uint64_t when_ps, double value) {
  Message packet;
  packet.number(field::packet::timestamp, ticks(when_ps));
  packet.number(field::packet::sequence_id, sequence);
  Message event;
  event.number(field::event::type, counter_sample);
  event.number(field::event::track_uuid, track);
  event.real(field::event::double_value, value);
  packet.message(field::packet::track_event, event);
  write(packet);
}

void PftraceWriter::write(const Message& packet) {
  Message trace;
  trace.message(field::trace_packet, packet);
  buffer_.append(trace.bytes());
  if (buffer_.size() >= buffer_bytes) flush();
}

void PftraceWriter::flush() {
  if (std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size()) failed_ = true;
  buffer_.clear();
}

void PftraceWriter::close() {
  if (!file_) return;
  flush();
  if (std::fclose(file_) != 0) failed_ = true;
  file_ = nullptr;
  if (failed_) throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(errno));
}

}  // namespace harmonia::bus
