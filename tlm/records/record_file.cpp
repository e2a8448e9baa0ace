#include "harmonia/tlm/records/record_file.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace harmonia::records {

RecordFile::RecordFile(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
  if (!file_) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

RecordFile::~RecordFile() {
  if (file_) std::fclose(file_);
}

void RecordFile::append(std::string_view bytes) {
  if (failed_ == 0 && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) failed_ = errno;
}

void RecordFile::close() {
  if (!file_) return;
  if (std::fclose(file_) != 0 && failed_ == 0) failed_ = errno;
  file_ = nullptr;
  if (failed_ != 0) throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(failed_));
}

}  // namespace harmonia::records
