// Distances between vectors.

#include <fmt/format.h>

#include <luge/ops/distance.h>

#include "both.h"

namespace luge::python {

void bind_distances(nb::module_& m, nb::class_<Tensor>& tensor) {
  m.def(
      "cdist",
      [](const Tensor& a, const Tensor& b, double p, const std::string& mode) {
        const DistanceBy by = mode == "use_mm_for_euclid_dist_if_necessary" ? DistanceBy::ProductWhereLarge
                              : mode == "use_mm_for_euclid_dist"            ? DistanceBy::Product
                              : mode == "donot_use_mm_for_euclid_dist"
                                  ? DistanceBy::Difference
                                  : throw ValueError(fmt::format(
                                        "cdist: compute_mode is '{}'; it must be 'use_mm_for_euclid_dist_if_necessary', "
                                        "'use_mm_for_euclid_dist' or 'donot_use_mm_for_euclid_dist'",
                                        mode));
        const Unlocked unlocked(kQuick);
        return cdist(a, b, p, by);
      },
      "x1"_a, "x2"_a, "p"_a = 2.0, "compute_mode"_a = "use_mm_for_euclid_dist_if_necessary",
      "The p-norm of the difference between all vectors of x1 and all of x2: (..., n, d) and (..., m, d) give (..., n, m). For p = 2 a "
      "matrix product computes it where one side has more than 25 vectors, which costs digits between close ones. The gradient at a "
      "distance of 0 is 0. Raises ShapeError, DTypeError, and ValueError for p < 0.\n\n"
      ">>> luge.cdist(luge.tensor([[0.0, 0.0]]), luge.tensor([[3.0, 4.0]]))\ntensor([[5.]])");
  m.def(
      "pdist",
      [](const Tensor& x, double p) {
        const Unlocked unlocked(kQuick);
        return pdist(x, p);
      },
      "input"_a, "p"_a = 2.0,
      "The p-norm of the difference between the rows of a matrix, each pair once: 0 and 1, 0 and 2, ... Raises ShapeError, DTypeError, and "
      "ValueError for p < 0.\n\n>>> luge.pdist(luge.tensor([[0.0, 0.0], [3.0, 4.0]]))\ntensor([5.])");
  def_both(
      m, tensor, "dist",
      [](const Tensor& a, const Tensor& b, double p) {
        const Unlocked unlocked(a, b);
        return dist(a, b, p);
      },
      "The p-norm of the difference of two tensors, broadcast, as one number. Raises ShapeError, and DTypeError for integers.\n\n"
      ">>> luge.dist(luge.tensor([0.0, 0.0]), luge.tensor([3.0, 4.0]))\ntensor(5.)",
      "other"_a, "p"_a = 2.0);
}

}  // namespace luge::python
