# autotrace_instrument(): compiles targets with the hooks that autotrace records, and links them to
# the runtime. Comes with find_package(autotrace) and with add_subdirectory()/FetchContent.
#
#   autotrace_instrument(<target>... [MODULES <pattern>...] [LEAVES inline|all|none]
#                        [PROFILE <file>] [NO_DEBUG_INFO] [STATIC_RUNTIME])
#
#   <target>        executables and libraries of this project, in C, C++ or both. Static and object
#                   libraries of this project that are linked into one of them are covered too,
#                   directly or through other libraries, whatever order they are declared in;
#                   shared libraries and modules are separate binaries: name them.
#   MODULES         patterns, as in AUTOTRACE_MODULES: only what they match gets hooks. They become
#                   the target property AUTOTRACE_MODULES. The name of the target itself stands for
#                   all of it. They need a plugin for the compiler: without one every function of
#                   the target is compiled with hooks and AUTOTRACE_MODULES in the environment
#                   decides alone.
#   LEAVES          which functions without loop or call get no hooks: those that are defined inline
#                   (the default), all, or none. Needs the plugin as well.
#   PROFILE         what `autotracer profile` wrote: functions that were short when they were recorded
#                   get no hooks. Needs the plugin as well.
#   NO_DEBUG_INFO   leaves out -g. Spans then lack file and line, and compiler-made members are told
#                   from written ones by name only.
#   STATIC_RUNTIME  the executables among the targets are static: they get the runtime that records
#                   only, autotrace::record. Found out where -static or -static-pie stands in an
#                   executable's link options or flags, in CMAKE_EXE_LINKER_FLAGS, or in what it is
#                   linked to. An executable that is not named, but linked to a library that is, says
#                   so itself, by the target property AUTOTRACE_STATIC_RUNTIME.
#
# A library that should stay as it is although it is linked into an instrumented target, with what
# only it brings in:
#
#   set_target_properties(third_party PROPERTIES AUTOTRACE_INSTRUMENT OFF)
#
# Where autotrace's plugin for the compiler is installed it is used, and keeps hooks out of functions
# that do without; -DAUTOTRACE_PLUGIN=OFF does without it.
#
# With -DAUTOTRACE=OFF the function does nothing. Nothing but the named targets and the libraries
# above is changed: no global flag, no variable, no cache entry.
#
# Works from CMake 3.16 on. Libraries are looked for at the end of the configuration from 3.19 on;
# before, at the call: there, call it after target_link_libraries().

include_guard(GLOBAL)
cmake_policy(PUSH)
cmake_policy(VERSION 3.16)

function(autotrace_instrument)
  cmake_parse_arguments(PARSE_ARGV 0 ARG "NO_DEBUG_INFO;STATIC_RUNTIME" "LEAVES;PROFILE" "MODULES")
  if(DEFINED AUTOTRACE AND NOT AUTOTRACE)
    return()
  endif()
  if(NOT ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "autotrace_instrument: name at least one target")
  endif()
  if(ARG_LEAVES AND NOT ARG_LEAVES MATCHES "^(inline|all|none)$")
    message(FATAL_ERROR "autotrace_instrument: LEAVES is \"${ARG_LEAVES}\", not inline, all or none")
  endif()
  if(ARG_PROFILE)
    _autotrace_read_profile(profile profile_version "${ARG_PROFILE}")
  endif()
  _autotrace_compile_options(options "${ARG_NO_DEBUG_INFO}")
  foreach(target IN LISTS ARG_UNPARSED_ARGUMENTS)
    _autotrace_check_target("${target}" target)
    _autotrace_compile_with_hooks(${target} "${options}")
    if(ARG_STATIC_RUNTIME)
      set_property(TARGET ${target} PROPERTY AUTOTRACE_STATIC_RUNTIME TRUE)
    endif()
    _autotrace_link_runtime(${target})
    _autotrace_add_modules(${target} "${ARG_MODULES}")
    if(ARG_LEAVES)
      set_property(TARGET ${target} PROPERTY AUTOTRACE_LEAVES ${ARG_LEAVES})
    endif()
    if(ARG_PROFILE)
      set_property(TARGET ${target} PROPERTY AUTOTRACE_PROFILE "${profile}")
      set_property(TARGET ${target} PROPERTY AUTOTRACE_PROFILE_VERSION ${profile_version})
    endif()
    # Kept on the target because the compilers' variables may not be visible where the linked
    # libraries are looked for.
    set_property(TARGET ${target} PROPERTY AUTOTRACE_COMPILE_OPTIONS "${options}")
    set_property(GLOBAL APPEND PROPERTY AUTOTRACE_NAMED_TARGETS ${target})
  endforeach()
  if(CMAKE_VERSION VERSION_LESS 3.19)
    _autotrace_finish()
    return()
  endif()
  get_property(is_deferred GLOBAL PROPERTY AUTOTRACE_IS_DEFERRED)
  if(NOT is_deferred)
    set_property(GLOBAL PROPERTY AUTOTRACE_IS_DEFERRED TRUE)
    cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL _autotrace_finish)
  endif()
