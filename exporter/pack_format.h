// A packed run: one file that holds the files of a run's folder (docs/trace-format.md, 11). Its
// members are cut into frames, each of which can be read alone.
//
//   pack  = pack header, frame*, directory frame
//   frame = frame header, name, padding to 8, packed bytes (pack_frame.h), padding to 8
//
// pack_writer.h writes it, pack_reader.h reads it.
#ifndef AUTOTRACE_EXPORTER_PACK_FORMAT_H_
#define AUTOTRACE_EXPORTER_PACK_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

namespace autotrace::exporter {

inline constexpr char kPackMagic[8] = {'A', 'T', 'R', 'C', 'P', 'A', 'K', '\n'};
inline constexpr uint32_t kPackVersion = 1;

struct PackHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_size;  // frames begin here; a multiple of 8
};
static_assert(sizeof(PackHeader) == 16);

inline constexpr uint32_t kFrameMagic = 0x4d415246;  // "FRAM"

enum class FrameKind : uint32_t {
  kMember = 1,     // a piece of a file
  kDirectory = 2,  // what there has to be; the last frame
};

struct FrameHeader {
  uint32_t magic;
  uint32_t header_crc32c;  // of the rest of this structure and the name
  uint32_t kind;
  uint32_t name_size;
  uint64_t offset;         // of the bytes in the file
  uint32_t size;           // of the bytes
  uint32_t crc32c;         // of the bytes
  uint32_t packed_size;    // at least 1/kMostPacking of the size
  uint32_t packed_crc32c;  // of the packed bytes
};
static_assert(sizeof(FrameHeader) == 40);

// Readers need memory for one frame.
inline constexpr size_t kMaxFrameBytes = size_t{20} << 20;
// Bounds what a small file can make a reader do. Packed bytes that are fewer are filled up with
// zeros.
inline constexpr size_t kMostPacking = 1024;
inline constexpr size_t kMaxMemberName = 255;

// The directory's bytes: name of the run, then each member, each name with padding to 8.
struct DirectoryHeader {
  uint32_t run_name_size;
  uint32_t members;
};
static_assert(sizeof(DirectoryHeader) == 8);
struct DirectoryEntry {
  uint64_t size;
  uint32_t name_size;
  uint32_t reserved;
};
static_assert(sizeof(DirectoryEntry) == 16);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACK_FORMAT_H_
