// The folder of a launch: begun, joined, pruned.
#include "runtime/run_folder.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/block_stream.h"
#include "runtime/orphaned_rings.h"
#include "runtime/process_facts.h"
#include "runtime/sent_file.h"
#include "tests/support/test_files.h"

namespace autotrace::test {
namespace {

namespace fs = std::filesystem;

// AUTOTRACE_RUN as it was, after each test.
class RunVariable {
 public:
  explicit RunVariable(const char* value) {
    if (value == nullptr) {
      unsetenv("AUTOTRACE_RUN");
    } else {
      setenv("AUTOTRACE_RUN", value, 1);
    }
  }
  ~RunVariable() { unsetenv("AUTOTRACE_RUN"); }
};

// A process that has ended: nobody has its number, unless it was given away again just now.
pid_t EndedProcess() {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return child;
}

// A run that was begun in this second of the first day, by this process.
std::string MakeRun(const TemporaryFolder& folder, int second, pid_t pid) {
  char name[64];
  snprintf(name, sizeof(name), "20260101-0000%02d.000000-%d", second, pid);
  REQUIRE(mkdir((folder.path() + "/" + name).c_str(), 0700) == 0);
  const std::string stem = std::string(name) + "/" + std::to_string(pid) + "-0123456789abcdef";
  folder.Write(stem + ".000000.seg", "spans");
  folder.Write(stem + ".summary", "text");
  return name;
}

// ---- Beginning and joining ----

TEST_CASE("a launch begins a folder of its own, private to the user, and tells its children") {
  const RunVariable variable(nullptr);
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/not/there/yet";
  const RunFolder run = OpenRunFolder(dir);
  CHECK(run.error.empty());
  CHECK(run.first);
  REQUIRE(run.path.starts_with(dir + "/"));
  CHECK(getenv("AUTOTRACE_RUN") == run.path);
  struct stat status;
  REQUIRE(stat(run.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("a child joins its parent's launch") {
  const RunVariable variable(nullptr);
  const TemporaryFolder folder;
  const RunFolder parent = OpenRunFolder(folder.path());
  const RunFolder child = OpenRunFolder(folder.path());
  CHECK(child.path == parent.path);
  CHECK_FALSE(child.first);
  CHECK(folder.Entries().size() == 1);
}

TEST_CASE("a launch in another folder is not joined") {
  const TemporaryFolder folder;
  const TemporaryFolder other;
  const RunVariable first(nullptr);
  const RunFolder parent = OpenRunFolder(other.path());
  const RunFolder child = OpenRunFolder(folder.path());
  CHECK(child.first);
  CHECK(child.path.starts_with(folder.path() + "/"));
  CHECK(other.Entries().size() == 1);
}

TEST_CASE("what AUTOTRACE_RUN names is joined only when it is a run below the folder") {
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/data";
  REQUIRE(mkdir(dir.c_str(), 0700) == 0);
  REQUIRE(mkdir((dir + "/my documents").c_str(), 0700) == 0);
  REQUIRE(mkdir((dir + "/20260101-000000.000000-1").c_str(), 0700) == 0);
  REQUIRE(mkdir((dir + "/20260101-000000.000000-1/20260101-000000.000000-2").c_str(), 0700) == 0);
  REQUIRE(symlink(folder.path().c_str(), (dir + "/20260101-000000.000000-3").c_str()) == 0);
  folder.Write("data/20260101-000000.000000-4", "a file");
  const std::string value =
      GENERATE("", "/", "/..", "/my documents", "/missing", "/20260101-000000.000000-9",
               "/20260101-000000.000000-1/20260101-000000.000000-2", "/20260101-000000.000000-3",
               "/20260101-000000.000000-4", "/../data/20260101-000000.000000-1");
  const RunVariable variable((dir + value).c_str());
  const RunFolder run = OpenRunFolder(dir);
  CHECK(run.first);
  CHECK(run.path != dir + value);
  CHECK(run.path.starts_with(dir + "/2"));
  CHECK(fs::path(run.path).parent_path() == dir);
}

TEST_CASE("a launch of another user is not joined") {
  if (geteuid() != 0) {
    WARN("only root can make a folder of somebody else's: not tested");
    return;
  }
  const TemporaryFolder folder;
  const std::string foreign = folder.path() + "/20260101-000000.000000-1";
  REQUIRE(mkdir(foreign.c_str(), 0777) == 0);
  REQUIRE(chown(foreign.c_str(), 65534, 65534) == 0);
  const RunVariable variable(foreign.c_str());
  const RunFolder run = OpenRunFolder(folder.path());
  CHECK(run.first);
  CHECK(run.path != foreign);
}

TEST_CASE("a link of one's own stands for the folder, another user's does not") {
  const RunVariable variable(nullptr);
  const TemporaryFolder folder;
  const std::string link = folder.path() + "/link";
  REQUIRE(mkdir((folder.path() + "/elsewhere").c_str(), 0700) == 0);
  REQUIRE(symlink((folder.path() + "/elsewhere").c_str(), link.c_str()) == 0);
  CHECK(OpenRunFolder(link).path.starts_with(link + "/2"));
  if (geteuid() != 0) {
    WARN("only root can make a link of somebody else's: not tested");
    return;
  }
  const RunVariable none(nullptr);
  REQUIRE(lchown(link.c_str(), 65534, 65534) == 0);
  const RunFolder run = OpenRunFolder(link);
  CHECK(run.path.empty());
  CHECK_THAT(run.error, Catch::Contains("another user's link"));
}

TEST_CASE("a folder that cannot be made is an error that says what to do") {
  const RunVariable variable(nullptr);
  const TemporaryFolder folder;
  folder.Write("file", "not a folder");
  const RunFolder run = OpenRunFolder(folder.path() + "/file/data");
  CHECK(run.path.empty());
  CHECK_THAT(run.error, Catch::Contains("cannot make") && Catch::Contains("AUTOTRACE_DIR"));
  CHECK(run.error.find('\n') == std::string::npos);
  CHECK(getenv("AUTOTRACE_RUN") == nullptr);
}

TEST_CASE("a launch that left nothing removes what it made, and nothing else") {
  const RunVariable variable(nullptr);
  const TemporaryFolder folder;
  const std::string dir = folder.path() + "/not/there/yet";
  SECTION("all of it") {
    const RunFolder run = OpenRunFolder(dir);
    const RunFolder child = OpenRunFolder(dir);
    CHECK(child.made == run.made);
    RemoveIfEmpty(child);
    CHECK(folder.Entries().empty());
  }
  SECTION("but not what was there") {
    REQUIRE(MakeFolders(folder.path() + "/not/there"));
    RemoveIfEmpty(OpenRunFolder(dir));
    CHECK(fs::exists(folder.path() + "/not/there"));
    CHECK_FALSE(fs::exists(dir));
  }
  SECTION("nor what holds something") {
    const RunFolder run = OpenRunFolder(dir);
    folder.Write("not/there/yet/notes", "kept");
    RemoveIfEmpty(run);
    CHECK_FALSE(fs::exists(run.path));
    CHECK(fs::exists(dir + "/notes"));
  }
  SECTION("nor a run with a file in it") {
    const RunFolder run = OpenRunFolder(dir);
    WriteFile(run.path + "/1-00.000000.seg", "spans");
    RemoveIfEmpty(run);
    CHECK(fs::exists(run.path));
  }
}

// ---- Pruning ----

TEST_CASE("a run with files that are not named as ours stays, and removes no rings") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string run = MakeRun(folder, 0, ended);
  // Of a process whose number begins with this one's.
  const std::string ring = std::string(kRingFolder) + "/" +
                           RingNamePrefix(std::to_string(ended) + "0-0123456789abcdef") +
                           "0123456789abcdef";
  const std::string path = folder.path() + "/" + run;
  WriteFile(ring, "");
  const std::string name = GENERATE(".seg", "-.seg", "x.seg", "-0123456789abcde.seg",
                                    "-0123456789abcdef0.seg", "-0123456789ABCDEF.000000.seg");
  folder.Write(run + "/" + std::to_string(ended) + name, "");
  RemoveRun(path);
  CHECK(fs::exists(path));
  CHECK(fs::exists(ring));
  fs::remove(ring);
}

// A run that holds spans which are to be sent.
std::string MakeSpool(const TemporaryFolder& folder, int second, pid_t pid, bool all = false) {
  const std::string name = MakeRun(folder, second, pid);
  const std::string stem = std::string(name) + "/" + std::to_string(pid) + "-0123456789abcdef";
  fs::remove(folder.path() + "/" + stem + ".summary");
  SentFile sent;
  const int opened = open((folder.path() + "/" + name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(sent.Create(opened, folder.path() + "/" + stem + ".sent", 0x0123456789abcdef, true,
                      {0, 0, all}));
  close(opened);
  return name;
}

TEST_CASE("spools and recordings do not push one another out") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  std::vector<std::string> spools;
  std::vector<std::string> recordings;
  for (int i = 0; i < 4; ++i) {
    spools.push_back(MakeSpool(folder, i, ended));
    recordings.push_back(MakeRun(folder, 10 + i, ended));
  }
  const std::vector<std::string> old = RunsToPrune(folder.path(), 2, "");
  CHECK(old == std::vector<std::string>{
                   folder.path() + "/" + spools[0], folder.path() + "/" + spools[1],
                   folder.path() + "/" + recordings[0], folder.path() + "/" + recordings[1]});
}

TEST_CASE("who removes a run is told of what was to be sent and goes with it") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string unsent = MakeSpool(folder, 0, ended);
  const std::string sent = MakeSpool(folder, 1, ended, /*all=*/true);
  const std::string recording = MakeRun(folder, 2, ended);
  CHECK(RemoveRun(folder.path() + "/" + unsent) == 5);  // "spans"
  CHECK(RemoveRun(folder.path() + "/" + sent) == 0);
  CHECK(RemoveRun(folder.path() + "/" + recording) == 0);
  CHECK(folder.Entries().empty());
}

TEST_CASE("a run that is being sent stays") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string run = MakeSpool(folder, 0, ended);
  const std::string path =
      folder.path() + "/" + run + "/" + std::to_string(ended) + "-0123456789abcdef.sent";
  const int held = open(path.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(flock(held, LOCK_EX) == 0);
  CHECK(RemoveRun(folder.path() + "/" + run) == 0);
  CHECK(fs::exists(path));
  close(held);
  CHECK(RemoveRun(folder.path() + "/" + run) == 5);
}

TEST_CASE("runs that hold nothing push nothing out, and go after a minute") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string recording = MakeRun(folder, 0, ended);
  for (int i = 1; i < 5; ++i) {
    const std::string name = MakeRun(folder, i, ended);
    for (const auto& file : fs::directory_iterator(folder.path() + "/" + name)) {
      fs::remove(file.path());
    }
    if (i == 4) continue;
    const timespec then = {time(nullptr) - 120, 0};
    const timespec times[2] = {then, then};
    REQUIRE(utimensat(AT_FDCWD, (folder.path() + "/" + name).c_str(), times, 0) == 0);
  }
  PruneRuns(folder.path(), 1, "");
  REQUIRE(folder.Entries().size() == 2);
  CHECK(folder.Entries()[0] == recording);
}

TEST_CASE("the newest runs stay and older ones go") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  std::vector<std::string> runs;
  for (int i = 0; i < 6; ++i) runs.push_back(MakeRun(folder, i, ended));
  PruneRuns(folder.path(), 4, folder.path() + "/" + runs[5]);
  CHECK(folder.Entries() == std::vector<std::string>(runs.begin() + 2, runs.end()));
  PruneRuns(folder.path(), 4, folder.path() + "/" + runs[5]);
  CHECK(folder.Entries().size() == 4);
}

TEST_CASE("no more runs than there are is nothing to prune") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  for (int i = 0; i < 3; ++i) MakeRun(folder, i, ended);
  PruneRuns(folder.path(), 3, "");
  PruneRuns(folder.path(), 4'000'000'000u, "");
  CHECK(folder.Entries().size() == 3);
  PruneRuns(folder.path() + "/missing", 1, "");
}

TEST_CASE("the present run stays, even as the oldest one") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string oldest = MakeRun(folder, 0, ended);
  for (int i = 1; i < 4; ++i) MakeRun(folder, i, ended);
  PruneRuns(folder.path(), GENERATE(0u, 1u), folder.path() + "/" + oldest);
  const std::vector<std::string> left = folder.Entries();
  REQUIRE(left.size() == 2);  // it, and the newest
  CHECK(left[0] == oldest);
}

TEST_CASE("a run of a process that still runs stays") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string running = MakeRun(folder, 0, getpid());
  // Begun by a process that has ended, with a child that has not.
  const std::string with_child = MakeRun(folder, 1, ended);
  folder.Write(with_child + "/" + std::to_string(getppid()) + "-00.000000.seg", "spans");
  for (int i = 2; i < 5; ++i) MakeRun(folder, i, ended);
  PruneRuns(folder.path(), 1, "");
  const std::vector<std::string> left = folder.Entries();
  REQUIRE(left.size() == 3);
  CHECK(left[0] == running);
  CHECK(left[1] == with_child);
  CHECK(fs::exists(folder.path() + "/" + with_child + "/" + std::to_string(ended) +
                   "-0123456789abcdef.000000.seg"));
}

