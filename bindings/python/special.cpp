// Special functions: luge.special's own, and those that luge has, too.

#include <luge/ops/bessel.h>
#include <luge/ops/frexp.h>
#include <luge/ops/normal.h>
#include <luge/ops/special.h>
#include <luge/ops/zeta.h>

#include <fmt/format.h>

#include "one.h"
#include "results.h"

namespace luge::python {

namespace {

constexpr Two kXlog1py = {"xlog1py", &xlog1py, &xlog1py, &xlog1py};
constexpr Two kZeta = {"zeta", &zeta, &zeta, &zeta};

/// f(input, *, out=None) of luge.special.
void def_special(nb::module_& own, const char* name, const char* does, const char* call, const char* result,
                 Tensor (*f)(const Tensor&)) {
  own.def(
      name,
      [name, f](const Tensor& x, nb::handle out) {
        Tensor found;
        {
          const Unlocked unlocked(x);
          found = f(x);
        }
        return written(name, std::move(found), out);
      },
      "input"_a, nb::kw_only(), "out"_a = nb::none(),
      fmt::format("{}\n\n>>> luge.special.{}\ntensor({})", does, call, result).c_str(),
      nb::sig(fmt::format("def {}(input: Tensor, *, out: Tensor | None = None) -> Tensor", name).c_str()));
}

}  // namespace

void bind_special(nb::module_& m, nb::class_<Tensor>& tensor) {
  nb::module_ own = m.def_submodule("_special", "Functions of luge.special.");
  def_special(own, "entr", "-x * log(x); 0 at 0, -inf below.", "entr(luge.tensor([0.5, 0.0]))", "[0.3466, -0.0000]", &entr);
  def_special(own, "ndtr", "The part of the standard normal distribution below x.", "ndtr(luge.tensor([0.0]))", "[0.5000]",
              &ndtr);
  def_special(own, "log_ndtr", "log(ndtr(x)), also where ndtr(x) is too small for the dtype.",
              "log_ndtr(luge.tensor([-20.0]))", "[-203.9172]", &log_ndtr);
  def_special(own, "ndtri", "The x with ndtr(x) = input: -inf at 0, inf at 1, NaN outside [0, 1].",
              "ndtri(luge.tensor([0.5, 0.975]))", "[0.0000, 1.9600]", &ndtri);
  def_special(own, "erfcx", "exp(x^2) * erfc(x), which does not underflow for large x.", "erfcx(luge.tensor([0.0, 100.0]))",
              "[1.0000, 0.0056]", &erfcx);
  def_special(own, "i0e", "exp(-|x|) * i0(x), which does not overflow.", "i0e(luge.tensor([0.0, 100.0]))", "[1.0000, 0.0399]",
              &i0e);
  def_special(own, "i1", "The modified Bessel function of the first kind, of order 1.", "i1(luge.tensor([0.0, 1.0]))",
              "[0.0000, 0.5652]", &i1);
  def_special(own, "i1e", "exp(-|x|) * i1(x), which does not overflow.", "i1e(luge.tensor([0.0, 100.0]))", "[0.0000, 0.0397]",
              &i1e);
  def_special(own, "expit", "1 / (1 + exp(-x)), which is luge.sigmoid.", "expit(luge.tensor([0.0]))", "[0.5000]", &sigmoid);
  def_special(own, "gammaln", "The logarithm of the gamma function, which is luge.lgamma.", "gammaln(luge.tensor([3.0]))",
              "[0.6931]", &lgamma);
  def_special(own, "psi", "The derivative of gammaln, which is luge.digamma.", "psi(luge.tensor([1.0]))", "[-0.5772]",
              &digamma);
  own.def(
      "xlog1py",
      [](nb::handle a, nb::handle b, nb::handle out) { return written("xlog1py", called("xlog1py", kXlog1py, a, b), out); },
      "input"_a.none(), "other"_a.none(), nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def xlog1py(input: Tensor | float, other: Tensor | float, *, out: Tensor | None = None) -> Tensor"),
      "input * log(1 + other), 0 where input is 0 unless other is NaN; broadcast.\n\n"
      ">>> luge.special.xlog1py(luge.tensor([0.0, 2.0]), luge.tensor([-1.0, 1.0]))\ntensor([0.0000, 1.3863])");
  own.def(
      "zeta",
      [](nb::handle a, nb::handle b, nb::handle out) { return written("zeta", called("zeta", kZeta, a, b), out); },
      "input"_a.none(), "other"_a.none(), nb::kw_only(), "out"_a = nb::none(),
      nb::sig("def zeta(input: Tensor | float, other: Tensor | float, *, out: Tensor | None = None) -> Tensor"),
      "The sum of (other + k)^-input over k = 0, 1, 2, ..., Hurwitz's zeta function; broadcast. Infinite for input 1 and for "
      "other 0, -1, -2, ...; NaN for input < 1, and for other < 0 unless input is an integer.\n\n"
      ">>> luge.special.zeta(luge.tensor([2.0, 4.0]), 1.0)\ntensor([1.6449, 1.0823])");
  const auto gamma = [](const Tensor& x, std::int64_t p) {
    const Unlocked unlocked(x);
    return multigammaln(x, p);
  };
  const char* const gamma_text =
      "The logarithm of the multivariate gamma function of dimension p. Raises ValueError for p < 1.\n\n"
      ">>> luge.special.multigammaln(luge.tensor([3.0]), 2)\ntensor([1.5502])";
  const auto def_gamma = [&](nb::module_& owner, const char* name) {
    owner.def(
        name, [name, gamma](const Tensor& x, std::int64_t p, nb::handle out) { return written(name, gamma(x, p), out); },
        "input"_a, "p"_a, nb::kw_only(), "out"_a = nb::none(), gamma_text,
        nb::sig(fmt::format("def {}(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor", name).c_str()));
  };
  def_gamma(own, "multigammaln");
  def_gamma(m, "mvlgamma");
  tensor.def("mvlgamma", gamma, "p"_a, "The logarithm of the multivariate gamma function of dimension p.");

  def_unary(m, tensor, "i0", "",
            "The modified Bessel function of the first kind, of order 0; integers and bool are float32.\n\n"
            ">>> luge.i0(luge.tensor([0.0, 1.0]))\ntensor([1.0000, 1.2661])",
            &i0);
  const auto parts = [](const Tensor& x, nb::handle out) {
    MantissaAndExponent found;
    {
      const Unlocked unlocked(x);
      found = frexp(x);
    }
    return written_pair("frexp", "mantissa exponent", std::move(found.mantissa), std::move(found.exponent), out);
  };
  const char* const frexp_text =
      "(mantissa, exponent) with input = mantissa * 2^exponent: the mantissa from 1/2 to 1, of the tensor's dtype, the exponent "
      "int32. Zeros, infinities and NaN are their own mantissa, with exponent 0. Floating dtypes.\n\n"
      ">>> luge.frexp(luge.tensor([6.0, 0.25]))\nfrexp(mantissa=tensor([0.7500, 0.5000]), exponent=tensor([ 3, -1], dtype=int32))";
  m.def("frexp", parts, "input"_a, nb::kw_only(), "out"_a = nb::none(), frexp_text,
        nb::sig("def frexp(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]"));
  tensor.def(
      "frexp", [parts](const Tensor& x) { return parts(x, nb::none()); }, frexp_text,
      nb::sig("def frexp(self) -> tuple[Tensor, Tensor]"));

  def_unary(m, tensor, "sinc", "",
            "sin(pi x) / (pi x), 1 at 0; integers and bool are float32.\n\n>>> luge.sinc(luge.tensor([0.0, 0.5]))\n"
            "tensor([1.0000, 0.6366])",
            &sinc);
  def_unary(m, tensor, "logit", ", eps: float | None = None",
            "log(x / (1 - x)), with x between eps and 1 - eps where eps is given; NaN outside [0, 1]. Integers and bool are "
            "float32.\n\n>>> luge.logit(luge.tensor([0.5, 0.75]))\ntensor([0.0000, 1.0986])",
            &logit, "eps"_a = nb::none());
}

}  // namespace luge::python
