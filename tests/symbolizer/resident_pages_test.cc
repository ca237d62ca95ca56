#include "symbolizer/resident_pages.h"

#include <catch2/catch.hpp>

namespace autotrace::symbolizer {
namespace {

constexpr size_t kWindow = ResidentPages::kWindowBytes;

// How many places, each in a window of its own, are read until all is to be given back.
uint32_t ReadUntilReleased(ResidentPages* pages) {
  for (uint32_t window = 0; window < 10'000; ++window) {
    if (pages->Read(window * kWindow + window % 100)) return window + 1;
  }
  return 0;
}

TEST_CASE("what is read again takes no more memory") {
  ResidentPages pages;
  for (int i = 0; i < 10'000; ++i) CHECK_FALSE(pages.Read(i % 20 * kWindow + i));
}

TEST_CASE("who reads on may keep more each time, up to a limit") {
  ResidentPages pages;
  CHECK(ReadUntilReleased(&pages) == ResidentPages::kMostWindows);
  CHECK(ReadUntilReleased(&pages) == ResidentPages::kMostWindows + ResidentPages::kMoreEachTime);
  for (int i = 0; i < 100; ++i) ReadUntilReleased(&pages);
  CHECK(ReadUntilReleased(&pages) == ResidentPages::kMostOfAll);
}

TEST_CASE("pages are quiet when nothing was read since the last question") {
  ResidentPages pages;
  CHECK_FALSE(pages.IsQuiet());
  for (int i = 0; i < 3; ++i) ReadUntilReleased(&pages);
  CHECK_FALSE(pages.IsQuiet());
  pages.Read(5 * kWindow);
  CHECK_FALSE(pages.IsQuiet());
  pages.Read(5 * kWindow);
  CHECK(pages.IsQuiet());
  CHECK_FALSE(pages.IsQuiet());  // they were given back
  // And everything begins anew.
  CHECK(ReadUntilReleased(&pages) == ResidentPages::kMostWindows);
}

TEST_CASE("files of any size are counted") {
  ResidentPages pages;
  for (size_t at = 0; at < ResidentPages::kMostWindows - 1; ++at) {
    CHECK_FALSE(pages.Read((at << 40) + at * kWindow));
  }
  CHECK(pages.Read(SIZE_MAX));
}

}  // namespace
}  // namespace autotrace::symbolizer
