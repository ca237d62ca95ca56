#include "plugin/dropped_list.h"

#include <string_view>

#include "filters/dropped_functions.h"
#include "symbolizer/function_name.h"

namespace autotrace::plugin {
namespace {

using filters::DroppedReason;

// 0 for what is not listed.
char LetterOf(Reason reason) {
  switch (reason) {
    case Reason::kNoTrace:
      return static_cast<char>(DroppedReason::kNoTrace);
    case Reason::kNotMatched:
      return static_cast<char>(DroppedReason::kNotMatched);
    case Reason::kCompilerMade:
      return static_cast<char>(DroppedReason::kCompilerMade);
    case Reason::kStraightLine:
      return static_cast<char>(DroppedReason::kStraightLine);
    case Reason::kShort:
      return static_cast<char>(DroppedReason::kShort);
    case Reason::kKept:
    case Reason::kAlwaysTrace:
    case Reason::kStandardLibrary:
      break;
  }
  return 0;
}

// Empty for what is no instance of a template.
std::string TemplateName(const std::string& linker_name) {
  // Template arguments begin with this letter.
  if (!linker_name.starts_with("_Z") || linker_name.find('I') == std::string::npos) return "";
  const std::string name = symbolizer::QualifiedName(linker_name);
  std::string without = filters::WithoutTemplateArguments(name);
  return without == name ? "" : without;
}

std::string Directive(const std::string& text) {
  std::string directive = "\t.string \"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || byte < 0x20 || byte >= 0x7f) {
      directive += '\\';
      directive += static_cast<char>('0' + (byte >> 6));
      directive += static_cast<char>('0' + ((byte >> 3) & 7));
      directive += static_cast<char>('0' + (byte & 7));
    } else {
      directive += c;
    }
  }
  return directive + "\"\n";
}

}  // namespace

void DroppedList::Add(const std::string& linker_name, const std::string& listed_source_file,
                      const Decision& decision) {
  const char letter = LetterOf(decision.reason);
  if (letter == 0 && !decision.is_kept()) return;
  std::string template_name = TemplateName(linker_name);
  if (decision.is_kept()) {
    if (!template_name.empty()) kept_templates_.insert(std::move(template_name));
    return;
  }
  source_files_.insert(listed_source_file);
  dropped_.push_back({linker_name, std::move(template_name), letter});
}

std::string DroppedList::Assembler() const {
  std::set<std::string> texts;
  for (const std::string& file : source_files_) {
    if (!file.empty()) texts.insert(filters::kDroppedSourceFile + file);
  }
  for (const Dropped& dropped : dropped_) {
    const bool is_listed_by_template =
        !dropped.template_name.empty() && kept_templates_.count(dropped.template_name) == 0;
    texts.insert(dropped.letter +
                 (is_listed_by_template ? dropped.template_name : dropped.linker_name));
  }
  if (texts.empty()) return "";
  // "MS": the linker merges strings; not "a": it takes no memory in the running program.
  std::string assembler =
      std::string("\t.pushsection ") + filters::kDroppedSection + ",\"MS\",@progbits,1\n";
  for (const std::string& text : texts) assembler += Directive(text);
  return assembler + "\t.popsection\n";
}

}  // namespace autotrace::plugin
