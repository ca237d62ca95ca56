// The C interface between the runtime library and libautotrace-cpp-export.so, which it loads (and
// whose libraries it thereby brings into the program) only when spans are to leave the program
// live. Called on the runtime's background thread only.
#ifndef AUTOTRACE_EXPORTER_EXPORT_ABI_H_
#define AUTOTRACE_EXPORTER_EXPORT_ABI_H_

#include <stddef.h>
#include <stdint.h>

#define AUTOTRACE_EXPORT_ABI_VERSION 2

#ifdef __cplusplus
extern "C" {
#endif

struct autotrace_exporter;

struct autotrace_export_host {
  // Prints one line for people; may be called from the exporter's own thread.
  void (*log)(const char* line);
  // Null: nothing is kept, and what cannot be sent is dropped. Else, from the exporter's own
  // thread: all blocks that end at `position` or before it, and the first `spans` spans of the
  // block that begins there, were sent or refused by the endpoint.
  void (*sent)(void* context, uint64_t position, uint64_t spans);
  void* context;
};

struct autotrace_export_counts {
  uint64_t unsent;   // handed in, and neither sent nor dropped
  uint64_t dropped;  // no room for them, refused by the endpoint, or (nothing is kept) out of time
};

// `config_yaml`: filters::ToYaml with secrets. Returns null (after logging why) when it cannot
// work.
typedef struct autotrace_exporter* (*autotrace_export_open_t)(
    uint32_t abi_version, const char* config_yaml, const struct autotrace_export_host* host);
// One block (header already checked): decodes it, queues what is complete, and never waits for the
// network. `begin` and `end` are its place in the files that keep it, both 0 when it is in none.
// Returns 0; or -1 when there is no room for a block that is kept: no more are to come then. Spans
// that are kept nowhere and find no room are dropped.
typedef int (*autotrace_export_block_t)(struct autotrace_exporter*, uint16_t kind,
                                        const void* payload, size_t size, uint64_t begin,
                                        uint64_t end);
// Sends what is queued. Returns 0, or -1 when not everything was sent within the time.
typedef int (*autotrace_export_flush_t)(struct autotrace_exporter*, uint64_t timeout_nanos);
typedef void (*autotrace_export_count_t)(struct autotrace_exporter*,
                                         struct autotrace_export_counts*);
// Flushes within the time and frees everything, the sending thread included. The final counts.
typedef void (*autotrace_export_close_t)(struct autotrace_exporter*, uint64_t timeout_nanos,
                                         struct autotrace_export_counts*);

// Exported under these names: autotrace_export_open, autotrace_export_block,
// autotrace_export_flush, autotrace_export_count, autotrace_export_close.

#ifdef __cplusplus
}
#endif

#endif  // AUTOTRACE_EXPORTER_EXPORT_ABI_H_
