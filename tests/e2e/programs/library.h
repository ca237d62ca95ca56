#ifndef AUTOTRACE_TESTS_E2E_PROGRAMS_LIBRARY_H_
#define AUTOTRACE_TESTS_E2E_PROGRAMS_LIBRARY_H_

namespace lib {
void serve(void (*callback)());
}

#endif  // AUTOTRACE_TESTS_E2E_PROGRAMS_LIBRARY_H_
