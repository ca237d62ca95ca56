// The Clang plugin's half in the optimizer: the first pass of all, it carries out the verdicts
// before Clang's own pass puts the hooks in.
#include <exception>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "llvm/IR/Constants.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Passes/PassPlugin.h"
#include "plugin/dropped_list.h"
#include "plugin/llvm/function_facts.h"
#include "plugin/llvm/verdicts.h"
#include "plugin/report.h"

namespace autotrace::plugin {
namespace {

constexpr const char* kHookAttributes[] = {"instrument-function-entry", "instrument-function-exit",
                                           "instrument-function-entry-inlined",
                                           "instrument-function-exit-inlined"};

bool HasHooks(const llvm::Function& function) {
  for (const char* attribute : kHookAttributes) {
    if (function.hasFnAttribute(attribute)) return true;
  }
  return false;
}

void RemoveHooks(llvm::Function* function) {
  for (const char* attribute : kHookAttributes) function->removeFnAttr(attribute);
}

// Our own annotations, taken out of the module: what is annotated would have to stay in the
// program.
class Annotations {
 public:
  explicit Annotations(llvm::Module* module) {
    llvm::GlobalVariable* list = module->getGlobalVariable("llvm.global.annotations");
    if (list == nullptr || !list->hasInitializer()) return;
    const auto* entries = llvm::dyn_cast<llvm::ConstantArray>(list->getInitializer());
    if (entries == nullptr) return;
    std::vector<llvm::Constant*> others;
    for (const llvm::Use& entry : entries->operands()) {
      auto* constant = llvm::cast<llvm::Constant>(entry.get());
      if (!Take(*constant)) others.push_back(constant);
    }
    if (others.size() != entries->getNumOperands()) Replace(module, list, others);
  }

  // The index of a function's verdict.
  std::optional<size_t> Find(const llvm::Function& function) const {
    const auto found = verdicts_.find(&function);
    if (found == verdicts_.end()) return std::nullopt;
    return found->second;
  }

 private:
  // An entry is {function, text, file, line, arguments}. False for one that is not ours.
  bool Take(const llvm::Constant& entry) {
    if (entry.getNumOperands() < 2) return false;
    const auto* function = llvm::dyn_cast<llvm::Function>(entry.getOperand(0)->stripPointerCasts());
    const auto* variable =
        llvm::dyn_cast<llvm::GlobalVariable>(entry.getOperand(1)->stripPointerCasts());
    if (function == nullptr || variable == nullptr || !variable->hasInitializer()) return false;
    const auto* data = llvm::dyn_cast<llvm::ConstantDataArray>(variable->getInitializer());
    if (data == nullptr || !data->isCString()) return false;
    llvm::StringRef text = data->getAsCString();
    if (text == kAlwaysTraceAnnotation) return true;
    size_t index = 0;
    if (!text.consume_front(kVerdictAnnotation) || text.getAsInteger(10, index)) return false;
    verdicts_[function] = index;
    return true;
  }

  static void Replace(llvm::Module* module, llvm::GlobalVariable* list,
                      const std::vector<llvm::Constant*>& entries) {
    if (!entries.empty()) {
      auto* type = llvm::ArrayType::get(entries[0]->getType(), entries.size());
      auto* replacement =
          new llvm::GlobalVariable(*module, type, /*isConstant=*/false, list->getLinkage(),
                                   llvm::ConstantArray::get(type, entries), "");
      replacement->takeName(list);
      replacement->setSection(list->getSection());
    }
    list->eraseFromParent();
  }

  std::unordered_map<const llvm::Function*, size_t> verdicts_;
};

Verdict VerdictOn(const llvm::Function& function, const Verdicts& verdicts, const Decider& decider,
                  const Annotations& annotations) {
  const std::string name = function.getName().str();
  const std::optional<size_t> annotated = annotations.Find(function);
  if (annotated.has_value() && *annotated < verdicts.all.size()) return verdicts.all[*annotated];
  if (const auto found = verdicts.by_name.find(name); found != verdicts.by_name.end()) {
    return verdicts.all[found->second];
  }
  // The front end's half leaves the standard library out. Anything else is something of Clang's own
  // making, such as "memcpy.inline" for the wrapper of a builtin function.
  if (function.getName().endswith(".inline")) return {{Reason::kStandardLibrary, ""}, ""};
  return {decider.DecideByName(name), ""};
}

void CarryOut(llvm::Module* module) {
  const Verdicts& verdicts = CurrentVerdicts();
  const Decider decider(verdicts.settings);
  const Annotations annotations(module);
  DroppedList list;
  Report report;
  for (llvm::Function& function : *module) {
    if (function.isDeclaration()) continue;
    const Verdict verdict = VerdictOn(function, verdicts, decider, annotations);
    const bool is_marked = verdict.decision.reason == Reason::kNoTrace;
    if (!HasHooks(function) && !is_marked) continue;
    if (!verdict.decision.is_kept()) RemoveHooks(&function);
    list.Add(function.getName().str(), verdict.listed_source_file, verdict.decision);
    if (verdicts.settings.report) report.Add(function.getName().str(), verdict.decision);
  }
  const std::string assembler = list.Assembler();
  if (!assembler.empty()) module->appendModuleInlineAsm(assembler);
  report.Print();
}

struct InstrumentationPass : llvm::PassInfoMixin<InstrumentationPass> {
  // NOLINTNEXTLINE(readability-identifier-naming): LLVM's name
  static llvm::PreservedAnalyses run(llvm::Module& module, llvm::ModuleAnalysisManager&) {
    try {
      CarryOut(&module);
    } catch (const std::exception&) {
      // What is left has its hooks.
    }
    return llvm::PreservedAnalyses::none();
  }
  // Also where optimization is off.
  static bool isRequired() { return true; }  // NOLINT(readability-identifier-naming): LLVM's name
};

}  // namespace
}  // namespace autotrace::plugin

extern "C" __attribute__((visibility("default"))) llvm::PassPluginLibraryInfo
llvmGetPassPluginInfo() {  // NOLINT(readability-identifier-naming): LLVM's name
  return {LLVM_PLUGIN_API_VERSION, "autotrace", AUTOTRACE_VERSION, [](llvm::PassBuilder& builder) {
            builder.registerPipelineStartEPCallback(
                [](llvm::ModulePassManager& passes, llvm::OptimizationLevel) {
                  passes.addPass(autotrace::plugin::InstrumentationPass());
                });
          }};
}
