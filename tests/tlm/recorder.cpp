#include "harmonia/tlm/recorder.h"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <systemc>
#include <vector>

#include "tests/support/catch.h"
#include "tests/tlm/models.h"

using namespace harmonia::bus;
using harmonia::test::ns;

namespace {

/// The least of a protocol-buffer reader: the fields of one message, in order.
struct Field {
  unsigned number;
  std::uint64_t value = 0;  // varint, or the bits of a fixed64
  std::string_view bytes;
};

std::uint64_t read_varint(std::string_view& data) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    REQUIRE(!data.empty());
    REQUIRE(shift < 64);
    const auto byte = static_cast<unsigned char>(data.front());
    data.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return value;
  }
}

std::vector<Field> decode(std::string_view data) {
  std::vector<Field> fields;
  while (!data.empty()) {
    const std::uint64_t key = read_varint(data);
    Field field{static_cast<unsigned>(key >> 3), 0, {}};
    switch (key & 7) {
      case 0:
        field.value = read_varint(data);
        break;
      case 1:
        REQUIRE(data.size() >= 8);
        for (unsigned i = 0; i < 8; ++i) field.value |= std::uint64_t{static_cast<unsigned char>(data[i])} << (8 * i);
        data.remove_prefix(8);
        break;
      case 2: {
        const std::uint64_t length = read_varint(data);
        REQUIRE(length <= data.size());
        field.bytes = data.substr(0, length);
        data.remove_prefix(length);
        break;
      }
      default:
        FAIL("wire type " << (key & 7));
    }
    fields.push_back(field);
  }
  return fields;
}

const Field* find(const std::vector<Field>& fields, unsigned number) {
  for (const Field& field : fields)
    if (field.number == number) return &field;
  return nullptr;
}

/// What a viewer would show.
struct Shown {
  std::map<std::uint64_t, std::string> tracks;
  std::map<std::uint64_t, std::uint64_t> parents;
  std::vector<std::string> slices;  // "track name begin end"
  std::vector<std::string> counters;
};

