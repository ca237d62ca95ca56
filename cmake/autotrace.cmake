# Copy this file into your project to support autotrace without depending on it:
#
#   include(cmake/autotrace.cmake)
#   autotrace_instrument(my_service my_library)
#
# Where autotrace is installed (or was added with add_subdirectory before), the targets are compiled
# with its hooks and linked to its runtime. Where it is not, or with -DAUTOTRACE=OFF,
# autotrace_instrument() does nothing. AUTOTRACE_IS_AVAILABLE says which of the two it is, for code
# that includes <autotrace/...>. CMake 3.16 or later. May be copied and changed freely.

option(AUTOTRACE "Instrument targets with autotrace where it is installed" ON)

if(AUTOTRACE AND NOT TARGET autotrace::autotrace)
  find_package(autotrace QUIET)
endif()

if(AUTOTRACE AND TARGET autotrace::autotrace)
  set(AUTOTRACE_IS_AVAILABLE TRUE)
else()
  set(AUTOTRACE_IS_AVAILABLE FALSE)
  function(autotrace_instrument)
  endfunction()
endif()
