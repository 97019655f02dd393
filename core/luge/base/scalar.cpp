#include <luge/base/scalar.h>

#include <string>

#include <luge/base/detail/check.h>
#include <luge/math/half.h>

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

double Scalar::rounded(double value, DType dtype) {
  switch (dtype) {
    case DType::Float16: return math::to_float(math::to_half<math::Float16>(value));
    case DType::BFloat16: return math::to_float(math::to_half<math::BFloat16>(value));
    case DType::Float32: return static_cast<float>(value);
    default: return value;
  }
}

void Scalar::refuse_infinity(const char* op, DType dtype) const {
  const float largest = dtype == DType::Float16    ? math::to_float(math::Float16{0x7BFF})
                        : dtype == DType::BFloat16 ? math::to_float(math::BFloat16{0x7F7F})
                                                   : std::numeric_limits<float>::max();
  raise<ValueError>("{}: the number {} does not fit {}, whose largest element is {}; float64 holds it", op,
                    text(*this), name(dtype), largest);
}

void Scalar::refuse_unsigned(std::uint64_t value) {
  raise<ValueError>("number: {} is given; an integer must fit into int64, whose largest is {}", value,
                    std::numeric_limits<std::int64_t>::max());
}

}  // namespace luge
