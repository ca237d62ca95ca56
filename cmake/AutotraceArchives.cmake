# CPack: Debian packages and archives, one each for the runtime, for development, for
# compiler plugins and for the command.
# `cpack -G DEB` or `cpack -G TGZ` in a build folder. Debian packages install below /usr.

set(CPACK_PACKAGE_NAME autotrace-cpp)
set(CPACK_PACKAGE_VENDOR "autotrace")
set(CPACK_PACKAGE_CONTACT "autotrace developers <autotrace@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Automatic OpenTelemetry tracing for C++")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_COMPONENTS_ALL runtime dev tools)
get_property(plugins GLOBAL PROPERTY AUTOTRACE_PLUGINS)
if(plugins)
  list(APPEND CPACK_COMPONENTS_ALL plugins)
endif()
set(CPACK_STRIP_FILES ON)
set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libautotrace-cpp0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
# To erase hooks; opened at run time.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_RECOMMENDS libzydis4.0)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libautotrace-cpp-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_RECOMMENDS autotrace-cpp-plugins)
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME autotracer)
set(CPACK_DEBIAN_PLUGINS_PACKAGE_NAME autotrace-cpp-plugins)
set(CPACK_DEBIAN_PLUGINS_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PLUGINS_PACKAGE_SUGGESTS "gcc-12, clang-14")

# A name, what it depends on, and the folder of its licence.
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
  "Runtime library of autotrace: records the calls of programs that were compiled with\n"
  "-finstrument-functions as OpenTelemetry traces. Does nothing unless asked to.")
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "Headers, CMake package and pkg-config file to build programs with autotrace.")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION
  "Command of autotrace: runs programs with tracing, shows, exports and manages what was recorded.")
set(CPACK_COMPONENT_PLUGINS_DESCRIPTION
  "Compiler plugins of autotrace: keep the hooks out of functions that do without them.")
list(JOIN CPACK_COMPONENT_RUNTIME_DESCRIPTION "" CPACK_COMPONENT_RUNTIME_DESCRIPTION)
set(CPACK_COMPONENT_DEV_DEPENDS runtime)
set(CPACK_COMPONENT_TOOLS_DEPENDS runtime)

foreach(install_component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${install_component} component)
  install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${component}_PACKAGE_NAME}
    COMPONENT ${install_component})
endforeach()

include(CPack)
