#include <luge/autograd/grad_mode.h>
#include <luge/base/detail/check.h>
#include <luge/seam/observer.h>
#include <luge/tensor/detail/tensor_impl.h>
#include <luge/train/clip.h>

namespace luge {

void clip_grad_value_(const std::vector<Tensor>& leaves, double clip_value) {
  LUGE_CHECK(ValueError, clip_value >= 0, "clip_grad_value_: clip_value is {}; it must be 0 or more", clip_value);
  const NoGrad guard;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    LUGE_CHECK(ValueError, leaves[i].defined(), "clip_grad_value_: tensor {} is undefined", i);
    TensorImpl& impl = *leaves[i].impl();
    if (observer) [[unlikely]]
      observer->uses_gradient(impl);
    // grad() would give an arena's parameter a gradient of zeros.
    if (impl.leaf && impl.leaf->written()) leaves[i].grad().clamp_(-clip_value, clip_value);
  }
}

}  // namespace luge
