#include "runtime/control_page.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/private_files.h"

namespace autotrace {
namespace {

constexpr size_t kBytes = 4096;
constexpr int64_t kPollNanos = 2'000'000;

// What is put into a field, cut to it.
template <size_t size>
void Put(std::string_view text, char (&field)[size]) {
  const size_t length = std::min(text.size(), size - 1);
  memcpy(field, text.data(), length);
  field[length] = '\0';
}

// What somebody else put there.
template <size_t size>
std::string Get(const char (&field)[size]) {
  return {field, strnlen(field, size)};
}

}  // namespace

// ---- The program's side ------------------------------------------------------------------------

bool ControlFile::Create(const std::string& folder, const std::string& name, uint64_t process_key) {
  Forget();
  const int parent = OpenOwnFolder(folder);
  if (parent < 0) return false;
  const int file = MakePrivateFile(parent, name, O_RDWR);
  int error = errno;
  if (file >= 0) {
    ControlPage first = {};
    memcpy(first.magic, kControlMagic, sizeof(kControlMagic));
    first.process_key = process_key;
    std::string bytes(reinterpret_cast<const char*>(&first), sizeof(first));
    bytes.resize(kBytes);
    void* memory = MAP_FAILED;
    if (pwrite(file, bytes.data(), kBytes, 0) == static_cast<ssize_t>(kBytes)) {
      // Read only: a write to a mapped file may find the disk full, which ends the program.
      memory = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
    }
    error = errno;
    close(file);
    if (memory != MAP_FAILED) {
      page_ = static_cast<const ControlPage*>(memory);
      folder_ = folder;
      name_ = name;
    } else {
      unlinkat(parent, name.c_str(), 0);
    }
  }
  close(parent);
  errno = error;
  return page_ != nullptr;
}

void ControlFile::Remove() {
  if (page_ == nullptr) return;
  const int parent = OpenOwnFolder(folder_);
  if (parent >= 0) {
    unlinkat(parent, name_.c_str(), 0);
    close(parent);
  }
  Forget();
}

void ControlFile::Forget() {
  if (page_ != nullptr) munmap(const_cast<ControlPage*>(page_), kBytes);
  page_ = nullptr;
}

std::string ControlFile::Request() const {
  if (page_ == nullptr || page_->requested.load(std::memory_order_acquire) ==
                              page_->answered.load(std::memory_order_relaxed)) {
    return {};
  }
  return Get(page_->request);
}

void ControlFile::Answer(bool done, std::string_view text) {
  const uint32_t number = page_->requested.load(std::memory_order_relaxed);
  const int parent = OpenOwnFolder(folder_);
  if (parent < 0) return;
  const int file = openat(parent, name_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  close(parent);
  if (file < 0) return;
  ControlPage page = {};
  Put(text, page.answer);
  page.failed = done ? 0 : 1;
  const auto write_field = [file](const void* field, size_t size, size_t offset) {
    [[maybe_unused]] const ssize_t written = pwrite(file, field, size, static_cast<off_t>(offset));
  };
  write_field(page.answer, sizeof(page.answer), offsetof(ControlPage, answer));
  write_field(&page.failed, sizeof(page.failed), offsetof(ControlPage, failed));
  write_field(&number, sizeof(number), offsetof(ControlPage, answered));
  close(file);
}

// ---- The command's side ------------------------------------------------------------------------

ControlClient::~ControlClient() {
  if (page_ != nullptr) munmap(page_, kBytes);
  if (file_ >= 0) close(file_);
}

bool ControlClient::Open(const std::string& path, std::string* error) {
  file_ = open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  struct stat facts;
  if (file_ < 0 || fstat(file_, &facts) != 0 || flock(file_, LOCK_EX) != 0) {
    *error = path + ": " + strerror(errno);
    return false;
  }
  void* memory = MAP_FAILED;
  if (S_ISREG(facts.st_mode) && facts.st_size == static_cast<off_t>(kBytes)) {
    memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  }
  if (memory != MAP_FAILED) page_ = static_cast<ControlPage*>(memory);
  if (page_ != nullptr && memcmp(page_->magic, kControlMagic, sizeof(kControlMagic)) == 0) {
    return true;
  }
  *error = path + ": not the control file of a program that this version traces";
  return false;
}

bool ControlClient::Ask(std::string_view request, uint64_t timeout_nanos, bool* done,
                        std::string* answer) {
  Put(request, page_->request);
  const uint32_t number = page_->answered.load(std::memory_order_relaxed) + 1;
  page_->requested.store(number, std::memory_order_release);
  uint64_t waited = 0;
  while (page_->answered.load(std::memory_order_acquire) != number) {
    if (waited >= timeout_nanos) return false;
    const timespec pause = {0, kPollNanos};
    nanosleep(&pause, nullptr);
    waited += kPollNanos;
  }
  *done = page_->failed == 0;
  *answer = Get(page_->answer);
  return true;
}

}  // namespace autotrace
