#include "plugin/llvm/straight_line.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_set>

#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/Expr.h"
#include "clang/AST/ExprCXX.h"
#include "clang/AST/StmtCXX.h"
#include "clang/Basic/Builtins.h"
#include "plugin/llvm/function_facts.h"

namespace autotrace::plugin {
namespace {

using clang::dyn_cast;
using clang::Stmt;

// Copies of up to this size become moves.
constexpr uint64_t kMaximumInlineCopy = 64;
constexpr uint64_t kMaximumInlineAtomicBits = 64;

// Functions of the C library that need no call; with "__builtin_" before them, and with "f" or "l"
// behind, as well.
constexpr std::string_view kInstructions[] = {"abs",      "labs",     "llabs",  "fabs",
                                              "copysign", "isnan",    "isinf",  "isfinite",
                                              "finite",   "isnormal", "signbit"};

bool IsInstruction(std::string_view name) {
  constexpr std::string_view kPrefix = "__builtin_";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  return std::any_of(
      std::begin(kInstructions), std::end(kInstructions), [name](std::string_view known) {
        return name == known || (name.starts_with(known) && (name.substr(known.size()) == "f" ||
                                                             name.substr(known.size()) == "l"));
      });
}

}  // namespace

// One walk over a function's body.
class StraightLineWalk {
 public:
  explicit StraightLineWalk(StraightLine* owner) : owner_(*owner), context_(owner->context_) {}

  bool Look(const Stmt* statement) {
    if (statement == nullptr) return true;
    switch (statement->getStmtClass()) {
      case Stmt::IfStmtClass:
        return LookAtIf(*clang::cast<clang::IfStmt>(statement));
      case Stmt::ConditionalOperatorClass:
        return LookAtChoice(*clang::cast<clang::ConditionalOperator>(statement));
      case Stmt::DoStmtClass:
        return LookAtDo(*clang::cast<clang::DoStmt>(statement));
      case Stmt::LabelStmtClass:
        labels_.insert(clang::cast<clang::LabelStmt>(statement)->getDecl());
        return LookBelow(statement);
      case Stmt::GotoStmtClass:
        // To a place further down only.
        return labels_.count(clang::cast<clang::GotoStmt>(statement)->getLabel()) == 0;
      case Stmt::CXXTryStmtClass:
        // If nothing is called, nothing is thrown.
        return Look(clang::cast<clang::CXXTryStmt>(statement)->getTryBlock());
      case Stmt::ReturnStmtClass:
        return LookAtInitializer(clang::cast<clang::ReturnStmt>(statement)->getRetValue());
      case Stmt::InitListExprClass: {
        const auto elements = clang::cast<clang::InitListExpr>(statement)->inits();
        return std::all_of(elements.begin(), elements.end(), [this](const clang::Expr* element) {
          return LookAtInitializer(element);
        });
      }
      case Stmt::DeclStmtClass:
        return LookAtDeclarations(*clang::cast<clang::DeclStmt>(statement));
      case Stmt::CallExprClass:
      case Stmt::CXXMemberCallExprClass:
      case Stmt::CXXOperatorCallExprClass:
      case Stmt::UserDefinedLiteralClass:
        return LookAtCall(*clang::cast<clang::CallExpr>(statement)) && LookBelow(statement);
      case Stmt::CXXConstructExprClass:
      case Stmt::CXXTemporaryObjectExprClass:
        return LookAtConstruction(*clang::cast<clang::CXXConstructExpr>(statement)) &&
               LookBelow(statement);
      case Stmt::CXXInheritedCtorInitExprClass:
        return owner_.IsInlinedAway(
            *clang::cast<clang::CXXInheritedCtorInitExpr>(statement)->getConstructor());
      case Stmt::CXXBindTemporaryExprClass:
        return owner_.IsDestroyedInline(clang::cast<clang::Expr>(statement)->getType()) &&
               LookBelow(statement);
      case Stmt::CXXNewExprClass: {
        const auto* expression = clang::cast<clang::CXXNewExpr>(statement);
        return !expression->isArray() && owner_.IsInlinedAway(*expression->getOperatorNew()) &&
               LookBelow(statement);
      }
      case Stmt::CXXDefaultArgExprClass:
        return Look(clang::cast<clang::CXXDefaultArgExpr>(statement)->getExpr());
      case Stmt::CXXDefaultInitExprClass:
        return LookAtInitializer(clang::cast<clang::CXXDefaultInitExpr>(statement)->getExpr());
      case Stmt::CXXRewrittenBinaryOperatorClass:
        return Look(clang::cast<clang::CXXRewrittenBinaryOperator>(statement)->getSemanticForm());
      case Stmt::GenericSelectionExprClass:
        return Look(clang::cast<clang::GenericSelectionExpr>(statement)->getResultExpr());
      case Stmt::ChooseExprClass:
        return Look(clang::cast<clang::ChooseExpr>(statement)->getChosenSubExpr());
      case Stmt::LambdaExprClass: {
        // Its body is another function's.
        const auto captures = clang::cast<clang::LambdaExpr>(statement)->capture_inits();
        return std::all_of(captures.begin(), captures.end(), [this](const clang::Expr* capture) {
          return LookAtInitializer(capture);
        });
      }
      case Stmt::DeclRefExprClass:
        return !IsReachedByCall(*clang::cast<clang::DeclRefExpr>(statement)->getDecl());
      case Stmt::MemberExprClass:
        return !IsReachedByCall(*clang::cast<clang::MemberExpr>(statement)->getMemberDecl()) &&
               LookBelow(statement);
      case Stmt::ArrayInitLoopExprClass: {
        // A copy of an array: of its bytes, or of one element after the other.
        const auto* array = clang::cast<clang::ArrayInitLoopExpr>(statement);
        return array->getType().isTriviallyCopyableType(context_) &&
               Look(array->getCommonExpr()->getSourceExpr());
      }
      case Stmt::AtomicExprClass: {
        const auto* atomic = clang::cast<clang::AtomicExpr>(statement);
        return IsInlineAtomic(*atomic) && LookBelow(statement);
      }
      default:
        return IsEvaluatedInPlace(statement) ? LookBelow(statement) : IsConstant(statement);
    }
  }

