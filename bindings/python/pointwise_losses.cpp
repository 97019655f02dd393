// The losses of luge.nn.functional, beside cross_entropy (losses.cpp).

#include <fmt/format.h>

#include <luge/ops/margin_loss.h>
#include <luge/ops/pointwise_loss.h>
#include <luge/ops/similarity.h>

#include "losses.h"
#include "out.h"

namespace luge::python {

namespace {

using Weight = std::optional<Tensor>;

Tensor defined(const Weight& weight) { return weight.value_or(Tensor()); }

std::string text(const char* does, const char* call, const char* result) {
  return fmt::format("{} `reduction`: 'mean', 'sum', 'none', or 'per_set' as in mse_loss.\n\n>>> luge.nn.functional.{}\ntensor({})",
                     does, call, result);
}

void bind_distances(nb::module_& own) {
  const auto weighted = [](Tensor (*f)(const Tensor&, const Tensor&, Reduction, const Tensor&), const char* name) {
    return [f, name](const Tensor& input, const Tensor& target, const std::string& reduction, const Weight& weight) {
      const Reduction how = reduction_of(name, reduction);
      const Unlocked unlocked(input, target);
      return f(input, target, how, defined(weight));
    };
  };
  own.def("mse_loss", weighted(&mse_loss, "mse_loss"), "input"_a, "target"_a, "reduction"_a = "mean", "weight"_a = nb::none(),
          text("(input - target)^2, of equal shapes; nothing broadcasts. With `weight` a mean is divided by the sum of "
               "weights. A mean over sets divides every set's step by their number: take 'per_set', then sum().",
               "mse_loss(luge.tensor([1.0, 3.0]), luge.tensor([1.0, 1.0]))", "2.")
              .c_str());
  own.def("l1_loss", weighted(&l1_loss, "l1_loss"), "input"_a, "target"_a, nb::kw_only(), "reduction"_a = "mean",
          "weight"_a = nb::none(),
          text("|input - target|, of equal shapes; nothing broadcasts. With `weight` a mean is divided by the sum of weights.",
               "l1_loss(luge.tensor([1.0, 3.0]), luge.tensor([1.0, 1.0]))", "1.")
              .c_str());
  own.def(
      "smooth_l1_loss",
      [](const Tensor& input, const Tensor& target, const std::string& reduction, double beta) {
        const Reduction how = reduction_of("smooth_l1_loss", reduction);
        const Unlocked unlocked(input, target);
        return smooth_l1_loss(input, target, how, beta);
      },
      "input"_a, "target"_a, nb::kw_only(), "reduction"_a = "mean", "beta"_a = 1.0,
      text("d^2 / (2 beta) where the distance d is below beta, d - beta / 2 elsewhere. Raises ValueError for beta < 0.",
           "smooth_l1_loss(luge.tensor([1.0, 3.0]), luge.tensor([1.0, 1.0]))", "0.7500")
          .c_str());
  own.def(
      "huber_loss",
      [](const Tensor& input, const Tensor& target, const std::string& reduction, double delta, const Weight& weight) {
        const Reduction how = reduction_of("huber_loss", reduction);
        const Unlocked unlocked(input, target);
        return huber_loss(input, target, how, delta, defined(weight));
      },
      "input"_a, "target"_a, "reduction"_a = "mean", "delta"_a = 1.0, "weight"_a = nb::none(),
      text("d^2 / 2 where the distance d is up to delta, delta * (d - delta / 2) elsewhere. Raises ValueError for delta <= 0.",
           "huber_loss(luge.tensor([1.0, 3.0]), luge.tensor([1.0, 1.0]), delta=2.0)", "1.")
          .c_str());
}

void bind_likelihoods(nb::module_& own) {
  own.def(
      "binary_cross_entropy",
      [](const Tensor& input, const Tensor& target, const Weight& weight, const std::string& reduction) {
        const Reduction how = reduction_of("binary_cross_entropy", reduction);
        const Unlocked unlocked(input, target);
        return binary_cross_entropy(input, target, how, defined(weight));
      },
      "input"_a, "target"_a, "weight"_a = nb::none(), nb::kw_only(), "reduction"_a = "mean",
      text("-(target * log(input) + (1 - target) * log(1 - input)) of probabilities, with logarithms of -100 and more. Raises "
           "ValueError for an input outside [0, 1] (on a GPU its loss is NaN).",
           "binary_cross_entropy(luge.tensor([0.5]), luge.tensor([1.0]))", "0.6931")
          .c_str());
  own.def(
      "binary_cross_entropy_with_logits",
      [](const Tensor& input, const Tensor& target, const Weight& weight, const std::string& reduction,
         const Weight& pos_weight) {
        const Reduction how = reduction_of("binary_cross_entropy_with_logits", reduction);
        const Unlocked unlocked(input, target);
        return binary_cross_entropy_with_logits(input, target, how, defined(weight), defined(pos_weight));
      },
      "input"_a, "target"_a, "weight"_a = nb::none(), nb::kw_only(), "reduction"_a = "mean", "pos_weight"_a = nb::none(),
      text("binary_cross_entropy of sigmoid(input), without overflow. `pos_weight` multiplies the term of the target and is "
           "broadcast.",
           "binary_cross_entropy_with_logits(luge.tensor([0.0]), luge.tensor([1.0]))", "0.6931")
          .c_str());
  own.def(
      "kl_div",
      [](const Tensor& input, const Tensor& target, const std::string& reduction, bool log_target) {
        const bool batch_mean = reduction == "batchmean";
        const KlDivOptions options{.log_target = log_target,
                                   .batch_mean = batch_mean,
                                   .reduction = batch_mean ? Reduction::Sum : reduction_of("kl_div", reduction)};
        const Unlocked unlocked(input, target);
        return kl_div(input, target, options);
      },
      "input"_a, "target"_a, nb::kw_only(), "reduction"_a = "mean", "log_target"_a = false,
      text("target * (log(target) - input): the Kullback-Leibler divergence of logarithms of probabilities from a target, of "
           "probabilities or, with `log_target`, of logarithms. reduction='batchmean' is the sum over the size of dimension 0.",
           "kl_div(luge.tensor([-1.0, -1.0]), luge.tensor([1.0, 1.0]))", "1.")
          .c_str());
  own.def(
      "poisson_nll_loss",
      [](const Tensor& input, const Tensor& target, bool log_input, bool full, double eps, const std::string& reduction) {
        const PoissonOptions options{
            .log_input = log_input, .full = full, .eps = eps, .reduction = reduction_of("poisson_nll_loss", reduction)};
        const Unlocked unlocked(input, target);
        return poisson_nll_loss(input, target, options);
      },
      "input"_a, "target"_a, "log_input"_a = true, "full"_a = false, nb::kw_only(), "eps"_a = 1e-8, "reduction"_a = "mean",
      text("exp(input) - target * input, or of rates input - target * log(input + eps); `full` adds Stirling's approximation "
           "of the target's factorial for targets above 1.",
           "poisson_nll_loss(luge.tensor([0.0]), luge.tensor([2.0]))", "1.")
          .c_str());
  own.def(
      "gaussian_nll_loss",
      [](const Tensor& input, const Tensor& target, nb::handle var, bool full, double eps, const std::string& reduction) {
        const Reduction how = reduction_of("gaussian_nll_loss", reduction);
        const Tensor variance =
            is_tensor(var) ? as_tensor(var)
                           : full_like(input, scalar("gaussian_nll_loss", "var", var).to_double());
        const Unlocked unlocked(input, target);
        return gaussian_nll_loss(input, target, variance, full, eps, how);
      },
      "input"_a, "target"_a, "var"_a, "full"_a = false, "eps"_a = 1e-6, "reduction"_a = "mean",
      nb::sig("def gaussian_nll_loss(input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = "
              "1e-06, reduction: str = 'mean') -> Tensor"),
      text("(log(var) + (input - target)^2 / var) / 2, with var of eps and more; `full` adds log(2 pi) / 2. Raises ValueError "
           "for a var below 0.",
           "gaussian_nll_loss(luge.tensor([1.0]), luge.tensor([3.0]), luge.tensor([1.0]))", "2.")
          .c_str());
  own.def(
      "nll_loss",
      [](const Tensor& input, const Tensor& target, const Weight& weight, std::int64_t ignore_index,
         const std::string& reduction) {
        const NllOptions options{
            .weight = defined(weight), .ignore_index = ignore_index, .reduction = reduction_of("nll_loss", reduction)};
        const Unlocked unlocked(input);
        return nll_loss(input, target, options);
      },
      "input"_a, "target"_a, "weight"_a = nb::none(), nb::kw_only(), "ignore_index"_a = -100, "reduction"_a = "mean",
      text("-input[target] of logarithms of probabilities, whose classes are dimension 1, or 0 of one sample. Labels of "
           "`ignore_index` count for nothing; others outside [0, classes) raise IndexError on the CPU. `weight`: one for each "
           "class.",
           "nll_loss(luge.tensor([[-1.0, -2.0]]), luge.tensor([1]))", "2.")
          .c_str());
}

void bind_margins(nb::module_& own) {
  own.def(
      "hinge_embedding_loss",
      [](const Tensor& input, const Tensor& target, double margin, const std::string& reduction) {
        const Reduction how = reduction_of("hinge_embedding_loss", reduction);
        const Unlocked unlocked(input, target);
        return hinge_embedding_loss(input, target, margin, how);
      },
      "input"_a, "target"_a, "margin"_a = 1.0, nb::kw_only(), "reduction"_a = "mean",
      text("input where target is 1, max(0, margin - input) where it is -1.",
           "hinge_embedding_loss(luge.tensor([0.5, 0.25]), luge.tensor([1, -1]), reduction='sum')", "1.2500")
          .c_str());
  const auto pairs = [](Tensor (*f)(const Tensor&, const Tensor&, const Tensor&, double, Reduction), const char* name) {
    return [f, name](const Tensor& a, const Tensor& b, const Tensor& target, double margin, const std::string& reduction) {
      const Reduction how = reduction_of(name, reduction);
      const Unlocked unlocked(a, b);
      return f(a, b, target, margin, how);
    };
  };
  own.def("margin_ranking_loss", pairs(&margin_ranking_loss, "margin_ranking_loss"), "input1"_a, "input2"_a, "target"_a,
          "margin"_a = 0.0, nb::kw_only(), "reduction"_a = "mean",
          text("max(0, -target * (input1 - input2) + margin).",
               "margin_ranking_loss(luge.tensor([1.0]), luge.tensor([3.0]), luge.tensor([1]))", "2.")
              .c_str());
  own.def("cosine_embedding_loss", pairs(&cosine_embedding_loss, "cosine_embedding_loss"), "input1"_a, "input2"_a, "target"_a,
          "margin"_a = 0.0, nb::kw_only(), "reduction"_a = "mean",
          text("1 - cos where target is 1, max(0, cos - margin) where it is -1, with the cosine of the angle between the rows "
               "of (batch, size), or between two vectors.",
               "cosine_embedding_loss(luge.ones(1, 2), luge.ones(1, 2), luge.tensor([-1]), margin=0.5)", "0.5000")
              .c_str());
  own.def(
      "soft_margin_loss",
      [](const Tensor& input, const Tensor& target, const std::string& reduction) {
        const Reduction how = reduction_of("soft_margin_loss", reduction);
        const Unlocked unlocked(input, target);
        return soft_margin_loss(input, target, how);
      },
      "input"_a, "target"_a, nb::kw_only(), "reduction"_a = "mean",
      text("log(1 + exp(-target * input)), without overflow.", "soft_margin_loss(luge.tensor([0.0]), luge.tensor([1.0]))",
           "0.6931")
          .c_str());
  own.def(
      "triplet_margin_loss",
      [](const Tensor& anchor, const Tensor& positive, const Tensor& negative, double margin, double p, double eps, bool swap,
         const std::string& reduction) {
        const TripletOptions options{
            .margin = margin, .p = p, .eps = eps, .swap = swap, .reduction = reduction_of("triplet_margin_loss", reduction)};
        const Unlocked unlocked(anchor, positive);
        return triplet_margin_loss(anchor, positive, negative, options);
      },
      "anchor"_a, "positive"_a, "negative"_a, "margin"_a = 1.0, "p"_a = 2.0, "eps"_a = 1e-6, "swap"_a = false, nb::kw_only(),
      "reduction"_a = "mean",
      text("max(0, |anchor - positive| - |anchor - negative| + margin), p-norms along the last dimension. Raises ValueError for "
           "margin <= 0.",
           "triplet_margin_loss(luge.zeros(1, 1), luge.zeros(1, 1), luge.ones(1, 1), margin=2.0)", "1.0000")
          .c_str());
  own.def(
      "multilabel_soft_margin_loss",
      [](const Tensor& input, const Tensor& target, const Weight& weight, const std::string& reduction) {
        const Reduction how = reduction_of("multilabel_soft_margin_loss", reduction);
        const Unlocked unlocked(input, target);
        return multilabel_soft_margin_loss(input, target, defined(weight), how);
      },
      "input"_a, "target"_a, "weight"_a = nb::none(), nb::kw_only(), "reduction"_a = "mean",
      text("binary_cross_entropy_with_logits, averaged over the last dimension.",
           "multilabel_soft_margin_loss(luge.zeros(1, 2), luge.ones(1, 2))", "0.6931")
          .c_str());
  own.def(
      "multi_margin_loss",
      [](const Tensor& input, const Tensor& target, int p, double margin, const Weight& weight, const std::string& reduction) {
        const MultiMarginOptions options{
            .p = p, .margin = margin, .weight = defined(weight), .reduction = reduction_of("multi_margin_loss", reduction)};
        const Unlocked unlocked(input);
        return multi_margin_loss(input, target, options);
      },
      "input"_a, "target"_a, "p"_a = 1, "margin"_a = 1.0, "weight"_a = nb::none(), nb::kw_only(), "reduction"_a = "mean",
      text("The sum over all other classes of max(0, margin - input[target] + input[class])^p, over the number of classes. "
           "Raises ValueError for a p that is not 1 or 2, IndexError.",
           "multi_margin_loss(luge.tensor([[1.0, 0.5]]), luge.tensor([0]))", "0.2500")
          .c_str());
}

void bind_similarity(nb::module_& own) {
  own.def(
      "normalize",
      [](const Tensor& x, double p, int dim, double eps, nb::handle out) {
        Tensor result;
        {
          const Unlocked unlocked(x);
          result = normalize(x, p, dim, eps);
        }
        return written("normalize", std::move(result), out);
      },
      "input"_a, "p"_a = 2.0, "dim"_a = 1, "eps"_a = 1e-12, "out"_a = nb::none(),
      nb::sig("def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> "
              "Tensor"),
      "x / max(|x|, eps), with the p-norm along `dim`.\n\n>>> luge.nn.functional.normalize(luge.tensor([[3.0, 4.0]]))\n"
      "tensor([[0.6000, 0.8000]])");
  own.def(
      "cosine_similarity",
      [](const Tensor& a, const Tensor& b, int dim, double eps) {
        const Unlocked unlocked(a, b);
        return cosine_similarity(a, b, dim, eps);
      },
      "x1"_a, "x2"_a, "dim"_a = 1, "eps"_a = 1e-8,
      "The cosine of the angle between vectors along `dim`, whose lengths count as `eps` and more; broadcast.\n\n"
      ">>> luge.nn.functional.cosine_similarity(luge.tensor([[1.0, 0.0]]), luge.tensor([[0.0, 2.0]]))\ntensor([0.])");
  own.def(
      "pairwise_distance",
      [](const Tensor& a, const Tensor& b, double p, double eps, bool keepdim) {
        const Unlocked unlocked(a, b);
        return pairwise_distance(a, b, p, eps, keepdim);
      },
      "x1"_a, "x2"_a, "p"_a = 2.0, "eps"_a = 1e-6, "keepdim"_a = false,
      "The p-norm of x1 - x2 + eps along the last dimension; broadcast.\n\n"
      ">>> luge.nn.functional.pairwise_distance(luge.tensor([[3.0, 4.0]]), luge.zeros(1, 2))\ntensor([5.0000])");
}

}  // namespace

void bind_pointwise_losses(nb::module_& m) {
  nb::module_ own = nb::borrow<nb::module_>(m.attr("_functional"));
  bind_distances(own);
  bind_likelihoods(own);
  bind_margins(own);
  bind_similarity(own);
  for (const char* const name : {"cosine_similarity", "mse_loss", "pairwise_distance"}) m.attr(name) = own.attr(name);
}

}  // namespace luge::python
