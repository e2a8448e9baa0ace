#include "harmonia/testbench/replay/request_trace.h"

#include <zlib.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "harmonia/config/error.h"
#include "harmonia/testbench/files/line_reader.h"
#include "tests/support/catch.h"
#include "tests/support/data.h"
#include "tests/support/scratch.h"

namespace tb = harmonia::testbench;
using harmonia::config::InputError;
using harmonia::test::Scratch;

namespace {

std::string gzip(const std::string& text) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

const std::string kAzure =
    "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    "2023-11-16 18:15:46.6805900,374,44\n"
    "2023-11-16 18:15:50.9951690,396,109\n"
    "2023-11-17 00:00:00.0000000,1,1\n";

}  // namespace

TEST_CASE("the Azure form: date-times with seven fractional digits") {
  const Scratch s;
  const tb::RequestTrace t = tb::read_request_trace(s.write("a.csv", kAzure));
  REQUIRE(t.format == tb::RequestTraceFormat::azure_csv);
  REQUIRE(t.requests.size() == 3);
  REQUIRE(t.requests[0].arrival_s == 0);
  REQUIRE(t.requests[0].prompt_tokens == 374);
  REQUIRE(t.requests[0].output_tokens == 44);
  REQUIRE(t.requests[1].arrival_s == 4314579000 * 1e-9);    // exact to the nanosecond
  REQUIRE(t.requests[2].arrival_s == Approx(20653.31941));  // over midnight
  REQUIRE(t.prompt_tokens() == 771);
  REQUIRE(t.output_tokens() == 154);
}

TEST_CASE("what of a trace is not read is named") {
  const Scratch s;
  const auto notice = [&](const std::string& text) { return tb::read_request_trace(s.write("t", text)).notice(); };
  CHECK(notice("arrival_s,prompt_tokens,output_tokens\n0,1,1\n").empty());
  CHECK(notice("arrival_s,priority,prompt_tokens,output_tokens,model\n0,9,1,1,m\n") ==
        "of the request trace these are not read: priority, model");
  CHECK_THAT(notice("{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1, \"hash_ids\": [0]}\n"),
             ContainsSubstring("not read: hash_ids (requests share no prefixes here"));
  // Where each request stands.
  const tb::RequestTrace t =
      tb::read_request_trace(s.write("t", "arrival_s,prompt_tokens,output_tokens\n0,1,1\n\n0.5, 7,1\n"));
  CHECK(t.requests[1].line == 4);
  CHECK(t.requests[1].column == 6);
}

TEST_CASE("the plain form, other column orders, further columns, blanks, CR LF and a byte order mark") {
  const Scratch s;
  const tb::RequestTrace t = tb::read_request_trace(s.write(
      "a.csv", "\xef\xbb\xbfid, output_tokens ,prompt_tokens,arrival_s\r\n7, 3 ,2,1.5\r\n\r\n8,\"5\",4,2.75\r\n"));
  REQUIRE(t.format == tb::RequestTraceFormat::arrival_csv);
  REQUIRE(t.requests.size() == 2);
  REQUIRE(t.requests[0].arrival_s == 0);
  REQUIRE(t.requests[0].prompt_tokens == 2);
  REQUIRE(t.requests[1].arrival_s == 1.25);
  REQUIRE(t.requests[1].output_tokens == 5);
}

TEST_CASE("the Mooncake form: milliseconds, further keys ignored") {
  const Scratch s;
  const tb::RequestTrace t = tb::read_request_trace(
      s.write("a.jsonl",
              "{\"timestamp\": 1000, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1]}\n"
              "{\"timestamp\": 4000, \"input_length\": 1, \"output_length\": 2}\n"));
  REQUIRE(t.format == tb::RequestTraceFormat::mooncake_jsonl);
  REQUIRE(t.requests[1].arrival_s == 3);
  REQUIRE(t.requests[0].prompt_tokens == 6758);
}

