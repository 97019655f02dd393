#include <luge/train/init.h>

#include <cmath>

#include <luge/base/detail/check.h>

namespace luge::init {

namespace {

void check_fan(const char* op, const char* argument, std::int64_t fan) {
  LUGE_CHECK(ValueError, fan > 0, "{}: {} is {}; it must be 1 or more", op, argument, fan);
}

void check_slope(const char* op, double a) {
  LUGE_CHECK(ValueError, std::isfinite(a), "{}: a is {}; it must be finite", op, a);
}

void check_gain(const char* op, double gain) {
  LUGE_CHECK(ValueError, std::isfinite(gain) && gain >= 0, "{}: gain is {}; it must be 0 or more and finite", op, gain);
}

Init symmetric(double bound) { return uniform(-bound, bound); }

}  // namespace

Init constant(double value) { return {.is_constant = true, .a = value}; }

Init uniform(double low, double high) {
  LUGE_CHECK(ValueError, std::isfinite(low) && std::isfinite(high) && low <= high,
             "init::uniform: low is {} and high is {}; both must be finite and low at most high", low, high);
  return {.kind = Random::Kind::Uniform, .a = low, .b = high};
}

Init normal(double mean, double deviation) {
  LUGE_CHECK(ValueError, std::isfinite(mean) && std::isfinite(deviation) && deviation >= 0,
             "init::normal: mean is {} and deviation is {}; both must be finite and the deviation 0 or more", mean,
             deviation);
  return {.kind = Random::Kind::Normal, .a = mean, .b = deviation};
}

Init kaiming_uniform(std::int64_t fan_in, double a) {
  check_fan("init::kaiming_uniform", "fan_in", fan_in);
  check_slope("init::kaiming_uniform", a);
  return symmetric(std::sqrt(6.0 / ((1 + a * a) * static_cast<double>(fan_in))));
}

Init kaiming_normal(std::int64_t fan_in, double a) {
  check_fan("init::kaiming_normal", "fan_in", fan_in);
  check_slope("init::kaiming_normal", a);
  return normal(0, std::sqrt(2.0 / ((1 + a * a) * static_cast<double>(fan_in))));
}

Init xavier_uniform(std::int64_t fan_in, std::int64_t fan_out, double gain) {
  check_fan("init::xavier_uniform", "fan_in", fan_in);
  check_fan("init::xavier_uniform", "fan_out", fan_out);
  check_gain("init::xavier_uniform", gain);
  return symmetric(gain * std::sqrt(6.0 / (static_cast<double>(fan_in) + static_cast<double>(fan_out))));
}

Init xavier_normal(std::int64_t fan_in, std::int64_t fan_out, double gain) {
  check_fan("init::xavier_normal", "fan_in", fan_in);
  check_fan("init::xavier_normal", "fan_out", fan_out);
  check_gain("init::xavier_normal", gain);
  return normal(0, gain * std::sqrt(2.0 / (static_cast<double>(fan_in) + static_cast<double>(fan_out))));
}

}  // namespace luge::init
