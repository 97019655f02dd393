#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <luge/train/optimizer.h>

namespace luge {

/// What a matrix (rows, columns) multiplies the learning rate with, as adjust_lr_fn of torch.optim.Muon.
enum class MuonRate : std::uint8_t {
  Original,          ///< sqrt(max(1, rows / columns)), Jordan's
  MatchRmsAdamW,     ///< 0.2 sqrt(max(rows, columns)): steps as long as AdamW's (Liu et al., arXiv:2502.16982)
  SpectralUnclamped  ///< sqrt(rows / columns)
};

struct MuonOptions {
  PerSet lr = 1e-3;
  PerSet weight_decay = 0.1;
  PerSet momentum = 0.95;
  bool nesterov = true;
  std::array<double, 3> ns_coefficients = {3.4445, -4.775, 2.0315};  ///< of x, x^3 and x^5 in an iteration
  double eps = 1e-7;                                                ///< the least norm that a matrix is divided by
  int ns_steps = 5;                                                 ///< iterations; from 0 to 99
  MuonRate rate = MuonRate::Original;
};

/// Muon (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024), as torch.optim.Muon, for matrices: a
/// moving average of the gradients, orthogonalized by Newton-Schulz iterations in bfloat16, with decoupled weight decay:
///
///   buffer += (1 - momentum) (gradient - buffer)
///   update = orthogonalized(nesterov ? gradient + momentum (buffer - gradient) : buffer)
///   p = (1 - lr weight_decay) p - lr ratio update
///
/// With sets each set's matrix is orthogonalized alone. The buffers, "momentum_buffer", are blocks of the arena's layout. A step
/// may be captured, and is as many kernel calls for each matrix as the formula has. What is no matrix has an optimizer of its
/// own: `Muon muon({hidden.weight()}); AdamW others({hidden.bias(), ...});`
///
/// Throws as every optimizer does, and ValueError for a parameter that is no matrix.
class Muon : public Optimizer {
 public:
  using Group = ParameterGroup<MuonOptions>;
  explicit Muon(const Parameters& parameters, const MuonOptions& options = {});
  explicit Muon(const std::vector<Tensor>& leaves, const MuonOptions& options = {});
  explicit Muon(const std::vector<Group>& groups);

  void step() override;
  /// Adds a group of further matrices.
  void add_group(const Group& group);

 private:
  std::vector<MuonOptions> options_;  ///< of each group what is no hyperparameter in device memory
};

/// One step of one matrix (rows, columns), or of one for each set (sets, rows, columns), in place and outside of the graph: what
/// Muon::step does. `lr`, `weight_decay` and `momentum` have shape () or (sets). Sets for which `stepped`, (sets) or (1)
/// without sets, is 0 stay as they are; undefined: all are stepped.
struct MuonStep {
  Tensor lr, weight_decay, momentum, stepped = {};
};
void muon_step_(Tensor& p, const Tensor& gradient, Tensor& buffer, const MuonStep& step, const MuonOptions& options);

}  // namespace luge
