#include "exporter/clock_map.h"

#include <algorithm>
#include <limits>

namespace autotrace::exporter {
namespace {

constexpr uint64_t kNanosPerSecond = 1'000'000'000;
constexpr size_t kMostPieces = 32768;
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
using Wide = unsigned __int128;

}  // namespace

void ClockMap::SetRate(uint64_t ticks_per_second) {
  if (ticks_per_second != 0) ticks_per_second_ = ticks_per_second;
}

uint64_t ClockMap::Evaluate(const Piece& piece, uint64_t ticks) {
  if (ticks >= piece.ticks) {
    const Wide rise = Wide{ticks - piece.ticks} * piece.rise / piece.run;
    return rise > kMax - piece.unix_nanos ? kMax : piece.unix_nanos + static_cast<uint64_t>(rise);
  }
  // Before the first piece. Rounded up before it is subtracted, so that the sum is rounded down.
  const Wide fall = (Wide{piece.ticks - ticks} * piece.rise + piece.run - 1) / piece.run;
  return fall > piece.unix_nanos ? 0 : piece.unix_nanos - static_cast<uint64_t>(fall);
}

const ClockMap::Piece& ClockMap::PieceFor(uint64_t ticks) {
  if (ticks < pieces_.front().ticks) return before_;
  const auto holds = [&](size_t index) {
    return pieces_[index].ticks <= ticks &&
           (index + 1 == pieces_.size() || ticks < pieces_[index + 1].ticks);
  };
  if (current_ < pieces_.size() && holds(current_)) return pieces_[current_];
  const auto after =
      std::upper_bound(pieces_.begin(), pieces_.end(), ticks,
                       [](uint64_t value, const Piece& piece) { return value < piece.ticks; });
  current_ = static_cast<size_t>(after - pieces_.begin() - 1);
  return pieces_[current_];
}

void ClockMap::AddFirst(const Piece& piece) {
  pieces_.push_back(piece);
  before_ = piece;
}

uint64_t ClockMap::ToUnixNanos(uint64_t ticks) {
  if (pieces_.empty()) {
    AddFirst({ticks, start_unix_nanos_, kNanosPerSecond, ticks_per_second_});
  }
  converted_ = std::max(converted_, ticks);
  return Value(ticks);
}

void ClockMap::AddPoint(const format::ClockPoint& point) {
  if (has_point_ &&
      (point.ticks <= last_point_.ticks || point.unix_nanos < last_point_.unix_nanos)) {
    return;
  }
  // The rate from here on: that between the last two points.
  uint64_t rise = kNanosPerSecond;
  uint64_t run = ticks_per_second_;
  if (has_point_) {
    rise = point.unix_nanos - last_point_.unix_nanos;
    run = point.ticks - last_point_.ticks;
  }
  has_point_ = true;
  last_point_ = point;
  if (pieces_.empty()) {
    AddFirst({point.ticks, point.unix_nanos, rise, run});
    return;
  }

  // Pieces that lie ahead and that nothing was converted by are replaced.
  while (pieces_.size() > 1 && pieces_.back().ticks > converted_ &&
         pieces_.back().ticks >= point.ticks) {
    pieces_.pop_back();
  }
  Piece target = {point.ticks, point.unix_nanos, rise, run};
  if (converted_ > pieces_.back().ticks || target.ticks <= pieces_.back().ticks) {
    // What was converted keeps its value, so the point itself may be out of reach. Meet its line a
    // second later: bending faster would distort the durations in between.
    const uint64_t from = std::max(converted_, pieces_.back().ticks);
    if (from > kMax - ticks_per_second_) return;
    if (from > pieces_.back().ticks) pieces_.push_back({from, Value(from), 0, 1});
    target.ticks = from + ticks_per_second_;
    target.unix_nanos = Evaluate({point.ticks, point.unix_nanos, rise, run}, target.ticks);
  }
  Piece& anchor = pieces_.back();
  target.unix_nanos = std::max(target.unix_nanos, anchor.unix_nanos);
  anchor.rise = target.unix_nanos - anchor.unix_nanos;
  anchor.run = target.ticks - anchor.ticks;
  pieces_.push_back(target);
  if (pieces_.size() > kMostPieces) Thin();
}

// Joins the older half's pieces by twos. A program that is exported live for weeks would otherwise
// have ever more of them; the clock's rate changes little, so this moves old values by less than a
// microsecond.
void ClockMap::Thin() {
  const size_t older = pieces_.size() / 2;
  size_t kept = 0;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (i < older && i % 2 == 1) continue;
    Piece piece = pieces_[i];
    if (i + 1 < older) {
      piece.rise = pieces_[i + 2].unix_nanos - piece.unix_nanos;
      piece.run = pieces_[i + 2].ticks - piece.ticks;
    }
    pieces_[kept++] = piece;
  }
  pieces_.resize(kept);
}

}  // namespace autotrace::exporter