TEST_CASE("a run of a process that cannot be seen, but holds its lock, stays") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string foreign = MakeRun(folder, 0, ended);
  for (int i = 1; i < 4; ++i) MakeRun(folder, i, ended);
  const std::string segment =
      folder.path() + "/" + foreign + "/" + std::to_string(ended) + "-0123456789abcdef.000000.seg";
  const int held = open(segment.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(held >= 0);
  REQUIRE(flock(held, LOCK_SH) == 0);
  PruneRuns(folder.path(), 1, "");
  CHECK(fs::exists(segment));
  CHECK(folder.Entries().size() == 2);
  close(held);
  PruneRuns(folder.path(), 1, "");
  CHECK(folder.Entries().size() == 1);
}

TEST_CASE("rings of deleted runs go, those of runs that are there stay") {
  const TemporaryFolder shm;
  const TemporaryFolder data;
  const auto make = [&](pid_t pid, uint64_t key, const std::string& run, const char* host) {
    Ring::Options options;
    options.size = uint64_t{1} << 20;
    options.folder = shm.path();
    options.process_key = key;
    Ring ring;
    REQUIRE(ring.Create(options));
    std::string process;
    AppendProcessText(&process, format::ProcessKey::kHostName, host);
    AppendProcessText(&process, format::ProcessKey::kRunPath, run);
    std::string block;
    AppendBlock(&block, format::BlockKind::kProcess, process);
    REQUIRE(ring.AppendMetadata(block));
    // As if a process that has ended had made it, two minutes ago.
    const std::string name =
        shm.path() + "/" + RingNamePrefix(std::to_string(pid) + "-" + HexDigits(key)) + "1";
    fs::rename(ring.path(), name);
    const timespec then = {time(nullptr) - 120, 0};
    const timespec times[2] = {then, then};
    REQUIRE(utimensat(AT_FDCWD, name.c_str(), times, 0) == 0);
    return fs::path(name).filename().string();
  };
  const pid_t ended = EndedProcess();
  const std::string host = HostName();
  const std::string kept = make(ended, 1, data.path(), host.c_str());
  make(ended, 2, data.path() + "/deleted", host.c_str());
  const std::string elsewhere = make(ended, 3, data.path() + "/deleted", "another machine");
  const std::string running = make(getpid(), 4, data.path() + "/deleted", host.c_str());
  CHECK(MayHaveOrphanedRings("", shm.path()));
  ForkGate gate;
  RemoveOrphanedRings("", &gate, shm.path());
  std::vector<std::string> expected = {kept, elsewhere, running};
  std::sort(expected.begin(), expected.end());
  CHECK(shm.Entries() == expected);
}

