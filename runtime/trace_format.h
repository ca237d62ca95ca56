// The trace format: what the recorder writes and every reader reads.
//
// Two containers share one vocabulary. The *ring* is a file in tmpfs, mapped by the traced
// process, whose chunks hold fixed-layout *records* written by traced threads. A *block stream* is
// a sequence of checksummed blocks: segment files on disk hold one, the ring's metadata area holds
// one, and the in-process exporter is fed one. Records travel verbatim from chunks into kRecords
// blocks, so there is one decoder for live export, recorded runs and crash recovery.
//
// This header holds constants and layouts and nothing else. docs/trace-format.md is the
// specification; the two change together. All integers are little endian.
#ifndef AUTOTRACE_RUNTIME_TRACE_FORMAT_H_
#define AUTOTRACE_RUNTIME_TRACE_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

#include <atomic>

namespace autotrace::format {

// Raised by any change that an older reader would misread.
inline constexpr uint32_t kVersion = 1;

// ---- Records ---------------------------------------------------------------------------------

// A record is a sequence of 64-bit words. Word 0 is stored last: zero means "not written yet", so
// it is the commit mark. Its low 48 bits are an address (or, in an extension, a size), its high 16
// bits the kind (low 4 bits of those) and flags (the other 12).
inline constexpr int kAddressBits = 48;
inline constexpr uint64_t kAddressMask = (uint64_t{1} << kAddressBits) - 1;
inline constexpr uint64_t kMask48 = kAddressMask;

enum class RecordKind : uint8_t {
  kNone = 0,
  // A span that ended, 4 words: function | start<<16|d0 | sequence<<16|d1 | parent<<16|d2 where
  // start is the clock's low 48 bits and d0, d1, d2 are the duration's 16-bit parts, lowest first.
  kSpan = 1,
  // kSpan and a fifth word: call site (return address) <<16 | zero.
  kSpanWithCaller = 2,
  // Says which trace the thread's following spans belong to, 8 words (see TraceBegin).
  kTraceBegin = 3,
  // More about one span, 2 words and a payload (see Extension).
  kExtension = 4,
  // Fills a chunk's tail; one word; the rest of the chunk is empty.
  kEndOfChunk = 5,
};

inline constexpr size_t kSpanBytes = 32;
inline constexpr size_t kSpanWithCallerBytes = 40;

// Flags of kSpan and kSpanWithCaller (and of open frames).
enum SpanFlag : uint16_t {
  kSpanManual = 1 << 0,      // begun through the API; its name is in an extension
  kSpanUnfinished = 1 << 1,  // never ended; the end is the last time it was seen
  kSpanMissedExit = 1 << 2,  // the exit hook was skipped (exception, longjmp); ended when noticed
  kSpanError = 1 << 3,       // left by an exception
  kSpanInherited = 1 << 4,   // open frame of a forked child's parent: a parent, never a span
  // A trace by itself: a root without recorded children, outside of the thread's current trace. It
  // has no kTraceBegin; its trace id follows from its own sequence.
  kSpanAlone = 1 << 5,
};

// A duration of 2^48-1 ticks means: this long or longer; an extension kLongStart precedes.
inline constexpr uint64_t kMaxDuration = kMask48;

// Word 0 of a record.
constexpr uint64_t HeadWord(RecordKind kind, uint16_t flags, uint64_t address) {
  return (address & kAddressMask) | (uint64_t{static_cast<uint8_t>(kind)} << 48) |
         (uint64_t{flags} << 52);
}
constexpr RecordKind KindOf(uint64_t head) { return static_cast<RecordKind>((head >> 48) & 0xf); }
constexpr uint16_t FlagsOf(uint64_t head) { return static_cast<uint16_t>(head >> 52); }
constexpr uint64_t AddressOf(uint64_t head) { return head & kAddressMask; }

// Flags of kTraceBegin.
enum TraceBeginFlag : uint16_t {
  // The trace was begun earlier; repeated at the head of a chunk or after another trace's spans.
  kTraceResumed = 1 << 0,
  // parent_span_id and trace_id come from outside this process.
  kTraceRemoteParent = 1 << 1,
  // The root's parent is the span parent_sequence of another thread of this process.
  kTraceLocalParent = 1 << 2,
  // The root was cut out of another trace by a `roots:` pattern.
  kTraceCut = 1 << 3,
};

struct TraceBegin {
  uint64_t head;   // the root's function (0 bits for a manual root), kTraceBegin, flags
  uint64_t start;  // clock, all 64 bits
  uint64_t root_sequence;
  uint64_t call_site;        // 0 when unknown
  uint64_t trace_id[2];      // W3C trace id; its 16 bytes are the two words' bytes in memory order
  uint64_t parent_span_id;   // 8 bytes in memory order; zero without kTraceRemoteParent
  uint64_t parent_sequence;  // zero without kTraceLocalParent
};
static_assert(sizeof(TraceBegin) == 64);

// An extension: head's address is the payload's size in bytes (not counting padding), head's flags
// the ExtensionType. The payload is padded with zeros to 8 bytes.
struct Extension {
  uint64_t head;
  uint64_t sequence;  // the span it belongs to
};
enum class ExtensionType : uint16_t {
  kName = 1,        // payload: UTF-8
  kAttribute = 2,   // payload: AttributeHeader, key, value
  kStack = 3,       // payload: return addresses, 8 bytes each, innermost first
  kLongStart = 4,   // payload: the span's start, 8 bytes
  kPipelineId = 5,  // payload: UTF-8
  kException = 6,   // payload: ExceptionHeader, stack, type, message
  kIdentity = 7,    // payload: IdentityPayload
  kModule = 8,      // payload: as in a kModule block; belongs to no span
};
inline constexpr size_t kMaxExtensionPayload = 32 * 1024;
// A path is cut in a kModule record, so that the smallest chunk has room for it.
inline constexpr size_t kMaxRecordedPath = 3072;

enum class AttributeType : uint8_t { kString = 1, kInt = 2, kDouble = 3, kBool = 4 };
// A value longer than one extension holds continues in the next extension of the same sequence,
// type and key. Int and double values are 8 bytes, bool is one.
struct AttributeHeader {
  uint8_t type;       // AttributeType
  uint8_t continued;  // 1: the next extension continues this string
  uint16_t key_size;
  uint32_t value_size;
};
static_assert(sizeof(AttributeHeader) == 8);

// Which open frame this sequence was given to, for frames that were copied without one.
struct IdentityPayload {
  uint64_t function;
  uint64_t start;  // clock, all 64 bits
};

// An exception that left the span. The first span that it leaves says all of it; the following ones
// of the same thread have the same id and nothing behind the header.
struct ExceptionHeader {
  uint64_t id;            // counts the exceptions of one thread from 1
  uint64_t ticks;         // when it was thrown
  uint32_t type_size;     // mangled name
  uint32_t message_size;  // UTF-8
  uint32_t stack_count;   // return addresses, 8 bytes each, innermost first
  uint32_t reserved;
};
static_assert(sizeof(ExceptionHeader) == 32);

// ---- Block stream ----------------------------------------------------------------------------

inline constexpr char kSegmentMagic[8] = {'A', 'T', 'R', 'C', 'S', 'E', 'G', '\n'};

// The first bytes of a segment file. Blocks follow until the end of the file.
struct SegmentHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_size;  // of this structure; readers skip what they do not know
  uint64_t process_key;  // same in all segments and the ring of one process, random
  uint32_t index;        // 0, 1, 2, ... within the process
  uint32_t reserved;
};
static_assert(sizeof(SegmentHeader) == 32);

