#pragma once

#include <array>
#include <cstdint>

#include <luge/math/update_table.h>

namespace luge {

using math::kMaxStates;

/// Every rule that an optimizer steps by: one enumerator per row of core/luge/math/update_table.h.
enum class UpdateRule : std::uint8_t {
#define LUGE_ROW(Rule, ...) Rule,
  LUGE_UPDATE_RULES(LUGE_ROW)
#undef LUGE_ROW
};

/// What the rules' rows and structs in core/luge/math/updates.h say of each.
struct RuleTraits {
  static constexpr int kMaxNumbers = 11;

  const char* rule;       ///< the row: "NesterovSgd"
  const char* optimizer;  ///< the class that users make it with: "Sgd"
  const char* step;       ///< what errors and plans call its call: "sgd step"
  int states, numbers;
  std::array<const char*, kMaxStates> state_names;  ///< PyTorch's: "exp_avg", "exp_avg_sq"
  double flops;           ///< per element
  std::array<math::Number, kMaxNumbers> number;
};

const RuleTraits& traits(UpdateRule rule);

/// The optimizer's class: "Sgd", "Adam", "AdamW", ...
inline const char* name(UpdateRule rule) { return traits(rule).optimizer; }

}  // namespace luge
