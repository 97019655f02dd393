// A training of 20 steps, written for TensorBoard in two files. Usage: tensorboard_training FOLDER

#include <cstdio>

#include <luge/luge.h>

using namespace luge;

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tensorboard_training FOLDER\n");
    return 2;
  }
  Monitor monitor({.keep_sets = 3, .progress = false});
  const auto train = [&](int from, int to) {
    for (int step = from; step < to; ++step) monitor.record(arange(3).to(float32) + step / 8.0);
  };
  train(0, 10);
  monitor.write_tensorboard(argv[1]);
  train(10, 20);
  monitor.distribution("x", cat({tensor({1, 2, 3, 10}), tensor({0}).log()}, 0), {.bins = 3});
  monitor.write_tensorboard(argv[1], {.hparams = {{"lr", 0.25}, {"rule", "Adam"}, {"nesterov", true}, {"layers", 3}},
                                      .metrics = {{"accuracy", 0.5}}});
} catch (const Error& error) {
  std::fprintf(stderr, "tensorboard_training: %s\n", error.what());
  return 1;
}
