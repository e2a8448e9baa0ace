#include "harmonia/tlm/records/json_lines.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace harmonia::records {

void JsonLinesWriter::put(std::uint64_t value) {
  char text[24];
  line_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void JsonLinesWriter::put_text(Key text) {
  const std::string& value = schema_.texts()[text];
  bool plain = true;
  for (const char c : value) plain = plain && c >= ' ' && c <= '~' && c != '"' && c != '\\';
  if (plain)
    ((line_ += '"') += value) += '"';
  else
    line_ += nlohmann::json(value).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

void JsonLinesWriter::flush() {
  file_.append(line_);
  line_.clear();
}

void JsonLinesWriter::write(const Transaction& t) {
  const Schema::GeneratorNames& generator = schema_.generators()[t.generator];
  line_ += "{\"fiber\":";
  put_text(schema_.fibers()[generator.fiber].name);
  line_ += ",\"kind\":";
  put_text(generator.name);
  line_ += ",\"id\":";
  put(t.id);
  line_ += ",\"begin_ps\":";
  put(t.begin_ps);
  line_ += ",\"end_ps\":";
  put(t.end_ps);
  for (std::size_t i = 0; i < t.attribute_count; ++i) {
    const Attribute& a = t.attributes[i];
    line_ += ',';
    put_text(a.name);
    line_ += ':';
    if (a.is_text)
      put_text(static_cast<Key>(a.value));
    else
      put(a.value);
  }
  line_ += "}\n";
  flush();
}

void JsonLinesWriter::write(const Relation& r) {
  line_ += "{\"relation\":";
  put_text(r.name);
  line_ += ",\"from\":";
  put(r.from);
  line_ += ",\"to\":";
  put(r.to);
  line_ += "}\n";
  flush();
}

}  // namespace harmonia::records
