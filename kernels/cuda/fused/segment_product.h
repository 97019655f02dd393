#pragma once
// Products of small matrices as a part of a segment's kernel.

#include <cstdint>
#include <functional>
#include <string>

#include <luge/seam/call.h>

#include "../segment.cuh"

namespace luge::cuda {

/// The tile with which a block does a product of one set in the least time.
struct ProductTile {
  std::string shape;   ///< the type, as it is called in a kernel
  int teams = 0;       ///< of the block that have work
  int scratch = 0;     ///< bytes of shared memory
  bool transposed = false;
  double cycles = 0;   ///< about, of a multiprocessor that does nothing else
  int tiles = 0, across = 0;
  int blocks = 1;      ///< of a multiprocessor that it leaves registers to
};
ProductTile choose_tile(const MatMul& call);

/// What of an operand decides how it is moved: where a set's part of it begins, as far as alignment goes.
using AddressOf = std::function<std::uintptr_t(const Operand&)>;

/// The call in a kernel, of operands that are called a, b and c there, and its argument, which is called `name`.
struct ProductText {
  BlockProduct argument;
  std::string call;
};
ProductText product_text(const MatMul& call, const ProductTile& tile, const std::string& name, const AddressOf& address_of);

}  // namespace luge::cuda
