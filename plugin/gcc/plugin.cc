// The GCC plugin: takes -finstrument-functions back from the functions that do without hooks.
//
// GCC adds the hooks when it lowers a function's trees, which it begins once the whole translation
// unit is parsed, unless the function is marked no_instrument_function. In between, all bodies are
// there, those of templates and of implicit members too, so that is where the decisions are made.
// GCC announces no event there; the plugin stands between the compiler and the parser. What became
// of the functions is said when the unneeded ones have gone.
//
// Whatever goes wrong here leaves the functions their hooks.
#include "plugin/gcc/function_facts.h"
#include "plugin/gcc/gcc_headers.h"
#include "plugin/gcc/straight_line.h"

__attribute__((visibility("default"))) int plugin_is_GPL_compatible;

namespace autotrace::plugin {
namespace {

class GccFunction final : public CompiledFunction {
 public:
  GccFunction(tree function, StraightLine* straight_line)
      : function_(function), straight_line_(*straight_line) {}

  std::string linker_name() const override { return LinkerName(function_); }
  std::string source_file() const override { return SourceFile(function_); }
  bool in_standard_library() const override { return IsInStandardLibrary(function_); }
  bool is_marked_no_trace() const override { return IsMarkedNoTrace(function_); }
  bool is_marked_always_trace() const override { return IsMarkedAlwaysTrace(function_); }
  bool is_compiler_made() const override { return IsCompilerMade(function_); }
  bool is_defined_inline() const override { return IsDefinedInline(function_); }
  bool is_straight_line() const override { return straight_line_.Is(function_); }

 private:
  tree function_;
  StraightLine& straight_line_;
};

class Plugin {
 public:
  explicit Plugin(Settings settings) : decider_(std::move(settings)) {}

  // When everything is parsed and nothing is lowered.
  void DecideAll() {
    StraightLine straight_line(decider_.settings().leaves);
    cgraph_node* node = nullptr;
    FOR_EACH_FUNCTION(node) {
      tree function = node->decl;
      if (DECL_SAVED_TREE(function) == NULL_TREE) continue;
      if (!WouldHaveHooks(function) && !IsMarkedNoTrace(function)) continue;
      Decision decision = decider_.Decide(GccFunction(function, &straight_line));
      if (!decision.is_kept()) DECL_NO_INSTRUMENT_FUNCTION_ENTRY_EXIT(function) = 1;
      decisions_.emplace(DECL_UID(function), std::move(decision));
    }
  }

  // When functions that nothing needs have gone.
  void TellAll() {
    DroppedList list;
    Report report;
    cgraph_node* node = nullptr;
    FOR_EACH_FUNCTION(node) {
      const auto decision = decisions_.find(DECL_UID(node->decl));
      if (decision == decisions_.end() || !node->has_gimple_body_p()) continue;
      const std::string name = LinkerName(node->decl);
      list.Add(name, ListedSourceFile(node->decl), decision->second);
      if (decider_.settings().report) report.Add(name, decision->second);
    }
    const std::string assembler = list.Assembler();
    if (!assembler.empty()) {
      symtab->finalize_toplevel_asm(
          build_string(static_cast<unsigned>(assembler.size()), assembler.data()));
    }
    report.Print();
  }

 private:
  const Decider decider_;
  // By DECL_UID: GCC frees what it finds to be unneeded.
  std::unordered_map<unsigned, Decision> decisions_;
};

Plugin* the_plugin = nullptr;
void (*parse_file_of_gcc)() = nullptr;

void ParseFile() {
  parse_file_of_gcc();
  if (!flag_instrument_function_entry_exit || seen_error()) return;
  try {
    the_plugin->DecideAll();
  } catch (const std::exception&) {
    // What is not decided is kept.
  }
}

void TellAll(void*, void*) {
  if (!flag_instrument_function_entry_exit || seen_error()) return;
  try {
    the_plugin->TellAll();
  } catch (const std::exception&) {
  }
}

void RegisterAttributes(void*, void*) {
  // Takes no arguments, and belongs to a declaration.
  static attribute_spec always_trace = {
      kAlwaysTraceAttribute, 0, 0, true, false, false, false, nullptr, nullptr};
  register_attribute(&always_trace);
}

bool ReadArguments(const plugin_name_args* arguments, Settings* settings, std::string* error) {
  for (int index = 0; index < arguments->argc; ++index) {
    const plugin_argument& argument = arguments->argv[index];
    const char* value = argument.value == nullptr ? "" : argument.value;
    if (!ReadArgument(argument.key, value, settings, error)) return false;
  }
  return CheckArguments(*settings, error);
}

}  // namespace
}  // namespace autotrace::plugin

// Not zero ends the compilation with an error.
extern "C" __attribute__((visibility("default"))) int plugin_init(plugin_name_args* plugin_info,
                                                                  plugin_gcc_version* version) {
  using namespace autotrace::plugin;  // NOLINT(google-build-using-namespace): one function
  // A plugin knows the layout of the compiler's own data. The release decides about that; the
  // build, which plugin_default_version_check compares too, does not.
  if (strcmp(version->basever, gcc_version.basever) != 0) {
    fprintf(stderr,
            "autotrace: this plugin is for GCC %s and not for %s: build it anew, or compile "
            "without it\n",
            gcc_version.basever, version->basever);
    return 1;
  }
  try {
    Settings settings;
    std::string error;
    if (!ReadArguments(plugin_info, &settings, &error)) {
      fprintf(stderr, "autotrace: %s\n", error.c_str());
      return 1;
    }
    // Link-time optimization finds the hooks in place.
    if (strcmp(lang_hooks.name, "GNU GIMPLE") == 0) return 0;
    the_plugin = new Plugin(std::move(settings));
  } catch (const std::exception&) {
    return 0;
  }
  parse_file_of_gcc = lang_hooks.parse_file;
  lang_hooks.parse_file = ParseFile;
  register_callback(plugin_info->base_name, PLUGIN_ATTRIBUTES, RegisterAttributes, nullptr);
  register_callback(plugin_info->base_name, PLUGIN_ALL_IPA_PASSES_START, TellAll, nullptr);
  return 0;
}
