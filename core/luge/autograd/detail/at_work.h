#pragma once

namespace luge {

class Node;

/// The node whose step of a reverse sweep this thread is in; null on the way forward.
inline constinit thread_local const Node* node_at_work = nullptr;

}  // namespace luge
