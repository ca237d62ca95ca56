// The file that says how much of a process's segments was sent to an OTLP endpoint
// (docs/trace-format.md, 10): written while spans are sent, by the program itself or by `autotracer
// push`, and read by whoever goes on. A process may be killed at any moment: of two slots one
// always holds.
#ifndef AUTOTRACE_RUNTIME_SENT_FILE_H_
#define AUTOTRACE_RUNTIME_SENT_FILE_H_

#include <stddef.h>
#include <stdint.h>

#include <mutex>
#include <string>
#include <string_view>

#include "runtime/own_descriptor.h"
#include "runtime/trace_format.h"

namespace autotrace {

inline constexpr char kSentSuffix[] = ".sent";

// How far everything was sent. See format::SentSlot.
struct SentState {
  uint64_t position = 0;
  uint64_t spans = 0;
  bool all = false;
};

struct SentFileContent {
  bool is_spool = false;
  uint64_t generation = 0;  // 0: no slot holds, nothing was sent
  SentState state;
};

// False when these are not the bytes of such a file of this process.
bool ParseSentFile(std::string_view bytes, uint64_t process_key, SentFileContent* content);

// Its whole size.
inline constexpr size_t kSentFileBytes = sizeof(format::SentHeader) + 2 * sizeof(format::SentSlot);

// All members may be called on any thread.
class SentFile {
 public:
  // Makes the file anew in the open folder, private to the user, with this state.
  bool Create(int folder, const std::string& path, uint64_t process_key, bool is_spool,
              const SentState& state);
  // Goes on with one that is there; takes over the descriptor, which is open for reading and
  // writing. False when it is not this process's.
  bool Adopt(int opened, const std::string& path, uint64_t process_key);

  // Takes the state from the file again. False when it is not there any more.
  bool Reread();

  // Writes the state down. What cannot be written is sent again one day, and nothing worse.
  void Store(const SentState& state);
  SentState state() const;
  bool is_open() const { return !path_.empty(); }
  bool is_spool() const { return is_spool_; }
  int number() const { return file_.number(); }

  // Removes the file.
  void Remove(int folder);
  // In a forked child: gives back the descriptor, which is the parent's.
  void CloseInChild() { file_.Close(); }

 private:
  bool Read();  // with mutex_ held

  mutable std::mutex mutex_;
  OwnDescriptor file_;
  std::string path_;
  uint64_t process_key_ = 0;
  bool is_spool_ = false;
  uint64_t generation_ = 0;
  SentState state_;
};

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_SENT_FILE_H_
