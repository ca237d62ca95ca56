// Sends what processes that are gone left unsent: the rest of a spool, or a whole recording. What
// `autotracer push` does with each process of a run.
//
// Works as the program itself does: in order, with the same ids, from where the ".sent" file says,
// which is kept up to date. So a push that is interrupted goes on where it was, and one process is
// pushed by one pusher at a time (flock on that file).
#ifndef AUTOTRACE_EXPORTER_SINKS_RUN_PUSHER_H_
#define AUTOTRACE_EXPORTER_SINKS_RUN_PUSHER_H_

#include <stdint.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "exporter/module_files.h"
#include "exporter/run_reader.h"
#include "exporter/sinks/batch_sender.h"
#include "exporter/sinks/otlp_transport.h"

namespace autotrace::exporter {

struct PushOptions {
  // Of batches, retries, and when to give up; `keep` is set.
  BatchSenderOptions sender;
  // Makes the transport for one process.
  std::function<absl::StatusOr<std::unique_ptr<OtlpTransport>>()> connect;
  // On the sending thread; see BatchSender.
  BatchSender::OnFailure on_failure;
  // Called now and then with how many more bytes were read.
  std::function<void(uint64_t bytes)> advance = [](uint64_t) {};
  // Also what was sent before.
  bool from_the_start = false;
};

struct PushResult {
  uint64_t sent = 0;
  uint64_t rejected = 0;  // by the endpoint
  // Everything was sent. A spool is gone then; a recording stays.
  bool complete = false;
  std::vector<std::string> warnings;  // damaged or missing parts
};

// The process has ended or died, and its ring was recovered (recover.h). Errors say why nothing was
// sent: Aborted when another pusher is at work on it.
absl::StatusOr<PushResult> PushProcess(const ProcessFiles& files, ModuleFiles* modules,
                                       const PushOptions& options);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_SINKS_RUN_PUSHER_H_