endfunction()

# Sets `result` to the real name behind `target`, or ends with what is wrong with it.
function(_autotrace_check_target target result)
  if(NOT TARGET "${target}")
    message(FATAL_ERROR "autotrace_instrument: there is no target \"${target}\" (yet)")
  endif()
  get_target_property(aliased "${target}" ALIASED_TARGET)
  if(aliased)
    set(target "${aliased}")
  endif()
  get_target_property(type "${target}" TYPE)
  get_target_property(is_imported "${target}" IMPORTED)
  if(is_imported OR NOT type MATCHES "^(EXECUTABLE|(STATIC|SHARED|MODULE|OBJECT)_LIBRARY)$")
    message(FATAL_ERROR "autotrace_instrument: target \"${target}\" is not compiled in this project")
  endif()
  set(${result} "${target}" PARENT_SCOPE)
endfunction()

# The same flags that `autotracer flags --compiler` prints, one generator expression per flag and
# language.
function(_autotrace_compile_options result no_debug_info)
  set(options)
  foreach(language IN ITEMS C CXX)
    if(NOT CMAKE_${language}_COMPILER_LOADED)
      continue()
    endif()
    _autotrace_find_plugin(plugin ${language})
    _autotrace_hook_flags(flags ${language} "${plugin}")
    if(NOT flags)
      message(WARNING "autotrace_instrument: the ${language} compiler is "
        "${CMAKE_${language}_COMPILER_ID}; only GCC and Clang are supported, "
        "so ${language} sources stay without hooks")
      continue()
    endif()
    if(NOT no_debug_info)
      list(INSERT flags 0 -g)
    endif()
    foreach(flag IN LISTS flags)
      list(APPEND options "$<$<COMPILE_LANGUAGE:${language}>:${flag}>")
    endforeach()
    if(plugin)
      _autotrace_plugin_arguments(arguments ${language})
      list(APPEND options ${arguments})
    endif()
  endforeach()
  set(${result} "${options}" PARENT_SCOPE)
endfunction()

function(_autotrace_hook_flags result language plugin)
  set(flags)
  if(CMAKE_${language}_COMPILER_ID STREQUAL "GNU")
    set(flags -finstrument-functions)
    _autotrace_standard_library_folders(folders ${language})
    if(folders)
      string(REPLACE ";" "," folders "${folders}")
      list(APPEND flags "-finstrument-functions-exclude-file-list=${folders}")
    endif()
    if(plugin)
      list(APPEND flags "-fplugin=${plugin}")
    endif()
  elseif(CMAKE_${language}_COMPILER_ID MATCHES "Clang$")
    if(plugin)
      # ccache looks at what -fplugin names only.
      set(flags -finstrument-functions "-fplugin=${plugin}" "-fpass-plugin=${plugin}")
    else()
      # Clang cannot leave out files, and hooks in libstdc++'s C++20 inline functions do not even
      # link; after inlining these are gone.
      set(flags -finstrument-functions-after-inlining)
    endif()
  endif()
  set(${result} "${flags}" PARENT_SCOPE)
