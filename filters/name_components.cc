#include "filters/name_components.h"

namespace autotrace::filters {
namespace {

constexpr std::string_view kOperator = "operator";
// Only the symbols that could be taken for brackets, arrows, list commas or paths; longest first.
constexpr std::string_view kOperatorSymbols[] = {
    "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "()", "[]", "<", ">", ",", "/"};

bool IsIdentifierCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool NameScanner::AtSeparator() const noexcept {
  return outside() && text_.substr(position_, 2) == "::";
}

void NameScanner::Advance() noexcept {
  if (AtOperatorWord()) {
    PassOperator();
    return;
  }
  const char c = text_[position_];
  if (c == '-' && text_.substr(position_, 2) == "->") {
    position_ += 2;
    return;
  }
  switch (c) {
    case '<':
      Open(/*angle=*/true);
      break;
    case '(':
      if (depth_ == 0) in_conversion_ = false;
      Open(/*angle=*/false);
      break;
    case '[':
    case '{':
      Open(/*angle=*/false);
      break;
    case '>':
      CloseAngle();
      break;
    case ')':
    case ']':
    case '}':
      CloseOther();
      break;
    default:
      break;
  }
  ++position_;
}

bool NameScanner::AtOperatorWord() const noexcept {
  if (text_.substr(position_, kOperator.size()) != kOperator) return false;
  if (position_ > 0 && IsIdentifierCharacter(text_[position_ - 1])) return false;
  const size_t end = position_ + kOperator.size();
  return end >= text_.size() || !IsIdentifierCharacter(text_[end]);
}

void NameScanner::PassOperator() noexcept {
  position_ += kOperator.size();
  size_t symbol = position_;
  while (symbol < text_.size() && text_[symbol] == ' ') ++symbol;
  const std::string_view rest = text_.substr(symbol);
  for (std::string_view candidate : kOperatorSymbols) {
    if (rest.substr(0, candidate.size()) == candidate) {
      position_ = symbol + candidate.size();
      return;
    }
  }
  // `operator std::string`, and, harmlessly, `operator new`: the type reaches to the parameters.
  if (depth_ == 0 && symbol != position_ && !rest.empty()) in_conversion_ = true;
}

void NameScanner::Open(bool angle) noexcept {
  if (depth_ < kRemembered) {
    const uint64_t bit = uint64_t{1} << depth_;
    angles_ = angle ? (angles_ | bit) : (angles_ & ~bit);
  }
  ++depth_;
}

void NameScanner::CloseAngle() noexcept {
  if (depth_ == 0) {
    stray_ = true;
  } else if (depth_ > kRemembered || ((angles_ >> (depth_ - 1)) & 1) != 0) {
    --depth_;
  }
  // Else a "greater than" in parentheses.
}

void NameScanner::CloseOther() noexcept {
  if (depth_ > kRemembered) {
    --depth_;
    return;
  }
  // A '<' that is still open inside these parentheses was a "less than".
  uint32_t level = depth_;
  while (level > 0 && ((angles_ >> (level - 1)) & 1) != 0) --level;
  if (level == 0) {
    stray_ = true;
  } else {
    depth_ = level - 1;
  }
}

NameComponents::NameComponents(std::string_view name) noexcept : name_(name) {
  NameScanner scanner(name);
  if (scanner.AtSeparator()) scanner.SkipSeparator();
  while (size_ < kMaximum && !scanner.AtEnd()) {
    const size_t begin = scanner.position();
    size_t base_end = std::string_view::npos;
    size_t full_end = std::string_view::npos;
    for (; !scanner.AtEnd() && !scanner.AtSeparator(); scanner.Advance()) {
      const size_t position = scanner.position();
      // A component may begin with a bracket: {lambda()#1}, (anonymous namespace).
      if (position == begin) continue;
      const char c = name[position];
      // The type in `operator T` ends at the parameters; its own brackets say nothing.
      if (!scanner.at_top() || (!scanner.outside() && c != '(')) continue;
      if (base_end == std::string_view::npos && (c == '<' || c == '(' || c == '[')) {
        base_end = position;
      }
      if (full_end == std::string_view::npos && c == '(') full_end = position;
    }
    const size_t end = scanner.position();
    const bool function = full_end != std::string_view::npos;
    if (base_end == std::string_view::npos) base_end = end;
    if (full_end == std::string_view::npos) full_end = end;
    components_[size_++] = {static_cast<uint32_t>(begin), static_cast<uint32_t>(base_end - begin),
                            static_cast<uint32_t>(full_end - begin), function};
    if (!scanner.AtEnd()) scanner.SkipSeparator();
  }
}

}  // namespace autotrace::filters
