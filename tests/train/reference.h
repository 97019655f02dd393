#pragma once
// The optimizers as torch.optim documents them, in float64, one number at a time. Written from those pages,
// not from core/luge/math/updates.h.

#include <cmath>

namespace luge::test {

/// What one set is trained with.
struct Numbers {
  double lr = 0.01, momentum = 0, dampening = 0, weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double alpha = 0.99, lr_decay = 0;
  bool nesterov = false, centered = false, maximize = false;
};

enum class Rule { Sgd, Adam, AdamW, RmsProp, Adagrad };

/// One parameter element and its state.
struct Element {
  double value = 0, buffer = 0, first = 0, second = 0;
  int steps = 0;

  void step(Rule rule, const Numbers& n, double gradient) {
    ++steps;
    double g = n.maximize ? -gradient : gradient;
    if (rule == Rule::Sgd) {
      g += n.weight_decay * value;
      if (n.momentum != 0) {
        buffer = steps == 1 ? g : n.momentum * buffer + (1 - n.dampening) * g;
        g = n.nesterov ? g + n.momentum * buffer : buffer;
      }
      value -= n.lr * g;
      return;
    }
    if (rule == Rule::RmsProp) {
      g += n.weight_decay * value;
      second = n.alpha * second + (1 - n.alpha) * g * g;
      double average = second;
      if (n.centered) {
        first = n.alpha * first + (1 - n.alpha) * g;
        average -= first * first;
      }
      const double scaled = g / (std::sqrt(average) + n.epsilon);
      buffer = n.momentum * buffer + scaled;
      value -= n.lr * (n.momentum != 0 ? buffer : scaled);
      return;
    }
    if (rule == Rule::Adagrad) {
      g += n.weight_decay * value;
      second += g * g;
      value -= n.lr / (1 + (steps - 1) * n.lr_decay) * g / (std::sqrt(second) + n.epsilon);
      return;
    }
    if (rule == Rule::AdamW)
      value -= n.lr * n.weight_decay * value;
    else
      g += n.weight_decay * value;
    first = n.beta1 * first + (1 - n.beta1) * g;
    second = n.beta2 * second + (1 - n.beta2) * g * g;
    const double first_hat = first / (1 - std::pow(n.beta1, steps));
    const double second_hat = second / (1 - std::pow(n.beta2, steps));
    value -= n.lr * first_hat / (std::sqrt(second_hat) + n.epsilon);
  }
};

}  // namespace luge::test