endfunction()

# Sets `result` to the plugin for this language's compiler, as a path or a generator expression; to
# nothing where there is none that works. Says once which it is.
function(_autotrace_find_plugin result language)
  if(DEFINED AUTOTRACE_PLUGIN AND NOT AUTOTRACE_PLUGIN)
    set(${result} "" PARENT_SCOPE)
    return()
  endif()
  get_property(is_known GLOBAL PROPERTY AUTOTRACE_${language}_PLUGIN SET)
  if(NOT is_known)
    _autotrace_look_for_plugin(plugin ${language})
    set_property(GLOBAL PROPERTY AUTOTRACE_${language}_PLUGIN "${plugin}")
  endif()
  get_property(plugin GLOBAL PROPERTY AUTOTRACE_${language}_PLUGIN)
  set(${result} "${plugin}" PARENT_SCOPE)
endfunction()

function(_autotrace_look_for_plugin result language)
  set(${result} "" PARENT_SCOPE)
  if(CMAKE_${language}_COMPILER_ID STREQUAL "GNU")
    set(family gcc)
  elseif(CMAKE_${language}_COMPILER_ID MATCHES "Clang$")
    set(family clang)
  else()
    return()
  endif()
  string(REGEX MATCH "^[0-9]+" major "${CMAKE_${language}_COMPILER_VERSION}")
  # autotrace's own build makes them on the way.
  if(TARGET autotrace_plugin_${family}_${major})
    set(${result} "$<TARGET_FILE:autotrace_plugin_${family}_${major}>" PARENT_SCOPE)
    return()
  endif()
  get_property(folder GLOBAL PROPERTY AUTOTRACE_PLUGIN_FOLDER)
  set(plugin ${folder}/${family}-${major}/autotrace.so)
  if(NOT EXISTS ${plugin})
    message(STATUS "autotrace: no plugin for ${family}-${major} is installed: "
      "every function of ${language} sources gets hooks")
    return()
  endif()
  # It may be of another release than the compiler.
  _autotrace_hook_flags(flags ${language} ${plugin})
  execute_process(
    COMMAND ${CMAKE_${language}_COMPILER} ${CMAKE_${language}_COMPILER_ARG1} ${flags}
      -x c -S /dev/null -o -
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE errors)
  if(NOT status EQUAL 0)
    message(STATUS "autotrace: ${plugin} does not work with this compiler: "
      "every function of ${language} sources gets hooks\n${errors}")
    return()
  endif()
  message(STATUS "autotrace: ${language} sources are compiled with ${plugin}")
  set(${result} "${plugin}" PARENT_SCOPE)
endfunction()

# What the plugin is told, from properties of the target that is compiled, which may still change.
function(_autotrace_plugin_arguments result language)
  set(modules "$<TARGET_PROPERTY:AUTOTRACE_MODULES>")
  set(leaves "$<TARGET_PROPERTY:AUTOTRACE_LEAVES>")
  set(profile "$<TARGET_PROPERTY:AUTOTRACE_PROFILE>")
  set(version "$<TARGET_PROPERTY:AUTOTRACE_PROFILE_VERSION>")
  set(argument -fplugin-arg-autotrace)
  set(${result}
    "$<$<AND:$<COMPILE_LANGUAGE:${language}>,$<BOOL:${modules}>>:${argument}-modules=$<JOIN:${modules},$<COMMA>>>"
    "$<$<AND:$<COMPILE_LANGUAGE:${language}>,$<BOOL:${leaves}>>:${argument}-leaves=${leaves}>"
    "$<$<AND:$<COMPILE_LANGUAGE:${language}>,$<BOOL:${profile}>>:${argument}-profile=${profile}>"
    "$<$<AND:$<COMPILE_LANGUAGE:${language}>,$<BOOL:${profile}>>:${argument}-profile-version=${version}>"
    PARENT_SCOPE)
