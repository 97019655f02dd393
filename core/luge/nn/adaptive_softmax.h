#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <luge/nn/linear.h>

namespace luge::nn {

struct AdaptiveLogSoftmaxOptions {
  double div_value = 4;    ///< how many times fewer features each further cluster has
  bool head_bias = false;
};

/// log_softmax over many classes in clusters, the frequent classes first (Grave et al., arXiv:1609.04309). Parameters are those of
/// PyTorch's state_dict, "name.head.weight", "name.tail.0.0.weight", ... All clusters are computed for all samples, so that a
/// step can be captured. Without sets.
class AdaptiveLogSoftmax {
 public:
  /// `cutoffs`: the classes that clusters begin with. Throws ValueError unless they rise from 1 or more to classes - 1 or less, for
  /// features that leave a cluster none, an arena with sets and names in use; then nothing has been added.
  AdaptiveLogSoftmax(Parameters& params, std::string_view name, std::int64_t in_features, std::int64_t classes,
                     std::vector<std::int64_t> cutoffs, AdaptiveLogSoftmaxOptions options = {});

  /// The log-probabilities of all classes: x (..., in) -> (..., classes). Throws ShapeError.
  Tensor log_prob(const Tensor& x) const;
  /// Those of the labels: x (batch, in) with labels (batch), or (in) with one label. Their mean, with the sign changed, is the
  /// loss. Throws ShapeError, IndexError.
  Tensor operator()(const Tensor& x, const Tensor& target) const;

 private:
  struct Cluster {
    Linear down, up;
  };
  std::string name_;
  std::int64_t first_;  ///< classes of the head
  std::optional<Linear> head_;
  std::vector<Cluster> tail_;
};

}  // namespace luge::nn
