#pragma once
// Internal: tensors as a dialect of the formulas in core/luge/math/elementwise.h, so that the derivative that kernels
// compute is a piece of graph, too, and has derivatives of its own.

#include <memory>

#include <luge/seam/op.h>
#include <luge/tensor/tensor.h>

namespace luge::symbolic {

/// A value of a formula: a tensor, a number, or an operation on such values that is computed when somebody asks for
/// it, and then once. Formulas give the gradients of all inputs; what nobody asks for costs nothing.
class Expression {
 public:
  /// An input that was not kept, because no gradient that is wanted reads it.
  Expression() = default;
  explicit Expression(double number);
  explicit Expression(const Tensor& tensor);
  using Function = Tensor (*)(const Tensor&);
  /// `function` is null where luge has no operation of this name.
  Expression(const char* name, Function function, const Expression& x);
  Expression(Op op, const Expression& a, const Expression& b);
  Expression(const Expression& condition, const Expression& yes, const Expression& no);

  /// The value as a tensor: recorded ops on the tensors of the formula. `like` tells dtype and device of a number.
  /// AutogradError for a function that luge has no operation for.
  Tensor tensor(const Tensor& like) const;

 private:
  struct State;
  /// A number stays one.
  const State& evaluated(const Tensor& like) const;

  std::shared_ptr<State> state_;
};

/// The gradients of an op's inputs, by its formula. `in` holds dy, the inputs and the output; `out` as many gradients
/// as there are inputs. `op` is differentiable, and not Where.
void differentiate(Op op, const Expression* in, const double* parameters, Expression* out);

}  // namespace luge::symbolic
