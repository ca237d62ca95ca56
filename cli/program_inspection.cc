#include "cli/program_inspection.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "cli/strings.h"
#include "cli/subprocess.h"
#include "filters/dropped_functions.h"
#include "symbolizer/module_image.h"

namespace autotrace::cli {
namespace {

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool IsRuntime(std::string_view path) { return BaseName(path).starts_with("libautotrace-cpp.so"); }

bool DefinesHooksItself(std::string_view path) {
  return IsRuntime(path) || BaseName(path).starts_with("libc.so") ||
         BaseName(path).starts_with("libc-");
}

bool IsExecutableFile(const std::string& path) {
  struct stat facts;
  return stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

std::string Canonical(const std::string& path) {
  std::error_code error;
  const auto canonical = std::filesystem::canonical(path, error);
  return error ? path : canonical.string();
}

// The interpreter that a script's first line names; empty when it is no script.
std::string InterpreterOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[2] = {};
  if (!file.read(magic, 2) || magic[0] != '#' || magic[1] != '!') return "";
  // The kernel reads no further either.
  char buffer[256];
  file.read(buffer, sizeof(buffer));
  std::string_view line(buffer, static_cast<size_t>(file.gcount()));
  line = Strip(line.substr(0, line.find('\n')));
  const std::vector<std::string_view> words = Split(line, " \t");
  if (words.empty()) return "";
  if (BaseName(words[0]) != "env") return std::string(words[0]);
  // "#!/usr/bin/env -S python3 -u"
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i][0] != '-' && !Contains(words[i], "=")) {
      return FindProgram(std::string(words[i]));
    }
  }
  return std::string(words[0]);
}

// What the ELF headers say: fills is_elf, is_foreign, is_static; returns the loader's path.
class ElfHeaders {
 public:
  explicit ElfHeaders(const std::string& path) {
    elf_version(EV_CURRENT);
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ >= 0) elf_ = elf_begin(descriptor_, ELF_C_READ, nullptr);
  }
  ~ElfHeaders() {
    if (elf_ != nullptr) elf_end(elf_);
    if (descriptor_ >= 0) close(descriptor_);
  }
  ElfHeaders(const ElfHeaders&) = delete;
  ElfHeaders& operator=(const ElfHeaders&) = delete;

  bool is_elf() const { return elf_ != nullptr && elf_kind(elf_) == ELF_K_ELF; }

  bool is_foreign() const {
    GElf_Ehdr header;
    GElf_Ehdr own;
    const ElfHeaders self("/proc/self/exe");
    if (gelf_getehdr(elf_, &header) == nullptr || !self.is_elf() ||
        gelf_getehdr(self.elf_, &own) == nullptr) {
      return true;
    }
    return header.e_machine != own.e_machine || header.e_ident[EI_CLASS] != own.e_ident[EI_CLASS];
  }

  // Empty: a static program.
  std::string Loader() const {
    size_t count = 0;
    if (elf_getphdrnum(elf_, &count) != 0) return "";
    for (size_t i = 0; i < count; ++i) {
      GElf_Phdr segment;
      if (gelf_getphdr(elf_, static_cast<int>(i), &segment) == nullptr) continue;
      if (segment.p_type != PT_INTERP || segment.p_filesz > PATH_MAX) continue;
      std::string path(segment.p_filesz, '\0');
      const ssize_t size =
          pread(descriptor_, path.data(), path.size(), static_cast<off_t>(segment.p_offset));
      path.resize(size < 0 ? 0 : static_cast<size_t>(size));
      path.resize(path.find_last_not_of('\0') + 1);
      return path;
    }
    return "";
  }

  // The runtime for static programs leaves a note, which stays when a program is stripped.
  bool HasNoteOfRuntime() const {
    size_t count = 0;
    if (elf_getphdrnum(elf_, &count) != 0) return false;
    for (size_t i = 0; i < count; ++i) {
      GElf_Phdr segment;
      if (gelf_getphdr(elf_, static_cast<int>(i), &segment) == nullptr) continue;
      if (segment.p_type != PT_NOTE) continue;
      Elf_Data* notes =
          elf_getdata_rawchunk(elf_, static_cast<int64_t>(segment.p_offset), segment.p_filesz,
                               segment.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR);
      if (notes != nullptr && HoldNoteOfRuntime(notes)) return true;
    }
    return false;
  }

 private:
  static bool HoldNoteOfRuntime(Elf_Data* notes) {
    constexpr std::string_view kName = "autotrace";
    GElf_Nhdr note;
    size_t name = 0;
    size_t description = 0;
    for (size_t at = 0; (at = gelf_getnote(notes, at, &note, &name, &description)) > 0;) {
      const std::string_view found(static_cast<const char*>(notes->d_buf) + name, note.n_namesz);
      if (found.substr(0, found.find('\0')) == kName) return true;
    }
    return false;
  }

  int descriptor_ = -1;
  Elf* elf_ = nullptr;
};

