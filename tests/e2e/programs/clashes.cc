// Has functions of its own whose names are those of functions inside the runtime, and calls hooks
// inside the standard library's templates: none of the two may get into the other.
#include <stdio.h>
#include <string.h>

#include <map>
#include <string>
#include <vector>

#include "program.h"

extern "C" {
NOINLINE int yaml_parser_initialize() { return 1; }
NOINLINE int cplus_demangle_v3() { return 2; }
}

namespace autotrace {

class Session {
 public:
  void Stop();
  static int StartFromEnvironment();
};
NOINLINE void Session::Stop() { puts("own"); }
NOINLINE int Session::StartFromEnvironment() { return 3; }

NOINLINE int RandomWord() { return 4; }

}  // namespace autotrace

namespace app {

NOINLINE std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + " ";
  return text;
}

NOINLINE void run() {
  std::map<std::string, std::vector<std::string>> words;
  for (int i = 0; i < 20; ++i) words[std::to_string(i % 3)].push_back(std::to_string(i));
  puts(join(words["1"]).c_str());
  autotrace::Session session;
  session.Stop();
  printf("%d %d %d %d\n", yaml_parser_initialize(), cplus_demangle_v3(),
         autotrace::Session::StartFromEnvironment(), autotrace::RandomWord());
}

}  // namespace app

int main() {
  app::run();
  return 0;
}
