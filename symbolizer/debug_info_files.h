// File names in the headers of .debug_line, which DW_AT_decl_file counts. Async-signal-safe.
#ifndef AUTOTRACE_SYMBOLIZER_DEBUG_INFO_FILES_H_
#define AUTOTRACE_SYMBOLIZER_DEBUG_INFO_FILES_H_

#include <stdint.h>

#include <string_view>

#include "symbolizer/debug_info_unit.h"

namespace autotrace::symbolizer {

// The file with this number in the unit's line table; number 0 is none before DWARF 5. Directory
// and name are as the table has them: see FunctionFacts. False when there is no such file.
bool FindSourceFile(const Unit& unit, uint64_t file_number, std::string_view* directory,
                    std::string_view* file);

}  // namespace autotrace::symbolizer

#endif  // AUTOTRACE_SYMBOLIZER_DEBUG_INFO_FILES_H_
