# What users of autotrace::autotrace (the target autotrace_runtime) get beyond its headers, and
# everything that `cmake --install` and CPack need. Included by the top-level CMakeLists.txt after the
# folders that define autotrace_runtime, autotrace_export and autotracer.

# The linker must keep the runtime even where the library stands before the objects under
# --as-needed, because the C library has (empty) hooks of its own that would satisfy every reference.
# So whoever links the target links it a second time, unconditionally.
target_link_options(autotrace_runtime INTERFACE
  "SHELL:-Wl,--push-state,--no-as-needed \"$<TARGET_LINKER_FILE:$<TARGET_NAME:autotrace_runtime>>\" -Wl,--pop-state")

include(AutotraceInstrument)

option(AUTOTRACE_INSTALL "Install autotrace with the project that contains it"
  ${PROJECT_IS_TOP_LEVEL})
if(NOT AUTOTRACE_INSTALL)
  return()
endif()

include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/autotrace)
set(AUTOTRACE_PLUGIN_FOLDER ${CMAKE_INSTALL_LIBDIR}/autotrace-cpp)
set(pkgconfig_folder ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS autotrace_runtime EXPORT autotraceTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT dev)
if(TARGET autotrace_record)
  install(TARGETS autotrace_record EXPORT autotraceTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
endif()
if(TARGET autotrace_export)
  # Only the runtime loads it, so there is nothing to link against.
  install(TARGETS autotrace_export
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_SKIP)
endif()
if(TARGET autotracer)
  install(TARGETS autotracer RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
endif()
# A folder for each compiler, because GCC takes a plugin's name from its file's.
get_property(plugins GLOBAL PROPERTY AUTOTRACE_PLUGINS)
foreach(plugin IN LISTS plugins)
  get_target_property(folder ${plugin} AUTOTRACE_PLUGIN_COMPILER)
  install(TARGETS ${plugin}
    LIBRARY DESTINATION ${AUTOTRACE_PLUGIN_FOLDER}/${folder} COMPONENT plugins)
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/autotrace
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/autotrace-cpp COMPONENT dev
  FILES_MATCHING PATTERN "*.h")

install(EXPORT autotraceTargets NAMESPACE autotrace:: DESTINATION ${package_folder} COMPONENT dev)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/autotraceConfig.cmake.in
  ${PROJECT_BINARY_DIR}/autotraceConfig.cmake INSTALL_DESTINATION ${package_folder}
  PATH_VARS AUTOTRACE_PLUGIN_FOLDER)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/autotraceConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/autotraceConfig.cmake
  ${PROJECT_BINARY_DIR}/autotraceConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/AutotraceInstrument.cmake
  DESTINATION ${package_folder} COMPONENT dev)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/autotrace.cmake
  DESTINATION ${CMAKE_INSTALL_DATADIR}/autotrace-cpp COMPONENT dev)

# Relative to the file itself, so that an unpacked archive works wherever it lies.
file(RELATIVE_PATH AUTOTRACE_PREFIX_FROM_PC "/${pkgconfig_folder}" "/")
string(REGEX REPLACE "/$" "" AUTOTRACE_PREFIX_FROM_PC "${AUTOTRACE_PREFIX_FROM_PC}")
set(pkgconfig_names autotrace-cpp)
if(TARGET autotrace_record)
  get_target_property(AUTOTRACE_RECORD_LINK_OPTIONS autotrace_record AUTOTRACE_LINK_OPTIONS)
  list(APPEND pkgconfig_names autotrace-cpp-record)
endif()
foreach(name IN LISTS pkgconfig_names)
  configure_file(${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pkgconfig_folder} COMPONENT dev)
endforeach()

if(PROJECT_IS_TOP_LEVEL)
  include(AutotraceArchives)
endif()