TEST_CASE("folders that are no runs, and runs that hold foreign files, stay") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  for (const char* name : {"notes", "20250101", "20250101-000000.000000", "2025-01-01",
                           "20250101-000000.000000-12x", "x20250101-000000.000000-1"}) {
    REQUIRE(mkdir((folder.path() + "/" + name).c_str(), 0700) == 0);
  }
  const std::string with_notes = MakeRun(folder, 0, ended);
  folder.Write(with_notes + "/notes.txt", "kept");
  const std::string with_folder = MakeRun(folder, 1, ended);
  REQUIRE(mkdir((folder.path() + "/" + with_folder + "/sub").c_str(), 0700) == 0);
  const std::string with_odd_name = MakeRun(folder, 2, ended);
  folder.Write(with_odd_name + "/report.seg", "no process's");
  for (int i = 3; i < 6; ++i) MakeRun(folder, i, ended);
  PruneRuns(folder.path(), 1, "");
  CHECK(folder.Entries().size() == 6 + 3 + 1);
  // Whole, not only there.
  for (const std::string& run : {with_notes, with_folder, with_odd_name}) {
    CHECK(std::distance(fs::directory_iterator(folder.path() + "/" + run), {}) == 3);
  }
}

TEST_CASE("packed runs neither count nor go") {
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  std::vector<std::string> expected;
  for (int i = 0; i < 3; ++i) {
    const std::string run = MakeRun(folder, i, ended);
    fs::remove_all(folder.path() + "/" + run);
    folder.Write(run + ".atpack", "packed");
    expected.push_back(run + ".atpack");
  }
  const std::string kept = MakeRun(folder, 3, ended);  // packed with --keep
  folder.Write(kept + ".atpack", "packed");
  expected.push_back(kept + ".atpack");
  for (int i = 4; i < 6; ++i) expected.push_back(MakeRun(folder, i, ended));
  PruneRuns(folder.path(), 2, "");
  CHECK(folder.Entries() == expected);
}

