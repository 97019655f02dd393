#pragma once
// Internal: recorded ops whose derivative is written in ops, once for both: for gradients, and, recorded in turn, for
// gradients of gradients.

#include <functional>
#include <initializer_list>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// What a derivative is made of.
struct Derivation {
  Tensor gradient;         ///< of the result
  std::vector<Tensor> in;  ///< the inputs; undefined where they were not saved
  Tensor out;              ///< the result; undefined unless it was saved
  std::vector<bool> wants; ///< the inputs whose gradients are wanted
};

/// Gives the gradient of each input, of its shape; undefined where it is not wanted. Recording is on (grad_enabled) where
/// the gradients are to have gradients. It returns no tensor that it was given.
using Derivative = std::function<std::vector<Tensor>(const Derivation&)>;

/// Makes `result` the recorded result of `op` on the inputs, of which all or none are saved. Nothing happens where
/// nothing is recorded.
void record_formula(const char* op, Tensor& result, std::initializer_list<Tensor> inputs, bool saves_inputs,
                    bool saves_output, Derivative derivative);

}  // namespace luge
