/* XRay's flight data recorder for the workload that this is linked to, with the options in
 * XRAY_FDR_OPTIONS; without that variable XRay stays off. The recorder neither starts nor writes
 * its file by itself. */
#include <stdio.h>
#include <stdlib.h>

#define UNTRACED __attribute__((xray_never_instrument))

/* From xray/xray_log_interface.h and xray/xray_interface.h, which are C++. */
int __xray_log_select_mode(const char* mode);
int __xray_log_init_mode(const char* mode, const char* options);
int __xray_log_finalize(void);
int __xray_log_flushLog(void);
int __xray_patch(void);
int __xray_unpatch(void);
enum { kRegistered = 0, kInitialized = 2, kFinalized = 4, kFlushed = 2, kPatched = 1 };

UNTRACED static const char* options(void) { return getenv("XRAY_FDR_OPTIONS"); }

UNTRACED void start_recording(void) {
  if (options() == NULL) return;
  if (__xray_log_select_mode("xray-fdr") != kRegistered ||
      __xray_log_init_mode("xray-fdr", options()) != kInitialized || __xray_patch() != kPatched) {
    fputs("XRay does not start\n", stderr);
    exit(1);
  }
}

UNTRACED void write_recording(void) {
  if (options() == NULL) return;
  if (__xray_unpatch() != kPatched || __xray_log_finalize() != kFinalized ||
      __xray_log_flushLog() != kFlushed) {
    fputs("XRay does not write what it recorded\n", stderr);
    exit(1);
  }
}