TEST_CASE("JSON lines that name the turns of a conversation are in seconds; a unit that is not known is asked for") {
  const Scratch s;
  const auto line = [](const std::string& keys, const std::string& when) {
    return "{" + keys + "\"timestamp\": " + when + ", \"input_length\": 10, \"output_length\": 2}\n";
  };
  const std::string turn = "\"chat_id\": 0, \"turn\": 1, \"type\": \"text\", ";
  const tb::RequestTrace t = tb::read_request_trace(s.write("a.jsonl", line(turn, "0.500") + line(turn, "3.75")));
  REQUIRE(t.requests[1].arrival_s == 3.25);
  const auto refusal = [&](const std::string& text) {
    return harmonia::test::message_of([&] { tb::read_request_trace(s.write("b.jsonl", text)); });
  };
  REQUIRE_THAT(refusal(line("", "0") + line("", "0.5")),
               ContainsSubstring("b.jsonl:2:1: timestamp is 0.5, expected a whole number of milliseconds"));
  REQUIRE_THAT(refusal(line("", "0") + line(turn, "1")),
               ContainsSubstring("b.jsonl:2:1: a request with chat_id or turn"));
}

TEST_CASE("gzip gives the same trace, and a damaged stream an error") {
  const Scratch s;
  const std::string packed = gzip(kAzure);
  const tb::RequestTrace t = tb::read_request_trace(s.write("a.csv.gz", packed));
  REQUIRE(t.requests.size() == 3);
  REQUIRE(t.requests[2].prompt_tokens == 1);
  const std::string cut = s.write("cut.csv.gz", packed.substr(0, packed.size() - 20));
  REQUIRE(harmonia::test::message_of([&] { tb::read_request_trace(cut); }).find("the gzip stream is cut off") !=
          std::string::npos);
  std::string damaged = packed;
  damaged[packed.size() / 2] = static_cast<char>(damaged[packed.size() / 2] ^ 0x55);
  REQUIRE_THROWS_AS(tb::read_request_trace(s.write("bad.csv.gz", damaged)), InputError);
  // Several streams in a row are one file; anything else behind them is an error, not an end.
  const std::string head = "arrival_s,prompt_tokens,output_tokens\n0,1,1\n";
  CHECK(tb::read_request_trace(s.write("two.gz", gzip(head) + gzip("1,2,2\n"))).requests.size() == 2);
  for (const std::string& behind : {std::string("1,2,2\n"), std::string("\x1f"), std::string(3, '\0')}) {
    const std::string file = s.write("behind.gz", gzip(head) + behind);
    CHECK_THAT(harmonia::test::message_of([&] { tb::read_request_trace(file); }),
               ContainsSubstring("something follows the end of the gzip stream"));
  }
}

TEST_CASE("limit takes the first requests and reads no further") {
  const Scratch s;
  const std::string file = s.write("a.csv", kAzure + "nonsense\n");
  REQUIRE(tb::read_request_trace(file, 2).requests.size() == 2);
  REQUIRE_THROWS_AS(tb::read_request_trace(file), InputError);
}