  // A temporary that initializes an object becomes the object: whoever owns that destroys it.
  bool LookAtInitializer(const clang::Expr* value) {
    while (value != nullptr) {
      if (const auto* cleanups = dyn_cast<clang::ExprWithCleanups>(value)) {
        value = cleanups->getSubExpr();
      } else if (const auto* temporary = dyn_cast<clang::CXXBindTemporaryExpr>(value)) {
        value = temporary->getSubExpr();
      } else if (const auto* cast = dyn_cast<clang::CastExpr>(value);
                 cast != nullptr && (cast->getCastKind() == clang::CK_ConstructorConversion ||
                                     cast->getCastKind() == clang::CK_NoOp)) {
        value = cast->getSubExpr();
      } else if (const auto* parentheses = dyn_cast<clang::ParenExpr>(value)) {
        value = parentheses->getSubExpr();
      } else {
        break;
      }
    }
    return Look(value);
  }

 private:
  bool LookBelow(const Stmt* statement) {
    const auto children = statement->children();
    return std::all_of(children.begin(), children.end(),
                       [this](const Stmt* child) { return Look(child); });
  }

  // What does nothing but what stands below it does, and an instruction or two. What is not listed
  // here is not known to be harmless.
  static bool IsEvaluatedInPlace(const Stmt* statement) {
    switch (statement->getStmtClass()) {
      case Stmt::ArraySubscriptExprClass:
      case Stmt::AttributedStmtClass:
      case Stmt::BinaryConditionalOperatorClass:
      case Stmt::BinaryOperatorClass:
      case Stmt::BreakStmtClass:
      case Stmt::BuiltinBitCastExprClass:
      case Stmt::CStyleCastExprClass:
      case Stmt::CXXConstCastExprClass:
      case Stmt::CXXFunctionalCastExprClass:
      case Stmt::CXXPseudoDestructorExprClass:
      case Stmt::CXXReinterpretCastExprClass:
      case Stmt::CXXScalarValueInitExprClass:
      case Stmt::CXXStaticCastExprClass:
      case Stmt::CXXStdInitializerListExprClass:
      case Stmt::CXXThisExprClass:
      case Stmt::CaseStmtClass:
      case Stmt::CompoundAssignOperatorClass:
      case Stmt::CompoundLiteralExprClass:
      case Stmt::CompoundStmtClass:
      case Stmt::ConvertVectorExprClass:
      case Stmt::DefaultStmtClass:
      case Stmt::ExprWithCleanupsClass:
      case Stmt::ExtVectorElementExprClass:
      case Stmt::ImplicitCastExprClass:
      case Stmt::ImplicitValueInitExprClass:
      case Stmt::MaterializeTemporaryExprClass:
      case Stmt::NullStmtClass:
      case Stmt::OpaqueValueExprClass:
      case Stmt::ParenExprClass:
      case Stmt::ShuffleVectorExprClass:
      case Stmt::StmtExprClass:
      case Stmt::SubstNonTypeTemplateParmExprClass:
      case Stmt::SwitchStmtClass:
      case Stmt::UnaryOperatorClass:
      case Stmt::VAArgExprClass:
        return true;
      default:
        return false;
    }
  }

