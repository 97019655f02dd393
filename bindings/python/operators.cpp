// Python's operators of tensors, as slots of the type.

#include <array>

#include "interchange.h"
#include "operands.h"

namespace luge::python {

namespace {

/// The operator of a slot; NotImplemented where the other operand is of a type that luge does not know.
template <class Call>
PyObject* guarded(const Call& call) noexcept {
  try {
    return call();
  } catch (...) {
    set_error();
    return nullptr;
  }
}

PyObject* not_implemented() {
  Py_INCREF(Py_NotImplemented);
  return Py_NotImplemented;
}

#define LUGE_OPERATOR(slot, function)                                               \
  PyObject* slot(PyObject* a, PyObject* b) noexcept {                               \
    return guarded([&]() -> PyObject* {                                             \
      std::optional<Tensor> result = apply(two::function, a, b);                    \
      return result ? wrap(*std::move(result)).release().ptr() : not_implemented(); \
    });                                                                             \
  }
LUGE_OPERATOR(operator_add, add)
LUGE_OPERATOR(operator_sub, sub)
LUGE_OPERATOR(operator_mul, mul)
LUGE_OPERATOR(operator_div, div)
LUGE_OPERATOR(operator_and, bitwise_and)
LUGE_OPERATOR(operator_or, bitwise_or)
LUGE_OPERATOR(operator_xor, bitwise_xor)
LUGE_OPERATOR(operator_floor_divide, floor_divide)
LUGE_OPERATOR(operator_remainder, remainder)
LUGE_OPERATOR(operator_left_shift, bitwise_left_shift)
LUGE_OPERATOR(operator_right_shift, bitwise_right_shift)
#undef LUGE_OPERATOR

PyObject* operator_divmod(PyObject* a, PyObject* b) noexcept {
  return guarded([&]() -> PyObject* {
    std::optional<Tensor> quotient = apply(two::floor_divide, a, b);
    if (!quotient) return not_implemented();
    return nb::make_tuple(wrap(*std::move(quotient)), wrap(called("divmod", two::remainder, a, b))).release().ptr();
  });
}

PyObject* operator_pow(PyObject* a, PyObject* b, PyObject* modulus) noexcept {
  return guarded([&]() -> PyObject* {
    if (modulus != Py_None) return not_implemented();
    std::optional<Tensor> result = apply(two::pow, a, b);
    return result ? wrap(*std::move(result)).release().ptr() : not_implemented();
  });
}

PyObject* operator_matmul(PyObject* a, PyObject* b) noexcept {
  return guarded([&]() -> PyObject* {
    const auto read = [](PyObject* given) {
      return is_tensor(given) ? std::optional<Tensor>(as_tensor(given)) : numpy_operand("matmul", given);
    };
    const std::optional<Tensor> x = read(a), y = read(b);
    if (!x || !y) return not_implemented();
    Tensor result;
    {
      const Unlocked unlocked(Unlocked::product(*x, *y));
      result = matmul(*x, *y);
    }
    return wrap(std::move(result)).release().ptr();
  });
}

PyObject* operator_invert(PyObject* a) noexcept {
  return guarded([&]() -> PyObject* {
    const Tensor& x = self_of(a);
    Tensor result;
    {
      const Unlocked unlocked(x);
      result = bitwise_not(x);
    }
    return wrap(std::move(result)).release().ptr();
  });
}
PyObject* operator_neg(PyObject* a) noexcept {
  return guarded([&]() -> PyObject* {
    const Tensor& x = self_of(a);
    Tensor result;
    {
      const Unlocked unlocked(x);
      result = neg(x);
    }
    return wrap(std::move(result)).release().ptr();
  });
}
PyObject* operator_pos(PyObject* a) noexcept {
  Py_INCREF(a);
  return a;
}
PyObject* operator_abs(PyObject* a) noexcept {
  return guarded([&]() -> PyObject* { return wrap(luge::abs(self_of(a))).release().ptr(); });
}

#define LUGE_OPERATOR(slot, method)                                               \
  PyObject* slot(PyObject* a, PyObject* b) noexcept {                             \
    return guarded([&]() -> PyObject* {                                           \
      Tensor& x = self_of(a);                                                     \
      if (is_tensor(b)) {                                                         \
        const Unlocked unlocked(x);                                               \
        x.method(as_tensor(b));                                                   \
      } else if (const std::optional<Scalar> value = number(b)) {                 \
        const Unlocked unlocked(x);                                               \
        x.method(*value);                                                         \
      } else if (const std::optional<Tensor> other = numpy_operand(#method, b)) { \
        const Unlocked unlocked(x);                                               \
        x.method(*other);                                                         \
      } else {                                                                    \
        return not_implemented();                                                 \
      }                                                                           \
      Py_INCREF(a);                                                               \
      return a;                                                                   \
    });                                                                           \
  }
LUGE_OPERATOR(operator_iadd, add_)
LUGE_OPERATOR(operator_isub, sub_)
LUGE_OPERATOR(operator_imul, mul_)
LUGE_OPERATOR(operator_idiv, div_)
LUGE_OPERATOR(operator_iand, bitwise_and_)
LUGE_OPERATOR(operator_ior, bitwise_or_)
LUGE_OPERATOR(operator_ixor, bitwise_xor_)
LUGE_OPERATOR(operator_ifloor_divide, floor_divide_)
LUGE_OPERATOR(operator_iremainder, remainder_)
LUGE_OPERATOR(operator_ileft_shift, bitwise_left_shift_)
LUGE_OPERATOR(operator_iright_shift, bitwise_right_shift_)
LUGE_OPERATOR(changed_to_power, pow_)
#undef LUGE_OPERATOR

PyObject* operator_ipow(PyObject* a, PyObject* b, PyObject* modulus) noexcept {
  return modulus == Py_None ? changed_to_power(a, b) : not_implemented();
}

PyObject* compare(PyObject* a, PyObject* b, int how) noexcept {
  return guarded([&]() -> PyObject* {
    static constexpr std::array<Two, 6> kComparisons = {two::lt, two::le, two::eq, two::ne, two::gt, two::ge};
    std::optional<Tensor> result = apply(kComparisons[static_cast<std::size_t>(how)], a, b);
    return result ? wrap(*std::move(result)).release().ptr() : not_implemented();
  });
}

}  // namespace

PyType_Slot* operator_slots() {
  static PyType_Slot slots[] = {{Py_nb_add, reinterpret_cast<void*>(operator_add)},
                                {Py_nb_subtract, reinterpret_cast<void*>(operator_sub)},
                                {Py_nb_multiply, reinterpret_cast<void*>(operator_mul)},
                                {Py_nb_true_divide, reinterpret_cast<void*>(operator_div)},
                                {Py_nb_power, reinterpret_cast<void*>(operator_pow)},
                                {Py_nb_matrix_multiply, reinterpret_cast<void*>(operator_matmul)},
                                {Py_nb_and, reinterpret_cast<void*>(operator_and)},
                                {Py_nb_or, reinterpret_cast<void*>(operator_or)},
                                {Py_nb_xor, reinterpret_cast<void*>(operator_xor)},
                                {Py_nb_invert, reinterpret_cast<void*>(operator_invert)},
                                {Py_nb_negative, reinterpret_cast<void*>(operator_neg)},
                                {Py_nb_positive, reinterpret_cast<void*>(operator_pos)},
                                {Py_nb_absolute, reinterpret_cast<void*>(operator_abs)},
                                {Py_nb_inplace_add, reinterpret_cast<void*>(operator_iadd)},
                                {Py_nb_inplace_subtract, reinterpret_cast<void*>(operator_isub)},
                                {Py_nb_inplace_multiply, reinterpret_cast<void*>(operator_imul)},
                                {Py_nb_inplace_true_divide, reinterpret_cast<void*>(operator_idiv)},
                                {Py_nb_inplace_and, reinterpret_cast<void*>(operator_iand)},
                                {Py_nb_inplace_or, reinterpret_cast<void*>(operator_ior)},
                                {Py_nb_inplace_xor, reinterpret_cast<void*>(operator_ixor)},
                                {Py_nb_floor_divide, reinterpret_cast<void*>(operator_floor_divide)},
                                {Py_nb_remainder, reinterpret_cast<void*>(operator_remainder)},
                                {Py_nb_divmod, reinterpret_cast<void*>(operator_divmod)},
                                {Py_nb_lshift, reinterpret_cast<void*>(operator_left_shift)},
                                {Py_nb_rshift, reinterpret_cast<void*>(operator_right_shift)},
                                {Py_nb_inplace_floor_divide, reinterpret_cast<void*>(operator_ifloor_divide)},
                                {Py_nb_inplace_remainder, reinterpret_cast<void*>(operator_iremainder)},
                                {Py_nb_inplace_lshift, reinterpret_cast<void*>(operator_ileft_shift)},
                                {Py_nb_inplace_rshift, reinterpret_cast<void*>(operator_iright_shift)},
                                {Py_nb_inplace_power, reinterpret_cast<void*>(operator_ipow)},
                                {Py_tp_richcompare, reinterpret_cast<void*>(compare)},
                                {0, nullptr}};
  return slots;
}

}  // namespace luge::python