inline constexpr uint32_t kBlockMagic = 0x4b4c4254;  // "TBLK"

enum class BlockKind : uint16_t {
  kProcess = 1,     // key-value pairs, see ProcessKey
  kClock = 2,       // ClockLine, repeated; see docs/trace-format.md, 6
  kModule = 3,      // ModuleEntry, path, build id
  kFunctions = 4,   // FunctionEntry and name, repeated
  kThread = 5,      // ThreadEntry, name
  kRecords = 6,     // RecordsHeader, records
  kOpenFrames = 7,  // OpenFramesHeader, OpenFrame repeated; replaces this thread's earlier one
  kCounters = 8,    // CounterEntry repeated; totals since the start, replaces earlier ones
  kEnd = 9,         // ClockPoint; the process ended in an orderly way
  kThreadEnd = 10,  // uint32 index, repeated: no more records of these follow
  // ThreadStateHeader, records: what the records before this segment left open in this thread.
  kThreadState = 11,
  kQuiet = 12,  // QuietEntry, repeated
};

struct BlockHeader {
  uint32_t magic;
  uint16_t kind;
  uint16_t reserved;
  uint32_t size;    // of the payload; blocks are padded with zeros to 8 bytes
  uint32_t crc32c;  // of the payload
};
static_assert(sizeof(BlockHeader) == 16);
// A reader refuses larger blocks.
inline constexpr uint32_t kMaxBlockSize = 16 << 20;

