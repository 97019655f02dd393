#pragma once
// The pieces of a generated kernel's text: names of types, numbers, and the calls of formulas and optimizer rules.

#include <cstdint>
#include <string>
#include <vector>

#include <luge/seam/detail/plan.h>

namespace luge::cuda {

/// As it is called in a kernel.
const char* type_name(DType dtype);

/// What a link reads, as an argument of this dtype: value n is called vn.
std::string input(const ChainInput& in, DType as);

/// What an optimizer step of a chain is told in the kernel.
struct UpdateText {
  std::vector<int> own;     ///< the places in RuleHypers of what differs within the chain: owni_h holds number h
  std::string run;          ///< behind the name of what is held of a run of elements
  bool own_steps = false;   ///< whether numbers that count steps differ, too
  std::string position;     ///< of the element
};

/// The statements that make a link's values from those that it reads, for element number k of a run. A value n is
/// called vn; the chain's optimizer step i, as number u = first_update + i of the kernel, has in scope
///   updateu  its ChainUpdate         step_numbersu  its rule's AtStep of set 0
///   takenu   the steps before this   commonu        its rule's Numbers of set 0
///   hypersu  the RuleHypers of set 0
/// `id` tells links of one chain apart.
std::string statements(const Chain& chain, const Link& link, int id, int first_update,
                       const std::vector<UpdateText>& updates = {});

}  // namespace luge::cuda
