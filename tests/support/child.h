// Runs a function in a process of its own and gives back what it returns: SystemC elaborates once a process, and some
// tests compare two machines.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <vector>

namespace harmonia::test {

/// Must be called before anything is elaborated in this process. What the function throws is printed by the child and
/// becomes a std::runtime_error here.
inline std::vector<std::uint64_t> in_child(const std::function<std::vector<std::uint64_t>()>& body) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe to the child process");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no child process");
  if (child == 0) {
    close(ends[0]);
    int status = 1;
    try {
      const std::vector<std::uint64_t> values = body();
      const auto* p = reinterpret_cast<const char*>(values.data());
      std::size_t left = values.size() * sizeof(std::uint64_t);
      while (left > 0) {
        const ssize_t n = write(ends[1], p, left);
        if (n <= 0) _exit(1);
        p += n;
        left -= static_cast<std::size_t>(n);
      }
      status = 0;
    } catch (const std::exception& e) {
      std::fprintf(stderr, "child: %s\n", e.what());
    } catch (...) {
      std::fprintf(stderr, "child: a check failed\n");
    }
    std::fflush(nullptr);
    _exit(status);
  }
  close(ends[1]);
  std::vector<char> bytes;
  char piece[4096];
  for (ssize_t n = 0; (n = read(ends[0], piece, sizeof piece)) > 0;) bytes.insert(bytes.end(), piece, piece + n);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("the child process failed");
  std::vector<std::uint64_t> values(bytes.size() / sizeof(std::uint64_t));
  for (std::size_t i = 0; i < values.size(); ++i)
    std::copy_n(bytes.data() + i * sizeof(std::uint64_t), sizeof(std::uint64_t), reinterpret_cast<char*>(&values[i]));
  return values;
}

}  // namespace harmonia::test
