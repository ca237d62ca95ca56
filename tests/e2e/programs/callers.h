// Every traced function says where it was called from, which the test compares with
// autotrace.caller: lines of "CALL module link-time-address".
#ifndef AUTOTRACE_TESTS_E2E_PROGRAMS_CALLERS_H_
#define AUTOTRACE_TESTS_E2E_PROGRAMS_CALLERS_H_

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>

#include "program.h"

#define REPORT_CALLER() ReportCaller(__builtin_return_address(0))

UNTRACED NOINLINE static void ReportCaller(void* return_address) {
  char* const call = static_cast<char*>(return_address) - 1;
  Dl_info info;
  link_map* map = nullptr;
  dladdr1(call, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP);
  printf("CALL %s %#lx\n", info.dli_fname, reinterpret_cast<uintptr_t>(call) - map->l_addr);
}

namespace lib {
void serve(void (*callback)(int));
}

#endif  // AUTOTRACE_TESTS_E2E_PROGRAMS_CALLERS_H_
