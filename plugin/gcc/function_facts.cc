#include "plugin/gcc/function_facts.h"

namespace autotrace::plugin {
namespace {

bool IsCxx() {
  static const bool is_cxx = strncmp(lang_hooks.name, "GNU C++", 7) == 0;
  return is_cxx;
}

// Constructors and destructors are compiled as clones of what was written.
tree AsWritten(tree function) {
  if (DECL_LANG_SPECIFIC(function) != nullptr && DECL_CLONED_FUNCTION_P(function)) {
    return DECL_CLONED_FUNCTION(function);
  }
  return function;
}

bool HasAttribute(tree function, const char* name) {
  return lookup_attribute(name, DECL_ATTRIBUTES(function)) != NULL_TREE;
}

}  // namespace

std::string LinkerName(tree function) {
  const char* name = IDENTIFIER_POINTER(DECL_ASSEMBLER_NAME(function));
  // Of a name that the program gives with asm("..."): to be taken as it is.
  return *name == '*' ? name + 1 : name;
}

std::string SourceFile(tree function) {
  const char* file = expand_location(DECL_SOURCE_LOCATION(function)).file;
  return file == nullptr || *file == '<' ? "" : file;
}

std::string ListedSourceFile(tree function) {
  const std::string file = SourceFile(function);
  return file.empty() ? file : remap_debug_filename(file.c_str());
}

bool WouldHaveHooks(tree function) {
  return !DECL_NO_INSTRUMENT_FUNCTION_ENTRY_EXIT(function) &&
         !(DECL_DECLARED_INLINE_P(function) && DECL_EXTERNAL(function) &&
           DECL_DISREGARD_INLINE_LIMITS(function));
}

bool IsInStandardLibrary(tree function) {
  return in_system_header_at(DECL_SOURCE_LOCATION(function)) != 0 &&
         IsStandardLibraryHeader(SourceFile(function));
}

bool IsMarkedNoTrace(tree function) { return HasAttribute(function, "no_instrument_function"); }

bool IsMarkedAlwaysTrace(tree function) {
  return HasAttribute(function, kAlwaysTraceAttribute) ||
         HasAttribute(AsWritten(function), kAlwaysTraceAttribute);
}

bool IsCompilerMade(tree function) {
  if (!IsCxx() || DECL_LANG_SPECIFIC(function) == nullptr) return false;
  tree written = AsWritten(function);
  if (!DECL_CONSTRUCTOR_P(written) && !DECL_DESTRUCTOR_P(written) &&
      !DECL_ASSIGNMENT_OPERATOR_P(written)) {
    return false;
  }
  return DECL_ARTIFICIAL(written) || DECL_DEFAULTED_FN(written) ||
         (DECL_CONSTRUCTOR_P(written) && DECL_INHERITED_CTOR(written) != NULL_TREE);
}

bool IsDefinedInline(tree function) {
  if (DECL_DECLARED_INLINE_P(function)) return true;
  return IsCxx() && DECL_LANG_SPECIFIC(function) != nullptr &&
         DECL_TEMPLATE_INFO(function) != NULL_TREE && DECL_TEMPLATE_INSTANTIATION(function);
}

}  // namespace autotrace::plugin
