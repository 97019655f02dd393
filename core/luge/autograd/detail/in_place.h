#pragma once
// Internal: how a change in place becomes part of the graph. The changed tensor gets a new history; where it is a view,
// the tensor whose memory it sees gets one, too, and every other view of that memory is a view of the new one.

#include <luge/autograd/detail/node.h>

namespace luge {

/// Whether a change of `self` has to be recorded: gradients are recorded, and it or its memory's tensor has a history,
/// or `needs` says so of the values that come in. To be called after check_writable(). AutogradError, in the name of
/// `op`, for a tensor that has been a leaf: a leaf that came to depend on a node would keep itself alive.
bool records_change(const Tensor& self, const char* op, bool needs = false);

/// `self` as it was, with its history, for the node that is to follow. `keeps`: its values are needed later, too, and
/// copied before they are changed.
Tensor before_change(const Tensor& self, bool keeps);

/// Makes `node` the history of `self`, whose memory has been changed by now.
void rebase(Tensor& self, Ref<Node> node);

/// Makes `view` a view of `base` for changes in place.
void mark_view(Tensor& view, const Tensor& base);

/// For a view of memory that was changed in place since the view was made: the view of what is there now.
void refresh_history(TensorImpl& view);

}  // namespace luge
