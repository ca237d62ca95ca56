// Where the members of a packed run are cut into frames.
#ifndef AUTOTRACE_EXPORTER_PACK_CUTS_H_
#define AUTOTRACE_EXPORTER_PACK_CUTS_H_

#include <stddef.h>
#include <stdint.h>

#include <string_view>

namespace autotrace::exporter {

// How many bytes of a segment go into the frame that begins at `offset`. `bytes`: what stands
// there, all of it or as much as a frame may hold; not empty. `size`: the segment's.
//
// Whole blocks go together, because only these become columns. What a run's description needs, the
// process in the first frame and how it ended in the last, stands in small frames of its own.
size_t CutSegment(std::string_view bytes, uint64_t offset, uint64_t size);

}  // namespace autotrace::exporter

#endif  // AUTOTRACE_EXPORTER_PACK_CUTS_H_