TEST_CASE("a broken line is named by file, line and column") {
  const Scratch s;
  const auto error_of = [&](const std::string& text, const std::string& name = "t.csv") {
    const std::string file = s.write(name, text);
    try {
      tb::read_request_trace(file);
    } catch (const InputError& e) {
      const std::string what = e.what();
      REQUIRE(what.find(file) == 0);
      return what.substr(file.size());
    }
    return std::string("no error");
  };
  const std::string head = "arrival_s,prompt_tokens,output_tokens\n";
  CHECK(error_of("") == ": has no requests, expected a request trace");
  CHECK(error_of("\n \n") == ": has no requests, expected a request trace");
  CHECK(error_of(head) == ": has no requests after its header, expected at least one");
  CHECK(error_of("time,in,out\n1,2,3\n") ==
        ":1:1: header 'time,in,out', expected 'TIMESTAMP,ContextTokens,GeneratedTokens', "
        "'arrival_s,prompt_tokens,output_tokens' or JSON lines");
  CHECK(error_of(head + "0,5\n") == ":2:1: 2 columns, expected 3 as in the heading");
  CHECK(error_of(head + "0,5,6,7\n") == ":2:1: 4 columns, expected 3 as in the heading");
  CHECK(error_of(head + "0,5,6\n1,x,6\n") == ":3:3: prompt_tokens is 'x', expected a whole number from 1 to 100000000");
  CHECK(error_of(head + "0,5,0\n") == ":2:5: output_tokens is '0', expected a whole number from 1 to 100000000");
  CHECK(error_of(head + "0,-5,1\n") == ":2:3: prompt_tokens is '-5', expected a whole number from 1 to 100000000");
  CHECK(error_of(head + "0,99999999999999999999,1\n") ==
        ":2:3: prompt_tokens is '99999999999999999999', expected a whole number from 1 to 100000000");
  CHECK(error_of(head + "0,5.5,1\n") == ":2:3: prompt_tokens is '5.5', expected a whole number from 1 to 100000000");
  CHECK(error_of(head + "nan,5,1\n") == ":2:1: arrival_s is 'nan', expected seconds");
  CHECK(error_of(head + "inf,5,1\n") == ":2:1: arrival_s is 'inf', expected seconds");
  CHECK(error_of(head + ",5,1\n") == ":2:1: arrival_s is '', expected seconds");
  CHECK(error_of(head + "2,5,1\n1,5,1\n") ==
        ":3:1: a request that arrives before the one above it, expected requests in order of arrival");
  const std::string azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  CHECK(error_of(azure + "2023-02-30 18:15:46,1,1\n") ==
        ":2:1: TIMESTAMP is '2023-02-30 18:15:46', expected a date-time such as 2023-11-16 18:17:03.9799600");
  CHECK(error_of(azure + "2023-11-16 25:15:46,1,1\n") ==
        ":2:1: TIMESTAMP is '2023-11-16 25:15:46', expected a date-time such as 2023-11-16 18:17:03.9799600");
  CHECK(error_of(azure + "2023-11-16 18:15:46.,1,1\n") ==
        ":2:1: TIMESTAMP is '2023-11-16 18:15:46.', expected a date-time such as 2023-11-16 18:17:03.9799600");
  CHECK(error_of(azure + "2023-11-16 18:15:46,1,1\n5,1,1\n") ==
        ":3:1: TIMESTAMP is '5', expected a date-time such as 2023-11-16 18:17:03.9799600");
  CHECK(error_of("{\"timestamp\": 0, \"input_length\": 1}\n") ==
        ":1:1: key 'output_length' is missing, expected timestamp, input_length and output_length");
  CHECK(error_of("{\"timestamp\": 0, \"input_length\": 1.5, \"output_length\": 1}\n") ==
        ":1:1: input_length is 1.5, expected a whole number from 1 to 100000000");
  CHECK(error_of("{\"timestamp\": \"x\", \"input_length\": 1, \"output_length\": 1}\n") ==
        ":1:1: timestamp is \"x\", expected milliseconds");
  CHECK(error_of("{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n{\"timestamp\" 0}\n") ==
        ":2:14: this is not valid JSON, expected an object such as {\"timestamp\": 0, \"input_length\": 1, "
        "\"output_length\": 1}");
  CHECK(error_of("{\"timestamp\": 1e999, \"input_length\": 1, \"output_length\": 1}\n")
            .find(":1:19: a number that is out of range") == 0);
  CHECK(error_of("arrival_s,prompt_tokens,prompt_tokens,output_tokens\n0,1,2,1\n") ==
        ":1:25: column 'prompt_tokens' is there twice, expected once");
  // The last of two equal keys is not taken for both.
  CHECK(error_of("{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n"
                 "{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1, \"input_length\": 2}\n")
            .find(":2:57: key 'input_length' is there twice, expected once") == 0);
  CHECK(error_of(head + std::string(2 << 20, '1')) == ":2: a line of more than 1048576 bytes, expected a shorter one");
  CHECK(error_of(head + std::string("0,1\0,1\n", 7)) == ":2:4: a NUL byte, expected text");
  CHECK(error_of("{\"a\": " + std::string(200000, '[') + "\n").find(":1:") == 0);
  REQUIRE_THROWS_WITH(tb::read_request_trace("/nonexistent.csv"),
                      "/nonexistent.csv: cannot be opened, expected a readable file");
  REQUIRE_THROWS_WITH(tb::read_request_trace(s.path().string()),
                      s.path().string() + ": cannot be opened, expected a readable file");
}

