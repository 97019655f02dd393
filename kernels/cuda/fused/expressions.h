#pragma once
// The pieces of a generated kernel's text: names of types, numbers, and the calls of formulas and optimizer rules.

#include <cstdint>
#include <string>

#include <luge/plan.h>

namespace luge::cuda {

/// As it is called in a kernel.
const char* type_name(DType dtype);

/// Calls visit(T{}) with T the type of elements.
template <class Visit>
auto with_type(DType dtype, const Visit& visit) {
  switch (dtype) {
    case DType::Bool: return visit(bool{});
    case DType::Int32: return visit(int{});
    case DType::Int64: return visit(std::int64_t{});
    case DType::Float64: return visit(double{});
    default: return visit(float{});
  }
}

/// The statements that make a link's values from those that it reads, for element number `first + k`. A value n is
/// called vn; the chain's optimizer step i, as number u = first_update + i of the kernel, has in scope
///   updateu  its ChainUpdate          biasesu  its rule's Biases for set 0
///   takenu   the steps before this    commonu  its rule's Numbers for set 0
/// `id` tells links of one chain apart.
std::string statements(const Chain& chain, const Link& link, int id, int first_update);

}  // namespace luge::cuda
