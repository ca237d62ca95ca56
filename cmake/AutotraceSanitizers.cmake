# AUTOTRACE_SANITIZE=address|thread builds everything here with GCC's sanitizers, the runtime library
# included (presets `asan` and `tsan`). What runs then must run under the same sanitizer: a process can
# have one.
#
#   AUTOTRACE_IS_SANITIZED          also when the sanitizers stand in CMAKE_CXX_FLAGS, as in preset `fuzz`
#   AUTOTRACE_SANITIZE_FLAGS        for compiling and linking
#   AUTOTRACE_SANITIZER_LIBRARIES   what programs of another compiler are linked to first
#   AUTOTRACE_SANITIZER_OPTIONS     NAME=VALUE, for the environment of tests
#   AUTOTRACE_TEST_TIMEOUT_FACTOR   how much longer tests may take
set(AUTOTRACE_SANITIZE "" CACHE STRING "Build with sanitizers: address (and undefined), or thread")
set_property(CACHE AUTOTRACE_SANITIZE PROPERTY STRINGS "" address thread)

set(AUTOTRACE_TEST_TIMEOUT_FACTOR 1)
set(AUTOTRACE_SANITIZE_FLAGS)
set(AUTOTRACE_SANITIZER_LIBRARIES)
set(AUTOTRACE_SANITIZER_OPTIONS)
set(AUTOTRACE_IS_SANITIZED OFF)
if(AUTOTRACE_SANITIZE OR "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize")
  set(AUTOTRACE_IS_SANITIZED ON)
endif()
if(NOT AUTOTRACE_SANITIZE)
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  message(FATAL_ERROR "AUTOTRACE_SANITIZE needs GCC: Clang has its sanitizers' libraries linked into "
    "programs, and what is preloaded or linked to them cannot bring its own")
endif()

# A finding ends a process with a status of its own, so that no test takes it for an expected one.
# Signals keep the effect that they have without a sanitizer: tests look at it. Threads get no signal
# stack from it, in whose place it would unmap the program's.
set(common_options exitcode=86:handle_segv=0:handle_sigbus=0:handle_abort=0:use_sigaltstack=0)
set(AUTOTRACE_TEST_TIMEOUT_FACTOR 5)
if(AUTOTRACE_SANITIZE STREQUAL "address")
  set(AUTOTRACE_SANITIZE_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined)
  set(sanitizer_libraries asan ubsan)
  set(AUTOTRACE_SANITIZER_OPTIONS
    # `autotracer run` preloads the runtime, which brings the sanitizer with it.
    ASAN_OPTIONS=${common_options}:verify_asan_link_order=0
    UBSAN_OPTIONS=${common_options}:print_stacktrace=1)
elseif(AUTOTRACE_SANITIZE STREQUAL "thread")
  set(AUTOTRACE_SANITIZE_FLAGS -fsanitize=thread)
  set(sanitizer_libraries tsan)
  set(AUTOTRACE_SANITIZER_OPTIONS
    # die_after_fork: a forked child gets a thread of ours, which ThreadSanitizer would refuse.
    TSAN_OPTIONS=${common_options}:die_after_fork=0)
else()
  message(FATAL_ERROR "AUTOTRACE_SANITIZE=${AUTOTRACE_SANITIZE}: address or thread")
endif()

foreach(library IN LISTS sanitizer_libraries)
  execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=lib${library}.so
    OUTPUT_VARIABLE path OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  list(APPEND AUTOTRACE_SANITIZER_LIBRARIES ${path})
endforeach()
add_compile_options(${AUTOTRACE_SANITIZE_FLAGS} -fno-omit-frame-pointer)
add_link_options(${AUTOTRACE_SANITIZE_FLAGS})
