#include "plugin/report.h"

#include <stdio.h>

#include <algorithm>

#include "symbolizer/function_name.h"

namespace autotrace::plugin {

void Report::Add(const std::string& linker_name, const Decision& decision) {
  if (decision.reason == Reason::kStandardLibrary) {
    ++of_standard_library_;
    return;
  }
  std::string line = decision.is_kept() ? "kept    " : "dropped ";
  line += symbolizer::QualifiedName(linker_name);
  line += ": ";
  lines_.push_back(line + Describe(decision));
}

void Report::Print() {
  if (of_standard_library_ > 0) {
    lines_.push_back(std::to_string(of_standard_library_) +
                     (of_standard_library_ == 1 ? " function" : " functions") +
                     " of the standard library");
  }
  std::sort(lines_.begin(), lines_.end());
  std::string text;
  for (const std::string& line : lines_) text += "autotrace: " + line + "\n";
  fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace autotrace::plugin
