#pragma once
// Measures cases on one device. Each is written as a line of JSON as soon as it is known, so that a run that is
// stopped leaves what it had; one that fails is a line, too, and the next one follows.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <luge/tensor/tensor.h>

namespace luge::bench {

struct Settings {
  Device device = {};
  bool small = false;               ///< sizes for a rehearsal, which takes seconds where kernels run on the host
  double seconds = 0.2;             ///< for one case
  std::vector<std::string> groups = {};  ///< empty: all
  std::FILE* output = stdout;
};

/// bench/against/compare_gpu.py measures cases of the same names.
struct Case {
  std::string name = {};            ///< "elementwise/exp/forward"
  std::string way = "eager";        ///< "captured", ...
  double bytes = 0, flops = 0;      ///< of one step, at least; 0: no such figure
};

struct Work {
  std::function<void()> step = {};       ///< queues it; nothing waits in between
  std::function<double()> error = {};    ///< relative, against float64; called once, before steps are timed; may be empty
  std::int64_t steps = 1;           ///< that one call of step makes
};

class Session {
 public:
  explicit Session(Settings settings) : settings_(std::move(settings)) {}

  Device device() const { return settings_.device; }
  /// The size to be measured, or, in a rehearsal, the small one.
  std::int64_t size(std::int64_t real, std::int64_t small) const { return settings_.small ? small : real; }
  bool wants(const std::string& group) const;
  void measure(const Case& what, const std::function<Work()>& prepare) const;

 private:
  Settings settings_;
};

/// A copy on the host in float64, without a graph.
Tensor exact(const Tensor& tensor);
/// |got - reference| / |reference| in the 2-norm; 0 where the two are equal.
double relative_error(const Tensor& got, const Tensor& reference);

void measure_ceilings(const Session& session);
void measure_elementwise(const Session& session);
void measure_reductions(const Session& session);
void measure_rows(const Session& session);      ///< softmax, log_softmax, cross entropy
void measure_adam(const Session& session);
void measure_matmul(const Session& session);
void measure_demo(const Session& session);
void measure_mlp(const Session& session);
void measure_ensemble(const Session& session);  ///< thousands of small networks at once

}  // namespace luge::bench
