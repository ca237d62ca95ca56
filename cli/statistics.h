// Count, sum, extremes and percentiles of durations, in bounded memory. Used for the lines of the
// folded tree and of the report.
//
// Up to kExactSamples values are kept and percentiles are exact. Beyond that they go into a
// histogram whose buckets are at most 1/128 of their value wide, so that a percentile, given as its
// bucket's middle, is off by 0.4% at most. Minimum, maximum, sum and count are always exact.
#ifndef AUTOTRACE_CLI_STATISTICS_H_
#define AUTOTRACE_CLI_STATISTICS_H_

#include <stddef.h>
#include <stdint.h>

#include <vector>

namespace autotrace::cli {

class Statistics {
 public:
  static constexpr size_t kExactSamples = 4096;

  void Add(uint64_t value);

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  uint64_t max() const { return max_; }
  uint64_t mean() const { return count_ == 0 ? 0 : sum_ / count_; }

  // The smallest value that at least `percent` of the values do not exceed (nearest rank);
  // `percent` from 0 to 100. 0 when there are no values.
  uint64_t Percentile(double percent) const;

 private:
  void AddToHistogram(uint64_t value);

  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t min_ = ~uint64_t{0};
  uint64_t max_ = 0;
  // One of the two is used: samples while there are few, then buckets, grown as far as needed.
  mutable std::vector<uint64_t> samples_;  // mutable: sorted when first asked
  mutable bool sorted_ = true;
  std::vector<uint64_t> buckets_;
};

}  // namespace autotrace::cli

#endif  // AUTOTRACE_CLI_STATISTICS_H_
