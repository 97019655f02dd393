// luge._C: what the Python package is made of. Names are those of PyTorch; luge/__init__.py shows them to users.

#include "convolutions.h"
#include "layers.h"
#include "python.h"

namespace luge::python {
void bind_amp(nb::module_& m);
void bind_normalization(nb::module_& m);
void bind_pooling(nb::module_& m);
}  // namespace luge::python

NB_MODULE(_C, m) {
  using namespace luge::python;
  m.doc() = "The compiled part of luge.";
  bind_errors(m);
  bind_types(m);
  bind_tensor(m);
  bind_normalization(m);
  bind_pooling(m);
  bind_convolutions(m);
  bind_creation(m);
  bind_autograd(m);
  bind_training(m);
  bind_dropout(m);
  bind_embedding(m);
  bind_multilabel_loss(m);
  bind_resize(m);
  bind_amp(m);
  bind_capture(m);
  bind_npy(m);
  bind_system(m);
  bind_files(m);
  bind_checkpoint(m);
  bind_fit(m);
  bind_population(m);
  bind_stop(m);
  bind_stop_train(m);
  bind_sweep(m);
  guard_calls(m);
}
