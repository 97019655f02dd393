#include <luge/ops/bessel.h>

#include <span>

#include <luge/base/detail/check.h>
#include <luge/ops/create.h>
#include <luge/ops/detail/with_slope.h>
#include <luge/ops/elementwise.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

namespace {

// Chebyshev series in powers of t, made with 40 digits.

/// exp(-x) I0(x) for 2 <= x <= 8, with t = (x - 5) / 3.
constexpr double kMiddle0[] = {
    0.18354081260932836, -0.058705636994357963, 0.028541870732985808, -0.015665416464246341, 0.0091411590555381169,
    -0.0054879348407501005, 0.0032956763712067459, -0.0019326154567072293, 0.0010869627941368235, -0.00057962454777050673,
    0.00029120464115879103, -0.00013746729315101928, 6.0950206577968508e-05, -2.5406055562615351e-05, 9.9731024918462944e-06,
    -3.6947983131452398e-06, 1.2945210267578902e-06, -4.2948589836345613e-07, 1.3553767861687303e-07, -4.1169681041939591e-08,
    1.1784639362877825e-08, -2.9428231145060597e-09, 7.7711142634445176e-10, -2.991489229552113e-10, 7.1380058635145306e-11};
/// exp(-x) I1(x).
constexpr double kMiddle1[] = {
    0.16397226694454237, -0.039677723172367452, 0.012876454268742041, -0.0034772043901933466, -5.3990125108558846e-06,
    0.0011034179016025756, -0.0012137596918006947, 0.00096595199510621525, -0.00065191087635738034, 0.00039105758386517826,
    -0.00021284193609072467, 0.00010633355722172471, -4.9143328203423383e-05, 2.1135022769232538e-05, -8.4993172684581225e-06,
    3.2094343983185701e-06, -1.141852073004665e-06, 3.8359832774359147e-07, -1.2232712799450222e-07, 3.7499099183491575e-08,
    -1.0813537587927578e-08, 2.7121960741645924e-09, -7.2045804907323037e-10, 2.7985480755419246e-10, -6.7038306681771386e-11};
/// sqrt(x) exp(-x) I0(x) for x >= 8, with t = 16 / x - 1.
constexpr double kFar0[] = {
    0.4021765094450081, 0.0033605519836678614, 0.00013621607439193051, 1.1143033790932038e-05, 1.4838475658279249e-06,
    2.9735985885673923e-07, 8.8722197379040539e-08, 3.9325843345529519e-08, 2.1548377974791598e-08, 7.554691881248808e-09,
    -6.747657956107524e-09, -1.340891754008974e-08, -5.4047715675799581e-09, 7.5525830621233842e-09, 7.4304646503254263e-09,
    -3.505966530879332e-09, -5.9535694382648904e-09, 1.5200816953924232e-09, 3.6379546359011143e-09, -5.7158438642027087e-10,
    -1.6189806836246819e-09, 1.5279202694981569e-10, 4.5770876316436229e-10, -2.0260604287413626e-11, -6.0676315706030063e-11};
/// sqrt(x) exp(-x) I1(x).
constexpr double kFar1[] = {
    0.38939845902587233, -0.009749577193235737, -0.00021923576383388928, -1.5038547200567216e-05, -1.8349101326980946e-06,
    -3.4838557610442948e-07, -1.0001288294864884e-07, -4.312917729178349e-08, -2.3373928208142639e-08, -8.4277660937351848e-09,
    6.7344648153015917e-09, 1.4034238782067183e-08, 5.9744376080402642e-09, -7.6423941343635606e-09, -7.8883515078620775e-09,
    3.4262341490077958e-09, 6.2427412197864451e-09, -1.4387250533041013e-09, -3.7946708962083393e-09, 5.2956254411612613e-10,
    1.6848984479705146e-09, -1.4011625179770627e-10, -4.7588188387038534e-10, 1.8515118828852956e-11, 6.3059651971500571e-11};

/// The polynomial with these coefficients, the constant one first.
Tensor polynomial(std::span<const double> coefficients, const Tensor& t) {
  Tensor sum = t * coefficients.back() + coefficients[coefficients.size() - 2];
  for (std::size_t k = coefficients.size() - 2; k-- > 0;) sum = sum * t + coefficients[k];
  return sum;
}

/// The sum of z^k / (k! (k + order)!) for 0 <= z <= 1, which is I(order) of 2 sqrt(z) by z^(order / 2): twelve terms.
Tensor power_series(const Tensor& z, int order) {
  Tensor sum = z * (1.0 / (11 * (11 + order))) + 1;
  for (int k = 10; k > 0; --k) sum = sum * z * (1.0 / (k * (k + order))) + 1;
  return sum;
}

/// exp(-size) I(order) of a float64 tensor that is not below 0.
Tensor scaled(const Tensor& size, int order) {
  const Tensor low = size <= 2, high = size > 8;
  const Tensor lowest = where(low, size, 0), middle = where(low.logical_or(high), 2, size), highest = where(high, size, 8);
  const Tensor series = power_series(square(lowest) * 0.25, order) * exp(-lowest);
  const Tensor t = (middle - 5) * (1.0 / 3), u = 16 / highest - 1;
  return where(low, order == 0 ? series : series * (lowest * 0.5),
               where(high, polynomial(order == 0 ? std::span<const double>(kFar0) : kFar1, u) / sqrt(highest),
                     polynomial(order == 0 ? std::span<const double>(kMiddle0) : kMiddle1, t)));
}
Tensor scaled0(const Tensor& size) { return scaled(size, 0); }

/// exp(-|x|) I1(x) of a float64 tensor.
Tensor scaled1(const Tensor& x) {
  const Tensor found = scaled(abs(x), 1);
  return where(x < 0, -found, found);
}

/// exp(size) times what is scaled by exp(-size). Beyond 700 in two factors, as exp(size) overflows before the product does.
Tensor unscaled(const Tensor& part, const Tensor& size) {
  const Tensor high = size > 700, product = exp(where(high, size - 16, size)) * part;
  return where(high, product * 8886110.520507872, product);
}

/// I1(x) / x and 1 / 2 at 0, of what I1 is: scaled or not.
Tensor quotient(const Tensor& x, const Tensor& of_x) {
  const Tensor zero = x == 0;
  return where(zero, 0.5, of_x / where(zero, 1, x));
}

}  // namespace

Tensor i0(const Tensor& x) {
  return with_slope(
      "i0", x, [](const Tensor& wide) { return unscaled(scaled0(abs(wide)), abs(wide)); },
      [](const Tensor& wide) { return i1(wide); });
}

Tensor i0e(const Tensor& x) {
  return with_slope(
      "i0e", x, [](const Tensor& wide) { return scaled0(abs(wide)); },
      [](const Tensor& wide) { return i1e(wide) - sign(wide) * i0e(wide); });
}

Tensor i1(const Tensor& x) {
  return with_slope(
      "i1", x, [](const Tensor& wide) { return unscaled(scaled1(wide), abs(wide)); },
      [](const Tensor& wide) { return i0(wide) - quotient(wide, i1(wide)); });
}

Tensor i1e(const Tensor& x) {
  return with_slope(
      "i1e", x, [](const Tensor& wide) { return scaled1(wide); },
      [](const Tensor& wide) { return i0e(wide) - sign(wide) * i1e(wide) - quotient(wide, i1e(wide)); });
}

}  // namespace luge
