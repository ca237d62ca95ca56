// Input: a linker name, as any symbol table may hold it. Names are made on traced threads, on a
// stack of a promised size: that is what they get here.
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <algorithm>
#include <string>

#include "filters/name_components.h"
#include "symbolizer/demangler.h"
#include "symbolizer/function_name.h"
#include "tests/fuzz/fuzz_target.h"

namespace autotrace::fuzz {
namespace {

using symbolizer::kQualifiedNameStack;
using symbolizer::QualifiedName;

// What a thread needs for itself, and what sanitizers add to frames.
constexpr size_t kOtherStack = size_t{128} << 10;
constexpr size_t kSmallStack = size_t{64} << 10;

struct Question {
  std::string_view linker_name;
  size_t stack;
};

void* Ask(void* argument) {
  const auto& question = *static_cast<const Question*>(argument);
  char name[4096];
  const size_t length = QualifiedName(question.linker_name, name, sizeof(name), question.stack);
  Require(length < sizeof(name) && name[length] == '\0', "a name ends in a zero byte");
  const filters::NameComponents components({name, length});
  for (size_t i = 0; i < components.size(); ++i) {
    Touch(components.base(i));
    Touch(components.with_arguments(i));
  }
  for (const size_t capacity : {size_t{0}, size_t{1}, size_t{8}, length + 1}) {
    std::string cut(capacity, 'x');
    const size_t cut_length =
        QualifiedName(question.linker_name, cut.data(), capacity, question.stack);
    Require(cut_length <= length && cut_length + (capacity > 0) <= std::max<size_t>(capacity, 0),
            "a name that does not fit is cut");
    if (capacity > 0) Require(cut[cut_length] == '\0', "a cut name ends in a zero byte");
    // A longer one may have had an end that is left out: " const" of a lambda's operator. One that
    // was cut ends before a character of up to four bytes.
    if (capacity == length + 1 && length + 4 < sizeof(name)) {
      Require(memcmp(cut.data(), name, length) == 0, "a name that fits is whole");
    }
  }
  return nullptr;
}

void AskOnStack(std::string_view linker_name, size_t stack) {
  Question question = {linker_name, stack};
  pthread_attr_t attributes;
  pthread_t thread = {};
  Require(pthread_attr_init(&attributes) == 0 &&
              pthread_attr_setstacksize(&attributes, stack + kOtherStack) == 0 &&
              pthread_create(&thread, &attributes, Ask, &question) == 0,
          "a thread can be made");
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace

void TestInput(std::string_view bytes) {
  AskOnStack(bytes, kSmallStack);
  AskOnStack(bytes, kQualifiedNameStack);
  const std::string name = symbolizer::QualifiedName(bytes);
  Require(name.size() <= symbolizer::MaxDemangledText(bytes),
          "a name is a small multiple of its linker name");
}

}  // namespace autotrace::fuzz
