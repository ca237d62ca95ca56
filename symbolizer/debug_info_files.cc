#include "symbolizer/debug_info_files.h"

#include "symbolizer/dwarf_constants.h"

namespace autotrace::symbolizer {

namespace {

// A line table's header up to its list of directories.
struct LineHeader {
  uint16_t version = 0;
  UnitHeader sizes;  // of offsets and addresses, for reading values
  ByteReader reader;
};

bool OpenLineTable(const Unit& unit, LineHeader* header) {
  if (!unit.has_line_table()) return false;
  const std::string_view line = unit.sections().line;
  ByteReader reader(line, unit.line_table_offset());
  uint64_t length = reader.Read<uint32_t>();
  header->sizes = unit.header();
  header->sizes.offset_size = 4;
  if (length == 0xffffffff) {
    length = reader.Read<uint64_t>();
    header->sizes.offset_size = 8;
  }
  if (!reader.ok() || length > reader.remaining()) return false;
  reader = ByteReader({line.data(), reader.offset() + length}, reader.offset());
  header->version = reader.Read<uint16_t>();
  if (header->version < 2 || header->version > 5) return false;
  if (header->version >= 5) reader.Skip(2);        // address and segment selector size
  reader.ReadUnsigned(header->sizes.offset_size);  // header length
  reader.Skip(header->version >= 4 ? 2 : 1);       // instruction length, operations
  reader.Skip(3);                                  // default_is_stmt, line base, line range
  const auto opcode_base = reader.Read<uint8_t>();
  reader.Skip(opcode_base > 0 ? opcode_base - 1 : 0);
  header->reader = reader;
  return reader.ok();
}

bool FindBeforeVersion5(const Unit& unit, ByteReader reader, uint64_t number,
                        std::string_view* directory, std::string_view* file) {
  if (number == 0) return false;
  const ByteReader directories = reader;
  while (reader.ok() && !reader.ReadString().empty()) {
  }
  uint64_t directory_number = 0;
  for (uint64_t i = 0; i < number; ++i) {
    *file = reader.ReadString();
    if (!reader.ok() || file->empty()) return false;
    directory_number = reader.ReadUleb();
    reader.ReadUleb();  // time of modification
    reader.ReadUleb();  // size
  }
  *directory = unit.compilation_directory();
  reader = directories;
  for (uint64_t i = 0; i < directory_number; ++i) {
    *directory = reader.ReadString();
    if (!reader.ok() || directory->empty()) return false;
  }
  return true;
}

// One list of a DWARF 5 header, directories or files: descriptions of the columns, then the rows.
class EntryList {
 public:
  EntryList(const Unit& unit, const UnitHeader& sizes, ByteReader* reader)
      : unit_(unit), sizes_(sizes) {
    column_count_ = reader->Read<uint8_t>();
    columns_ = *reader;
    for (unsigned i = 0; i < column_count_; ++i) {
      reader->ReadUleb();
      reader->ReadUleb();
    }
    count_ = reader->ReadUleb();
    // Rows without columns would take no bytes, however many the header claims.
    if (column_count_ == 0) count_ = 0;
  }
  uint64_t count() const { return count_; }

  bool ReadRow(ByteReader* reader, std::string_view* path, uint64_t* directory_number) const {
    ByteReader columns = columns_;
    for (unsigned i = 0; i < column_count_; ++i) {
      const uint64_t content = columns.ReadUleb();
      const uint64_t form = columns.ReadUleb();
      AttributeValue value;
      if (form > 0xffff ||
          !ReadAttributeValue(reader, sizes_, static_cast<uint16_t>(form), 0, &value)) {
        return false;
      }
      if (content == DW_LNCT_path) *path = unit_.String(value);
      if (content == DW_LNCT_directory_index) *directory_number = value.number;
    }
    return reader->ok();
  }

 private:
  const Unit& unit_;
  const UnitHeader& sizes_;
  ByteReader columns_;
  unsigned column_count_ = 0;
  uint64_t count_ = 0;
};

bool SkipToRow(const EntryList& list, uint64_t number, ByteReader* reader, std::string_view* path,
               uint64_t* directory_number) {
  if (number >= list.count()) return false;
  for (uint64_t i = 0; i <= number; ++i) {
    if (!list.ReadRow(reader, path, directory_number)) return false;
  }
  return true;
}

bool FindInVersion5(const Unit& unit, const LineHeader& header, uint64_t number,
                    std::string_view* directory, std::string_view* file) {
  ByteReader reader = header.reader;
  const EntryList directories(unit, header.sizes, &reader);
  const ByteReader first_directory = reader;
  std::string_view path;
  uint64_t directory_number = 0;
  if (directories.count() > 0 &&
      !SkipToRow(directories, directories.count() - 1, &reader, &path, &directory_number)) {
    return false;
  }
  const EntryList files(unit, header.sizes, &reader);
  directory_number = 0;
  if (!SkipToRow(files, number, &reader, file, &directory_number) || file->empty()) return false;
  reader = first_directory;
  uint64_t ignored = 0;
  return SkipToRow(directories, directory_number, &reader, directory, &ignored);
}

}  // namespace

bool FindSourceFile(const Unit& unit, uint64_t file_number, std::string_view* directory,
                    std::string_view* file) {
  *directory = {};
  *file = {};
  LineHeader header;
  const bool found =
      OpenLineTable(unit, &header) &&
      (header.version >= 5 ? FindInVersion5(unit, header, file_number, directory, file)
                           : FindBeforeVersion5(unit, header.reader, file_number, directory, file));
  if (!found) *directory = *file = {};
  return found;
}

}  // namespace autotrace::symbolizer
