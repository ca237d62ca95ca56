// A function whose facts are all known already: for readers, the command and tests. The runtime,
// which finds them out while it is asked, has its own.
#ifndef AUTOTRACE_FILTERS_KNOWN_FUNCTION_H_
#define AUTOTRACE_FILTERS_KNOWN_FUNCTION_H_

#include <string_view>

#include "filters/pattern.h"

namespace autotrace::filters {

// Points at the caller's texts.
class KnownFunction final : public Function {
 public:
  explicit KnownFunction(std::string_view name, std::string_view module_path = {},
                         std::string_view source_file = {}, bool compiler_made = false)
      : name_(name),
        module_path_(module_path),
        source_file_(source_file),
        compiler_made_(compiler_made) {}

  std::string_view name() const override { return name_; }
  std::string_view module_path() const override { return module_path_; }
  std::string_view source_file() const override { return source_file_; }
  bool compiler_made() const override { return compiler_made_; }

 private:
  std::string_view name_;
  std::string_view module_path_;
  std::string_view source_file_;
  bool compiler_made_;
};

}  // namespace autotrace::filters

#endif  // AUTOTRACE_FILTERS_KNOWN_FUNCTION_H_