TEST_CASE("lines longer than the read buffer and files without a last line end") {
  const Scratch s;
  const std::string longest(300000, 'x');
  tb::LineReader lines(s.write("l.txt", longest + "\nshort\n\nlast"));
  std::string line;
  REQUIRE(lines.next(line));
  REQUIRE(line == longest);
  REQUIRE(lines.next(line));
  REQUIRE(line == "short");
  REQUIRE(lines.next(line));
  REQUIRE(line.empty());
  REQUIRE(lines.next(line));
  REQUIRE(line == "last");
  REQUIRE(lines.line_number() == 4);
  REQUIRE_FALSE(lines.next(line));
  REQUIRE_FALSE(lines.next(line));
}

TEST_CASE("random corruption of a trace never does worse than an error") {
  constexpr std::uint32_t kSeed = 4711;
  CAPTURE(kSeed);
  std::mt19937 random(kSeed);
  const Scratch s;
  const std::vector<std::string> wholes = {
      kAzure, "arrival_s,prompt_tokens,output_tokens\n0,1,2\n1.5,3,4\n",
      "{\"timestamp\": 1000, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1]}\n{\"timestamp\": "
      "4000, \"input_length\": 1, \"output_length\": 2}\n",
      gzip(kAzure)};
  int refused = 0, read = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = wholes[random() % wholes.size()];
    for (std::uint32_t e = 0; e < 1 + random() % 4; ++e) {
      const std::size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, 1 + random() % 5);
      } else {
        text[at] = static_cast<char>(random() % 4 == 0 ? random() & 0xff : ' ' + random() % 95);
      }
      if (text.empty()) text = ",";
    }
    try {
      const tb::RequestTrace t = tb::read_request_trace(s.write("t", text));
      double last = 0;
      for (const tb::Request& r : t.requests) {
        REQUIRE(r.arrival_s >= last);
        REQUIRE(r.prompt_tokens >= 1);
        REQUIRE(r.output_tokens >= 1);
        last = r.arrival_s;
      }
      ++read;
    } catch (const InputError& e) {
      REQUIRE(std::string(e.what()).find("expected") != std::string::npos);
      ++refused;
    }
  }
  REQUIRE(refused > 500);
  REQUIRE(read > 30);
}

TEST_CASE("the public traces are read as they are published") {
  HARMONIA_REQUIRE_DATA(data);
  const auto folder = data / "data/traces";
  const tb::RequestTrace code = tb::read_request_trace((folder / "AzureLLMInferenceTrace_code.csv").string());
  REQUIRE(code.requests.size() == 8819);
  REQUIRE(code.prompt_tokens() / 8819 == 2047);
  const tb::RequestTrace conversation = tb::read_request_trace((folder / "AzureLLMInferenceTrace_conv.csv").string());
  REQUIRE(conversation.requests.size() == 19366);
  REQUIRE(conversation.seconds() == Approx(3501.721937).epsilon(1e-12));
  REQUIRE(conversation.output_tokens() / 19366 == 211);
  const tb::RequestTrace mooncake = tb::read_request_trace((folder / "conversation_trace.jsonl").string());
  REQUIRE(mooncake.requests.size() == 12031);
  REQUIRE(mooncake.seconds() == 3536.999);
  REQUIRE(mooncake.prompt_tokens() == 144793823);
}
