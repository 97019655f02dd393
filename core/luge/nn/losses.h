#pragma once
// Losses as layers that keep their options, under PyTorch's names. Each is a function of luge/ops, which says formula, shapes,
// dtypes and errors: MseLoss{Reduction::Sum}(x, y) is mse_loss(x, y, Reduction::Sum). With Reduction::PerSet the result is one
// loss for each set.

#include <luge/ops/loss.h>
#include <luge/ops/margin_loss.h>
#include <luge/ops/multilabel_loss.h>
#include <luge/ops/pointwise_loss.h>

namespace luge::nn {

/// Of an input and a target, with nothing but a reduction.
#define LUGE_LAYER(Layer, function)                                                                                        \
  struct Layer {                                                                                                           \
    Reduction reduction = Reduction::Mean;                                                                                 \
    Tensor operator()(const Tensor& input, const Tensor& target) const { return function(input, target, reduction); }      \
  };
LUGE_LAYER(MseLoss, mse_loss)
LUGE_LAYER(L1Loss, l1_loss)
LUGE_LAYER(SoftMarginLoss, soft_margin_loss)
LUGE_LAYER(MultiLabelMarginLoss, multilabel_margin_loss)
#undef LUGE_LAYER

/// With the options of the function: CrossEntropyLoss{{.label_smoothing = 0.1}}.
#define LUGE_LAYER(Layer, Options, function)                                                                          \
  struct Layer {                                                                                                      \
    Options options = {};                                                                                             \
    Tensor operator()(const Tensor& input, const Tensor& target) const { return function(input, target, options); }   \
  };
LUGE_LAYER(CrossEntropyLoss, CrossEntropyOptions, cross_entropy)
LUGE_LAYER(NllLoss, NllOptions, nll_loss)
LUGE_LAYER(KlDivLoss, KlDivOptions, kl_div)
LUGE_LAYER(PoissonNllLoss, PoissonOptions, poisson_nll_loss)
LUGE_LAYER(MultiMarginLoss, MultiMarginOptions, multi_margin_loss)
#undef LUGE_LAYER

/// smooth_l1_loss(input, target, reduction, beta).
struct SmoothL1Loss {
  Reduction reduction = Reduction::Mean;
  double beta = 1;
  Tensor operator()(const Tensor& input, const Tensor& target) const { return smooth_l1_loss(input, target, reduction, beta); }
};

/// huber_loss(input, target, reduction, delta).
struct HuberLoss {
  Reduction reduction = Reduction::Mean;
  double delta = 1;
  Tensor operator()(const Tensor& input, const Tensor& target) const { return huber_loss(input, target, reduction, delta); }
};

/// binary_cross_entropy(input, target, reduction, weight).
struct BceLoss {
  Reduction reduction = Reduction::Mean;
  Tensor weight = {};
  Tensor operator()(const Tensor& input, const Tensor& target) const { return binary_cross_entropy(input, target, reduction, weight); }
};

/// binary_cross_entropy_with_logits(input, target, reduction, weight, pos_weight).
struct BceWithLogitsLoss {
  Reduction reduction = Reduction::Mean;
  Tensor weight = {}, pos_weight = {};
  Tensor operator()(const Tensor& input, const Tensor& target) const {
    return binary_cross_entropy_with_logits(input, target, reduction, weight, pos_weight);
  }
};

/// gaussian_nll_loss(input, target, var, full, eps, reduction).
struct GaussianNllLoss {
  bool full = false;
  double eps = 1e-6;
  Reduction reduction = Reduction::Mean;
  Tensor operator()(const Tensor& input, const Tensor& target, const Tensor& var) const {
    return gaussian_nll_loss(input, target, var, full, eps, reduction);
  }
};

/// hinge_embedding_loss(input, target, margin, reduction).
struct HingeEmbeddingLoss {
  double margin = 1;
  Reduction reduction = Reduction::Mean;
  Tensor operator()(const Tensor& input, const Tensor& target) const { return hinge_embedding_loss(input, target, margin, reduction); }
};

/// margin_ranking_loss(a, b, target, margin, reduction).
struct MarginRankingLoss {
  double margin = 0;
  Reduction reduction = Reduction::Mean;
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& target) const {
    return margin_ranking_loss(a, b, target, margin, reduction);
  }
};

/// cosine_embedding_loss(a, b, target, margin, reduction).
struct CosineEmbeddingLoss {
  double margin = 0;
  Reduction reduction = Reduction::Mean;
  Tensor operator()(const Tensor& a, const Tensor& b, const Tensor& target) const {
    return cosine_embedding_loss(a, b, target, margin, reduction);
  }
};

/// multilabel_soft_margin_loss(input, target, weight, reduction).
struct MultiLabelSoftMarginLoss {
  Reduction reduction = Reduction::Mean;
  Tensor weight = {};
  Tensor operator()(const Tensor& input, const Tensor& target) const {
    return multilabel_soft_margin_loss(input, target, weight, reduction);
  }
};

/// triplet_margin_loss(anchor, positive, negative, options).
struct TripletMarginLoss {
  TripletOptions options = {};
  Tensor operator()(const Tensor& anchor, const Tensor& positive, const Tensor& negative) const {
    return triplet_margin_loss(anchor, positive, negative, options);
  }
};

}  // namespace luge::nn
