// Collects what became of one translation unit's functions, and writes the section that
// filters/dropped_functions.h describes, as assembler text: in every object file, through link-time
// optimization, and whatever the linker throws away, this is the form that arrives.
#ifndef AUTOTRACE_PLUGIN_DROPPED_LIST_H_
#define AUTOTRACE_PLUGIN_DROPPED_LIST_H_

#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "plugin/decision.h"

namespace autotrace::plugin {

class DroppedList {
 public:
  // `listed_source_file`: the file of its definition, after -ffile-prefix-map.
  void Add(const std::string& linker_name, const std::string& listed_source_file,
           const Decision& decision);

  // Directives that add to the section and go back to where they were. Empty when there is nothing
  // to say.
  std::string Assembler() const;

 private:
  struct Dropped {
    std::string linker_name;
    std::string template_name;  // of an instance: without arguments
    char letter;
  };

  std::vector<Dropped> dropped_;
  std::set<std::string> source_files_;
  // Templates that have an instance with hooks, so that the others are listed one by one.
  std::unordered_set<std::string> kept_templates_;
};

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_DROPPED_LIST_H_
