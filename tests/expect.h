#pragma once
// What tests say about tensors: their values, and the errors that calls raise.

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <luge/luge.h>

namespace luge::test {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Half the distance from 1 to the next number.
inline double unit_roundoff(DType dtype) { return dtype == float32 ? 0x1p-24 : 0x1p-53; }

/// Equal, or both NaN, or within `tolerance`.
inline bool close(double actual, double expected, double tolerance) {
  if (std::isnan(expected) || std::isnan(actual)) return std::isnan(expected) && std::isnan(actual);
  return actual == expected || std::abs(actual - expected) <= tolerance;
}

/// Shape, dtype and every value; `tolerance` is relative to max(1, |expected|).
inline ::testing::AssertionResult has_values(const Tensor& tensor, const Shape& shape, DType dtype,
                                             const std::vector<double>& expected, double tolerance = 0) {
  if (!tensor.defined()) return ::testing::AssertionFailure() << "the tensor is undefined";
  if (tensor.shape() != shape)
    return ::testing::AssertionFailure() << "shape " << to_string(tensor.shape()) << " instead of " << to_string(shape);
  if (tensor.dtype() != dtype)
    return ::testing::AssertionFailure() << "dtype " << name(tensor.dtype()) << " instead of " << name(dtype);
  const std::vector<double> actual = tensor.to_vector<double>();
  if (actual.size() != expected.size())
    return ::testing::AssertionFailure() << actual.size() << " values instead of " << expected.size();
  for (std::size_t i = 0; i < actual.size(); ++i)
    if (!close(actual[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i]))))
      return ::testing::AssertionFailure() << "value " << i << " of " << to_string(shape) << " is " << actual[i]
                                           << " instead of " << expected[i] << " (difference "
                                           << actual[i] - expected[i] << ")";
  return ::testing::AssertionSuccess();
}

/// The same shape, dtype and bits (all NaN count as one).
inline ::testing::AssertionResult same(const Tensor& actual, const Tensor& expected) {
  return has_values(actual, expected.shape(), expected.dtype(), expected.to_vector<double>());
}

/// gradcheck and gradgradcheck, with the message of the one that fails.
inline ::testing::AssertionResult gradients_agree(const std::function<Tensor(const std::vector<Tensor>&)>& function,
                                                  const std::vector<Tensor>& inputs, GradcheckOptions options = {}) {
  const GradcheckResult first = gradcheck(function, inputs, options);
  if (!first) return ::testing::AssertionFailure() << first.message;
  const GradcheckResult second = gradgradcheck(function, inputs, options);
  return second ? ::testing::AssertionSuccess()
                : ::testing::AssertionFailure() << "of the gradients: " << second.message;
}

/// One call that must raise an E whose text matches.
struct ErrorCase {
  const char* call;                                       ///< as written, for the report
  std::function<void()> run;
  bool (*is_of_type)(const std::exception&);
  const char* type;
  const char* pattern;                                    ///< POSIX extended regular expression found in the text
};

/// {LUGE_ERROR(ShapeError, "view: .*", zeros({2}).view({3}))}
#define LUGE_ERROR(ErrorType, pattern, ...)                                                           \
  ::luge::test::ErrorCase {                                                                           \
    #__VA_ARGS__, [&] { static_cast<void>(__VA_ARGS__); },                                            \
        [](const std::exception& e) { return dynamic_cast<const ::luge::ErrorType*>(&e) != nullptr; }, \
        #ErrorType, pattern                                                                           \
  }

inline void expect_errors(const std::vector<ErrorCase>& cases) {
  for (const ErrorCase& error : cases) {
    SCOPED_TRACE(error.call);
    try {
      error.run();
      ADD_FAILURE() << "nothing was thrown; expected " << error.type << " with '" << error.pattern << "'";
    } catch (const std::exception& e) {
      EXPECT_TRUE(error.is_of_type(e)) << "not a " << error.type << ": " << e.what();
      const ::testing::Matcher<const std::string&> matches = ::testing::ContainsRegex(error.pattern);
      EXPECT_TRUE(matches.Matches(e.what())) << "no '" << error.pattern << "' in: " << e.what();
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << "more than one line: " << e.what();
    }
  }
}

}  // namespace luge::test
