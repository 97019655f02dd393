#include <luge/seam/update_rule.h>

#include <luge/math/updates.h>

namespace luge {

namespace {

template <class Rule, class... Names>
constexpr RuleTraits rule_traits(const char* rule, const char* optimizer, const char* step, Names... states) {
  constexpr int numbers = math::scalar::kNumbersOf<Rule>;
  static_assert(Rule::kStates <= kMaxStates && numbers <= RuleTraits::kMaxNumbers);
  static_assert(sizeof...(Names) == Rule::kStates, "a rule's row names each of its states");
  RuleTraits traits{rule, optimizer, step, Rule::kStates, numbers, {states...}, Rule::kFlops, {}};
  for (int i = 0; i < numbers; ++i) traits.number[static_cast<std::size_t>(i)] = Rule::kNumbers[i];
  return traits;
}

constexpr RuleTraits kRuleTraits[] = {
#define LUGE_ROW(Rule, ...) rule_traits<math::scalar::Rule>(#Rule, __VA_ARGS__),
    LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
};

}  // namespace

const RuleTraits& traits(UpdateRule rule) { return kRuleTraits[static_cast<int>(rule)]; }

}  // namespace luge