Shown show(const std::string& data) {
  Shown shown;
  std::map<std::uint64_t, std::string> names;
  std::map<std::uint64_t, std::pair<std::string, std::uint64_t>> open;
  bool cleared = false;
  for (const Field& packet_field : decode(data)) {
    REQUIRE(packet_field.number == 1);
    const std::vector<Field> packet = decode(packet_field.bytes);
    REQUIRE(find(packet, 10));
    if (const Field* flags = find(packet, 13)) {
      if (flags->value & 1) cleared = true;
    }
    REQUIRE(cleared);
    if (const Field* interned = find(packet, 12)) {
      for (const Field& entry : decode(interned->bytes)) {
        REQUIRE(entry.number == 2);
        const auto name = decode(entry.bytes);
        names[find(name, 1)->value] = std::string(find(name, 2)->bytes);
      }
    }
    if (const Field* descriptor = find(packet, 60)) {
      const auto fields = decode(descriptor->bytes);
      shown.tracks[find(fields, 1)->value] = std::string(find(fields, 2)->bytes);
      if (const Field* parent = find(fields, 5)) shown.parents[find(fields, 1)->value] = parent->value;
    }
    if (const Field* event_field = find(packet, 11)) {
      const auto event = decode(event_field->bytes);
      const std::uint64_t track = find(event, 11)->value;
      const std::uint64_t when = find(packet, 8)->value;
      REQUIRE(shown.tracks.count(track) == 1);
      std::ostringstream text;
      switch (find(event, 9)->value) {
        case 1:
          REQUIRE(open.count(track) == 0);
          open[track] = {names.at(find(event, 10)->value), when};
          break;
        case 2:
          text << shown.tracks[track] << ' ' << open.at(track).first << ' ' << open.at(track).second << ' ' << when;
          shown.slices.push_back(text.str());
          open.erase(track);
          break;
        case 4: {
          double value;
          std::memcpy(&value, &find(event, 44)->value, 8);
          text << shown.tracks[track] << ' ' << when << ' ' << value;
          shown.counters.push_back(text.str());
          break;
        }
        default:
          FAIL("event type");
      }
    }
  }
  REQUIRE(open.empty());
  return shown;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct TemporaryFile {
  explicit TemporaryFile(const char* name)
      : path(std::filesystem::temp_directory_path() / (std::string("harmonia_test_") + name)) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("a time line reads back as it was recorded") {
  const TemporaryFile file("timeline.pftrace");
  {
    TimelineRecorder recorder(file.path.string());
    AnalysisPort<ActivityRecord> activities("activities");
    AnalysisPort<CounterRecord> counters("counters");
    REQUIRE_FALSE(activities.bound());
    activities.bind(recorder);
    counters.bind(recorder);
    REQUIRE(activities.bound());
    activities.write({"pe_array", "compute", ns(10), ns(25), 7});
    activities.write({"decoder", "wait_input", ns(0), ns(300), 0});
    activities.write({"pe_array", "wait_input", ns(25), ns(1e6), 0});
    counters.write({"queue", ns(4), 2.5});
    recorder.close();
  }
  const Shown shown = show(contents(file.path));
  REQUIRE(shown.slices == std::vector<std::string>{"pe_array compute 10 25", "decoder wait_input 0 300",
                                                   "pe_array wait_input 25 1000000"});
  REQUIRE(shown.counters == std::vector<std::string>{"queue 4 2.5"});
  REQUIRE(shown.parents.size() == 3);
  for (const auto& [track, parent] : shown.parents) REQUIRE(shown.tracks.count(parent) == 1);
}

TEST_CASE("a long time line is written in pieces and complete") {
  const TemporaryFile file("long.pftrace");
  PftraceWriter writer(file.path.string());
  const PftraceWriter::Track track = writer.add_track("unit", writer.add_group("units"));
  for (std::uint64_t i = 0; i < 50000; ++i) writer.slice(track, i % 2 ? "odd" : "even", i * 1000, i * 1000 + 500);
  REQUIRE(std::filesystem::file_size(file.path) > 500000);  // not kept in memory until the end
  writer.close();
  const Shown shown = show(contents(file.path));
  REQUIRE(shown.slices.size() == 50000);
  REQUIRE(shown.slices.back() == "unit odd 49999 49999");
}

TEST_CASE("a time line that cannot be written says so") {
  REQUIRE_THROWS_AS(PftraceWriter("/nonexistent/folder/x.pftrace"), std::runtime_error);
  if (std::filesystem::exists("/dev/full")) {
    PftraceWriter writer("/dev/full");
    writer.add_group("units");
    REQUIRE_THROWS_AS(writer.close(), std::runtime_error);
  }
}

TEST_CASE("bandwidth goes to CSV and to counters in GB/s of 1e9 bytes") {
  BandwidthSeries series(ns(10));
  TransactionRecord record;
  record.length_bytes = 640;
  record.chunk.traffic = TrafficClass::weights;
  record.accepted = ns(10);
  record.response = ns(20);
  series.write(record);
  std::ostringstream csv;
  write_bandwidth_csv(csv, series);
  REQUIRE(csv.str() ==
          "begin_ns,end_ns,channel,weights_bytes,scales_bytes,kv_read_bytes,kv_write_bytes,activations_bytes,"
          "partial_sums_bytes,commands_bytes,other_bytes,total_bytes,total_GBps\n"
          "0,10,0,0,0,0,0,0,0,0,0,0,0\n"
          "10,20,0,640,0,0,0,0,0,0,0,640,64\n");
  const TemporaryFile file("bandwidth.pftrace");
  TimelineRecorder recorder(file.path.string());
  recorder.write(series);
  recorder.close();
  const Shown shown = show(contents(file.path));
  REQUIRE(shown.counters ==
          std::vector<std::string>{"channel 0 weights 0 0", "channel 0 weights 10 64", "channel 0 weights 20 0"});
}

TEST_CASE("block activity as a value change dump, records out of order") {
  const TemporaryFile file("waves.vcd");
  ActivityVcd vcd;
  vcd.write({"pe", "compute", ns(5), ns(9), 0});
  vcd.write({"dec", "busy", ns(1), ns(6), 0});
  vcd.write({"pe", "compute", ns(9), ns(12), 0});
  vcd.finish(file.path.string());
  REQUIRE(vcd.late_changes() == 0);
  REQUIRE(contents(file.path) ==
          "$timescale 1 ps $end\n"
          "$scope module dec $end\n$var wire 1 \" busy $end\n$upscope $end\n"
          "$scope module pe $end\n$var wire 1 ! compute $end\n$upscope $end\n"
          "$enddefinitions $end\n$dumpvars\n0!\n0\"\n$end\n"
          "#1000\n1\"\n#5000\n1!\n#6000\n0\"\n#9000\n0!\n1!\n#12000\n0!\n");
}

TEST_CASE("value change dumps keep order and width") {
  const TemporaryFile file("words.vcd");
  VcdWriter vcd;
  const VcdWriter::Signal word = vcd.declare("top", "data word", 4);
  vcd.change(word, 10, 5);
  vcd.change(word, 11, 5);
  REQUIRE_THROWS_AS(vcd.change(word, 9, 1), std::logic_error);
  REQUIRE_THROWS_AS(vcd.declare("top", "wide", 65), std::logic_error);
  vcd.change(word, 12, 8);
  vcd.finish(file.path.string());
  const std::string text = contents(file.path);
  REQUIRE(text.find("$var wire 4 ! data_word $end") != std::string::npos);
  REQUIRE(text.find("b0000 !\n$end\n#10\nb0101 !\n#12\nb1000 !\n") != std::string::npos);
}
