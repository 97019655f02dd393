#pragma once

#include <cstdint>

namespace luge {

/// A sequence of random numbers of its own: a seed, and how many draws were made from it. The same seed gives the same
/// numbers on every device.
struct Generator {
  std::uint64_t seed = 0;
  std::uint64_t drawn = 0;
};

/// While it lives, rand(), randn(), randint(), randperm() and the distributions of this thread take the next numbers of
/// `generator` and not the global generator's. A draw of a step that is captured throws CaptureError: its replays would
/// draw the same numbers again.
class DrawFrom {
 public:
  explicit DrawFrom(Generator& generator);
  ~DrawFrom();
  DrawFrom(const DrawFrom&) = delete;
  DrawFrom& operator=(const DrawFrom&) = delete;

 private:
  Generator* kept_;
};

}  // namespace luge
