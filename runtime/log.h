// Messages for people, on stderr and nowhere else, each one line that begins with "autotrace: ".
#ifndef AUTOTRACE_RUNTIME_LOG_H_
#define AUTOTRACE_RUNTIME_LOG_H_

#include <initializer_list>
#include <string_view>

namespace autotrace {

// Remembers which file stderr is now. Programs close descriptors that they do not know and open
// others under the same numbers; a message must not end up in those.
void InitializeLog();

// One write(2), so lines of several threads do not mix. Dropped when stderr is not what it was.
void Log(std::string_view message);
// The same for a line of parts, at most six; takes no memory.
void LogParts(std::initializer_list<std::string_view> parts);

bool StderrIsTerminal();

}  // namespace autotrace

#endif  // AUTOTRACE_RUNTIME_LOG_H_
