#include <luge/ops/detail/loss_terms.h>

#include <luge/base/detail/check.h>
#include <luge/tensor/detail/tensor_impl.h>

namespace luge {

Tensor reduced(const char* op, const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::None: return losses;
    case Reduction::Mean: return losses.mean();
    case Reduction::Sum: return losses.sum();
    case Reduction::PerSet: break;
  }
  LUGE_CHECK(ShapeError, losses.ndim() >= 1, "{}: PerSet needs losses with a leading axis of sets; they are 0-d", op);
  return losses.ndim() == 1 ? losses : losses.flatten(1).mean(1);
}

bool goes_with(const Shape& target, const Shape& full, Reduction reduction) {
  if (target == full) return true;
  if (reduction != Reduction::PerSet || full.empty()) return false;
  Shape of_one_set = full;
  of_one_set.erase(0);
  return target == of_one_set;
}

std::string allowed_shapes(const Shape& full, Reduction reduction) {
  if (reduction != Reduction::PerSet || full.empty()) return to_string(full);
  Shape of_one_set = full;
  of_one_set.erase(0);
  return to_string(full) + " or, shared by all sets, " + to_string(of_one_set);
}

void check_goes_with(const char* op, const char* argument, const Tensor& tensor, const char* other, const Shape& full,
                     Reduction reduction) {
  const Shape& shape = checked(tensor, op, argument).shape;
  LUGE_CHECK(ShapeError, goes_with(shape, full, reduction), "{}: {} is {} and {} is {}; {} must be {}", op, other,
             to_string(full), argument, to_string(shape), argument, allowed_shapes(full, reduction));
}

}  // namespace luge
