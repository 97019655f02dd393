#pragma once
// The parts of a segment, or the items of a plan, fused: products that read a bias where it lies, and that end in an
// activation.

#include <cstdint>
#include <functional>
#include <variant>
#include <vector>

#include <luge/seam/detail/copies.h>

#include "../matmul/fusion.h"

namespace luge::cpu {

/// A part of a segment, whose first dimension is that of the sets, or an item of a plan.
struct SetPart {
  std::variant<Call, Chain> work;
  ProductFusion fusion;  ///< of a MatMul
};

/// Calls visit(effect) for everything that a part touches, what a product is fused with too. *effect.data may be changed.
void for_each_effect(SetPart& part, const Effects::Visit& visit);

/// Whether c is one block of rows, in each of the sets if there are some.
bool is_block(const MatMul& product);

/// Whether a part touches the first, or writes the second.
bool disturbs(const SetPart& part, const Bytes& touched, const Bytes& written);

/// Takes out a relu, or its gradient, of all that a product makes, where nobody else reads that: the product does it to
/// what is in registers. `locals`: memory that nobody reads behind the parts; of so many sets.
void fuse_activations(std::vector<SetPart>& parts, const std::vector<SetSegment::Local>& locals, std::int64_t sets);

/// The same items, fused: without copies that products read past (copies.h), then without activations.
std::vector<SetPart> fused_parts(const std::vector<Plan::Item>& items, const std::vector<SetSegment::Local>& locals,
                                 std::int64_t sets);

}  // namespace luge::cpu
