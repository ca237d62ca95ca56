// The Clang plugin's half in the front end: decides on every function of the translation unit when
// all of it is parsed.
//
// Clang's own consumer comes afterwards. By then it has made code for functions that other
// translation units can see, and puts off the others (inline ones, templates, lambdas) until now.
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/Mangle.h"
#include "clang/Basic/Diagnostic.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/FrontendPluginRegistry.h"
#include "llvm/Support/raw_ostream.h"
#include "plugin/decision.h"
#include "plugin/llvm/function_collector.h"
#include "plugin/llvm/function_facts.h"
#include "plugin/llvm/straight_line.h"
#include "plugin/llvm/verdicts.h"

namespace autotrace::plugin {
namespace {

using clang::cast;
using clang::dyn_cast;

// A function, or one of those that a constructor or destructor becomes.
class ClangFunction final : public CompiledFunction {
 public:
  ClangFunction(clang::GlobalDecl declaration, std::string name, StraightLine* straight_line)
      : declaration_(declaration),
        function_(*cast<clang::FunctionDecl>(declaration.getDecl())),
        name_(std::move(name)),
        straight_line_(*straight_line) {}

  std::string linker_name() const override { return name_; }
  std::string source_file() const override { return SourceFile(function_); }
  // Its other functions were not collected.
  bool in_standard_library() const override { return IsInlineWrapper(function_); }
  bool is_marked_no_trace() const override { return IsMarkedNoTrace(function_); }
  bool is_marked_always_trace() const override { return IsMarkedAlwaysTrace(function_); }
  bool is_compiler_made() const override { return IsCompilerMade(function_); }
  bool is_defined_inline() const override { return IsDefinedInline(function_); }
  bool is_straight_line() const override {
    // The one that operator delete uses calls operator delete.
    const bool deletes = llvm::isa<clang::CXXDestructorDecl>(function_) &&
                         declaration_.getDtorType() == clang::Dtor_Deleting;
    return !deletes && straight_line_.Is(function_);
  }

 private:
  const clang::GlobalDecl declaration_;
  const clang::FunctionDecl& function_;
  const std::string name_;
  StraightLine& straight_line_;
};

std::vector<clang::GlobalDecl> WhatBecomesOf(const clang::FunctionDecl& function) {
  if (const auto* constructor = dyn_cast<clang::CXXConstructorDecl>(&function)) {
    return {{constructor, clang::Ctor_Complete}, {constructor, clang::Ctor_Base}};
  }
  if (const auto* destructor = dyn_cast<clang::CXXDestructorDecl>(&function)) {
    return {{destructor, clang::Dtor_Deleting},
            {destructor, clang::Dtor_Complete},
            {destructor, clang::Dtor_Base}};
  }
  return {{&function}};
}

class Consumer final : public clang::ASTConsumer {
 public:
  explicit Consumer(const clang::CompilerInstance& compiler) : compiler_(compiler) {}

  bool HandleTopLevelDecl(clang::DeclGroupRef group) override {
    for (const clang::Decl* declaration : group) collector_.Made(declaration);
    return true;
  }
  void HandleTagDeclDefinition(clang::TagDecl* declaration) override {
    collector_.Made(declaration);
  }
  clang::ASTDeserializationListener* GetASTDeserializationListener() override {
    return &collector_;
  }

  void HandleTranslationUnit(clang::ASTContext& context) override {
    if (!compiler_.getCodeGenOpts().InstrumentFunctions &&
        !compiler_.getCodeGenOpts().InstrumentFunctionsAfterInlining) {
      return;
    }
    if (compiler_.getDiagnostics().hasErrorOccurred()) return;
    try {
      DecideAll(context);
    } catch (const std::exception&) {
      // What is not decided is kept.
    }
  }

 private:
  void DecideAll(clang::ASTContext& context) {
    Verdicts& verdicts = CurrentVerdicts();
    const Decider decider(verdicts.settings);
    StraightLine straight_line(context, verdicts.settings.leaves);
    const std::unique_ptr<clang::MangleContext> mangler(context.createMangleContext());
    for (const clang::FunctionDecl* function : collector_.Collect(context)) {
      for (const clang::GlobalDecl declaration : WhatBecomesOf(*function)) {
        const std::string name = LinkerName(declaration, mangler.get());
        const ClangFunction asked(declaration, name, &straight_line);
        const size_t index = verdicts.all.size();
        verdicts.all.push_back({decider.Decide(asked), ListedSourceFile(*function)});
        if (name.find("$_") == std::string::npos) {
          verdicts.by_name.emplace(name, index);
        } else {
          Annotate(context, *function, index);
        }
      }
    }
  }

  static std::string LinkerName(clang::GlobalDecl declaration, clang::MangleContext* mangler) {
    const auto* function = cast<clang::NamedDecl>(declaration.getDecl());
    if (!mangler->shouldMangleDeclName(function)) return function->getNameAsString();
    std::string name;
    llvm::raw_string_ostream stream(name);
    mangler->mangleName(declaration, stream);
    return stream.str();
  }

  // Constructors and destructors of one class have one verdict more or less; the last one counts.
  static void Annotate(clang::ASTContext& context, const clang::FunctionDecl& function,
                       size_t index) {
    auto& changed = const_cast<clang::FunctionDecl&>(function);  // NOLINT: Clang's AST is const
    changed.addAttr(clang::AnnotateAttr::CreateImplicit(
        context, kVerdictAnnotation + std::to_string(index), nullptr, 0));
  }

  // With what -ffile-prefix-map says.
  std::string ListedSourceFile(const clang::FunctionDecl& function) {
    const std::string file = SourceFile(function);
    const auto [known, is_new] = listed_files_.emplace(file, file);
    if (!is_new) return known->second;
    for (const auto& [from, to] : compiler_.getCodeGenOpts().DebugPrefixMap) {
      if (file.starts_with(from)) known->second = to + file.substr(from.size());
    }
    return known->second;
  }

  const clang::CompilerInstance& compiler_;
  FunctionCollector collector_;
  std::unordered_map<std::string, std::string> listed_files_;
};

class Action final : public clang::PluginASTAction {
 protected:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance& compiler,
                                                        llvm::StringRef) override {
    return std::make_unique<Consumer>(compiler);
  }

  bool ParseArgs(const clang::CompilerInstance& compiler,
                 const std::vector<std::string>& arguments) override {
    Verdicts& verdicts = CurrentVerdicts();
    verdicts = Verdicts();
    for (const std::string& argument : arguments) {
      const size_t equals = argument.find('=');
      const std::string value = equals == std::string::npos ? "" : argument.substr(equals + 1);
      std::string error;
      if (ReadArgument(argument.substr(0, equals), value, &verdicts.settings, &error)) continue;
      return Report(compiler, error);
    }
    std::string error;
    return CheckArguments(verdicts.settings, &error) || Report(compiler, error);
  }

  static bool Report(const clang::CompilerInstance& compiler, const std::string& error) {
    clang::DiagnosticsEngine& diagnostics = compiler.getDiagnostics();
    diagnostics.Report(
        diagnostics.getCustomDiagID(clang::DiagnosticsEngine::Error, "autotrace: %0"))
        << error;
    return false;
  }

  ActionType getActionType() override { return AddBeforeMainAction; }
};

// NOLINTNEXTLINE(cert-err58-cpp): how Clang finds it
const clang::FrontendPluginRegistry::Add<Action> kRegistration(
    "autotrace", "keeps hooks out of functions that do without");

}  // namespace

Verdicts& CurrentVerdicts() {
  static Verdicts verdicts;
  return verdicts;
}

}  // namespace autotrace::plugin