  // What the compiler computes. What stands below it is not part of the program.
  static bool IsConstant(const Stmt* statement) {
    switch (statement->getStmtClass()) {
      case Stmt::CXXBoolLiteralExprClass:
      case Stmt::CXXNoexceptExprClass:
      case Stmt::CXXNullPtrLiteralExprClass:
      case Stmt::CharacterLiteralClass:
      case Stmt::ConceptSpecializationExprClass:
      case Stmt::ConstantExprClass:
      case Stmt::FixedPointLiteralClass:
      case Stmt::FloatingLiteralClass:
      case Stmt::GNUNullExprClass:
      case Stmt::ImaginaryLiteralClass:
      case Stmt::IntegerLiteralClass:
      case Stmt::OffsetOfExprClass:
      case Stmt::PredefinedExprClass:
      case Stmt::RequiresExprClass:
      case Stmt::SizeOfPackExprClass:
      case Stmt::SourceLocExprClass:
      case Stmt::StringLiteralClass:
      case Stmt::TypeTraitExprClass:
      case Stmt::UnaryExprOrTypeTraitExprClass:
        return true;
      default:
        return false;
    }
  }

  bool LookAtIf(const clang::IfStmt& statement) {
    if (statement.isConsteval()) {
      return Look(statement.isNegatedConsteval() ? statement.getThen() : statement.getElse());
    }
    if (!Look(statement.getInit())) return false;
    bool value = false;
    if (IsDecided(statement.getCond(), &value)) {
      return Look(value ? statement.getThen() : statement.getElse());
    }
    if (const auto* variable = statement.getConditionVariableDeclStmt();
        variable != nullptr && !Look(variable)) {
      return false;
    }
    return Look(statement.getCond()) && Look(statement.getThen()) && Look(statement.getElse());
  }

  bool LookAtChoice(const clang::ConditionalOperator& choice) {
    bool value = false;
    if (IsDecided(choice.getCond(), &value)) {
      return Look(value ? choice.getTrueExpr() : choice.getFalseExpr());
    }
    return Look(choice.getCond()) && Look(choice.getTrueExpr()) && Look(choice.getFalseExpr());
  }

  // "do { ... } while (0)" in a macro.
  bool LookAtDo(const clang::DoStmt& statement) {
    bool value = true;
    return IsDecided(statement.getCond(), &value) && !value && Look(statement.getBody());
  }

  // What is never reached does not count: "if (std::is_constant_evaluated())".
  bool IsDecided(const clang::Expr* condition, bool* value) const {
    return condition != nullptr && !condition->isValueDependent() &&
           condition->EvaluateAsBooleanCondition(*value, context_);
  }

