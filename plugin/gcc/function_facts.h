// What GCC's trees say about a function, where it takes more than one macro to ask.
#ifndef AUTOTRACE_PLUGIN_GCC_FUNCTION_FACTS_H_
#define AUTOTRACE_PLUGIN_GCC_FUNCTION_FACTS_H_

#include "plugin/gcc/gcc_headers.h"

namespace autotrace::plugin {

inline constexpr char kAlwaysTraceAttribute[] = "autotrace_always_trace";

std::string LinkerName(tree function);
// As GCC was given it; empty for what stands in no file.
std::string SourceFile(tree function);
// The same for other people to see: after -ffile-prefix-map.
std::string ListedSourceFile(tree function);
// Does -finstrument-functions mean it? Not what GCC makes itself, nor the wrappers of a fortified C
// library ("extern inline" in the GNU meaning), of which there is never anything but inlined calls.
bool WouldHaveHooks(tree function);
bool IsInStandardLibrary(tree function);
bool IsMarkedNoTrace(tree function);
bool IsMarkedAlwaysTrace(tree function);
bool IsCompilerMade(tree function);
bool IsDefinedInline(tree function);

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_GCC_FUNCTION_FACTS_H_
