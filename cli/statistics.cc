#include "cli/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace autotrace::cli {
namespace {

// Each power of two from 2^kPrecisionBits on is cut into 2^kPrecisionBits buckets; smaller values
// have a bucket each.
constexpr int kPrecisionBits = 7;
constexpr uint64_t kBucketsPerPower = uint64_t{1} << kPrecisionBits;

size_t BucketOf(uint64_t value) {
  if (value < kBucketsPerPower) return value;
  const int shift = std::bit_width(value) - 1 - kPrecisionBits;
  return (static_cast<size_t>(shift) << kPrecisionBits) + (value >> shift);
}

uint64_t MiddleOf(size_t bucket) {
  if (bucket < kBucketsPerPower) return bucket;
  const int shift = static_cast<int>(bucket >> kPrecisionBits) - 1;
  const uint64_t first = (bucket - (static_cast<size_t>(shift) << kPrecisionBits)) << shift;
  return first + ((uint64_t{1} << shift) - 1) / 2;
}

}  // namespace

void Statistics::Add(uint64_t value) {
  ++count_;
  sum_ += value;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  if (!buckets_.empty()) {
    AddToHistogram(value);
    return;
  }
  samples_.push_back(value);
  sorted_ = false;
  if (samples_.size() > kExactSamples) {
    for (const uint64_t sample : samples_) AddToHistogram(sample);
    samples_ = {};
  }
}

void Statistics::AddToHistogram(uint64_t value) {
  const size_t bucket = BucketOf(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
}

uint64_t Statistics::Percentile(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(percent / 100 * static_cast<double>(count_));
  const uint64_t rank = std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, count_);
  if (buckets_.empty()) {
    if (!sorted_) std::sort(samples_.begin(), samples_.end());
    sorted_ = true;
    return samples_[rank - 1];
  }
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return std::clamp(MiddleOf(bucket), min_, max_);
  }
  return max_;
}

}  // namespace autotrace::cli
