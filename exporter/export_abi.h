// The C interface between the runtime library and libautotrace-cpp-export.so, which it loads (and
// whose libraries it thereby brings into the program) only when spans are to leave the program
// live. Called on the runtime's background thread only.
#ifndef AUTOTRACE_EXPORTER_EXPORT_ABI_H_
#define AUTOTRACE_EXPORTER_EXPORT_ABI_H_

#include <stddef.h>
#include <stdint.h>

#define AUTOTRACE_EXPORT_ABI_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

struct autotrace_exporter;

// `config_yaml`: filters::ToYaml with secrets. `log` prints one line for people; may be called from
// the exporter's own thread. Returns null (after logging why) when it cannot work.
typedef struct autotrace_exporter* (*autotrace_export_open_t)(uint32_t abi_version,
                                                              const char* config_yaml,
                                                              void (*log)(const char* line));
// One block (header already checked): decodes it, queues what is complete, and never waits for the
// network. A queue that is full drops and counts.
typedef void (*autotrace_export_block_t)(struct autotrace_exporter*, uint16_t kind,
                                         const void* payload, size_t size);
// Sends what is queued. Returns 0, or -1 when not everything was sent within the time.
typedef int (*autotrace_export_flush_t)(struct autotrace_exporter*, uint64_t timeout_nanos);
// Spans that were not sent, so far.
typedef uint64_t (*autotrace_export_dropped_t)(struct autotrace_exporter*);
// Flushes within the time and frees everything, the sending thread included.
typedef void (*autotrace_export_close_t)(struct autotrace_exporter*, uint64_t timeout_nanos);

// Exported under these names: autotrace_export_open, autotrace_export_block,
// autotrace_export_flush, autotrace_export_dropped, autotrace_export_close.

#ifdef __cplusplus
}
#endif

#endif  // AUTOTRACE_EXPORTER_EXPORT_ABI_H_