// kProcess: repeated {uint32 key, uint32 size, bytes, padded to 8}.
enum class ProcessKey : uint32_t {
  kPid = 1,                // uint64
  kParentPid = 2,          // uint64
  kStartUnixNanos = 3,     // uint64, wall clock at start
  kExecutable = 4,         // path
  kHostName = 5,           // text
  kRuntimeVersion = 6,     // text
  kIdSecret = 7,           // 16 bytes; see ids.h
  kConfigYaml = 8,         // the effective configuration without secrets, as YAML
  kClockKind = 9,          // uint64: 0 = CLOCK_MONOTONIC nanoseconds, 1 = TSC
  kTicksPerSecond = 10,    // uint64, first estimate; kClock blocks are more exact
  kRingPath = 11,          // path of the ring, empty when in private memory
  kKernelStartTime = 12,   // uint64, field 22 of /proc/PID/stat: tells a reused pid
  kOsType = 13,            // text, "linux"
  kOsDescription = 14,     // text
  kExecutableArgs = 15,    // text, NUL separated; only when asked for
  kProcessKey = 17,        // uint64, as in SegmentHeader: for streams that have no such header
  kParentProcessKey = 16,  // uint64: forked from this process of the same run
  kRunPath = 18,           // path of the run's folder; empty when there is none
};

struct ClockPoint {
  uint64_t ticks;
  uint64_t unix_nanos;  // start's wall clock plus CLOCK_MONOTONIC since: never steps
};

// From `ticks` until the next line: unix_nanos + (t - ticks) * rise / run, rounded down. Each line
// begins where the one before it has come to.
struct ClockLine {
  uint64_t ticks;
  uint64_t unix_nanos;
  uint64_t rise;  // nanoseconds
  uint64_t run;   // ticks, not 0
};
static_assert(sizeof(ClockLine) == 32);

struct ModuleEntry {
  uint32_t id;             // 1, 2, ... in the order of first sight
  uint32_t path_size;      // bytes after this structure
  uint32_t build_id_size;  // bytes after the path
  uint32_t flags;          // kModuleMainProgram, kModuleUnloaded
  uint64_t load_bias;      // run-time address minus link-time address
  uint64_t start;          // mapped range
  uint64_t end;
  uint64_t ticks;  // when this was noticed
};
static_assert(sizeof(ModuleEntry) == 48);
enum ModuleFlag : uint32_t { kModuleMainProgram = 1, kModuleUnloaded = 2 };

struct FunctionEntry {
  uint64_t address;  // run-time
  uint32_t module_id;
  uint16_t decision;   // as in the decision table; see runtime/decision_table.h
  uint16_t name_size;  // bytes after this structure, linker (mangled) name; padded to 8
};
static_assert(sizeof(FunctionEntry) == 16);

// A function that fell quiet: it was called so often, always shorter than its minimum duration, and
// is not recorded any more.
struct QuietEntry {
  uint64_t address;  // run-time
  uint32_t module_id;
  uint32_t reserved;
  uint64_t calls;  // 0: it is recorded again
};
static_assert(sizeof(QuietEntry) == 24);

struct ThreadEntry {
  uint32_t index;      // 1, 2, ... in this process
  uint32_t name_size;  // bytes after this structure
  uint64_t tid;        // kernel's thread id
};

struct RecordsHeader {
  uint32_t thread_index;
  uint32_t chunk_sequence;  // counts this thread's chunks from 1
  uint32_t chunk_offset;    // of the first record within its chunk's data
  uint32_t reserved;
  uint64_t ticks;  // no span here ended later than this: dates 48-bit clocks
};
static_assert(sizeof(RecordsHeader) == 24);

struct ThreadStateHeader {
  uint32_t thread_index;
  uint32_t flags;  // kHasCurrentTrace
};
enum ThreadStateFlag : uint32_t {
  kHasCurrentTrace = 1,  // spans that follow belong to the trace of the last kTraceBegin here
};

struct OpenFramesHeader {
  uint32_t thread_index;
  uint32_t count;
  uint64_t ticks;        // when they were seen open
  uint64_t trace_id[2];  // of the thread's current trace; zero when it has no id yet
};
struct OpenFrame {    // outermost first
  uint64_t head;      // as in a span: function, kind kSpanWithCaller, flags
  uint64_t start;     // all 64 bits
  uint64_t sequence;  // zero: none given yet
  uint64_t call_site;
};
static_assert(sizeof(OpenFrame) == 32);

