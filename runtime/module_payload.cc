#include "runtime/module_payload.h"

#include <algorithm>

namespace autotrace {

ModulePayload::ModulePayload(const ModuleChange& change, size_t longest_path) {
  const Module& module = *change.module;
  const std::string_view path = module.path_view().substr(0, longest_path);
  const std::string_view build_id = module.image.build_id().substr(0, kLongestBuildId);
  format::ModuleEntry entry = {};
  entry.id = module.id;
  entry.path_size = static_cast<uint32_t>(path.size());
  entry.build_id_size = static_cast<uint32_t>(build_id.size());
  if (module.main_program) entry.flags |= format::kModuleMainProgram;
  if (change.unloaded) entry.flags |= format::kModuleUnloaded;
  entry.load_bias = module.load_bias;
  entry.start = module.start;
  entry.end = module.end;
  entry.ticks = change.ticks;
  char* to = bytes_;
  to = std::copy_n(reinterpret_cast<const char*>(&entry), sizeof(entry), to);
  to = std::copy_n(path.data(), path.size(), to);
  to = std::copy_n(build_id.data(), build_id.size(), to);
  size_ = static_cast<size_t>(to - bytes_);
}

}  // namespace autotrace
