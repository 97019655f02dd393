#pragma once
// Sliding windows, borders, and channels traded for resolution.

#include <cstdint>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge {

/// Windows of `size` along `dim`, `step` apart: dim counts windows, and what each holds is a new last dimension. A view; where
/// windows overlap, an element gets the sum of their gradients. ValueError for a negative size or one beyond the dimension, and
/// for a step below 1.
Tensor unfold(const Tensor& x, int dim, std::int64_t size, std::int64_t step);

/// What stands in a border.
enum class PadMode : std::uint8_t {
  Constant,
  Reflect,   ///< the elements mirrored at the outermost one, which is not repeated
  Replicate, ///< the outermost element
  Circular   ///< the elements of the other end
};

/// Borders as torch.nn.functional.pad takes them: {before, after} of the last dimension, then of the one before it, ...
/// Negative ones cut off. The modes other than Constant pad the last 1, 2 or 3 dimensions of a tensor with one or two
/// dimensions before them. ValueError for an odd number, for borders that do not fit the mode, and for a negative size.
Tensor pad(const Tensor& x, const std::vector<std::int64_t>& pads, PadMode mode = PadMode::Constant, Scalar value = 0);

/// Vectors with a 1 at each label's place in a new last dimension, of `classes`; int64. -1 classes: the largest label plus 1, which
/// is read on the host. Labels are int64. ValueError for labels outside [0, classes), where they are read.
Tensor one_hot(const Tensor& labels, std::int64_t classes = -1, SourceLocation location = SourceLocation::current());

/// (..., c r^2, h, w) -> (..., c, h r, w r), and back.
Tensor pixel_shuffle(const Tensor& x, std::int64_t factor);
Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor);
/// (n, c, ...) with channels dealt from `groups` groups in turn.
Tensor channel_shuffle(const Tensor& x, std::int64_t groups);

}  // namespace luge