endfunction()

# The profile's absolute path and version. When it changes, the project is configured anew.
function(_autotrace_read_profile path version file)
  get_filename_component(absolute "${file}" ABSOLUTE)
  set(first_line)
  if(EXISTS ${absolute})
    file(STRINGS ${absolute} first_line LIMIT_COUNT 1)
  endif()
  if(NOT first_line MATCHES "^# autotrace profile 1, version ([0-9a-f]+)$")
    message(FATAL_ERROR "autotrace_instrument: PROFILE ${absolute} is not there, or is no profile: "
      "`autotracer profile -o FILE` writes one")
  endif()
  set(${path} ${absolute} PARENT_SCOPE)
  set(${version} ${CMAKE_MATCH_1} PARENT_SCOPE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${absolute})
endfunction()

# Adds patterns to the target's. Its own name is a binary's: that is for the plugin to know.
function(_autotrace_add_modules target modules)
  get_target_property(output_name ${target} OUTPUT_NAME)
  foreach(module IN LISTS modules)
    if(module STREQUAL target OR module STREQUAL output_name)
      set(module "lib:${module}")
    endif()
    set_property(TARGET ${target} APPEND PROPERTY AUTOTRACE_MODULES "${module}")
  endforeach()
endfunction()

# The compiler's own and the standard library's header folders. Never /usr/include itself, which
# would leave out every installed library. GCC compares by substring with the path that the
# preprocessor reports, so each folder ends in a slash and a folder below another one is left out.
# GCC reports a canonical path where that is the shorter one, hence both spellings.
function(_autotrace_standard_library_folders result language)
  set(folders)
  foreach(folder IN LISTS CMAKE_${language}_IMPLICIT_INCLUDE_DIRECTORIES)
    if(NOT "${folder}/" MATCHES "/(c\\+\\+|gcc)/")
      continue()
    endif()
    get_filename_component(absolute "${folder}" ABSOLUTE)
    get_filename_component(canonical "${folder}" REALPATH)
    foreach(spelling IN ITEMS "${absolute}/" "${canonical}/")
      set(is_covered FALSE)
      foreach(known IN LISTS folders)
        string(FIND "${spelling}" "${known}" position)
        if(position EQUAL 0)
          set(is_covered TRUE)
        endif()
      endforeach()
      if(NOT is_covered)
        list(APPEND folders "${spelling}")
      endif()
    endforeach()
  endforeach()
  set(${result} "${folders}" PARENT_SCOPE)
endfunction()

function(_autotrace_compile_with_hooks target options)
  get_target_property(is_instrumented ${target} AUTOTRACE_IS_INSTRUMENTED)
  if(NOT is_instrumented)
    set_property(TARGET ${target} APPEND PROPERTY COMPILE_OPTIONS ${options})
    set_property(TARGET ${target} PROPERTY AUTOTRACE_IS_INSTRUMENTED TRUE)
    string(REGEX MATCHALL "autotrace_plugin_[a-z0-9_]+" plugins "${options}")
    if(plugins)
      add_dependencies(${target} ${plugins})
    endif()
  endif()
endfunction()

