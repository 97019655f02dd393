#pragma once
// The pieces of a generated kernel's text: names of types, numbers, and the calls of formulas and optimizer rules.

#include <cstdint>
#include <string>

#include <luge/seam/detail/plan.h>

namespace luge::cuda {

/// As it is called in a kernel.
const char* type_name(DType dtype);

/// What a link reads, as an argument of this dtype: value n is called vn.
std::string input(const ChainInput& in, DType as);

/// The statements that make a link's values from those that it reads, for element number `first + k`. A value n is
/// called vn; the chain's optimizer step i, as number u = first_update + i of the kernel, has in scope
///   updateu  its ChainUpdate         step_numbersu  its rule's AtStep of set 0
///   takenu   the steps before this   commonu        its rule's Numbers of set 0
/// `id` tells links of one chain apart.
std::string statements(const Chain& chain, const Link& link, int id, int first_update);

}  // namespace luge::cuda
