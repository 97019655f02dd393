#pragma once
// Functions of layers that have a binding of their own.

#include "python.h"

namespace luge::python {

void bind_attention(nb::module_& m);
void bind_recurrent(nb::module_& m);
void bind_dropout(nb::module_& m);
void bind_embedding(nb::module_& m);
void bind_multilabel_loss(nb::module_& m);
void bind_resize(nb::module_& m);

}  // namespace luge::python
