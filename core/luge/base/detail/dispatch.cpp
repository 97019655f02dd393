#include <luge/base/detail/dispatch.h>

#include <luge/base/detail/check.h>

namespace luge {

void refuse_element_type(DType dtype) { raise<DTypeError>("dtype: no kernel works on elements of {}", name(dtype)); }

void refuse_element_size(std::size_t bytes) {
  raise<DTypeError>("dtype: no kernel works on elements of {} bytes", bytes);
}

}  // namespace luge
