// What `report` prints: a line for each function, and the number of those that are not worth one.
//
//   autotrace: kept    app::run: matched by 'app'
//   autotrace: dropped app::Point::x: inline, without loop or call
//   autotrace: 341 functions of the standard library
#ifndef AUTOTRACE_PLUGIN_REPORT_H_
#define AUTOTRACE_PLUGIN_REPORT_H_

#include <stddef.h>

#include <string>
#include <vector>

#include "plugin/decision.h"

namespace autotrace::plugin {

class Report {
 public:
  void Add(const std::string& linker_name, const Decision& decision);
  // On standard error, in one piece and sorted: compilers run side by side.
  void Print();

 private:
  std::vector<std::string> lines_;
  size_t of_standard_library_ = 0;
};

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_REPORT_H_