enum class Counter : uint32_t {
  kRecordedSpans = 0,       // handed to the ring
  kDroppedRingFull = 1,     // the reader was slower than the program
  kDroppedInHook = 2,       // hooks nested deeper in hooks than there are recorders
  kDroppedBeforeStart = 3,  // called before the runtime's constructor or after its end
  kDroppedNoMemory = 4,     // a thread got no recorder
  kDroppedDisk = 5,         // could not be written
  kDroppedDiskCap = 6,      // in segments removed to stay below the run's size limit
  kDroppedExport = 7,       // queue full, or refused by the backend
  kLostDetails = 8,         // names and attributes, not spans: the ring was full
  kCount = 9,
};
struct CounterEntry {
  uint32_t counter;
  uint32_t reserved;
  uint64_t value;
};

// ---- What was sent ---------------------------------------------------------------------------

// A place between two blocks of a process: a segment's index and an offset in it.
constexpr uint64_t Position(uint32_t segment, uint64_t offset) {
  return uint64_t{segment} << 32 | offset;
}
constexpr uint32_t SegmentOf(uint64_t position) { return static_cast<uint32_t>(position >> 32); }
constexpr uint64_t OffsetOf(uint64_t position) { return position & 0xffffffff; }

inline constexpr char kSentMagic[8] = {'A', 'T', 'R', 'C', 'S', 'N', 'T', '\n'};

// The first bytes of a file "<pid>-<process key>.sent". Two slots follow it at header_size; of
// those whose checksum is right, the one with the larger generation holds.
struct SentHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_size;
  uint64_t process_key;
  uint32_t flags;  // kSentSpool
  uint32_t reserved;
};
static_assert(sizeof(SentHeader) == 32);
enum SentFlag : uint32_t {
  kSentSpool = 1,  // the segments are there to be sent and go when they were
};

// All blocks that end at `position` or before it were sent, and the first `spans` spans of the
// block that begins there.
struct SentSlot {
  uint64_t generation;  // counts up from 1; the slot is the one of its parity
  uint64_t position;
  uint64_t spans;
  uint32_t state;   // kSentAll
  uint32_t crc32c;  // of what stands before it
};
static_assert(sizeof(SentSlot) == 32);
enum SentState : uint32_t {
  kSentAll = 1,  // also what was made of open calls at the end; nothing is left to send
};

// ---- Ring ------------------------------------------------------------------------------------

inline constexpr char kRingMagic[8] = {'A', 'T', 'R', 'C', 'R', 'N', 'G', '\n'};

enum class ChunkState : uint32_t {
  kFree = 0,
  kOwned = 1,  // a thread appends to it
  kFull = 2,   // left by its thread; the reader frees it once it is read
};

struct ChunkHeader {
  std::atomic<ChunkState> state;
  uint32_t thread_index;
  uint32_t chunk_sequence;  // as in RecordsHeader
  // How much of the data the draining reader has put away; it alone writes this.
  std::atomic<uint32_t> read_offset;
  std::atomic<uint32_t> next_free;       // index + 1 of the next free chunk
  std::atomic<uint32_t> module_records;  // how many kModule records the data holds
  uint64_t claim_ticks;
  uint64_t tid;  // kernel's thread id, for threads that no kThread block names yet
  uint64_t padding[3];
};
static_assert(sizeof(ChunkHeader) == 64);

// At offset 0 of the ring file; then the metadata area (a block stream), then the open-frame areas,
// then the chunks. Offsets are from the start of the file.
struct RingHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_size;
  uint64_t process_key;
  uint64_t pid;
  uint64_t kernel_start_time;
  uint32_t chunk_size;                // header included
  std::atomic<uint32_t> chunk_count;  // those that have memory; grows while the process runs
  uint64_t metadata_offset;
  uint64_t metadata_capacity;
  std::atomic<uint64_t> metadata_size;  // bytes of whole blocks
  uint64_t open_frames_offset;          // two areas of open_frames_capacity bytes each
  uint64_t open_frames_capacity;
  std::atomic<uint64_t> open_frames_current;  // 0: none yet, 1 or 2: which area is valid
  uint64_t chunks_offset;
  std::atomic<uint64_t> free_list;  // (tag << 32) | (index + 1) of the first free chunk
  std::atomic<uint32_t>
      reader_waiting;              // futex: wake the reader after so many more claims; 0: never
  std::atomic<uint32_t> finished;  // 1: drained and ended in an orderly way
  std::atomic<uint64_t> heartbeat_ticks;
  std::atomic<uint64_t> heartbeat_unix_nanos;
  std::atomic<uint64_t> counters[static_cast<int>(Counter::kCount)];
};
// An open-frame area: uint64 size, then a block stream of kOpenFrames blocks of that many bytes.

}  // namespace autotrace::format

#endif  // AUTOTRACE_RUNTIME_TRACE_FORMAT_H_
