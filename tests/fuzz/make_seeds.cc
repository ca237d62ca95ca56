// Writes seeds that are made by a program: segments, rings, packs, ".sent" files, and a
// configuration with every key.
//
//   make_fuzz_seeds tests/fuzz/seeds
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "filters/config_loader.h"
#include "runtime/sent_file.h"
#include "tests/exporter/pack_builder.h"
#include "tests/exporter/stream_builder.h"
#include "tests/fuzz/sent_file_seeds.h"
#include "tests/support/test_files.h"

namespace autotrace::testing {
namespace {

using format::AttributeType;
using format::ExtensionType;

std::string AllKeys() {
  return filters::ToYaml(
      filters::ParseConfig("modules: ['app::**', 'lib:libapp.so', 'src/db/*.cc']\n"
                           "exclude: [std]\n"
                           "exclude_subtree: ['app::noise']\n"
                           "roots: ['app::handle*']\n"
                           "min_duration: 10us\n"
                           "pipelines: {'app::load': load, 'app::**': other}\n"
                           "resource_attributes: {team: blue}\n",
                           "seed")
          .config,
      /*with_secrets=*/true);
}

ProcessFields Fields() {
  ProcessFields fields;
  fields.config_yaml = "pipelines: {'app::run': nightly}\nmodules: [app]\n";
  fields.host_name = "host";
  fields.arguments = std::string("my_service\0--fast", 17);
  return fields;
}

StreamBuilder Preamble() {
  StreamBuilder stream(Fields());
  stream.Process().Clock(0, kEpoch).Module(1, "/nowhere/app", 0x1000, 0x9000, 0x1000, "build-id");
  stream.Function(0x1100, "_ZN3app3runEv", 1).Function(0x1200, "_ZN3app4loadIiEEvT_", 1);
  return stream.Thread(1, 42, "main");
}

// Every kind of record, and every type of extension.
Records AllRecords() {
  Records records;
  records.TraceBegin({.function = 0x1100, .start = 5, .root_sequence = 1});
  records.Name(2, "by hand").StringAttribute(2, "key", "first, ", true);
  records.StringAttribute(2, "key", "and the rest").Stack(2, {0x1101, 0x1202});
  records.NumberAttribute(2, "int", AttributeType::kInt, int64_t{-1});
  records.NumberAttribute(2, "double", AttributeType::kDouble, 0.5);
  records.NumberAttribute(2, "bool", AttributeType::kBool, true);
  records.Extension(ExtensionType::kPipelineId, 2, "nightly");
  records.Span({.start = 20, .end = 25, .sequence = 2, .parent = 1, .flags = format::kSpanManual});
  records.Exception(3, 1, 33, "St13runtime_error", "no such file", {0x1101, 0x1202});
  records.Span({.function = 0x1200,
                .start = 30,
                .end = 35,
                .sequence = 3,
                .parent = 1,
                .call_site = 0x1110,
                .flags = format::kSpanError});
  records.Exception(1, 1, 33).Extension(ExtensionType::kIdentity, 4, std::string(16, '\1'));
  records.Extension(ExtensionType::kLongStart, 1, std::string("\5\0\0\0\0\0\0\0", 8));
  records.RawSpan({.function = 0x1100, .start = 5, .end = 50, .sequence = 1, .call_site = 0x1210},
                  format::kMaxDuration);
  records.Span({.function = 0x1200, .start = 60, .end = 61, .flags = format::kSpanAlone});
  return records;
}

Records Resumed() {
  Records records;
  records.TraceBegin({.function = 0x1100,
                      .start = 70,
                      .root_sequence = 9,
                      .trace_id = {1, 2},
                      .parent_span_id = 3,
                      .flags = format::kTraceRemoteParent | format::kTraceResumed});
  records.Span({.function = 0x1200, .start = 71, .end = 75, .sequence = 10, .parent = 9});
  return records.Word(format::HeadWord(format::RecordKind::kEndOfChunk, 0, 0));
}

StreamBuilder OpenFrames() {
  StreamBuilder stream;
  stream.OpenFrames(1, 100, {MakeFrame(0x1100, 70, 9), MakeFrame(0x1200, 90, 0, 0, 0x1110)},
                    {1, 2});
  return stream.OpenFrames(2, 100, {MakeFrame(0x1200, 1, 0, format::kSpanInherited)});
}

void WriteSegments(const std::string& folder) {
  const auto write = [&](const char* name, const StreamBuilder& stream) {
    test::WriteFile(folder + name, stream.Segment(0));
  };
  write("preamble", Preamble());
  StreamBuilder whole = Preamble();
  whole.Add(1, AllRecords(), 1000).Add(2, Resumed(), 1000, 7, 64);
  whole.Counter(format::Counter::kDroppedRingFull, 3).End(2000, kEpoch + 2000);
  write("whole", whole);
  StreamBuilder unfinished = Preamble();
  unfinished.OpenFrames(1, 100, {MakeFrame(0x1100, 70, 9), MakeFrame(0x1200, 90, 0)});
  write("unfinished", unfinished.Add(1, Resumed(), 1000).Clock(5, kEpoch + 9).Clock(1000, kEpoch));
  StreamBuilder moved = Preamble();
  moved.Add(1, AllRecords(), 1000).Module(2, "/nowhere/lib.so", 0x1000, 0x2000);
  write("module_replaced", moved.Add(1, AllRecords(), 9000));
  // The rest of a recording: what its threads were in is told in its beginning.
  StreamBuilder rest = Preamble();
  Records open = AllRecords();
  open.TraceBegin({.function = 0x1100, .start = 70, .root_sequence = 9}).Name(11, "still open");
  open.Exception(0, 2, 80, "St13runtime_error", "from before", {0x1101});
  rest.State(1, open, true).State(2, Resumed(), false).Add(1, AllRecords(), 1000);
  write("rest", rest);
  std::string cut = whole.Segment(0);
  cut.resize(cut.size() - 20);
  test::WriteFile(folder + "cut_off", cut);
  cut[200] ^= 1;
  test::WriteFile(folder + "damaged", cut);
}

// Small files that once took much memory or time. Names begin with what was wrong.
void WriteHostileSegments(const std::string& folder) {
  const auto write = [&](const char* name, const StreamBuilder& stream) {
    test::WriteFile(folder + name, stream.Segment(0));
  };
  // Each address of a stack, and each function, repeated the path that it lies in.
  const std::string long_path = "/" + std::string(16'000, 'x');
  std::vector<uint64_t> addresses;
  for (uint64_t i = 0; i < 1000; ++i) addresses.push_back(0x1100 + i);
  Records long_stack;
  long_stack.Stack(2, addresses).Span({.start = 20, .end = 25, .sequence = 2});
  StreamBuilder stream(Fields());
  stream.Process().Module(1, long_path, 0x1000, 0x9000).Add(1, long_stack, 1000);
  write("found-long_path_in_stack", stream);

  Records calls;
  for (uint64_t i = 0; i < 1000; ++i) {
    calls.Span({.function = 0x1100 + i, .start = 20, .end = 25, .sequence = 2 + i});
  }
  StreamBuilder functions(Fields());
  functions.Process().Module(1, long_path, 0x1000, 0x9000).Add(1, calls, 1000);
  write("found-long_path_of_functions", functions);

  // void(A<int, int>, A<A<int, int>, A<int, int> >, ...): each type twice in the next one.
  std::string type = "Fv1AIiiE";
  for (const char last : std::string_view("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    type.append("S_IS").append(1, last).append("_S").append(1, last).append("_E");
  }
  Records thrown;
  thrown.Exception(3, 1, 33, type + "E", "message");
  thrown.Span({.function = 0x1200, .start = 30, .end = 35, .sequence = 3});
  write("found-doubling_exception_type", Preamble().Add(1, thrown, 1000));

  // Names whose text has tens of thousands of characters each.
  StreamBuilder names(Fields());
  names.Process();
  Records named;
  for (uint64_t i = 0; i < 300; ++i) {
    std::string name = "_ZN1a1fI1AIiiE";
    for (const char last : std::string_view("23456789AB")) {
      name.append("S1_IS").append(1, last).append("_S").append(1, last).append("_E");
    }
    names.Function(0x1100 + i, name + "EEvv", 1);
    named.Span({.function = 0x1100 + i, .start = 20, .end = 25, .sequence = 2 + i});
  }
  write("found-doubling_names", names.Add(1, named, 1000));

  // Details of spans that never come.
  Records details;
  for (uint64_t i = 0; i < 2000; ++i) details.Extension(ExtensionType::kName, 100 + i, "");
  write("details_without_spans", Preamble().Add(1, details, 1000));
  StreamBuilder threads = Preamble();
  for (uint32_t i = 0; i < 1000; ++i) threads.Thread(i, i, "");
  write("many_threads", threads);
  StreamBuilder states = Preamble();
  for (uint32_t i = 0; i < 1000; ++i) states.State(i, {}, true);
  write("many_states", states);
}

void WriteRings(const std::string& folder) {
  constexpr RingBuilder::Sizes kSmall = {.chunk = 1024, .area = 1536};
  RingBuilder ring(Fields(), kSmall);
  ring.Metadata(Preamble()).OpenFrames(OpenFrames()).Heartbeat(500);
  ring.Chunk(1, 2, Resumed()).Chunk(1, 1, AllRecords(), format::ChunkState::kFull, 4);
  ring.Chunk(3, 1, AllRecords(), format::ChunkState::kFree);
  test::WriteFile(folder + "killed", ring.Counter(format::Counter::kDroppedInHook, 1).Build());

  // Half of the chunk stands in a block of records.
  StreamBuilder metadata = Preamble();
  Records half;
  half.TraceBegin({.function = 0x1100, .start = 5, .root_sequence = 1});
  metadata.Add(1, half, 100);
  test::WriteFile(
      folder + "partly_written",
      RingBuilder(Fields(), kSmall).Metadata(metadata).Chunk(1, 1, AllRecords()).Build());
  test::WriteFile(folder + "empty", RingBuilder(Fields(), kSmall).Build());
}

void WriteSentFiles(const std::string& folder) {
  const std::string path = folder + "stored";
  test::WriteFile(path, "");  // makes the folder
  std::filesystem::remove(path);
  const int opened = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  SentFile file;
  if (!file.Create(opened, path, fuzz::kSentFileKey, /*is_spool=*/true, {})) return;
  test::WriteFile(folder + "new", test::ReadFile(path));
  file.Store({format::Position(2, 4096), 17, false});
  file.Store({format::Position(3, 32), 0, true});
  close(opened);
  test::WriteFile(folder + "cut_off", test::ReadFile(path).substr(0, 70));
}

void WritePacks(const std::string& folder) {
  constexpr char kSegment[] = "4711-00c0ffee00c0ffee.000000.seg";
  constexpr char kRunName[] = "20260801-142233.123456-4711";
  StreamBuilder whole = Preamble();
  whole.Add(1, AllRecords(), 1000).Add(2, Resumed(), 1000, 7, 64).End(2000, kEpoch + 2000);
  const Files files = {{kSegment, whole.Segment(0)},
                       {"4711-00c0ffee00c0ffee.000001.seg", Preamble().Segment(1)},
                       {"4711-00c0ffee00c0ffee.summary", "3 spans"}};
  std::string pack = MakePack(files, kRunName);
  test::WriteFile(folder + "whole", pack);
  test::WriteFile(folder + "cut_off", pack.substr(0, pack.size() - 100));
  pack[600] ^= 1;
  test::WriteFile(folder + "damaged", pack);
  std::string damaged_segment = whole.Segment(0);
  damaged_segment[600] ^= 1;
  test::WriteFile(folder + "of_damage", MakePack({{kSegment, damaged_segment}}, kRunName));
  test::WriteFile(folder + "without_members", MakePack({}, kRunName));
}

// One frame that unpacks to as many zeros as its size allows.
void WriteBomb(const std::string& folder) {
  const std::string zeros(size_t{1} << 20, '\0');
  test::WriteFile(folder + "zeros", MakePack({{"1-0000000000000001.000000.seg", zeros}}, ""));
}

void WriteAll(const std::string& folder) {
  test::WriteFile(folder + "/config/all_keys.yaml", AllKeys());
  WriteSegments(folder + "/segment/");
  WriteHostileSegments(folder + "/segment/");
  WriteRings(folder + "/ring/");
  WriteSentFiles(folder + "/sent_file/");
  WritePacks(folder + "/pack/");
  WriteBomb(folder + "/pack/");
}

}  // namespace
}  // namespace autotrace::testing

int main(int argc, char** argv) try {
  if (argc != 2) {
    fprintf(stderr, "usage: make_fuzz_seeds FOLDER\n");
    return 2;
  }
  autotrace::testing::WriteAll(argv[1]);
  return 0;
} catch (const std::exception& error) {
  fprintf(stderr, "make_fuzz_seeds: %s\n", error.what());
  return 1;
}
