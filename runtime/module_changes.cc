#include "runtime/module_changes.h"

#include <string.h>

#include <algorithm>

#include "runtime/block_stream.h"

namespace autotrace {

ModuleBlock::ModuleBlock(const ModuleChange& change) {
  const Module& module = *change.module;
  const std::string_view build_id = module.image.build_id().substr(0, kLongestBuildId);
  format::ModuleEntry entry = {};
  entry.id = module.id;
  entry.path_size = static_cast<uint32_t>(module.path_size);
  entry.build_id_size = static_cast<uint32_t>(build_id.size());
  if (module.main_program) entry.flags |= format::kModuleMainProgram;
  if (change.unloaded) entry.flags |= format::kModuleUnloaded;
  entry.load_bias = module.load_bias;
  entry.start = module.start;
  entry.end = module.end;
  entry.ticks = change.ticks;
  char* const payload = bytes_ + sizeof(format::BlockHeader);
  char* to = payload;
  to = std::copy_n(reinterpret_cast<const char*>(&entry), sizeof(entry), to);
  to = std::copy_n(module.path, module.path_size, to);
  to = std::copy_n(build_id.data(), build_id.size(), to);
  payload_size_ = static_cast<size_t>(to - payload);
  const format::BlockHeader header =
      MakeBlockHeader(format::BlockKind::kModule, payload, payload_size_);
  memcpy(bytes_, &header, sizeof(header));
  size_ = sizeof(header) + PadTo8(payload_size_);
}

bool ModuleChanges::Tell(const Module* module, bool unloaded, uint64_t ticks) {
  ModuleChange change = {module, ticks, unloaded, false};
  change.in_ring = ring_->AppendMetadata(ModuleBlock(change).block());
  return queue_.Push(change);
}

}  // namespace autotrace
