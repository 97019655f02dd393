#include <luge/tensor/scalar.h>

#include <string>

#include <luge/check.h>

namespace luge {

namespace {

std::string text(const Scalar& number) {
  return number.kind() == Scalar::Kind::Float ? fmt::format("{}", number.to_double())
                                              : fmt::format("{}", number.to_int64());
}

}  // namespace

void Scalar::refuse(const char* op, bool is_signed, std::size_t bytes) const {
  const auto bits = static_cast<int>(8 * bytes);
  const int digits = is_signed ? bits - 1 : bits;
  const std::uint64_t last = ~std::uint64_t{0} >> (64 - digits);
  raise<ValueError>("{}: the number {} does not fit {}int{}, whose elements are {} to {}", op, text(*this),
                    is_signed ? "" : "u", bits, is_signed ? -static_cast<std::int64_t>(last) - 1 : 0, last);
}

void Scalar::refuse_float32(const char* op) const {
  raise<ValueError>("{}: the number {} does not fit float32, whose largest element is {}; float64 holds it", op,
                    text(*this), std::numeric_limits<float>::max());
}

void Scalar::refuse_unsigned(std::uint64_t value) {
  raise<ValueError>("number: {} is given; an integer must fit into int64, whose largest is {}", value,
                    std::numeric_limits<std::int64_t>::max());
}

}  // namespace luge
