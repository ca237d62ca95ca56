// Configuration as text: YAML for the run's folder, and the table that check-config prints.
#include <stddef.h>

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>

#include "filters/config_keys.h"
#include "filters/config_loader.h"
#include "filters/otlp_endpoint.h"

namespace autotrace::filters {
namespace {

// Longer values push their own comment to the right, not everybody's.
constexpr size_t kWidestColumn = 44;

// The width on a terminal, nearly: one column for each code point.
size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string Yaml(const Config& config, bool with_secrets) {
  Config shown = config;
  if (!with_secrets) shown.otlp_endpoint = WithoutUserInfo(config.otlp_endpoint);
  std::string text;
  std::string_view group;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.secret && !with_secrets) continue;
    if (key.name == "dir" && config.dir.empty()) continue;
    const size_t dot = key.name.find('.');
    const std::string_view key_group =
        dot == key.name.npos ? std::string_view() : key.name.substr(0, dot);
    if (key_group != group) {
      group = key_group;
      text += std::string(group) + ":\n";
    }
    if (!group.empty()) text += "  ";
    text += std::string(dot == key.name.npos ? key.name : key.name.substr(dot + 1));
    text += ": " + key.write(shown) + "\n";
  }
  return text;
}

}  // namespace

std::string ToYaml(const Config& config, bool with_secrets) {
  try {
    return Yaml(config, with_secrets);
  } catch (const std::exception&) {
    return {};
  }
}

std::string FormatEffective(const LoadResult& result) {
  try {
    size_t column = 0;
    for (const EffectiveValue& effective : result.effective) {
      const size_t width = Width(effective.key) + 2 + Width(effective.value);
      if (width <= kWidestColumn) column = std::max(column, width);
    }
    std::string text;
    for (const EffectiveValue& effective : result.effective) {
      std::string line = effective.key + ": " + effective.value;
      const size_t width = Width(line);
      line.append(width < column ? column - width : 0, ' ');
      text += line + "  # " + (effective.origin.empty() ? "default" : effective.origin) + "\n";
    }
    return text;
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace autotrace::filters
