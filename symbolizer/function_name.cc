#include "symbolizer/function_name.h"

#include "symbolizer/demangler.h"

namespace autotrace::symbolizer {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The demangled text as it comes in pieces, without ABI tags ("[abi:cxx11]"), in a buffer that may
// be too short for it.
class NameWriter {
 public:
  NameWriter(char* out, size_t capacity) : out_(out), capacity_(capacity) {}

  void Write(const char* text, size_t size) {
    for (size_t i = 0; i < size; ++i) Write(text[i]);
  }
  static void Callback(void* writer, const char* text, size_t size) {
    static_cast<NameWriter*>(writer)->Write(text, size);
  }

  // Ends the text and returns its length.
  size_t Finish() {
    if (!in_tag_) FlushTagStart();
    if (capacity_ == 0) return 0;
    if (!cut_) DropLambdaQualifier();
    if (cut_) DropPartialCharacter();
    out_[size_] = '\0';
    return size_;
  }

 private:
  static constexpr char kTagStart[] = "[abi:";
  static constexpr size_t kTagStartSize = sizeof(kTagStart) - 1;

  void Write(char c) {
    if (in_tag_) {
      in_tag_ = c != ']';
      return;
    }
    if (c == kTagStart[matched_]) {
      if (++matched_ < kTagStartSize) return;
      matched_ = 0;
      in_tag_ = true;
      return;
    }
    FlushTagStart();
    if (c == kTagStart[0]) {
      matched_ = 1;
    } else {
      Put(c);
    }
  }
  void FlushTagStart() {
    for (size_t i = 0; i < matched_; ++i) Put(kTagStart[i]);
    matched_ = 0;
  }
  void Put(char c) {
    if (size_ + 1 < capacity_) {
      out_[size_++] = c;
    } else {
      cut_ = true;
    }
  }
  // The demangler leaves one case of its own: "f()::{default arg#1}::{lambda()#1}::operator()
  // const".
  void DropLambdaQualifier() {
    constexpr std::string_view kConst = " const";
    constexpr std::string_view kCall = "}::operator()";
    const std::string_view name(out_, size_);
    if (!name.ends_with(kConst)) return;
    const size_t call = name.rfind(kCall);
    if (call == std::string_view::npos) return;
    const size_t after = call + kCall.size();
    const size_t end = size_ - kConst.size();
    if (after == end || (name[after] == '<' && name[end - 1] == '>')) size_ = end;
  }
  // Identifiers may be UTF-8, and OTLP takes valid UTF-8 only.
  void DropPartialCharacter() {
    size_t start = size_;
    while (start > 0 && (out_[start - 1] & 0xc0) == 0x80) --start;
    if (start == 0 || (out_[start - 1] & 0xc0) != 0xc0) return;
    const auto lead = static_cast<unsigned char>(out_[start - 1]);
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (size_ - (start - 1) < length) size_ = start - 1;
  }

  char* out_;
  size_t capacity_;
  size_t size_ = 0;
  size_t matched_ = 0;
  bool in_tag_ = false;
  bool cut_ = false;
};

// What compilers and linkers append to the name of a function that they split, specialised, renamed
// or copied: ".part.0", ".isra.0.cold", ".constprop.1", ".lto_priv.0", ".llvm.1234", ".__uniq.99",
// ".resume", ".123" (GCC's nested functions in C). "_GLOBAL__sub_I_x.cc" holds no such suffix.
bool IsCloneSuffix(std::string_view suffix) {
  static constexpr std::string_view kKnown[] = {
      "part",    "isra",     "constprop", "cold",    "lto_priv", "llvm",        "localalias",
      "__uniq",  "resolver", "ifunc",     "default", "actor",    "destroy",     "resume",
      "cleanup", "clone",    "simdclone", "omp_fn",  "_omp_fn",  "omp_cpyfn",   "_omp_cpyfn",
      "_loopfn", "unlikely", "warm",      "str",     "alias",    "specialized", "outlined"};
  bool digits_only = !suffix.empty();
  for (const char c : suffix) digits_only = digits_only && IsDigit(c);
  if (digits_only) return true;
  for (const std::string_view known : kKnown) {
    if (suffix == known) return true;
  }
  // ".arch_haswell", ".avx2" and the like: versions of one function for several processors.
  return suffix.starts_with("arch_") || suffix.starts_with("avx") || suffix.starts_with("sse");
}

// `is_mangled`: dots do not occur in mangled names themselves, so everything after one goes.
std::string_view WithoutSuffixes(std::string_view name, bool is_mangled) {
  const auto first = [&name](size_t size) { return std::string_view(name.data(), size); };
  if (const size_t at = name.find('@'); at != std::string_view::npos && at > 0) name = first(at);
  if (is_mangled) {
    const size_t dot = name.find('.');
    return dot == std::string_view::npos ? name : first(dot);
  }
  while (true) {
    const size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0) return name;
    if (!IsCloneSuffix({name.data() + dot + 1, name.size() - dot - 1})) return name;
    name = first(dot);
  }
}

// The scope of a name that is too long: its plain components, up to the first that is not plain.
// False when there is none.
bool WriteScope(std::string_view name, NameWriter* writer) {
  size_t at = 2;
  const auto peek = [&] { return at < name.size() ? name[at] : '\0'; };
  while (peek() == 'Z') ++at;
  if (peek() == 'N') ++at;
  while (peek() == 'r' || peek() == 'V' || peek() == 'K' || peek() == 'R' || peek() == 'O') ++at;
  bool any = false;
  const auto write = [&](std::string_view component) {
    if (any) writer->Write("::", 2);
    writer->Write(component.data(), component.size());
    any = true;
  };
  if (name.size() > at + 1 && name[at] == 'S' && name[at + 1] == 't') {
    at += 2;
    write("std");
  }
  while (true) {
    if (peek() == 'L') ++at;
    size_t length = 0;
    while (IsDigit(peek()) && length < name.size()) {
      length = length * 10 + static_cast<size_t>(name[at++] - '0');
    }
    if (length == 0 || length > name.size() - at) break;
    const std::string_view component(name.data() + at, length);
    at += length;
    write(component.starts_with("_GLOBAL__N") ? "(anonymous namespace)" : component);
  }
  if (any && peek() == 'I') writer->Write("<...>", 5);
  return any;
}

}  // namespace

size_t QualifiedName(std::string_view linker_name, char* out, size_t capacity, size_t stack) {
  const bool is_mangled = linker_name.starts_with("_Z");
  const std::string_view name = WithoutSuffixes(linker_name, is_mangled);
  if (is_mangled) {
    NameWriter writer(out, capacity);
    const DemangleResult result =
        Demangle(name, DemangledForm::kFunction, stack, NameWriter::Callback, &writer);
    if (result == DemangleResult::kDone) return writer.Finish();
    if (result == DemangleResult::kTooLarge) {
      NameWriter scope_writer(out, capacity);
      if (WriteScope(name, &scope_writer)) return scope_writer.Finish();
    }
  }
  NameWriter writer(out, capacity);
  writer.Write(name.data(), name.size());
  return writer.Finish();
}

}  // namespace autotrace::symbolizer
