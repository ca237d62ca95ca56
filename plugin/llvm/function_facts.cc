#include "plugin/llvm/function_facts.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "plugin/decision.h"

namespace autotrace::plugin {
namespace {

std::string FileOf(clang::SourceLocation location, const clang::SourceManager& sources) {
  return sources.getFilename(sources.getExpansionLoc(location)).str();
}

}  // namespace

std::string SourceFile(const clang::FunctionDecl& function) {
  return FileOf(function.getLocation(), function.getASTContext().getSourceManager());
}

bool IsInStandardLibrary(const clang::Decl& declaration, const clang::SourceManager& sources) {
  const clang::SourceLocation location = sources.getExpansionLoc(declaration.getLocation());
  return location.isValid() && sources.isInSystemHeader(location) &&
         IsStandardLibraryHeader(FileOf(location, sources));
}

bool IsInlineWrapper(const clang::FunctionDecl& function) {
  return function.hasAttr<clang::GNUInlineAttr>() && function.hasAttr<clang::AlwaysInlineAttr>() &&
         function.getStorageClass() == clang::SC_Extern;
}

bool IsMarkedNoTrace(const clang::FunctionDecl& function) {
  return function.hasAttr<clang::NoInstrumentFunctionAttr>();
}

bool IsMarkedAlwaysTrace(const clang::FunctionDecl& function) {
  for (const auto* annotation : function.specific_attrs<clang::AnnotateAttr>()) {
    if (annotation->getAnnotation() == kAlwaysTraceAnnotation) return true;
  }
  return false;
}

bool IsCompilerMade(const clang::FunctionDecl& function) {
  const auto* method = llvm::dyn_cast<clang::CXXMethodDecl>(&function);
  if (method == nullptr) return false;
  if (const auto* constructor = llvm::dyn_cast<clang::CXXConstructorDecl>(method)) {
    return constructor->isDefaulted() || constructor->isInheritingConstructor();
  }
  return method->isDefaulted() &&
         (llvm::isa<clang::CXXDestructorDecl>(method) || method->isCopyAssignmentOperator() ||
          method->isMoveAssignmentOperator());
}

bool IsDefinedInline(const clang::FunctionDecl& function) {
  return function.isInlined() || function.isTemplateInstantiation();
}

}  // namespace autotrace::plugin
