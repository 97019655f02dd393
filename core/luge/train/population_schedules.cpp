// Successive halving and Hyperband as plain numbers.

#include <luge/train/population.h>

#include <algorithm>

#include <luge/base/detail/check.h>

namespace luge::population {

namespace {

void check_eta(const char* op, std::int64_t eta) {
  LUGE_CHECK(ValueError, eta >= 2, "{}: eta is {}; it must be 2 or more", op, eta);
}

}  // namespace

std::vector<Rung> successive_halving(std::int64_t sets, std::int64_t min_steps, std::int64_t eta) {
  const char* const op = "population.successive_halving";
  LUGE_CHECK(ValueError, sets >= 1, "{}: sets is {}; it must be 1 or more", op, sets);
  LUGE_CHECK(ValueError, min_steps >= 1, "{}: min_steps is {}; it must be 1 or more", op, min_steps);
  check_eta(op, eta);
  std::vector<Rung> rungs;
  for (std::int64_t steps = min_steps;;) {
    const std::int64_t keep = std::max<std::int64_t>(sets / eta, 1);
    rungs.push_back({sets, steps, keep});
    if (sets == 1) return rungs;
    LUGE_CHECK(ValueError, !__builtin_mul_overflow(steps, eta, &steps),
               "{}: min_steps {} and eta {} lead beyond 2^63 - 1 steps", op, min_steps, eta);
    sets = keep;
  }
}

std::vector<std::vector<Rung>> hyperband(std::int64_t max_steps, std::int64_t eta) {
  const char* const op = "population.hyperband";
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  LUGE_CHECK(ValueError, max_steps >= 1 && max_steps <= kMost, "{}: max_steps is {}; allowed are 1 to {}", op,
             max_steps, kMost);
  check_eta(op, eta);
  std::vector<std::int64_t> powers{1};  // of eta, up to max_steps
  while (powers.back() <= max_steps / eta) powers.push_back(powers.back() * eta);
  const auto most = static_cast<std::int64_t>(powers.size()) - 1;
  std::vector<std::vector<Rung>> brackets;
  for (std::int64_t s = most; s >= 0; --s) {
    const std::int64_t weight = (most + 1) * powers[static_cast<std::size_t>(s)];
    std::int64_t sets = (weight + s) / (s + 1);  // rounded up
    std::vector<Rung> rungs;
    for (std::int64_t i = 0; i <= s; ++i) {
      const std::int64_t keep = i < s ? sets / eta : 1;
      rungs.push_back({sets, max_steps / powers[static_cast<std::size_t>(s - i)], keep});
      sets = keep;
    }
    brackets.push_back(std::move(rungs));
  }
  return brackets;
}

}  // namespace luge::population