# Properties instead of target_link_libraries(), which refuses to mix its forms with and without
# PRIVATE on one target.
function(_autotrace_link_runtime target)
  get_target_property(is_linked ${target} AUTOTRACE_IS_LINKED)
  if(is_linked)
    return()
  endif()
  set_property(TARGET ${target} PROPERTY AUTOTRACE_IS_LINKED TRUE)
  set(runtime autotrace::autotrace)
  set(options $<TARGET_PROPERTY:autotrace::autotrace,INTERFACE_LINK_OPTIONS>)
  if(TARGET autotrace::record)
    # The property of whatever is being linked.
    set(is_static $<BOOL:$<TARGET_PROPERTY:AUTOTRACE_STATIC_RUNTIME>>)
    set(runtime $<IF:${is_static},autotrace::record,${runtime}>)
    set(options
      $<IF:${is_static},$<TARGET_PROPERTY:autotrace::record,INTERFACE_LINK_OPTIONS>,${options}>)
  endif()
  get_target_property(type ${target} TYPE)
  if(type MATCHES "^(STATIC|OBJECT)_LIBRARY$")
    # Nothing is linked into it, and of a shared library in LINK_LIBRARIES, CMake would put the folder
    # into the RPATH of every program above it, which ends static ones at their start.
    target_include_directories(${target} SYSTEM PRIVATE
      $<TARGET_PROPERTY:autotrace::autotrace,INTERFACE_INCLUDE_DIRECTORIES>)
    # Whoever links it in this project links the runtime. Not part of an exported interface: an
    # installed archive links and runs without autotrace, on the C library's empty hooks.
    set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES
      $<BUILD_INTERFACE:$<LINK_ONLY:${runtime}>>)
    set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_OPTIONS
      $<BUILD_INTERFACE:${options}>)
  else()
    set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES ${runtime})
  endif()
endfunction()

# What has to wait until all targets are described: the libraries that are linked into the named
# targets, and which of these are static programs.
function(_autotrace_finish)
  set_property(GLOBAL PROPERTY AUTOTRACE_IS_DEFERRED FALSE)
  get_property(named_targets GLOBAL PROPERTY AUTOTRACE_NAMED_TARGETS)
  foreach(named IN LISTS named_targets)
    get_target_property(options ${named} AUTOTRACE_COMPILE_OPTIONS)
    set(seen ${named})
    _autotrace_linked_targets(queue ${named} TRUE)
    _autotrace_find_static_flag(${named} "LINK_OPTIONS;LINK_FLAGS;LINK_LIBRARIES" is_static)
    while(queue)
      list(GET queue 0 target)
      list(REMOVE_AT queue 0)
      if(target IN_LIST seen)
        continue()
      endif()
      list(APPEND seen ${target})
      if(NOT is_static)
        _autotrace_find_static_flag(${target} "INTERFACE_LINK_OPTIONS;INTERFACE_LINK_LIBRARIES"
          is_static)
      endif()
      get_target_property(type ${target} TYPE)
      if(type MATCHES "^(STATIC|OBJECT)_LIBRARY$")
        get_property(has_choice TARGET ${target} PROPERTY AUTOTRACE_INSTRUMENT SET)
        get_property(choice TARGET ${target} PROPERTY AUTOTRACE_INSTRUMENT)
        if(has_choice AND NOT choice)
          continue()
        endif()
        _autotrace_compile_with_hooks(${target} "${options}")
        if(NOT target IN_LIST named_targets)
          _autotrace_inherit_modules(${target} ${named})
        endif()
      endif()
      _autotrace_linked_targets(linked ${target} FALSE)
      list(APPEND queue ${linked})
    endwhile()
    _autotrace_choose_runtime(${named} "${is_static}")
  endforeach()
endfunction()

