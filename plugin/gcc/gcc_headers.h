// GCC's own headers, in the order that they need. They poison names that the standard library's
// headers use, so those come first; a file that includes this one needs none of them by itself.
//
// The plugin is loaded by cc1 as well as by cc1plus, and cc1 lacks what is C++'s own: of cp-tree.h
// only macros that read trees may be used, no functions.
#ifndef AUTOTRACE_PLUGIN_GCC_GCC_HEADERS_H_
#define AUTOTRACE_PLUGIN_GCC_GCC_HEADERS_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <exception>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "plugin/decision.h"
#include "plugin/dropped_list.h"
#include "plugin/report.h"
#include "plugin/settings.h"

// clang-format off
#include <gcc-plugin.h>
#include <plugin-version.h>
#include <tree.h>
#include <cp/cp-tree.h>
#include <stringpool.h>
#include <attribs.h>
#include <builtins.h>
#include <cgraph.h>
#include <diagnostic-core.h>
#include <diagnostic.h>
#include <file-prefix-map.h>
#include <langhooks.h>
// clang-format on

// Behind some of cp-tree.h's macros. Null in cc1.
#pragma weak cp_global_trees

#endif  // AUTOTRACE_PLUGIN_GCC_GCC_HEADERS_H_
