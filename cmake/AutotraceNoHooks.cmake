# A project that contains this one may compile everything with -finstrument-functions. A tracer that
# traces itself would not come back, so the flag is taken out for the folders of autotrace. (Clang 14
# has no -fno-instrument-functions that could be appended instead.)

set(hook_flag "-finstrument-functions[^ ;]*")
foreach(language IN ITEMS C CXX)
  foreach(variant IN ITEMS "" _DEBUG _RELEASE _RELWITHDEBINFO _MINSIZEREL)
    string(REGEX REPLACE "${hook_flag}" "" CMAKE_${language}_FLAGS${variant}
      "${CMAKE_${language}_FLAGS${variant}}")
  endforeach()
endforeach()
get_directory_property(options COMPILE_OPTIONS)
list(FILTER options EXCLUDE REGEX "${hook_flag}")
set_directory_properties(PROPERTIES COMPILE_OPTIONS "${options}")
unset(options)
unset(hook_flag)
