#include "filters/otlp_endpoint.h"

#include <stddef.h>

#include "filters/message_text.h"

namespace autotrace::filters {
namespace {

constexpr std::string_view kTracesPath = "/v1/traces";

bool StartsWithIgnoringCase(std::string_view text, std::string_view lower_case) {
  if (text.size() < lower_case.size()) return false;
  for (size_t index = 0; index < lower_case.size(); ++index) {
    const char c = text[index];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != lower_case[index]) {
      return false;
    }
  }
  return true;
}

// The length of "https://" or "http://"; 0 when it begins with neither.
size_t SchemeLength(std::string_view url) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (StartsWithIgnoringCase(url, scheme)) return scheme.size();
  }
  return 0;
}

size_t AuthorityEnd(std::string_view url, size_t begin) {
  const size_t end = url.find_first_of("/?#", begin);
  return end == url.npos ? url.size() : end;
}

// Where the user's name and password end, '@' included; `begin` when there are none.
size_t HostBegin(std::string_view url, size_t begin) {
  const size_t at = url.substr(begin, AuthorityEnd(url, begin) - begin).rfind('@');
  return at == url.npos ? begin : begin + at + 1;
}

bool HasForbiddenCharacter(std::string_view url) {
  for (char c : url) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '"' || c == '<' || c == '>' || c == '#') return true;
  }
  return false;
}

}  // namespace

bool ResolveEndpoint(std::string_view text, EndpointKind kind, std::string* url,
                     std::string* error) {
  const size_t scheme = SchemeLength(text);
  const bool named_scheme = text.find("://") != text.npos;
  if (scheme == 0) {
    *error = "found " + Quoted(text) + ", expected a URL that begins with http:// or https://";
    if (!named_scheme && !text.empty() && !HasForbiddenCharacter(text)) {
      *error += ": write http://" + Escaped(text.substr(0, 60));
    }
    return false;
  }
  const std::string shown = Quoted(WithoutUserInfo(text));
  const size_t host = HostBegin(text, scheme);
  const size_t authority_end = AuthorityEnd(text, scheme);
  if (host == authority_end || text[host] == ':') {
    *error = "found " + shown + ", expected a host after " + std::string(text.substr(0, scheme));
    return false;
  }
  if (HasForbiddenCharacter(text)) {
    *error = "found " + shown + ", expected a URL without spaces, quotes, <, > and #";
    return false;
  }
  *url = std::string(text);
  const size_t query = std::string_view(*url).find('?');
  const size_t path_end = query == std::string::npos ? url->size() : query;
  if (kind == EndpointKind::kTraces) {
    if (path_end == authority_end) url->insert(path_end, "/");
  } else if (!std::string_view(*url).substr(0, path_end).ends_with(kTracesPath)) {
    const bool slash = (*url)[path_end - 1] == '/' && path_end > authority_end;
    url->insert(path_end, slash ? kTracesPath.substr(1) : kTracesPath);
  }
  return true;
}

bool EndsInTracesPath(std::string_view url) {
  return url.substr(0, url.find('?')).ends_with(kTracesPath);
}

std::string WithoutUserInfo(std::string_view url) {
  const size_t scheme = SchemeLength(url);
  const size_t host = HostBegin(url, scheme);
  return std::string(url.substr(0, scheme)) + std::string(url.substr(host));
}

}  // namespace autotrace::filters
