#include "pipeline.h"

namespace pipeline_app {

std::string normalize_name(std::string_view name) {
  constexpr std::string_view kTypographicApostrophe = "\u2019";
  std::string normalized;
  normalized.reserve(name.size());
  bool space_pending = false;
  while (!name.empty()) {
    const auto byte = static_cast<unsigned char>(name.front());
    if (byte <= ' ' || byte == 0x7f) {
      space_pending = !normalized.empty();
      name.remove_prefix(1);
      continue;
    }
    if (space_pending) normalized += ' ';
    space_pending = false;
    if (name.substr(0, kTypographicApostrophe.size()) == kTypographicApostrophe) {
      normalized += '\'';
      name.remove_prefix(kTypographicApostrophe.size());
    } else {
      normalized += name.front();
      name.remove_prefix(1);
    }
  }
  return normalized;
}

}  // namespace pipeline_app
