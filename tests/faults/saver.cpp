// Saves checkpoints for faults.py to get in the way of. `saver check PATH` prints the step of a checkpoint whose
// contents are what they were; `saver save PATH STEP` writes one; `saver loop PATH` writes one after the other.

#include <cstdio>
#include <cstdlib>
#include <string>

#include <luge/luge.h>

namespace {

using namespace luge;

/// A training of which every number tells the step.
struct Training {
  Training() : params({.sets = 50}), w(params.add("w", {40}, init::zeros())), optimizer(params, {}) {}

  void become(std::int64_t step) {
    const NoGrad guard;
    w.fill_(step);
    for (auto& [name, state] : optimizer.named_state())
      if (name.starts_with("exp_avg")) state.fill_(step);
  }
  bool is_at(std::int64_t step) {
    const NoGrad guard;
    bool all = w.eq(step).all().item<bool>();
    for (auto& [name, state] : optimizer.named_state())
      if (name.starts_with("exp_avg")) all = all && state.eq(step).all().item<bool>();
    return all;
  }
  checkpoint::Parts parts() { return {.params = params, .optimizer = &optimizer}; }

  Parameters params;
  Tensor w;
  Adam optimizer;
};

}  // namespace

int main(int count, char** arguments) try {
  const std::string mode = count > 2 ? arguments[1] : "", path = count > 2 ? arguments[2] : "";
  Training training;
  if (mode == "check") {
    const std::int64_t step = checkpoint::load(path, training.parts()).step;
    if (!training.is_at(step)) throw Error("the checkpoint of step " + std::to_string(step) + " holds something else");
    std::printf("%lld\n", static_cast<long long>(step));
    return 0;
  }
  if (mode == "save" && count > 3) {
    const std::int64_t step = std::atoll(arguments[3]);
    training.become(step);
    checkpoint::save(path, training.parts(), {.step = step});
    return 0;
  }
  if (mode == "loop")
    for (std::int64_t step = 0;; ++step) {
      training.become(step);
      checkpoint::save(path, training.parts(), {.step = step});
    }
  std::fprintf(stderr, "saver check|save|loop PATH [STEP]\n");
  return 2;
} catch (const luge::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
