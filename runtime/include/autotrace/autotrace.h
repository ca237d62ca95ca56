// Manual spans for C++17 and later, nesting with the automatic ones in one tree.
//
//   autotrace::Span span("Manual Summary Enrichment", {{"languages", 7910}});
//   span.SetAttribute("source", "iso-codes");
//
//   int rows = autotrace::Traced("load", {{"table", "languages"}}, [&] { return Load(table); });
//
// Header-only over the C interface (c_api.h). A call with tracing off is one function call that
// returns at once. Nothing here throws by itself.
#ifndef AUTOTRACE_AUTOTRACE_H_
#define AUTOTRACE_AUTOTRACE_H_

#include <initializer_list>
#include <string_view>
#include <type_traits>
#include <utility>

#include <autotrace/c_api.h>

namespace autotrace {

// What an attribute can hold. Text is not copied until the attribute is set, so a temporary string
// may be given in place.
class AttributeValue {
 public:
  enum class Type { kString, kInt, kDouble, kBool };

  AUTOTRACE_NO_TRACE AttributeValue(std::string_view value) : type_(Type::kString), text_(value) {}
  AUTOTRACE_NO_TRACE AttributeValue(const char* value)
      : type_(Type::kString), text_(value == nullptr ? std::string_view() : value) {}
  template <typename Text,
            typename = std::enable_if_t<std::is_convertible_v<const Text&, std::string_view> &&
                                        !std::is_convertible_v<const Text&, const char*>>>
  AUTOTRACE_NO_TRACE AttributeValue(const Text& value)
      : type_(Type::kString), text_(static_cast<std::string_view>(value)) {}
  AUTOTRACE_NO_TRACE AttributeValue(bool value) : type_(Type::kBool), bool_(value) {}
  template <typename Integer, std::enable_if_t<std::is_integral_v<Integer>, int> = 0>
  AUTOTRACE_NO_TRACE AttributeValue(Integer value)
      : type_(Type::kInt), int_(static_cast<int64_t>(value)) {}
  AUTOTRACE_NO_TRACE AttributeValue(double value) : type_(Type::kDouble), double_(value) {}

  AUTOTRACE_NO_TRACE Type type() const { return type_; }
  AUTOTRACE_NO_TRACE std::string_view text() const { return text_; }
  AUTOTRACE_NO_TRACE int64_t integer() const { return int_; }
  AUTOTRACE_NO_TRACE double real() const { return double_; }
  AUTOTRACE_NO_TRACE bool boolean() const { return bool_; }

 private:
  Type type_;
  std::string_view text_;
  union {
    int64_t int_ = 0;
    double double_;
    bool bool_;
  };
};

struct Attribute {
  std::string_view key;
  AttributeValue value;
};
using Attributes = std::initializer_list<Attribute>;

// A span from construction to destruction, on one thread. Not copyable, not movable.
class Span {
 public:
  AUTOTRACE_NO_TRACE explicit Span(std::string_view name, Attributes attributes = {})
      : span_(autotrace_span_begin(name.data(), name.size())) {
    if (span_.sequence == 0) return;
    for (const Attribute& attribute : attributes) SetAttribute(attribute.key, attribute.value);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  AUTOTRACE_NO_TRACE ~Span() {
    if (span_.sequence != 0) autotrace_span_end(span_);
  }

  // A later value for the same key replaces the earlier one.
  AUTOTRACE_NO_TRACE void SetAttribute(std::string_view key, const AttributeValue& value) {
    if (span_.sequence == 0) return;
    switch (value.type()) {
      case AttributeValue::Type::kString:
        autotrace_span_set_string(span_, key.data(), key.size(), value.text().data(),
                                  value.text().size());
        break;
      case AttributeValue::Type::kInt:
        autotrace_span_set_int(span_, key.data(), key.size(), value.integer());
        break;
      case AttributeValue::Type::kDouble:
        autotrace_span_set_double(span_, key.data(), key.size(), value.real());
        break;
      case AttributeValue::Type::kBool:
        autotrace_span_set_bool(span_, key.data(), key.size(), value.boolean() ? 1 : 0);
        break;
    }
  }

  // False when tracing is off: then attributes need not be computed.
  AUTOTRACE_NO_TRACE bool recording() const { return span_.sequence != 0; }

 private:
  autotrace_span span_;
};

// Runs the callable inside a span and returns what it returns.
template <typename Callable>
AUTOTRACE_NO_TRACE decltype(auto) Traced(std::string_view name, Attributes attributes,
                                         Callable&& callable) {
  const Span span(name, attributes);
  return std::forward<Callable>(callable)();
}

template <typename Callable>
AUTOTRACE_NO_TRACE decltype(auto) Traced(std::string_view name, Callable&& callable) {
  const Span span(name);
  return std::forward<Callable>(callable)();
}

// True while the runtime records.
AUTOTRACE_NO_TRACE inline bool Recording() { return autotrace_recording() != 0; }

}  // namespace autotrace

#endif  // AUTOTRACE_AUTOTRACE_H_