TEST_CASE("symbolic links are not followed") {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  const pid_t ended = EndedProcess();
  const std::string target = elsewhere.path() + "/" + MakeRun(elsewhere, 0, ended);
  // A link named like a run, and a link inside a run named like a file of ours.
  REQUIRE(symlink(target.c_str(), (folder.path() + "/20260101-000000.000000-1").c_str()) == 0);
  const std::string run = MakeRun(folder, 1, ended);
  const std::string precious = elsewhere.Write("precious", "kept");
  const std::string link =
      folder.path() + "/" + run + "/" + std::to_string(ended) + "-fedcba9876543210.summary";
  REQUIRE(symlink(precious.c_str(), link.c_str()) == 0);
  for (int i = 2; i < 4; ++i) MakeRun(folder, i, ended);
  PruneRuns(folder.path(), 1, "");
  CHECK(fs::exists(precious));
  CHECK(std::distance(fs::directory_iterator(target), {}) == 2);
  CHECK(fs::is_symlink(folder.path() + "/20260101-000000.000000-1"));
  CHECK_FALSE(fs::exists(folder.path() + "/" + run));
}

TEST_CASE("a run of another user stays") {
  if (geteuid() != 0) {
    WARN("only root can make a folder of somebody else's: not tested");
    return;
  }
  const TemporaryFolder folder;
  const pid_t ended = EndedProcess();
  const std::string foreign = MakeRun(folder, 0, ended);
  REQUIRE(chown((folder.path() + "/" + foreign).c_str(), 65534, 65534) == 0);
  for (int i = 1; i < 4; ++i) MakeRun(folder, i, ended);
  PruneRuns(folder.path(), 1, "");
  CHECK(folder.Entries().size() == 2);
  CHECK(folder.Entries()[0] == foreign);
}

}  // namespace
}  // namespace autotrace::test
