#include <luge/luge.h>

#include "fuzz.h"

namespace luge::fuzz {

namespace {

struct Training {
  Training() : params({.sets = 2}), w(params.add("w", {3}, init::constant(1))), adam(params, {}) {}
  checkpoint::Parts parts() { return {.params = params, .optimizer = &adam, .monitor = &monitor}; }

  Parameters params;
  Tensor w;
  Adam adam;
  Monitor monitor{{.progress = false}};
};

}  // namespace

const std::size_t bytes_of_any_input = std::size_t{1} << 20;

void read(const std::string& path) {
  // Nearly every change is found by a checksum; what is not must fit.
  Training training;
  const checkpoint::Loaded loaded = checkpoint::load(path, training.parts(), {.strict = false});
  for (const auto& [name, tensor] : loaded.extra) look_at(tensor);
  look_at(training.w.detach());
}

void make_seeds(const std::string& folder) {
  Training training;
  training.w.sum().backward();
  training.adam.step();
  training.monitor.record(training.w);
  checkpoint::save(folder + "whole", training.parts(), {.step = 1, .extra = {{"x", ones({2})}}, .notes = {{"a", "b"}}});
  checkpoint::save(folder + "params", {.params = training.params});
  checkpoint::save(folder + "none", {});
}

}  // namespace luge::fuzz
