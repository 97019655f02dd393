#pragma once
// Losses with a margin: of pairs and triplets that are to be near or far, and of classes that are to be ranked. Of halves
// all steps but the last are float32. A margin's bound has no gradient beyond it.

#include <luge/ops/loss.h>

namespace luge {

/// input where target is 1, max(0, margin - input) where it is -1; broadcast.
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin = 1,
                            Reduction reduction = Reduction::Mean);
/// max(0, -target (a - b) + margin): a is to be above b where target is 1, below where it is -1. All of as many
/// dimensions; broadcast. Throws ShapeError.
Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin = 0,
                           Reduction reduction = Reduction::Mean);
/// 1 - cos(a, b) where target is 1, max(0, cos(a, b) - margin) where it is -1: a and b (batch, size) with target (batch), or
/// (size) with target of no dimensions. Throws ShapeError.
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin = 0,
                             Reduction reduction = Reduction::Mean);
/// log(1 + exp(-target input)), without overflow.
Tensor soft_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::Mean);

/// As the arguments of torch.nn.functional.triplet_margin_loss.
struct TripletOptions {
  double margin = 1;
  double p = 2;        ///< of the norm
  double eps = 1e-6;   ///< added to every difference
  bool swap = false;   ///< the smaller of the two distances to the negative example, Balntas et al. (2016)
  Reduction reduction = Reduction::Mean;
};
/// max(0, |anchor - positive| - |anchor - negative| + margin), norms along the last dimension; broadcast. Throws
/// ShapeError for different numbers of dimensions, ValueError for a margin of 0 or less.
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletOptions& options = {});

/// The mean over classes, the last dimension, of -(target log(sigmoid(input)) + (1 - target) log(sigmoid(-input))) weight;
/// a weight that is defined is broadcast. Throws ShapeError.
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const Tensor& weight = {},
                                   Reduction reduction = Reduction::Mean);

/// As the arguments of torch.nn.functional.multi_margin_loss.
struct MultiMarginOptions {
  int p = 1;  ///< 1 or 2
  double margin = 1;
  Tensor weight = {};  ///< one for each class
  Reduction reduction = Reduction::Mean;
};
/// The sum over classes i but the target's of max(0, margin - input[target] + input[i])^p, over the number of classes:
/// input (batch, classes) with labels (batch), or (classes) with one label. Throws ShapeError, ValueError, IndexError.
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const MultiMarginOptions& options = {});

}  // namespace luge
