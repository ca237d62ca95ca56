#include "plugin/llvm/function_collector.h"

#include <utility>

#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclFriend.h"
#include "clang/AST/DeclTemplate.h"
#include "plugin/llvm/function_facts.h"

namespace autotrace::plugin {

std::vector<const clang::FunctionDecl*> FunctionCollector::Collect(
    const clang::ASTContext& context) {
  sources_ = &context.getSourceManager();
  VisitScope(context.getTranslationUnitDecl());
  // Visiting may load more.
  for (size_t index = 0; index < made_.size(); ++index) Visit(made_[index]);
  return std::move(functions_);
}

void FunctionCollector::Visit(const clang::Decl* declaration) {
  if (const auto* befriended = llvm::dyn_cast<clang::FriendDecl>(declaration)) {
    declaration = befriended->getFriendDecl();
    if (declaration == nullptr) return;
  }
  const auto* scope = llvm::dyn_cast<clang::DeclContext>(declaration);
  if (scope == nullptr || scope->isDependentContext() || !seen_.insert(declaration).second) return;
  if (IsInStandardLibrary(*declaration, *sources_)) return;
  if (const auto* function = llvm::dyn_cast<clang::FunctionDecl>(declaration)) Add(function);
  // Functions too hold classes and lambdas.
  VisitScope(scope);
}

void FunctionCollector::VisitScope(const clang::DeclContext* scope) {
  for (const clang::Decl* declaration : scope->noload_decls()) Visit(declaration);
}

void FunctionCollector::Add(const clang::FunctionDecl* function) {
  if (function->isThisDeclarationADefinition() || function->isDefaulted()) {
    functions_.push_back(function);
  }
}

}  // namespace autotrace::plugin
