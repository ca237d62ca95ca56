// Finds all functions of a translation unit that are defined in it and may get hooks: written ones,
// instances of templates, lambdas, what the compiler made, and what comes out of a precompiled
// header. The standard library's are left out.
//
// Declarations that stand in a precompiled header are loaded when something needs them. Walking
// over all of them would load everything, so these are taken as they come.
#ifndef AUTOTRACE_PLUGIN_LLVM_FUNCTION_COLLECTOR_H_
#define AUTOTRACE_PLUGIN_LLVM_FUNCTION_COLLECTOR_H_

#include <unordered_set>
#include <vector>

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclGroup.h"
#include "clang/Serialization/ASTDeserializationListener.h"

namespace autotrace::plugin {

class FunctionCollector final : public clang::ASTDeserializationListener {
 public:
  // An instance of a template, or a class, was made: these stand in no scope.
  void Made(const clang::Decl* declaration) { made_.push_back(declaration); }
  // Clang loaded it out of a precompiled header.
  void DeclRead(clang::serialization::DeclID, const clang::Decl* declaration) override {
    made_.push_back(declaration);
  }

  // At the translation unit's end. Definitions, each once.
  std::vector<const clang::FunctionDecl*> Collect(const clang::ASTContext& context);

 private:
  void Visit(const clang::Decl* declaration);
  void VisitScope(const clang::DeclContext* scope);
  void Add(const clang::FunctionDecl* function);

  const clang::SourceManager* sources_ = nullptr;
  std::vector<const clang::Decl*> made_;
  std::unordered_set<const clang::Decl*> seen_;
  std::vector<const clang::FunctionDecl*> functions_;
};

}  // namespace autotrace::plugin

#endif  // AUTOTRACE_PLUGIN_LLVM_FUNCTION_COLLECTOR_H_
