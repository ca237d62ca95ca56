#include "filters/profile.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "filters/message_text.h"

namespace autotrace::filters {
namespace {

constexpr std::string_view kFirstWords = "# autotrace profile 1, version ";

// FNV-1a: to tell texts apart, not to protect them.
std::string VersionOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(hash >> shift) & 15];
  return digits;
}

// Without its end; takes it from *rest.
std::string_view TakeLine(std::string_view* rest) {
  const std::string_view line = rest->substr(0, rest->find('\n'));
  rest->remove_prefix(std::min(line.size() + 1, rest->size()));
  return line;
}

}  // namespace

std::string WriteProfile(const std::set<std::string>& short_functions, std::string_view threshold) {
  std::string list = "# Functions whose calls were shorter than ";
  list += threshold;
  list += ".\n";
  for (const std::string& name : short_functions) list += name + "\n";
  return std::string(kFirstWords) + VersionOf(list) + "\n" + list;
}

bool ParseProfile(std::string_view text, Profile* profile, std::string* error) {
  std::string_view rest = text;
  const std::string_view first = TakeLine(&rest);
  if (!first.starts_with(kFirstWords)) {
    *error = "is no profile: its first line is " + Quoted(first.substr(0, 60)) + ", expected " +
             Quoted(std::string(kFirstWords) + "...");
    return false;
  }
  profile->version = first.substr(kFirstWords.size());
  if (profile->version != VersionOf(rest)) {
    *error = "was changed after it was written: write it anew with `autotracer profile`";
    return false;
  }
  profile->short_functions.clear();
  while (!rest.empty()) {
    const std::string_view line = TakeLine(&rest);
    if (!line.empty() && line[0] != '#') profile->short_functions.emplace(line);
  }
  return true;
}

bool ReadProfile(const std::string& path, Profile* profile, std::string* error) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) {
    *error = path + " cannot be read: " + strerror(errno);
    return false;
  }
  if (!ParseProfile(text, profile, error)) {
    *error = path + " " + *error;
    return false;
  }
  return true;
}

}  // namespace autotrace::filters
