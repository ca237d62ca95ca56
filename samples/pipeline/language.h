// The data that flows through the pipeline: what the ISO 639-3 file says of a language, what is
// stored about it, and what the summary says of them all. Plain values, no behaviour.
#ifndef AUTOTRACE_SAMPLES_PIPELINE_LANGUAGE_H_
#define AUTOTRACE_SAMPLES_PIPELINE_LANGUAGE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace pipeline_app {

// One record of the file, checked for presence and type of its fields, names normalised.
struct LanguageRecord {
  std::string code;             // three letters, "deu"
  std::string name;             // UTF-8, "Arbëreshë Albanian"
  std::string inverted_name;    // "Albanian, Arbëreshë"; empty when there is none
  std::string two_letter_code;  // "de"; empty when there is none
  char scope = 0;               // I(ndividual), M(acrolanguage), S(pecial)
  char type = 0;                // A(ncient), C(onstructed), E(xtinct), H(istorical), L(iving), S
};

// One row of the table "languages".
struct LanguageEntry {
  std::string code;
  std::string two_letter_code;
  std::string name;
  std::string sort_name;   // the inverted name where there is one
  std::string search_key;  // as build_search_key gives it
  std::string scope;       // in words; empty when the letter is unknown
  std::string type;        // likewise
};

struct TransformedLanguages {
  std::vector<LanguageEntry> entries;
  std::vector<std::string> problems;  // one line for each record that was left out
};

using LabelledCount = std::pair<std::string, std::int64_t>;

struct Summary {
  std::int64_t languages = 0;
  std::vector<LabelledCount> by_type;   // most frequent first
  std::vector<LabelledCount> by_scope;  // most frequent first
  std::string longest_name;
  // Added by enrich_summary.
  double living_share = 0;  // 0 to 1
  LabelledCount commonest_word;
};

struct PipelineResult {
  Summary summary;
  std::vector<std::string> problems;
};

}  // namespace pipeline_app

#endif  // AUTOTRACE_SAMPLES_PIPELINE_LANGUAGE_H_
