#include "plugin/gcc/straight_line.h"

#include "plugin/gcc/function_facts.h"

namespace autotrace::plugin {
namespace {

// Copies of up to this size become moves.
constexpr unsigned HOST_WIDE_INT kMaximumInlineCopy = 64;
constexpr unsigned HOST_WIDE_INT kMaximumInlineAtomic = 8;

// memcpy, memmove and memset of a small size that is known.
bool IsSmallCopy(tree call) {
  if (call_expr_nargs(call) < 3) return false;
  tree size = CALL_EXPR_ARG(call, 2);
  return tree_fits_uhwi_p(size) && tree_to_uhwi(size) <= kMaximumInlineCopy;
}

// __atomic_load_8 and the like; those on 16 bytes are calls of a library.
bool IsInlineAtomic(tree builtin) {
  const built_in_function code = DECL_FUNCTION_CODE(builtin);
  const char* name = IDENTIFIER_POINTER(DECL_NAME(builtin));
  const bool is_atomic = startswith(name, "__atomic_") || startswith(name, "__sync_");
  if (!is_atomic || code == BUILT_IN_NONE) return false;
  const char* size = strrchr(name, '_') + 1;
  // "__atomic_thread_fence", "__sync_synchronize"; "__atomic_load" has a size that is not known.
  if (*size < '0' || *size > '9') return strstr(name, "fence") || strstr(name, "synchronize");
  return strtoul(size, nullptr, 10) <= kMaximumInlineAtomic;
}

bool IsInlineBuiltin(tree call, tree builtin) {
  // Those of the processor, and those that the front end replaces.
  if (DECL_BUILT_IN_CLASS(builtin) != BUILT_IN_NORMAL) return true;
  switch (DECL_FUNCTION_CODE(builtin)) {
    case BUILT_IN_MEMCPY:
    case BUILT_IN_MEMMOVE:
    case BUILT_IN_MEMSET:
      return IsSmallCopy(call);
    case BUILT_IN_CORO_PROMISE:
    case BUILT_IN_VA_COPY:
    case BUILT_IN_VA_END:
    case BUILT_IN_VA_START:
      return true;
    default:
      return is_inexpensive_builtin(builtin) || IsInlineAtomic(builtin);
  }
}

enum class Truth { kUnknown, kNever, kAlways };

// Of a condition, as far as it is plain from the tree. Until it is lowered,
// std::is_constant_evaluated() is a call.
Truth TruthOf(tree condition) {
  STRIP_NOPS(condition);
  switch (TREE_CODE(condition)) {
    case INTEGER_CST:
      return integer_zerop(condition) ? Truth::kNever : Truth::kAlways;
    case CLEANUP_POINT_EXPR:
      return TruthOf(TREE_OPERAND(condition, 0));
    case TRUTH_ANDIF_EXPR:
    case TRUTH_AND_EXPR:
      return TruthOf(TREE_OPERAND(condition, 0)) == Truth::kNever ? Truth::kNever : Truth::kUnknown;
    case TRUTH_NOT_EXPR:
      switch (TruthOf(TREE_OPERAND(condition, 0))) {
        case Truth::kNever:
          return Truth::kAlways;
        case Truth::kAlways:
          return Truth::kNever;
        case Truth::kUnknown:
          return Truth::kUnknown;
      }
      return Truth::kUnknown;
    case CALL_EXPR: {
      tree callee = get_callee_fndecl(condition);
      if (callee == NULL_TREE || DECL_NAME(callee) == NULL_TREE) return Truth::kUnknown;
      return strstr(IDENTIFIER_POINTER(DECL_NAME(callee)), "is_constant_evaluated") != nullptr
                 ? Truth::kNever
                 : Truth::kUnknown;
    }
    default:
      return Truth::kUnknown;
  }
}

}  // namespace

// One walk over a function's body.
class StraightLine::Walk {
 public:
  explicit Walk(StraightLine* owner) : owner_(*owner) {}

  bool IsStraight(tree* body) { return walk_tree(body, Visit, this, &visited_) == NULL_TREE; }

 private:
  // What walk_tree calls: anything but null ends it.
  static tree Visit(tree* node, int* walk_operands, void* walk) {
    return static_cast<Walk*>(walk)->Look(*node, walk_operands) ? NULL_TREE : *node;
  }

