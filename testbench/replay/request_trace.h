// Request traces: when requests arrive, how long their prompts are, how many tokens they get.
//
// Models: three file formats, told apart by their first line, each optionally gzip-compressed:
//   TIMESTAMP,ContextTokens,GeneratedTokens   CSV of the public Azure LLM inference traces; date-times or seconds
//   arrival_s,prompt_tokens,output_tokens     CSV, seconds
//   {"timestamp": ms, "input_length": n, "output_length": n, ...}   JSON lines of the public Mooncake traces
// CSV columns may come in any order. Further columns and JSON keys (hash_ids) are not read, and a notice names them.
// Does not model: the text of prompts, prefix sharing between requests.
// Memory is bounded: 32 bytes a request, at most 10 million requests, lines of at most 1 MiB.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace harmonia::testbench {

struct Request {
  double arrival_s = 0;  // after the first request of the trace; never decreases
  std::int64_t prompt_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int32_t line = 0, column = 0;  // of the trace: where the prompt's length stands; 0: from no file
};

enum class RequestTraceFormat : std::uint8_t { azure_csv, arrival_csv, mooncake_jsonl };

/// "Azure CSV", "arrival CSV", "Mooncake JSONL".
const char* name_of(RequestTraceFormat format);

struct RequestTrace {
  std::string file;
  RequestTraceFormat format = RequestTraceFormat::arrival_csv;
  std::vector<Request> requests;
  std::vector<std::string> unread;  // names of columns or keys that are there and not read

  /// A sentence that names what is not read; empty when everything is.
  std::string notice() const;
  std::int64_t prompt_tokens() const;
  std::int64_t output_tokens() const;
  /// From the first arrival to the last.
  double seconds() const { return requests.empty() ? 0 : requests.back().arrival_s; }
};

/// Reads at most `limit` requests (0: all). Throws config::InputError with file and line: a line that is no request or
/// has another number of columns than the heading, more requests than there may be, a prompt or output of less than 1 or more than 100 million tokens, an arrival before the one of the line above, a
/// damaged gzip stream, a file without requests.
RequestTrace read_request_trace(const std::string& file, std::int64_t limit = 0);

/// Whether a first line looks like one of the formats.
bool is_request_trace_line(const std::string& first_line);

}  // namespace harmonia::testbench