  bool LookAtDeclarations(const clang::DeclStmt& statement) {
    return std::all_of(statement.decl_begin(), statement.decl_end(),
                       [this](const clang::Decl* declaration) {
                         const auto* variable = dyn_cast<clang::VarDecl>(declaration);
                         return variable == nullptr || LookAtVariable(*variable);
                       });
  }

  bool LookAtVariable(const clang::VarDecl& variable) {
    if (variable.hasExternalStorage() || variable.isConstexpr()) return true;
    if (!variable.isLocalVarDecl()) return false;
    if (variable.isStaticLocal()) {
      // Without a guard that is taken by a call.
      return variable.getTLSKind() == clang::VarDecl::TLS_None &&
             (!variable.hasInit() || variable.hasConstantInitialization()) &&
             variable.needsDestruction(context_) == clang::QualType::DK_none;
    }
    if (const auto* parts = dyn_cast<clang::DecompositionDecl>(&variable)) {
      for (const clang::BindingDecl* part : parts->bindings()) {
        const clang::VarDecl* holder = part->getHoldingVar();
        if (holder != nullptr && !Look(holder->getInit())) return false;
      }
    }
    // What is returned is destroyed by whoever called.
    return LookAtInitializer(variable.getInit()) &&
           (variable.isNRVOVariable() || owner_.IsDestroyedInline(variable.getType()));
  }

  // A thread's own variable whose first use in a thread initializes it.
  bool IsReachedByCall(const clang::ValueDecl& declaration) const {
    const auto* variable = dyn_cast<clang::VarDecl>(&declaration);
    if (variable == nullptr || variable->getTLSKind() != clang::VarDecl::TLS_Dynamic) return false;
    const clang::VarDecl* definition = variable->getInitializingDeclaration();
    return definition == nullptr || !definition->hasConstantInitialization() ||
           definition->needsDestruction(context_) != clang::QualType::DK_none;
  }

  bool LookAtCall(const clang::CallExpr& call) {
    if (llvm::isa<clang::CXXPseudoDestructorExpr>(call.getCallee()->IgnoreParens())) return true;
    const clang::FunctionDecl* callee = call.getDirectCallee();
    if (callee == nullptr) return false;
    if (const unsigned builtin = callee->getBuiltinID()) return IsInlineBuiltin(call, builtin);
    if (const auto* method = dyn_cast<clang::CXXMethodDecl>(callee);
        method != nullptr && method->isVirtual()) {
      callee = Devirtualized(call, *method);
      if (callee == nullptr) return false;
    }
    return owner_.IsInlinedAway(*callee);
  }

  // The function that a call of a virtual one is known to reach, else null.
  static const clang::FunctionDecl* Devirtualized(const clang::CallExpr& call,
                                                  const clang::CXXMethodDecl& method) {
    const auto* member = dyn_cast<clang::MemberExpr>(call.getCallee()->IgnoreParens());
    if (member == nullptr) return nullptr;
    if (member->hasQualifier()) return &method;
    return method.getDevirtualizedMethod(member->getBase(), /*IsAppleKext=*/false);
  }

  bool LookAtConstruction(const clang::CXXConstructExpr& construction) {
    if (construction.isElidable()) return true;
    const clang::CXXConstructorDecl& constructor = *construction.getConstructor();
    if (constructor.isTrivial()) return true;
    return !construction.getType()->isArrayType() && owner_.IsInlinedAway(constructor);
  }

  // Does its call become a few instructions?
  bool IsInlineBuiltin(const clang::CallExpr& call, unsigned builtin) const {
    switch (builtin) {
      case clang::Builtin::BImemcpy:
      case clang::Builtin::BImemmove:
      case clang::Builtin::BImemset:
      case clang::Builtin::BI__builtin_memcpy:
      case clang::Builtin::BI__builtin_memmove:
      case clang::Builtin::BI__builtin_memset:
        return IsSmallCopy(call);
      // Calls of the program's own functions, which it may have replaced.
      case clang::Builtin::BI__builtin_operator_new:
      case clang::Builtin::BI__builtin_operator_delete:
        return false;
      default:
        return IsInstruction(context_.BuiltinInfo.getName(builtin)) ||
               (!context_.BuiltinInfo.isLibFunction(builtin) &&
                !context_.BuiltinInfo.isPredefinedLibFunction(builtin));
    }
  }

