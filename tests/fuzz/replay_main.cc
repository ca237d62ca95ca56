// Runs a fuzz target over files, once each: the committed seeds as a regression test in builds
// without libFuzzer.
//
//   segment_fuzz tests/fuzz/seeds/segment [FILE or FOLDER...]
//
// Fails (status 1) when there are no files, and when one takes more than a second of processor time
// or more memory than a small multiple of its size. A crash is a crash.
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "tests/support/test_files.h"

namespace autotrace::fuzz {
namespace {

constexpr double kMostSeconds = 1;
// What an input may take whatever its size, and for each of its bytes.
constexpr size_t kMemoryAtLeast = size_t{4} << 20;
constexpr size_t kMemoryPerByte = 64;

double ProcessorSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Resets the peak that PeakMemory tells; does nothing where the kernel has no such file.
void ResetPeakMemory() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

// Bytes that were resident at most since then.
size_t PeakMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    size_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes << 10;
  }
  return 0;
}

bool Replay(const std::string& path) {
  const std::string bytes = test::ReadFile(path);
  ResetPeakMemory();
  const size_t memory_before = PeakMemory();
  const double start = ProcessorSeconds();
  TestInput(bytes);
  const double seconds = ProcessorSeconds() - start;
  const size_t peak = PeakMemory();
  const size_t memory = peak > memory_before ? peak - memory_before : 0;
  printf("%s: %zu bytes, %.3f s, %zu KiB\n", path.c_str(), bytes.size(), seconds, memory >> 10);
  fflush(stdout);
  bool good = true;
  if (seconds > kMostSeconds) {
    fprintf(stderr, "%s: takes too long\n", path.c_str());
    good = false;
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep freed memory
  if (memory > kMemoryAtLeast + kMemoryPerByte * bytes.size()) {
    fprintf(stderr, "%s: takes too much memory\n", path.c_str());
    good = false;
  }
#endif
  return good;
}

std::vector<std::string> FilesOf(int count, char** arguments) {
  std::vector<std::string> files;
  for (int i = 1; i < count; ++i) {
    if (!std::filesystem::is_directory(arguments[i])) {
      files.emplace_back(arguments[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace
}  // namespace autotrace::fuzz

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> files = autotrace::fuzz::FilesOf(argc, argv);
    bool good = !files.empty();
    if (files.empty()) fprintf(stderr, "no inputs\n");
    for (const std::string& file : files) good = autotrace::fuzz::Replay(file) && good;
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