# Does one of these properties say that programs are linked statically?
function(_autotrace_find_static_flag target properties result)
  set(${result} FALSE PARENT_SCOPE)
  foreach(property IN LISTS properties)
    get_target_property(value ${target} ${property})
    if(value MATCHES "(^|[ ;:])-static(-pie)?($|[ ;>])")
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# Says of a named executable that it is static, unless it says itself what it is.
function(_autotrace_choose_runtime target is_static)
  get_target_property(type ${target} TYPE)
  get_property(is_chosen TARGET ${target} PROPERTY AUTOTRACE_STATIC_RUNTIME SET)
  if(type STREQUAL "EXECUTABLE" AND NOT is_chosen)
    get_target_property(folder ${target} SOURCE_DIR)
    foreach(variable IN ITEMS CMAKE_EXE_LINKER_FLAGS CMAKE_CXX_FLAGS CMAKE_C_FLAGS)
      get_directory_property(flags DIRECTORY ${folder} DEFINITION ${variable})
      if(" ${flags} " MATCHES " -static(-pie)? ")
        set(is_static TRUE)
      endif()
    endforeach()
    if(is_static)
      set_property(TARGET ${target} PROPERTY AUTOTRACE_STATIC_RUNTIME TRUE)
    endif()
  endif()
  get_target_property(wants_record ${target} AUTOTRACE_STATIC_RUNTIME)
  if(wants_record AND NOT TARGET autotrace::record)
    message(FATAL_ERROR "autotrace_instrument: ${target} is static, and this autotrace was built "
      "without its runtime for static programs (AUTOTRACE_BUILD_RECORD_ARCHIVE)")
  endif()
endfunction()

# What a library is compiled for: whatever one of those that it is linked into is compiled for.
function(_autotrace_inherit_modules library named)
  get_target_property(modules ${library} AUTOTRACE_MODULES)
  get_target_property(wanted ${named} AUTOTRACE_MODULES)
  get_target_property(leaves ${named} AUTOTRACE_LEAVES)
  get_target_property(profile ${named} AUTOTRACE_PROFILE)
  get_target_property(profile_version ${named} AUTOTRACE_PROFILE_VERSION)
  if(NOT modules)
    set(modules)
  endif()
  if(NOT wanted)
    set(wanted "*")
  endif()
  list(APPEND modules ${wanted})
  list(REMOVE_DUPLICATES modules)
  set_property(TARGET ${library} PROPERTY AUTOTRACE_MODULES "${modules}")
  if(leaves)
    set_property(TARGET ${library} PROPERTY AUTOTRACE_LEAVES ${leaves})
  endif()
  if(profile)
    set_property(TARGET ${library} PROPERTY AUTOTRACE_PROFILE "${profile}")
    set_property(TARGET ${library} PROPERTY AUTOTRACE_PROFILE_VERSION ${profile_version})
  endif()
endfunction()

# The targets of this project that are linked into `target` itself (is_named), or else through it
# into whatever links it. Targets inside generator expressions count whatever the condition says.
function(_autotrace_linked_targets result target is_named)
  get_target_property(type ${target} TYPE)
  set(properties INTERFACE_LINK_LIBRARIES)
  if(is_named OR type MATCHES "^(STATIC|OBJECT)_LIBRARY$")
    list(APPEND properties LINK_LIBRARIES SOURCES)
  endif()
  set(linked)
  foreach(property IN LISTS properties)
    get_target_property(entries ${target} ${property})
    foreach(entry IN LISTS entries)
      if(property STREQUAL "SOURCES" AND NOT entry MATCHES "TARGET_OBJECTS:")
        continue()
      endif()
      _autotrace_target_names(names "${entry}")
      list(APPEND linked ${names})
    endforeach()
  endforeach()
  set(${result} "${linked}" PARENT_SCOPE)
endfunction()

# The targets compiled in this project whose names stand in one entry of a link interface.
function(_autotrace_target_names result entry)
  string(REPLACE "::" "\t" words "${entry}")
  string(REGEX REPLACE "[$<>:,]" ";" words "${words}")
  string(REPLACE "\t" "::" words "${words}")
  set(names)
  foreach(word IN LISTS words)
    if(word STREQUAL "" OR NOT TARGET "${word}")
      continue()
    endif()
    get_target_property(aliased "${word}" ALIASED_TARGET)
    if(aliased)
      set(word "${aliased}")
    endif()
    get_target_property(is_imported "${word}" IMPORTED)
    if(NOT is_imported)
      list(APPEND names "${word}")
    endif()
  endforeach()
  set(${result} "${names}" PARENT_SCOPE)
endfunction()

cmake_policy(POP)
