#include "exporter/ring_snapshot.h"

#include <string.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <tuple>
#include <utility>

#include "exporter/byte_order.h"
#include "exporter/file_access.h"
#include "exporter/records.h"
#include "runtime/trace_format.h"

namespace autotrace::exporter {
namespace {

using format::ChunkHeader;
using format::ChunkState;
using format::RingHeader;

// Bounds on what a header may claim, so that a hostile one costs neither time nor memory.
constexpr uint64_t kMostChunks = 1 << 20;
constexpr uint64_t kSmallestChunk = 1024;
constexpr uint64_t kLargestChunk = format::kMaxBlockSize / 2;
constexpr uint64_t kLargestArea = 256 << 20;

// Half the span of a 48-bit clock: what is dated by a moment this much later may have ended as long
// before the moment as after it.
constexpr uint64_t kHalfClock = uint64_t{1} << 47;

// The header's fields. It holds atomics, which are not to be copied to; so it is kept as bytes.
class HeaderView {
 public:
  explicit HeaderView(const std::string& bytes) : bytes_(bytes) {}
  template <typename T>
  T At(size_t offset) const {
    return Load<T>(bytes_.data() + offset);
  }

 private:
  const std::string& bytes_;
};
#define RING_FIELD(view, type, field) (view).At<type>(offsetof(RingHeader, field))
#define CHUNK_FIELD(view, type, field) (view).At<type>(offsetof(ChunkHeader, field))

absl::Status CheckIdentity(const HeaderView& header, const RingIdentity& identity, uid_t owner) {
  const auto is_not = [&](const char* what) {
    return absl::FailedPreconditionError(identity.path + ": " + what);
  };
  const auto magic = header.At<uint64_t>(0);
  if (memcmp(&magic, format::kRingMagic, sizeof(magic)) != 0) return is_not("is no ring");
  if (RING_FIELD(header, uint32_t, version) != format::kVersion) {
    return is_not("is a ring of another version");
  }
  if (RING_FIELD(header, uint64_t, process_key) != identity.process_key ||
      RING_FIELD(header, uint64_t, pid) != identity.pid ||
      RING_FIELD(header, uint64_t, kernel_start_time) != identity.kernel_start_time) {
    return is_not("is the ring of another process");
  }
  if (owner != identity.owner) return is_not("belongs to another user");
  return absl::OkStatus();
}

std::string ReadPart(int file, uint64_t offset, uint64_t size, uint64_t file_size) {
  if (offset >= file_size) return {};
  std::string part(std::min({size, file_size - offset, kLargestArea}), '\0');
  part.resize(ReadAt(file, offset, part.data(), part.size()));
  return part;
}

std::string ReadOpenFrames(int file, const HeaderView& header, uint64_t file_size) {
  const auto area = RING_FIELD(header, uint64_t, open_frames_current);
  const auto capacity = RING_FIELD(header, uint64_t, open_frames_capacity);
  const auto offset = RING_FIELD(header, uint64_t, open_frames_offset);
  if (area < 1 || area > 2 || capacity < sizeof(uint64_t) || offset >= file_size ||
      capacity > file_size) {
    return {};
  }
  std::string bytes = ReadPart(file, offset + (area - 1) * capacity, capacity, file_size);
  if (bytes.size() < sizeof(uint64_t)) return {};
  const auto size = Load<uint64_t>(bytes.data());
  bytes.erase(0, sizeof(uint64_t));
  bytes.resize(std::min<uint64_t>(bytes.size(), size));
  return bytes;
}

// How many bytes of whole, committed records there are.
size_t CommittedBytes(std::string_view data, bool* damaged) {
  size_t offset = 0;
  while (offset + sizeof(uint64_t) <= data.size()) {
    const auto head = Load<uint64_t>(data.data() + offset);
    if (head == 0 || format::KindOf(head) == format::RecordKind::kEndOfChunk) break;
    const size_t size = RecordSize(head);
    if (size == 0 || size > data.size() - offset) {
      *damaged = true;
      break;
    }
    offset += size;
  }
  return offset;
}

// Who owns a chunk; what changes when it is freed or taken again.
using Ownership = std::tuple<ChunkState, uint32_t, uint32_t, uint64_t, uint64_t>;

std::optional<Ownership> ReadOwnership(int file, uint64_t offset) {
  std::string bytes(sizeof(ChunkHeader), '\0');
  if (ReadAt(file, offset, bytes.data(), bytes.size()) < bytes.size()) return std::nullopt;
  const HeaderView header(bytes);
  return Ownership(CHUNK_FIELD(header, ChunkState, state),
                   CHUNK_FIELD(header, uint32_t, thread_index),
                   CHUNK_FIELD(header, uint32_t, chunk_sequence),
                   CHUNK_FIELD(header, uint64_t, claim_ticks), CHUNK_FIELD(header, uint64_t, tid));
}

std::optional<RingChunk> ReadChunk(int file, uint64_t offset, uint64_t chunk_size) {
  const std::optional<Ownership> before = ReadOwnership(file, offset);
  if (!before.has_value()) return std::nullopt;
  const auto [state, thread_index, chunk_sequence, claim_ticks, tid] = *before;
  if (state != ChunkState::kOwned && state != ChunkState::kFull) return std::nullopt;

  RingChunk chunk = {thread_index, chunk_sequence, {}, false, claim_ticks, tid};
  chunk.records.resize(chunk_size - sizeof(ChunkHeader));
  const uint64_t data = offset + sizeof(ChunkHeader);
  chunk.records.resize(ReadAt(file, data, chunk.records.data(), chunk.records.size()));
  chunk.records.resize(CommittedBytes(chunk.records, &chunk.damaged));
  // A record's first word is written last, but a copy may read it first or last. What was committed
  // in the first copy is whole in a second one.
  if (ReadAt(file, data, chunk.records.data(), chunk.records.size()) < chunk.records.size()) {
    return std::nullopt;
  }
  chunk.records.resize(CommittedBytes(chunk.records, &chunk.damaged));
  // A chunk that was left meanwhile still holds the same; one that was freed need not.
  std::optional<Ownership> after = ReadOwnership(file, offset);
  if (!after.has_value()) return std::nullopt;
  if (std::get<0>(*after) == ChunkState::kFull) std::get<0>(*after) = state;
  if (*after != *before) return std::nullopt;
  chunk.records.shrink_to_fit();
  return chunk;
}

void CollectModules(const RingChunk& chunk, std::vector<std::string>* modules) {
  for (size_t offset = 0; offset < chunk.records.size();) {
    const char* record = chunk.records.data() + offset;
    const auto head = Load<uint64_t>(record);
    offset += RecordSize(head);
    if (format::KindOf(head) != format::RecordKind::kExtension ||
        format::FlagsOf(head) != static_cast<uint16_t>(format::ExtensionType::kModule)) {
      continue;
    }
    modules->emplace_back(record + sizeof(format::Extension), format::AddressOf(head));
  }
}

// What became of a chunk with modules in it between the two looks is drained: it stands in
// segments.
void ReadModules(int file, uint64_t chunks_offset, uint64_t chunk_count, uint64_t chunk_size,
                 RingSnapshot* snapshot) {
  for (uint64_t i = 0; i < chunk_count; ++i) {
    const uint64_t offset = chunks_offset + i * chunk_size;
    std::string bytes(sizeof(ChunkHeader), '\0');
    if (ReadAt(file, offset, bytes.data(), bytes.size()) < bytes.size()) return;
    if (CHUNK_FIELD(HeaderView(bytes), uint32_t, module_records) == 0) continue;
    const std::optional<RingChunk> chunk = ReadChunk(file, offset, chunk_size);
    if (chunk.has_value()) CollectModules(*chunk, &snapshot->modules);
  }
}

}  // namespace

absl::StatusOr<RingSnapshot> CopyRing(const RingIdentity& identity) {
  absl::StatusOr<OpenedFile> opened = OpenForReading(identity.path);
  if (!opened.ok()) return opened.status();
  const int file = opened->handle.get();
  std::string bytes = ReadPart(file, 0, sizeof(RingHeader), opened->size);
  if (bytes.size() < sizeof(RingHeader)) {
    return absl::FailedPreconditionError(identity.path + ": is no ring");
  }
  const HeaderView header(bytes);
  if (absl::Status status = CheckIdentity(header, identity, opened->owner); !status.ok()) {
    return status;
  }

  const uint64_t chunk_size = RING_FIELD(header, uint32_t, chunk_size);
  const uint64_t chunk_count = RING_FIELD(header, uint32_t, chunk_count);
  const auto chunks_offset = RING_FIELD(header, uint64_t, chunks_offset);
  if (chunk_size < kSmallestChunk || chunk_size > kLargestChunk || chunk_size % 8 != 0 ||
      chunk_count > kMostChunks || chunks_offset > opened->size ||
      chunk_count * chunk_size > opened->size - chunks_offset) {
    return absl::DataLossError(identity.path + ": its header is damaged");
  }

  RingSnapshot snapshot;
  snapshot.size = opened->size;
  snapshot.device = opened->device;
  snapshot.inode = opened->inode;
  for (size_t i = 0; i < snapshot.counters.size(); ++i) {
    snapshot.counters[i] = header.At<uint64_t>(offsetof(RingHeader, counters) + 8 * i);
  }
  snapshot.open_frames = ReadOpenFrames(file, header, opened->size);
  const auto heartbeat = RING_FIELD(header, uint64_t, heartbeat_ticks);
  for (uint64_t i = 0; i < chunk_count; ++i) {
    std::optional<RingChunk> chunk = ReadChunk(file, chunks_offset + i * chunk_size, chunk_size);
    if (!chunk.has_value() || (chunk->records.empty() && !chunk->damaged)) continue;
    chunk->not_after = std::max(chunk->not_after, heartbeat) + kHalfClock;
    snapshot.chunks.push_back(*std::move(chunk));
  }
  // After the chunks: what their records speak of was told before they were written. The size is
  // the present one for that reason, too.
  bytes = ReadPart(file, 0, sizeof(RingHeader), opened->size);
  if (bytes.size() == sizeof(RingHeader)) {
    const uint64_t present_count = RING_FIELD(header, uint32_t, chunk_count);
    ReadModules(file, chunks_offset, std::min(present_count, kMostChunks), chunk_size, &snapshot);
    const uint64_t size = std::min(RING_FIELD(header, uint64_t, metadata_size),
                                   RING_FIELD(header, uint64_t, metadata_capacity));
    snapshot.metadata =
        ReadPart(file, RING_FIELD(header, uint64_t, metadata_offset), size, opened->size);
  }
  std::sort(snapshot.chunks.begin(), snapshot.chunks.end(),
            [](const RingChunk& left, const RingChunk& right) {
              return std::tie(left.thread_index, left.chunk_sequence) <
                     std::tie(right.thread_index, right.chunk_sequence);
            });
  const auto same = [](const RingChunk& left, const RingChunk& right) {
    return left.thread_index == right.thread_index && left.chunk_sequence == right.chunk_sequence;
  };
  snapshot.chunks.erase(std::unique(snapshot.chunks.begin(), snapshot.chunks.end(), same),
                        snapshot.chunks.end());
  return snapshot;
}

}  // namespace autotrace::exporter
