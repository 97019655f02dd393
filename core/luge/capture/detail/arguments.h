#pragma once
// Internal: the tensors that stand for the arguments of a step. What the step writes to them is copied back.

#include <cstddef>
#include <string>
#include <vector>

#include <luge/base/source_location.h>
#include <luge/capture/detail/range.h>
#include <luge/capture/detail/recorder.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// An argument that a step writes, or that must not lie in memory where the step writes something else.
struct ArgumentUse {
  std::size_t argument;
  bool is_written;
  std::vector<Range> elsewhere;  ///< where the tensor that is given must not lie; sorted, apart from one another

  /// Memory that outlives the step is no place for one that is written either.
  void keep_off(const std::vector<StepBuffer>& buffers);
};

class Arguments {
 public:
  Arguments(const std::vector<Tensor>& given, SourceLocation capture);

  const std::vector<Tensor>& inputs() const { return inputs_; }
  /// For the function: handles of its own at every run, so that a history or a leaf that it makes of them is not found again.
  std::vector<Tensor> handles() const;
  /// Throws CaptureError where the function has made a leaf of one: what was given would be none.
  void check_leaves(const std::vector<Tensor>& handles) const;
  bool take(const std::vector<Tensor>& given) const;
  /// The values of these go to the step, and what it writes will go back to them.
  void fill(const std::vector<Tensor>& given);
  /// What a recorded step does to them; nothing for most.
  std::vector<ArgumentUse> uses(const std::vector<Call>& calls) const;
  /// Throws CaptureError where what was given cannot take what the step writes, or lies in memory that the step works on.
  void check(const std::vector<ArgumentUse>& uses) const;
  /// Such steps were taken.
  void took(const std::vector<ArgumentUse>& uses);
  /// Copies back what steps have written since fill().
  void give_back();

 private:
  /// "capture (program.cpp:12): argument 0 of shape (2,)".
  std::string named_argument(std::size_t i) const;
  /// Whether what was given lies in memory of input i, or is that input: a result of the step before.
  bool is_input(const Tensor& given, std::size_t i) const;
  bool is_in_place(const Tensor& given, std::size_t i) const;
  void check_written(std::size_t i) const;

  SourceLocation capture_;
  std::vector<Tensor> inputs_;
  const std::vector<Tensor>* given_ = nullptr;  ///< from fill() to give_back()
  std::vector<std::size_t> written_;  ///< since fill()
};

}  // namespace luge
