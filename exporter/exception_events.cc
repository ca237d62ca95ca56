#include "exporter/exception_events.h"

#include <utility>

#include "symbolizer/type_name.h"

namespace autotrace::exporter {

const ExceptionEvents::Known& ExceptionEvents::Find(const ExceptionDetails& exception,
                                                    ClockMap& clock, AddressSpace& addresses) {
  if (!exception.is_described) {
    for (const Known& known : known_) {
      if (known.id == exception.id) return known;
    }
  }
  if (known_.size() == kMostKnown) known_.pop_front();
  Known& known = known_.emplace_back();
  known.id = exception.id;
  known.event.name = "exception";
  known.event.unix_nanos = clock.ToUnixNanos(exception.ticks);
  const auto add = [&](const char* key, std::string text) {
    if (!text.empty()) known.event.attributes.emplace_back(key, std::move(text));
  };
  const std::string type = symbolizer::TypeName(exception.type);
  known.description = type;
  if (!exception.message.empty()) known.description += ": " + exception.message;
  add("exception.type", type);
  add("exception.message", exception.message);
  add("exception.stacktrace", addresses.StackText(exception.stack, exception.ticks));
  return known;
}

void ExceptionEvents::Remember(const ExceptionDetails& exception, ClockMap& clock,
                               AddressSpace& addresses) {
  for (const Known& known : known_) {
    if (known.id == exception.id) return;
  }
  Find(exception, clock, addresses);
}

void ExceptionEvents::AddTo(Span* span, const ExceptionDetails& exception, ClockMap& clock,
                            AddressSpace& addresses) {
  const Known& known = Find(exception, clock, addresses);
  span->events.push_back(known.event);
  span->error_description = known.description;
}

}  // namespace autotrace::exporter
