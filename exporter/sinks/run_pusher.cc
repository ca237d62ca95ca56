#include "exporter/sinks/run_pusher.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "exporter/file_access.h"
#include "exporter/unsent_reader.h"
#include "runtime/sent_file.h"

namespace autotrace::exporter {
namespace {

// Hands spans to a sender no faster than it gets rid of them.
class SenderSink final : public BlockwiseSink {
 public:
  explicit SenderSink(BatchSender* sender) : sender_(*sender) {}

  absl::Status BeginBlock(uint64_t position, uint64_t sent_before) override {
    if (!sender_.WaitForRoom()) return absl::UnavailableError("sending has stopped");
    sender_.BeginBlock(position, /*in_file=*/true, sent_before);
    return absl::OkStatus();
  }
  void EndBlock(uint64_t position) override { sender_.EndBlock(position); }
  absl::Status Consume(const Span& span) override { return sender_.Consume(span); }

 private:
  BatchSender& sender_;
};

// Opens the file that says what was sent (and makes it for a recording that has none), locked
// against others.
absl::Status Claim(const ProcessFiles& files, SentFile* sent) {
  const std::string path = files.stem() + kSentSuffix;
  const FileHandle folder(
      open(path.substr(0, path.rfind('/')).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return ErrnoStatus(path);
  if (!files.sent.has_value() &&
      !sent->Create(folder.get(), path, files.process_key, /*is_spool=*/false, SentState())) {
    return ErrnoStatus(path);
  }
  if (files.sent.has_value()) {
    const int file = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return ErrnoStatus(path);
    if (!sent->Adopt(file, path, files.process_key)) {
      return absl::FailedPreconditionError(path + ": is not what it should be");
    }
  }
  if (flock(sent->number(), LOCK_EX | LOCK_NB) != 0) {
    return errno == EWOULDBLOCK ? absl::AbortedError("another autotracer push is sending it")
                                : ErrnoStatus(path);
  }
  struct stat facts;
  if (fstat(sent->number(), &facts) != 0 || facts.st_nlink == 0) {
    return absl::AbortedError("another autotracer push has just sent it");
  }
  // It may have been sent from until a moment ago.
  return sent->Reread() ? absl::OkStatus() : ErrnoStatus(path);
}

// The ".sent" file goes last: without it the segments would be a recording.
absl::Status RemoveSpool(const ProcessFiles& files, SentFile* sent) {
  for (const SegmentFile& segment : SegmentsOf(files)) {
    if (unlink(segment.path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(segment.path);
  }
  const FileHandle folder(open(files.stem().substr(0, files.stem().rfind('/')).c_str(),
                               O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) sent->Remove(folder.get());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PushResult> PushProcess(const ProcessFiles& files, ModuleFiles* modules,
                                       const PushOptions& options) {
  SentFile sent;
  if (absl::Status status = Claim(files, &sent); !status.ok()) return status;
  PushResult result;
  if (options.from_the_start) sent.Store(SentState());
  const SentState from = sent.state();
  if (from.all) {
    result.complete = true;
    return result;
  }
  auto transport = options.connect();
  if (!transport.ok()) return transport.status();
  BatchSenderOptions sender_options = options.sender;
  sender_options.keep = true;
  auto sender = BatchSender::Start(sender_options, *std::move(transport), options.on_failure,
                                   [&sent](const SentMark& mark) {
                                     sent.Store({mark.position, mark.spans, false});
                                   });
  if (!sender.ok()) return sender.status();

  UnsentReader reader(files, from, modules, options.advance);
  SenderSink sink(sender->get());
  // What it returns is that sending has stopped.
  const bool was_read = reader.Read(sink).ok();
  const bool all = was_read && (*sender)->SendAll();
  (*sender)->Close(std::chrono::steady_clock::now());
  result.sent = (*sender)->sent();
  result.rejected = (*sender)->dropped().failed;
  result.warnings = reader.warnings().Lines();
  if (!all) return result;

  result.complete = true;
  SentState end = sent.state();
  end.all = true;
  sent.Store(end);
  if (sent.is_spool()) {
    if (absl::Status status = RemoveSpool(files, &sent); !status.ok()) {
      result.warnings.emplace_back(status.message());
    }
  }
  return result;
}

}  // namespace autotrace::exporter
