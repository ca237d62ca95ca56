#include "runtime/exception_text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <exception>

#include "runtime/program_libraries.h"
#include "runtime/thread_slot.h"

namespace autotrace {
namespace {

// The exception class: vendor and language, and in the last byte whether the object is another
// exception's ("dependent": made by std::rethrow_exception).
constexpr uint64_t kVendorMask = ~uint64_t{0xff};
constexpr uint64_t kGnu = 0x474e5543432b2b00;    // "GNUCC++\0"
constexpr uint64_t kClang = 0x434c4e47432b2b00;  // "CLNGC++\0"

// From the end of __cxa_exception back to its first common field, exceptionType.
constexpr int kTypeOffset = -10 * static_cast<int>(sizeof(void*));
// Of the thrown object that a dependent exception stands for: libstdc++ has it in exceptionType's
// place, libc++abi before it.
constexpr int kGnuPrimaryOffset = kTypeOffset;
constexpr int kClangPrimaryOffset = kTypeOffset - static_cast<int>(sizeof(void*));

const void* PointerAt(const void* base, int64_t offset) {
  const void* pointer;
  memcpy(&pointer, static_cast<const char*>(base) + offset, sizeof(pointer));
  return pointer;
}

// Asks std::exception's type whether a handler for it would catch the object, as the personality
// routine does: the fifth virtual function of std::type_info in libstdc++ (__do_catch) and in
// libc++abi (can_catch, which has no fourth parameter). Returns the object as a std::exception.
const std::exception* AsStdException(const RaisedException& raised, const void* exception_type) {
  using DoCatch =
      bool (*)(const void* catch_type, const void* thrown_type, void** object, unsigned outer);
  constexpr int kDoCatchSlot = 4;
  const void* vtable = PointerAt(exception_type, 0);
  const auto do_catch = reinterpret_cast<DoCatch>(
      reinterpret_cast<uintptr_t>(PointerAt(vtable, kDoCatchSlot * sizeof(void*))));
  void* object = const_cast<void*>(raised.object);
  if (!do_catch(exception_type, raised.type, &object, 1)) return nullptr;
  return static_cast<const std::exception*>(object);
}

}  // namespace

bool ParseException(const _Unwind_Exception* exception, CppLibrary* library,
                    RaisedException* parsed) {
  const uint64_t vendor = exception->exception_class & kVendorMask;
  if (vendor != kGnu && vendor != kClang) return false;
  const bool is_dependent = (exception->exception_class & ~kVendorMask) != 0;
  parsed->library = library;
  parsed->again = is_dependent;
  if (!is_dependent) {
    parsed->object = exception + 1;
    parsed->type = PointerAt(exception, kTypeOffset);
  } else if (vendor == kGnu) {
    parsed->object = PointerAt(exception, kGnuPrimaryOffset);
    parsed->type =
        PointerAt(parsed->object, kTypeOffset - static_cast<int64_t>(sizeof(_Unwind_Exception)));
  } else {
    parsed->object = PointerAt(exception, kClangPrimaryOffset);
    parsed->type = PointerAt(exception, kTypeOffset);
  }
  return true;
}

ExceptionText DescribeException(const RaisedException& raised) {
  ExceptionText text;
  if (raised.type == nullptr) return text;
  const int error_number = errno;
  const InternalThreadScope internal;
  // std::type_info: the virtual table, then the name. A leading '*' says that names of this type
  // are to be compared by address.
  const char* name = static_cast<const char*>(PointerAt(raised.type, sizeof(void*)));
  text.type = name[0] == '*' ? name + 1 : name;
  auto* library = static_cast<CppLibrary*>(const_cast<void*>(raised.library));
  const void* exception_type = TypeOfStdException(library);
  const std::exception* exception =
      exception_type != nullptr ? AsStdException(raised, exception_type) : nullptr;
  const char* message = exception != nullptr ? exception->what() : nullptr;
  if (message != nullptr) text.message = message;
  errno = error_number;
  return text;
}

}  // namespace autotrace
