#pragma once
// THE SEAM: the call behind layer, RMS, group, instance and batch normalization. See call.h.

#include <cstdint>

#include <luge/seam/operand.h>

namespace luge {

/// Normalization of x (sets, batch, groups, channels, inner) with weights (groups, channels) for each set; float32 or
/// float64. A row is what shares its statistics: (channels, inner) of one image and group; `over_batch`, where channels
/// is 1, (batch, inner) of one group.
///   Forward   y = (x - mean) * rstd * weight + bias with rstd = 1 / sqrt(variance + eps), the variance divided by the
///             number of elements; not `centred`, mean is 0 and the variance the mean square. Statistics are written
///   Backward  with h = dy * weight and xhat = (x - mean) * rstd
///             dx (=, +=) rstd * (h - mean(h) - xhat * mean(h * xhat)); not `centred`, without mean(h)
///             dweight (=, +=) sum of dy * xhat and dbias (=, +=) sum of dy over batch and inner
/// Every operand's strides[0] is the distance of its sets, behind which there are no gaps; an input may repeat. No result
/// overlaps anything else. A row's y and dx depend on the row alone, a set's results on that set (law 7).
struct Normalization {
  Direction direction = Direction::Forward;
  bool centred = true;
  bool over_batch = false;
  std::int64_t sets = 1, batch = 1, groups = 1, channels = 1, inner = 1;
  double eps = 0;
  Operand x{};
  Operand weight{}, bias{};         ///< (groups, channels); or Absent: 1 and 0. Backward has no bias
  Operand y{};                      ///< Forward
  Operand mean{}, rstd{};           ///< one per row; Forward: both may be Absent. No mean where nothing is `centred`
  Operand variance{};               ///< Forward: one per row, or Absent
  Operand dy{}, dx{}, dweight{}, dbias{};  ///< Backward; results may be Absent
  Store store = Store::Overwrite, weight_store = Store::Overwrite, bias_store = Store::Overwrite;

  std::int64_t rows() const { return over_batch ? groups : batch * groups; }           ///< of a set
  std::int64_t row_size() const { return (over_batch ? batch : channels) * inner; }
  std::int64_t set_size() const { return batch * groups * channels * inner; }
  std::int64_t weights() const { return groups * channels; }                           ///< of a set

  const char* name() const;
  double flops() const;
  void effects(Effects& effects);
};

}  // namespace luge