// The libraries that the loader would map, found ones only.
std::vector<std::string> LibrariesOf(const std::string& loader, const std::string& binary) {
  const auto listed = RunSubprocess({loader, "--list", binary}, {{"LC_ALL", "C"}});
  std::vector<std::string> libraries;
  if (!listed.ok()) return libraries;
  for (std::string_view line : Split(listed->output, "\n")) {
    // "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f...)"
    line = line.substr(0, line.rfind(" (0x"));
    const size_t arrow = line.find(" => ");
    if (arrow == std::string_view::npos) continue;
    const std::string_view path = line.substr(arrow + 4);
    if (path.starts_with("/")) libraries.emplace_back(path);
  }
  return libraries;
}

bool WasCompiledWithPlugin(const std::string& path) {
  symbolizer::ModuleImage image;
  return image.Map(path.c_str()) && !image.SectionContents(filters::kDroppedSection).empty();
}

bool GainsPrivileges(const std::string& path) {
  struct stat facts;
  if (stat(path.c_str(), &facts) != 0) return false;
  if ((facts.st_mode & S_ISUID) != 0 && facts.st_uid != geteuid()) return true;
  // Without the group's right to execute the bit means mandatory locking.
  constexpr mode_t kSetGroup = S_ISGID | S_IXGRP;
  if ((facts.st_mode & kSetGroup) == kSetGroup && facts.st_gid != getegid()) return true;
  return geteuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0;
}

}  // namespace

std::string FindProgram(const std::string& name) {
  if (Contains(name, "/")) return IsExecutableFile(name) ? name : "";
  const char* path = getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
  for (bool is_last = false; !is_last;) {
    const size_t end = rest.find(':');
    is_last = end == std::string_view::npos;
    // An empty entry is the current folder.
    const std::string_view folder = end == 0 || rest.empty() ? "." : rest.substr(0, end);
    std::string candidate = Concat(folder, "/", name);
    if (IsExecutableFile(candidate)) return candidate;
    if (!is_last) rest.remove_prefix(end + 1);
  }
  return "";
}

bool CallsHooks(const std::string& path) {
  if (DefinesHooksItself(path)) return false;
  symbolizer::ModuleImage image;
  return image.Map(path.c_str()) && image.references_hooks();
}

ProgramFacts InspectProgram(const std::string& path) {
  ProgramFacts facts;
  facts.path = path;
  facts.binary = Canonical(path);
  const std::string interpreter = InterpreterOf(facts.binary);
  if (!interpreter.empty()) {
    facts.is_script = true;
    facts.binary = Canonical(interpreter);
  }
  facts.gains_privileges = GainsPrivileges(facts.binary);
  const ElfHeaders headers(facts.binary);
  facts.is_elf = headers.is_elf();
  if (!facts.is_elf) return facts;
  facts.is_foreign = headers.is_foreign();
  const std::string loader = headers.Loader();
  facts.is_static = loader.empty();
  facts.calls_hooks = CallsHooks(facts.binary);
  facts.was_compiled_with_plugin = !facts.calls_hooks && WasCompiledWithPlugin(facts.binary);
  if (facts.is_static) facts.links_runtime = headers.HasNoteOfRuntime();
  if (facts.calls_hooks || facts.is_foreign || facts.is_static) return facts;
  for (const std::string& library : LibrariesOf(loader, facts.binary)) {
    if (IsRuntime(library)) facts.links_runtime = true;
    if (CallsHooks(library)) facts.libraries_with_hooks.push_back(library);
  }
  return facts;
}

std::vector<std::string> ExplainMissingFunctions(const ProgramFacts& facts) {
  const auto explain = [&](std::string_view why, std::string_view remedy) {
    return std::vector<std::string>{Concat("0 instrumented functions: ", why), std::string(remedy)};
  };
  const std::string& binary = facts.binary;
  if (!facts.is_elf) {
    return explain(Concat(binary, " is no ELF program"), "only native programs can be traced");
  }
  if (facts.is_foreign) {
    return explain(Concat(binary, " is a program for another machine or word size"),
                   "only 64-bit programs for this machine can be traced");
  }
  if (facts.is_static && !facts.links_runtime) {
    return {Concat("0 instrumented functions: ", binary,
                   " is statically linked, so nothing can be preloaded; link it with "
                   "libautotrace-cpp-record.a (autotrace_instrument(), or pkg-config "
                   "autotrace-cpp-record), or dynamically")};
  }
  if (facts.gains_privileges) {
    return explain(Concat(binary,
                          " is set-user-id (or set-group-id, or has file capabilities), so the "
                          "loader ignores what is preloaded"),
                   "run it as the user it changes to: it ignores the environment's settings, too");
  }
  if (facts.calls_hooks || !facts.libraries_with_hooks.empty()) return {};
  if (facts.was_compiled_with_plugin) {
    return explain(Concat("the compiler plugin left the hooks out of all functions of ", binary),
                   Concat("give the plugin wider patterns; `autotracer functions --all ", binary,
                          "` lists what it left out"));
  }
  // A stripped one does not say what it calls.
  if (facts.is_static) return {};
  return explain(
      Concat("neither ", binary, facts.is_script ? ", which runs this script," : "",
             " nor a library it is linked to was compiled with hooks"),
      "compile it with the flags that `autotracer flags --compiler CXX` prints, or with CMake's "
      "autotrace_instrument(); libraries that it opens later may still have some");
}

}  // namespace autotrace::cli
