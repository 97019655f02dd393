#pragma once
// Internal: values that are picked from, or put to, places along one dimension of a tensor.

#include <optional>

#include <luge/seam/call.h>
#include <luge/tensor/tensor.h>

namespace luge {

/// x with the value [.., i, ..] put at, or folded into, what stands at [.., labels[.., i, ..], ..].
struct Edit {
  const char* op;
  int dim;
  Tensor labels;  ///< int64, in range, of x's number of dimensions; sizes are those of the values, or 1, which repeats
  Tensor values;  ///< of x's dtype; along the other dimensions not larger than x
  /// Nothing: the value takes the place, of equal labels the last one. Sums of bools are "or", products "and".
  std::optional<Fold> fold = {};
  /// Of Min and Max: what x holds at labelled places loses against every value, and gets no gradient.
  bool alone = false;
};

/// The edited tensor, recorded.
Tensor edited(const Tensor& x, const Edit& edit);
/// The same in place, a part of the graph as copy_() is. Throws what check_writable() does.
void edit_in_place(Tensor& x, const Edit& edit);
/// The same without a graph, of memory that has been checked; windows in x may overlap.
void write_in_place(const Tensor& x, const Edit& edit);

/// Whether a label may stand more than once in a line along the dimension.
enum class Repeats : bool { No, Yes };

/// out[.., i, ..] = x[.., labels[.., i, ..], ..] of `shape`, recorded. Labels are as an Edit's.
Tensor picked(const char* op, const Tensor& x, int dim, const Tensor& labels, const Shape& shape,
              Repeats repeats = Repeats::Yes);
/// The call of the seam; not recorded. `fold` of Backward: nothing overwrites.
void run_gather(Direction direction, const Tensor& source, int dim, const Tensor& labels, const Tensor& out,
                std::optional<Fold> fold = Fold::Sum, Repeats repeats = Repeats::Yes);

/// A vector's shape along one of `ndim` dimensions.
Shape column(int ndim, int dim, std::int64_t size);

/// A 0-d tensor as one of a single element, which is indexed like any other.
inline Tensor lifted(const Tensor& x) { return x.ndim() == 0 ? x.view({1}) : x; }

/// Throws DeviceError where a tensor and its index, or another argument, are on two devices.
void check_same_device(const char* op, const Tensor& x, const char* argument, const Tensor& other);

}  // namespace luge
