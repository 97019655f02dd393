#include <luge/seam/update_rule.h>

#include <luge/math/updates.h>

namespace luge {

namespace {

template <class Rule>
constexpr RuleTraits rule_traits(const char* optimizer, const char* step) {
  constexpr int numbers = math::scalar::kNumbersOf<Rule>;
  static_assert(Rule::kStates <= kMaxStates && numbers <= RuleTraits::kMaxNumbers);
  RuleTraits traits{optimizer, step, Rule::kStates, numbers, Rule::kFlops, {}};
  for (int i = 0; i < numbers; ++i) traits.number[static_cast<std::size_t>(i)] = Rule::kNumbers[i];
  return traits;
}

constexpr RuleTraits kRuleTraits[] = {
#define LUGE_ROW(Rule, optimizer, step) rule_traits<math::scalar::Rule>(optimizer, step),
    LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
};

}  // namespace

const RuleTraits& traits(UpdateRule rule) { return kRuleTraits[static_cast<int>(rule)]; }

}  // namespace luge