  // Is this node, without what stands below it, straight-line? Where only a part of what stands
  // below it counts, looks at that part itself.
  bool Look(tree node, int* walk_operands) {
    if (TYPE_P(node)) {
      *walk_operands = 0;
      return true;
    }
    const auto only = [&](tree* part) {
      *walk_operands = 0;
      return *part == NULL_TREE || IsStraight(part);
    };
    switch (TREE_CODE(node)) {
      case LOOP_EXPR:
      case ASM_EXPR:
      case TRANSACTION_EXPR:
        return false;
      case LABEL_EXPR:
        labels_.insert(LABEL_EXPR_LABEL(node));
        return true;
      case GOTO_EXPR:
        // To a place further down only.
        return TREE_CODE(GOTO_DESTINATION(node)) == LABEL_DECL &&
               labels_.count(GOTO_DESTINATION(node)) == 0;
      case COND_EXPR:
        return LookAtCondition(node, walk_operands);
      case TRY_CATCH_EXPR:
        // If nothing is called, nothing is thrown; the same for the next three.
        return only(&TREE_OPERAND(node, 0));
      case TRY_BLOCK:
        return only(&TRY_STMTS(node));
      case EH_SPEC_BLOCK:
        return only(&EH_SPEC_STMTS(node));
      case CLEANUP_STMT:
        return CLEANUP_EH_ONLY(node) ? only(&CLEANUP_BODY(node)) : true;
      case TARGET_EXPR:
        return CLEANUP_EH_ONLY(node) ? only(&TARGET_EXPR_INITIAL(node)) : true;
      case INIT_EXPR:
        *walk_operands = 0;
        return IsStraight(&TREE_OPERAND(node, 0)) && LookAtInitializer(&TREE_OPERAND(node, 1));
      case CONSTRUCTOR:
        return LookAtAggregate(node, walk_operands);
      case CALL_EXPR:
        return LookAtCall(node);
      case AGGR_INIT_EXPR:
        return LookAtInitialization(node);
      // C++'s and C's own trees, of which those of no other kind are known to be harmless.
      case IF_STMT:
      case EXPR_STMT:
      case USING_STMT:
      case STMT_EXPR:
      case MUST_NOT_THROW_EXPR:
      case EMPTY_CLASS_EXPR:
      case PTRMEM_CST:
      case BIT_CAST_EXPR:
      case C_MAYBE_CONST_EXPR:
      case EXCESS_PRECISION_EXPR:
      case TEMPLATE_DECL:
      case USING_DECL:
        return true;
      default:
        return TREE_CODE(node) < LAST_AND_UNUSED_TREE_CODE && !IsParallel(node);
    }
  }

  static bool IsParallel(tree node) {
    return TREE_CODE(node) >= OACC_PARALLEL && TREE_CODE(node) <= OMP_CLAUSE;
  }

  // What is never reached does not count.
  bool LookAtCondition(tree node, int* walk_operands) {
    const Truth truth = TruthOf(COND_EXPR_COND(node));
    if (truth == Truth::kUnknown) return true;
    *walk_operands = 0;
    tree* taken = truth == Truth::kNever ? &COND_EXPR_ELSE(node) : &COND_EXPR_THEN(node);
    return *taken == NULL_TREE || IsStraight(taken);
  }

  // A temporary that initializes an object becomes the object: whoever owns that destroys it.
  bool LookAtInitializer(tree* value) {
    if (*value == NULL_TREE) return true;
    return IsStraight(TREE_CODE(*value) == TARGET_EXPR ? &TARGET_EXPR_INITIAL(*value) : value);
  }

  bool LookAtAggregate(tree node, int* walk_operands) {
    *walk_operands = 0;
    for (unsigned index = 0; index < CONSTRUCTOR_NELTS(node); ++index) {
      if (!LookAtInitializer(&CONSTRUCTOR_ELT(node, index)->value)) return false;
    }
    return true;
  }

  bool LookAtCall(tree call) {
    if (CALL_EXPR_FN(call) == NULL_TREE) return true;  // GCC's internal functions
    tree callee = get_callee_fndecl(call);
    if (callee == NULL_TREE) return false;
    if (fndecl_built_in_p(callee)) return IsInlineBuiltin(call, callee);
    return owner_.IsInlinedAway(callee);
  }

  bool LookAtInitialization(tree node) {
    tree function = AGGR_INIT_EXPR_FN(node);
    if (function == NULL_TREE || TREE_CODE(function) != ADDR_EXPR) return false;
    function = TREE_OPERAND(function, 0);
    return TREE_CODE(function) == FUNCTION_DECL && owner_.IsInlinedAway(function);
  }

  StraightLine& owner_;
  std::unordered_set<tree> labels_;
  hash_set<tree> visited_;
};

bool StraightLine::Is(tree function) {
  const auto [found, is_new] = known_.emplace(function, State::kBeingAsked);
  // What calls itself is a loop.
  if (!is_new) return found->second == State::kYes;
  const bool is_straight =
      DECL_SAVED_TREE(function) != NULL_TREE && Walk(this).IsStraight(&DECL_SAVED_TREE(function));
  known_[function] = is_straight ? State::kYes : State::kNo;
  return is_straight;
}

bool StraightLine::IsInlinedAway(tree callee) {
  // Some constructors and destructors are other names of others.
  if (cgraph_node* node = cgraph_node::get(callee)) callee = node->ultimate_alias_target()->decl;
  if (DECL_UNINLINABLE(callee) || IsMarkedAlwaysTrace(callee)) return false;
  const bool may_be_inlined =
      IsDefinedInline(callee) || (leaves_ == Leaves::kAll && !TREE_PUBLIC(callee));
  return may_be_inlined && Is(callee);
}

}  // namespace autotrace::plugin
