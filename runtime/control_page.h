// The file through which `autotracer ctl` steers a running program: one page in the run's folder.
// The command writes a request and a number for it, the background thread answers and repeats the
// number. No signal, no port; who may write it is the user whom the run belongs to.
#ifndef AUTOTRACE_RUNTIME_CONTROL_PAGE_H_
#define AUTOTRACE_RUNTIME_CONTROL_PAGE_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>
#include <string>
#include <string_view>

namespace autotrace {

inline constexpr char kControlMagic[8] = {'A', 'T', 'C', 'T', 'R', 'L', '0', '1'};
inline constexpr std::string_view kControlSuffix = ".control";

struct ControlPage {
  char magic[sizeof(kControlMagic)];
  uint64_t process_key;
  // Of the latest request, and of the latest answer. Different: there is something to do.
  std::atomic<uint32_t> requested;
  std::atomic<uint32_t> answered;
  uint32_t failed;  // the answer says why the request was refused
  uint32_t reserved;
  // Terminated by 0. The request: "on", "off", "status", or "key=value" with a key of the
  // configuration. The answer: text for people.
  char request[1984];
  char answer[2048];
};
static_assert(sizeof(ControlPage) == 4064);

// The program's side. Background thread; makes system calls to answer, none to look for requests.
class ControlFile {
 public:
  ControlFile() = default;
  ~ControlFile() { Forget(); }
  ControlFile(const ControlFile&) = delete;
  ControlFile& operator=(const ControlFile&) = delete;

  // Makes the file in this folder. False, with errno, when it cannot.
  bool Create(const std::string& folder, const std::string& name, uint64_t process_key);
  // Removes it.
  void Remove();
  // In a forked child, whose parent goes on with it.
  void Forget();

  // The request that has not been answered, which may be any bytes; empty: there is none.
  std::string Request() const;
  void Answer(bool done, std::string_view text);

 private:
  const ControlPage* page_ = nullptr;
  std::string folder_;
  std::string name_;
};

// The command's side.
class ControlClient {
 public:
  ControlClient() = default;
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  // Keeps other commands out until it is destroyed. False, with what is wrong, when there is no
  // such file of this user's.
  bool Open(const std::string& path, std::string* error);
  // Asks, and waits for the answer. False when none came in time.
  bool Ask(std::string_view request, uint64_t timeout_nanos, bool* done, std::string* answer);

 private:
  ControlPage* page_ = nullptr;
  int file_ = -1;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_CONTROL_PAGE_H_
