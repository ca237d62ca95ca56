// The exceptions of one thread as OpenTelemetry's exception events
// (https://opentelemetry.io/docs/specs/semconv/exceptions/exceptions-spans/).
//
// A recording describes an exception once, with the innermost span that it left; the others refer
// to it. All of them get the same event.
#ifndef AUTOTRACE_EXPORTER_EXCEPTION_EVENTS_H_
#define AUTOTRACE_EXPORTER_EXCEPTION_EVENTS_H_

#include <stddef.h>
#include <stdint.h>

#include <deque>
#include <string>

#include "exporter/address_space.h"
#include "exporter/clock_map.h"
#include "exporter/span.h"
#include "exporter/span_details.h"

namespace autotrace::exporter {

class ExceptionEvents {
 public:
  // Adds the event, and the error's description, to a span that the exception left. Where the
  // description was lost, only the time is known.
  void AddTo(Span* span, const ExceptionDetails& exception, ClockMap& clock,
             AddressSpace& addresses);

  // One that left a span whose record was not read.
  void Remember(const ExceptionDetails& exception, ClockMap& clock, AddressSpace& addresses);

 private:
  struct Known {
    uint64_t id;
    Event event;
    std::string description;
  };
  // As many as a recorder has on their way, and some.
  static constexpr size_t kMostKnown = 8;

  const Known& Find(const ExceptionDetails& exception, ClockMap& clock, AddressSpace& addresses);

  std::deque<Known> known_;
};

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_EXCEPTION_EVENTS_H_
