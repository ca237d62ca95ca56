// What Clang's declarations say about a function, where it takes more than one question.
#ifndef AUTOTRACE_PLUGIN_LLVM_FUNCTION_FACTS_H_
#define AUTOTRACE_PLUGIN_LLVM_FUNCTION_FACTS_H_

#include <string>

#include "clang/AST/Decl.h"
#include "clang/Basic/SourceManager.h"

namespace autotrace::plugin {

// An annotation, because Clang knows attributes of plugins only while the plugin is there.
inline constexpr char kAlwaysTraceAnnotation[] = "autotrace_always_trace";

// As Clang was given it; empty for what stands in no file.
std::string SourceFile(const clang::FunctionDecl& function);
bool IsInStandardLibrary(const clang::Decl& declaration, const clang::SourceManager& sources);
// "extern inline" in the GNU meaning, always inlined: what a fortified C library wraps its
// functions in. GCC never gives them hooks.
bool IsInlineWrapper(const clang::FunctionDecl& function);
bool IsMarkedNoTrace(const clang::FunctionDecl& function);
bool IsMarkedAlwaysTrace(const clang::FunctionDecl& function);
bool IsCompilerMade(const clang::FunctionDecl& function);
bool IsDefinedInline(const clang::FunctionDecl& function);

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_LLVM_FUNCTION_FACTS_H_