  bool IsSmallCopy(const clang::CallExpr& call) const {
    clang::Expr::EvalResult size;
    return call.getNumArgs() >= 3 && !call.getArg(2)->isValueDependent() &&
           call.getArg(2)->EvaluateAsInt(size, context_) &&
           size.Val.getInt().ule(kMaximumInlineCopy);
  }

  bool IsInlineAtomic(const clang::AtomicExpr& atomic) const {
    const clang::QualType type = atomic.getPtr()->getType()->getPointeeType();
    return !type.isNull() && !type->isIncompleteType() &&
           context_.getTypeSize(type) <= kMaximumInlineAtomicBits;
  }

  StraightLine& owner_;
  const clang::ASTContext& context_;
  std::unordered_set<const clang::LabelDecl*> labels_;
};

bool StraightLine::Is(const clang::FunctionDecl& function) {
  const auto [found, is_new] = known_.emplace(&function, State::kBeingAsked);
  // What calls itself is a loop.
  if (!is_new) return found->second == State::kYes;
  const bool is_straight = Examine(function);
  known_[&function] = is_straight ? State::kYes : State::kNo;
  return is_straight;
}

bool StraightLine::Examine(const clang::FunctionDecl& function) {
  if (function.isTrivial()) return true;
  // What a lambda becomes as a function pointer has its body made later: a call of the lambda.
  if (const auto* method = dyn_cast<clang::CXXMethodDecl>(&function);
      method != nullptr && method->isLambdaStaticInvoker()) {
    const clang::CXXMethodDecl* call = method->getParent()->getLambdaCallOperator();
    return call != nullptr && !method->getParent()->isGenericLambda() && IsInlinedAway(*call);
  }
  const Stmt* body = function.getBody();
  if (body == nullptr) return false;
  StraightLineWalk walk(this);
  if (const auto* constructor = dyn_cast<clang::CXXConstructorDecl>(&function)) {
    for (const clang::CXXCtorInitializer* member : constructor->inits()) {
      if (!walk.LookAtInitializer(member->getInit())) return false;
    }
  }
  if (llvm::isa<clang::CXXDestructorDecl>(function)) {
    const auto* record = clang::cast<clang::CXXRecordDecl>(function.getDeclContext());
    for (const clang::FieldDecl* field : record->fields()) {
      if (!IsDestroyedInline(field->getType())) return false;
    }
    for (const clang::CXXBaseSpecifier& base : record->bases()) {
      if (!IsDestroyedInline(base.getType())) return false;
    }
  }
  return walk.Look(body);
}

bool StraightLine::IsInlinedAway(const clang::FunctionDecl& callee) {
  if (callee.isTrivial()) return true;
  const clang::FunctionDecl* definition = callee.getDefinition();
  if (definition == nullptr || definition->hasAttr<clang::NoInlineAttr>() ||
      IsMarkedAlwaysTrace(*definition)) {
    return false;
  }
  const bool may_be_inlined = IsDefinedInline(*definition) ||
                              (leaves_ == Leaves::kAll && !definition->isExternallyVisible());
  return may_be_inlined && Is(*definition);
}

bool StraightLine::IsDestroyedInline(clang::QualType type) {
  if (type.isDestructedType() == clang::QualType::DK_none) return true;
  const clang::CXXRecordDecl* record = type->getAsCXXRecordDecl();
  if (record == nullptr || !record->hasDefinition()) return false;  // arrays among them
  const clang::CXXDestructorDecl* destructor = record->getDestructor();
  return destructor != nullptr && IsInlinedAway(*destructor);
}

}  // namespace autotrace::plugin
