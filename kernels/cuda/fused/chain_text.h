#pragma once
// What one chain adds to the text of a kernel, and to its arguments.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <luge/seam/detail/plan.h>

#include "../chain.cuh"
#include "source.h"

namespace luge::cuda {

/// Lines, further to the right.
std::string indented(std::string_view text, std::size_t columns);

/// A kernel that grows chain by chain. Names of arguments end in running numbers.
struct KernelText {
  template <class T>
  T* parameter(const std::string& type, const std::string& name, const T& value) {
    parameters += (parameters.empty() ? "\n    const " : ",\n    const ") + type + " " + name;
    return kernel.arguments.add(value);
  }

  const Allocate& allocate;
  ChainKernel kernel{};
  std::string parameters{};
  int chains = 0, loads = 0, stores = 0, updates = 0, sums = 0, recordings = 0;
};

/// What is said once for the whole kernel, and the loop or loops over the chain's elements.
struct ChainParts {
  std::string before;  ///< once per thread
  std::string wait;    ///< then, with Steps::One: what a block computes together
  std::string body;    ///< of a block of its own; with Steps::BySets for one step of a lane's set
  std::string fence;   ///< before the last block is found
  std::string group;   ///< by the warp that finishes a group of a total's chunks
  std::string last;    ///< by the last block
};

/// A window on the elements of sets, the first dimension. None where a set has more than two dimensions in memory.
std::optional<SetWindow> set_window(const Extent& extent, const Operand& window);

/// What is loaded of a run of a chain's elements; of a number for many elements nothing.
std::size_t run_bytes(const Chain& chain);

/// How many runs of a chain's elements a lane holds at once. With Steps::One enough of them to keep memory busy, with
/// Steps::Many as many as leave registers to other warps, or all of a chunk where each step's losses are summarised.
int runs_at_once(const Chain& chain, Steps steps);

/// A chain's elements in the rows that are reduced; with Steps::BySets, of each of `sets` as many.
ChainSpace space_of(const Chain& chain, Steps steps, std::int64_t sets);

/// Adds a chain. With Steps::BySets in scope of its body are `sets`, the SetWalk, and `step`.
ChainParts add_chain(KernelText& text, const Chain& chain, Steps steps, const ChainSpace& space, std::int64_t sets);

}  // namespace luge::cuda
