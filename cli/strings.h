// Putting text together and taking it apart, over std::string_view. Debian's Abseil is built with a
// string_view of its own, which std::string_view does not convert to, so its string functions serve
// this command badly.
#ifndef AUTOTRACE_CLI_STRINGS_H_
#define AUTOTRACE_CLI_STRINGS_H_

#include <stdint.h>

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/string_view.h"

namespace autotrace::cli {

inline std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

// What Concat takes: text or an integer.
class Piece {
 public:
  explicit Piece(std::string_view text) : text_(text) {}
  explicit Piece(const std::string& text) : text_(text) {}
  explicit Piece(const char* text) : text_(text) {}
  explicit Piece(absl::string_view text) : text_(ToStd(text)) {}
  template <std::integral Number>
  explicit Piece(Number number) : digits_(std::to_string(number)), text_(digits_) {}
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;

  std::string_view text() const { return text_; }

 private:
  std::string digits_;
  std::string_view text_;
};

// Concat("run ", name, ": ", 12) == "run x: 12".
template <typename... Pieces>
std::string Concat(const Pieces&... pieces) {
  std::string out;
  (out.append(Piece(pieces).text()), ...);
  return out;
}

template <typename Texts>
std::string Join(const Texts& texts, std::string_view separator) {
  std::string out;
  bool is_first = true;
  for (const auto& text : texts) {
    if (!is_first) out += separator;
    is_first = false;
    out += text;
  }
  return out;
}

// The parts between any of the `separators`, empty ones left out. They point into `text`.
std::vector<std::string_view> Split(std::string_view text, std::string_view separators);

bool Contains(std::string_view text, std::string_view part);

// Without white space at both ends.
std::string_view Strip(std::string_view text);

// All of `text` as a decimal number.
bool ParseNumber(std::string_view text, uint64_t* number);

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to);

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_STRINGS_H_
