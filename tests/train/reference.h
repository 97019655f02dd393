#pragma once
// The optimizers as torch.optim documents them, in float64, one number at a time. Written from those pages,
// not from core/luge/math/updates.h.

#include <algorithm>
#include <cmath>

namespace luge::test {

/// What one set is trained with.
struct Numbers {
  double lr = 0.01, momentum = 0, dampening = 0, weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double alpha = 0.99, lr_decay = 0;
  bool nesterov = false, centered = false, maximize = false;
  bool amsgrad = false, decoupled = false;
  double rho = 0.9, momentum_decay = 4e-3;
  double lambd = 1e-4, power = 0.75, t0 = 1e6;
  double eta_minus = 0.5, eta_plus = 1.2, step_min = 1e-6, step_max = 50;
};

enum class Rule { Sgd, Adam, AdamW, RmsProp, Adagrad, Adadelta, Adamax, NAdam, RAdam, Asgd, Rprop, Lion };

/// One parameter element and its state.
struct Element {
  double value = 0, buffer = 0, first = 0, second = 0;
  double greatest = 0, product = 1, rate = 0, size = 0;
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
    if (rule == Rule::Adadelta) {
      g += n.weight_decay * value;
      second = n.rho * second + (1 - n.rho) * g * g;
      const double change = std::sqrt(first + n.epsilon) / std::sqrt(second + n.epsilon) * g;
      first = n.rho * first + (1 - n.rho) * change * change;
      value -= n.lr * change;
      return;
    }
    if (rule == Rule::Adamax) {
      g += n.weight_decay * value;
      first = n.beta1 * first + (1 - n.beta1) * g;
      greatest = std::max(n.beta2 * greatest, std::abs(g) + n.epsilon);
      value -= n.lr / (1 - std::pow(n.beta1, steps)) * first / greatest;
      return;
    }
    if (rule == Rule::Asgd) {
      g += n.weight_decay * value;
      if (steps == 1) rate = n.lr;
      value *= 1 - n.lambd * rate;
      value -= rate * g;
      const double weight = steps == 1 ? 1 : 1 / std::max(1.0, steps - 1 - n.t0);
      first = weight == 1 ? value : first + weight * (value - first);
      rate = n.lr / std::pow(1 + n.lambd * n.lr * steps, n.power);
      return;
    }
    if (rule == Rule::Rprop) {
      if (steps == 1) size = n.lr;
      const double turn = g * first;
      size *= turn > 0 ? n.eta_plus : turn < 0 ? n.eta_minus : 1;
      size = std::min(std::max(size, n.step_min), n.step_max);
      if (turn < 0) g = 0;
      value -= g > 0 ? size : g < 0 ? -size : 0;
      first = g;
      return;
    }
    if (rule == Rule::Lion) {
      const double way = n.beta1 * first + (1 - n.beta1) * g;
      value -= n.lr * n.weight_decay * value;
      value -= n.lr * (way > 0 ? 1 : way < 0 ? -1 : 0);
      first = n.beta2 * first + (1 - n.beta2) * g;
      return;
    }
    if (rule == Rule::AdamW || n.decoupled)
      value -= n.lr * n.weight_decay * value;
    else
      g += n.weight_decay * value;
    if (rule == Rule::NAdam) {
      const double now = n.beta1 * (1 - 0.5 * std::pow(0.96, steps * n.momentum_decay));
      const double next = n.beta1 * (1 - 0.5 * std::pow(0.96, (steps + 1) * n.momentum_decay));
      product = steps == 1 ? now : product * now;
      first = n.beta1 * first + (1 - n.beta1) * g;
      second = n.beta2 * second + (1 - n.beta2) * g * g;
      const double root = std::sqrt(second / (1 - std::pow(n.beta2, steps))) + n.epsilon;
      value -= n.lr * (1 - now) / (1 - product) * g / root + n.lr * next / (1 - product * next) * first / root;
      return;
    }
    if (rule == Rule::RAdam) {
      first = n.beta1 * first + (1 - n.beta1) * g;
      second = n.beta2 * second + (1 - n.beta2) * g * g;
      const double bias2 = 1 - std::pow(n.beta2, steps), longest = 2 / (1 - n.beta2) - 1;
      const double length = longest - 2 * steps * std::pow(n.beta2, steps) / bias2;
      double adaptive = 1;
      if (length > 5)
        adaptive = std::sqrt(bias2) / (std::sqrt(second) + n.epsilon) *
                   std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
      value -= n.lr * first / (1 - std::pow(n.beta1, steps)) * adaptive;
      return;
    }
    first = n.beta1 * first + (1 - n.beta1) * g;
    second = n.beta2 * second + (1 - n.beta2) * g * g;
    const double first_hat = first / (1 - std::pow(n.beta1, steps));
    greatest = std::max(greatest, second);
    const double second_hat = (n.amsgrad ? greatest : second) / (1 - std::pow(n.beta2, steps));
    value -= n.lr * first_hat / (std::sqrt(second_hat) + n.epsilon);
  }
};

}  // namespace luge::test
