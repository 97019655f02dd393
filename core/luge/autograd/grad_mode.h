#pragma once

namespace luge {

/// Whether ops are recorded on this thread; true unless a NoGrad is alive.
bool grad_enabled();
/// Turns recording on this thread on or off; returns what it was. For bindings: C++ has NoGrad.
bool set_grad_enabled(bool on);

/// While it lives, ops on this thread are recorded or not, as it says.
class GradMode {
 public:
  explicit GradMode(bool on) : previous_(set_grad_enabled(on)) {}
  ~GradMode() { set_grad_enabled(previous_); }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};

/// While it lives, ops on this thread are not recorded and in-place changes of parameters are allowed.
class NoGrad : GradMode {
 public:
  NoGrad() : GradMode(false) {}
};

/// Runs `body` without recording and returns what it returns: `no_grad([&] { w.sub_(0.1 * w.grad()); })`.
template <class Body>
decltype(auto) no_grad(Body&& body) {
  const NoGrad guard;
  return body();
}

}  // namespace luge
